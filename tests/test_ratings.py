"""Generated ratings have the shape and the structure that they are said to have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import ratings as module
from helpers.ratings import (
    CUISINES,
    MEAN_STARS,
    N_ITEMS,
    N_USERS,
    Ratings,
    Truth,
    _liking,
    expected_stars,
    generate_ratings,
    hold_out,
    prune,
    rating_scale,
    ratings_from_triples,
)


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


# ---- pruning


def slowly_pruned(pairs, more_than):
    """The definition: as long as somebody has too few, drop one of them."""
    pairs = set(pairs)
    while True:
        counts = {}
        for user, item in pairs:
            for name in (("user", user), ("item", item)):
                counts[name] = counts.get(name, 0) + 1
        few = [name for name, count in counts.items() if count <= more_than]
        if not few:
            return pairs
        kind, number = few[0]
        pairs = {pair for pair in pairs if pair[kind == "item"] != number}


@given(
    pairs=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 7)), min_size=1),
    more_than=st.integers(0, 4),
)
def test_pruning_agrees_with_its_definition(pairs, more_than):
    users, items = np.array(sorted(pairs), dtype=np.int32).T
    stars = (users + 2 * items).astype(np.float32)
    ratings = Ratings(users, items, stars, np.arange(10) + 100, np.arange(8) + 200)
    expected = slowly_pruned(pairs, more_than)
    if not expected:
        with pytest.raises(ValueError, match=f"more than {more_than} ratings each"):
            prune(ratings, more_than)
        return
    left, rounds = prune(ratings, more_than)
    ids = left.user_ids[left.users] - 100, left.item_ids[left.items] - 200
    assert set(zip(*map(np.ndarray.tolist, ids), strict=True)) == expected
    np.testing.assert_array_equal(left.stars, ids[0] + 2 * ids[1])
    assert rounds[0] == (10, 8, len(pairs))
    assert rounds[-1] == (*left.shape, len(expected))
    assert len(np.unique(left.users)) == left.shape[0]


def test_pruning_takes_several_rounds(generated):
    _, rounds = prune(generated[0], 10)
    assert len(rounds) > 3
    assert (np.diff(rounds, axis=0) <= 0).all()


# ---- ratings from elsewhere


def test_triples_become_ratings_and_the_last_of_a_pair_counts():
    triples = np.array([[7, 30, 5], [7, 10, 4], [2, 30, 1], [7, 30, 2], [2, 30, 3]])
    ratings, dropped = ratings_from_triples(triples)
    assert dropped == 2
    assert ratings.user_ids.tolist() == [2, 7]
    assert ratings.item_ids.tolist() == [10, 30]
    ids = ratings.user_ids[ratings.users], ratings.item_ids[ratings.items], ratings.stars
    assert sorted(zip(*map(np.ndarray.tolist, ids), strict=True)) == [
        (2, 30, 3),
        (7, 10, 4),
        (7, 30, 2),
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4), st.sampled_from([1, 1.5, 3, 5])), min_size=1
    )
)
def test_triples_agree_with_a_dictionary(rows):
    ratings, dropped = ratings_from_triples(np.array(rows, dtype=float))
    expected = {(user, item): stars for user, item, stars in rows}
    ids = ratings.user_ids[ratings.users].tolist(), ratings.item_ids[ratings.items].tolist()
    assert dict(zip(zip(*ids, strict=True), ratings.stars.tolist(), strict=True)) == expected
    assert dropped == len(rows) - len(expected)


@pytest.mark.parametrize(
    ("triples", "error", "words"),
    [
        (np.ones((3, 2)), ValueError, r"shape \(n, 3\).*got \(3, 2\)"),
        (np.ones(3), ValueError, r"got \(3,\)"),
        (np.ones((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.array([["a", "b", "c"]]), TypeError, "must be numbers"),
        (np.array([[1, 2, None]]), TypeError, "must be numbers.*object"),
        ([[0, 0, 5], [0, -1, 5]], ValueError, r"row 1 .*\[0, -1, 5\], has a negative"),
        ([[0, 0, 5], [0, 1, 2e6]], ValueError, r"row 1 .* has a rating beyond ±1,000,000"),
        (
            [[2.0**53 + 2, 0, 4]],
            ValueError,
            "row 0 .* has a user or item beyond 9,007,199,254,740,992",
        ),
        (np.array([[2**63, 0, 4]], np.uint64), ValueError, "has a user or item beyond"),
        (np.ones((2, 3), np.float32), TypeError, "float32 can't tell large"),
        (np.ones((2, 3), np.float16), TypeError, "float16 can't tell large"),
        (np.ma.ones((2, 3)), TypeError, "must have no mask"),
        ([[0, 0, np.nan]], ValueError, "isn't finite"),
        ([[0.5, 0, 3]], ValueError, "isn't whole"),
    ],
)
def test_bad_triples_are_named(triples, error, words):
    with pytest.raises(error, match=words):
        ratings_from_triples(triples)


@pytest.mark.parametrize(
    ("stars", "scale"),
    [
        ([1, 2, 5], (1, 5, 1)),
        ([0.5, 2, 4.5], (0.5, 4.5, 0.5)),
        ([0, 10, 4], (0, 10, 2)),
        ([-1, 100], (-1, 100, 101)),
        ([3.1, 3.4, 9.9], (3.1, 9.9, 0.1)),
        ([4, 4], (4, 4, 0)),
        ([1, np.pi, 4], (1, 4, 0)),
    ],
)
def test_the_scale_is_lowest_highest_and_step(stars, scale):
    triples = np.column_stack([np.arange(len(stars)), np.zeros(len(stars)), stars])
    ratings, _ = ratings_from_triples(triples)
    assert ratings.scale == rating_scale(np.array(stars)) == pytest.approx(scale)


def test_pruning_and_splitting_keep_the_scale():
    triples = [(user, item, 0.5 + (user + item) % 9) for user in range(6) for item in range(6)]
    pruned, _ = prune(ratings_from_triples([*triples, (9, 9, 10)])[0], 3)
    assert {part.scale for part in hold_out(pruned, np.random.default_rng(0))} == {(0.5, 10, 0.5)}


# ---- hold-out


@given(st.integers(0, 99), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_every_rating_goes_to_one_part(seed, validation, test):
    ratings, _ = generate_ratings(np.random.default_rng(1), 60, 20)
    parts = hold_out(ratings, np.random.default_rng(seed), validation, test)
    pairs = np.concatenate([p.users * 20 + p.items for p in parts])
    np.testing.assert_array_equal(np.sort(pairs), np.sort(ratings.users * 20 + ratings.items))
    n = len(ratings.stars)
    assert [len(p.stars) for p in parts[1:]] == [round(validation * n), round(test * n)]
    assert all(p.shape == ratings.shape for p in parts)
    of_pair = dict(zip(ratings.users * 20 + ratings.items, ratings.stars, strict=True))
    assert all(
        of_pair[u * 20 + i] == s
        for u, i, s in zip(parts[1].users, parts[1].items, parts[1].stars, strict=True)
    )


@pytest.mark.parametrize("shares", [(0, 0.1), (0.1, 0), (0.5, 0.5)])
def test_a_part_without_ratings_is_refused(shares):
    ratings, _ = generate_ratings(np.random.default_rng(1), 60, 20)
    with pytest.raises(ValueError, match="each needs at least one"):
        hold_out(ratings, np.random.default_rng(0), *shares)
