"""Generated ratings have the shape and the structure that they are said to have."""

import numpy as np
import pytest

from helpers import generated_ratings as module
from helpers.generated_ratings import (
    CUISINES,
    MEAN_STARS,
    N_ITEMS,
    N_USERS,
    Truth,
    _liking,
    best_rmse,
    expected_stars,
    generate_ratings,
)
from helpers.ratings import prune


@pytest.fixture(scope="module")
def generated():
    return generate_ratings(np.random.default_rng(0))


@pytest.fixture(scope="module")
def pruned(generated):
    return prune(generated[0], 10)[0]


# ---- shape


def test_as_many_users_and_restaurants_as_yelp_and_no_pair_twice(generated):
    ratings, _ = generated
    assert ratings.shape == (N_USERS, N_ITEMS) == (337_867, 5_899)
    pairs = ratings.users.astype(np.int64) * N_ITEMS + ratings.items
    assert len(np.unique(pairs)) == len(pairs)
    assert set(np.unique(ratings.stars)) == {1, 2, 3, 4, 5}
    assert np.bincount(ratings.users, minlength=N_USERS).min() >= 1


def test_pruning_leaves_what_it_leaves_of_yelp_within_three_percent(pruned):
    twice, _ = prune(pruned, 20)
    found = [*pruned.shape, len(pruned.stars), *twice.shape]
    assert found == pytest.approx([11_275, 3_531, 285_343, 3_529, 2_072], rel=0.03)


def test_stars_have_the_shape_of_a_j(generated):
    one, two, three, four, five = np.bincount(generated[0].stars.astype(int))[1:]
    assert five > four > three > one > two
    assert 3.6 < generated[0].stars.mean() < 4


def test_a_few_users_and_restaurants_have_much_of_the_ratings(generated):
    ratings, _ = generated
    for positions, share in ((ratings.users, 0.1), (ratings.items, 0.1)):
        counts = np.sort(np.bincount(positions))[::-1]
        assert counts[: int(share * len(counts))].sum() > 0.4 * counts.sum()


def test_the_seed_decides_everything():
    small = [generate_ratings(np.random.default_rng(seed), 500, 40) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(small[0][0].stars, small[1][0].stars)
    np.testing.assert_array_equal(small[0][1].user_taste, small[1][1].user_taste)
    assert (
        len(small[0][0].stars) != len(small[2][0].stars)
        or (small[0][0].stars != small[2][0].stars).any()
    )


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0)])
def test_sizes_without_anybody_are_named(sizes):
    with pytest.raises(ValueError, match="at least 1 user and 1 restaurant"):
        generate_ratings(np.random.default_rng(0), *sizes)


# ---- structure


def test_best_prediction_is_the_mean_of_many_repetitions(generated):
    _, truth = generated
    users, items = np.arange(6), np.arange(6) * 7
    rng, n = np.random.default_rng(3), 200_000
    wrong = rng.random((n, 6)) < truth.bad_visit_share[users]
    noise = rng.normal(0, np.where(wrong, module.BAD_VISIT_NOISE, module.NOISE))
    liking = _liking(truth, users, items) - module.BAD_VISIT * wrong + noise
    mean = np.rint(liking).clip(1, 5).mean(axis=0)
    np.testing.assert_allclose(expected_stars(truth, users, items), mean, atol=0.015)


def test_best_prediction_is_calibrated_and_nothing_simple_comes_near_it(generated, pruned):
    _, truth = generated
    best = expected_stars(truth, pruned.user_ids[pruned.users], pruned.item_ids[pruned.items])
    for low, high in ((2.5, 3), (3, 3.5), (3.5, 4), (4, 4.5)):
        chosen = (best >= low) & (best < high)
        assert pruned.stars[chosen].mean() == pytest.approx(best[chosen].mean(), abs=0.02)
    user_mean = np.bincount(pruned.users, pruned.stars) / np.bincount(pruned.users)
    of_best = np.sqrt(np.mean((pruned.stars - best) ** 2))
    of_user_mean = np.sqrt(np.mean((pruned.stars - user_mean[pruned.users]) ** 2))
    assert best_rmse(truth, pruned) == pytest.approx(of_best)
    assert of_best < 0.93 * of_user_mean < 0.93 * pruned.stars.std()


def test_traits_can_be_read(generated):
    _, truth = generated
    assert truth.item_traits.shape == (N_ITEMS, 3)
    np.testing.assert_allclose(truth.item_traits.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(truth.item_traits.var(axis=0), 1, atol=0.1)
    assert np.corrcoef(truth.price, truth.item_traits[:, 2])[0, 1] == pytest.approx(1)
    np.testing.assert_allclose(np.bincount(truth.price) / N_ITEMS, module.PRICE_SHARES, atol=0.03)


def test_cuisines_lie_around_a_circle_in_their_order(generated):
    _, truth = generated
    places = [truth.item_traits[truth.cuisine == c, :2].mean(axis=0) for c in range(len(CUISINES))]
    angles = np.unwrap([np.arctan2(y, x) for x, y in places])
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / len(CUISINES), atol=0.05)


def test_liking_is_a_sum_of_biases_and_taste():
    truth = Truth(
        user_bias=np.array([0.5, -1]),
        item_bias=np.array([0.25]),
        user_taste=np.array([[1.0, 2], [3, 4]]),
        item_traits=np.array([[1.0, -0.5]]),
        cuisine=np.array([0]),
        price=np.array([0]),
        bad_visit_share=np.zeros(2),
    )
    liking = _liking(truth, np.array([0, 1]), np.array([0, 0]))
    np.testing.assert_allclose(liking - MEAN_STARS, [0.5 + 0.25 + 0, -1 + 0.25 + 1])


def test_who_rates_seldom_rates_in_anger_more_often(generated):
    ratings, truth = generated
    activity = np.bincount(ratings.users, minlength=N_USERS)
    shares = [truth.bad_visit_share[activity == n].mean() for n in (1, 5, 20)]
    assert shares[0] > shares[1] > shares[2] > 0


def test_whom_a_user_visits_does_not_depend_on_taste():
    """So *who rated what* tells nothing here, and models that use it (SVD++) can't gain."""
    ratings, truth = generate_ratings(np.random.default_rng(0), 20_000, 400)
    others = np.random.default_rng(1).permutation(ratings.items)  # as popular, of other users
    taste = truth.user_taste[ratings.users]
    gap = np.sum(taste * (truth.item_traits[ratings.items] - truth.item_traits[others]), axis=1)
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
