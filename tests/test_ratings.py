"""Pruning, splitting and reading against their definitions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.generated_ratings import generate_ratings
from helpers.ratings import (
    Ratings,
    Scale,
    activity,
    coordinates,
    hold_out,
    often_rated,
    prune,
    prune_enough,
    rating_scale,
    ratings_from_triples,
    star_shares,
    to_csr,
    user_with,
)
from tests.made_ratings import make_ratings, some_ratings

# ---- as a matrix


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 5))), st.randoms())
def test_coordinates_of_the_matrix_are_those_of_the_ratings(observed, random):
    places = list(zip(*np.nonzero(observed), strict=True))
    random.shuffle(places)
    users, items = np.array(places, np.int32).reshape(-1, 2).T
    values = np.arange(len(places)) - 2.0  # one of them is 0, and observed like the others
    ratings = Ratings(users, items, values, *map(np.arange, observed.shape))
    matrix = to_csr(ratings, values)
    assert matrix.shape == observed.shape
    found = coordinates(matrix)
    rows = np.lexsort((items, users))
    for ours, expected in zip(found, (users, items, values), strict=True):
        np.testing.assert_array_equal(ours, expected[rows])


# ---- counts


def test_activity_counts_those_without_ratings_too():
    ratings = some_ratings()
    users, items = activity(ratings)
    matrix = to_csr(ratings, np.ones(len(ratings.stars)))
    np.testing.assert_array_equal(users, matrix.sum(axis=1))
    np.testing.assert_array_equal(items, matrix.sum(axis=0))
    assert (users[0], items[0]) == (0, 0)


def test_user_with_so_many_ratings_or_about():
    ratings = some_ratings(share=0.5)
    counts = np.bincount(ratings.users, minlength=30)
    assert counts[user_with(ratings, 8)] == counts[np.abs(counts - 8).argmin()]
    assert user_with(ratings, 10**6) == counts.argmax()


def test_often_rated_are_those_with_so_many_ratings_or_the_most_rated():
    ratings = some_ratings(share=0.5)
    counts = activity(ratings)[1]
    np.testing.assert_array_equal(often_rated(ratings, 14, 2), np.flatnonzero(counts >= 14))
    assert (
        often_rated(ratings, 10**6, 1).tolist() == np.flatnonzero(counts == counts.max()).tolist()
    )
    assert len(often_rated(ratings, 10**6, 5)) >= 5
    assert len(often_rated(ratings, 10**6, 99)) == 20  # there are no more


@pytest.mark.parametrize(
    ("scale", "unit", "values"),
    [
        ((1, 5, 1), 1, [1, 2, 3, 4, 5]),
        ((0.5, 5, 0.5), 1.125, np.arange(1, 11) / 2),
        ((0, 10, 1), 2.5, range(11)),
        ((0, 100, 1), 25, range(0, 101, 10)),
        ((1, 2, 0), 0.25, np.arange(10, 21) / 10),
        ((4, 4, 0), 1, [4]),
    ],
)
def test_a_scale_has_a_unit_and_values(scale, unit, values):
    assert Scale(*scale).unit == unit
    np.testing.assert_allclose(Scale(*scale).values(), values)


def test_shares_of_half_stars_are_counted_at_half_stars():
    ratings = make_ratings(np.ones((20, 30), bool), np.random.default_rng(0))
    ratings = replace(ratings, stars=ratings.stars / 2 + 2, scale=Scale(2.5, 4.5, 0.5))
    values, shares = star_shares(ratings)
    assert values.tolist() == [2.5, 3, 3.5, 4, 4.5]
    np.testing.assert_allclose(shares, [np.mean(ratings.stars == value) for value in values])


def test_shares_on_a_fine_scale_go_to_the_nearest_value_and_add_up():
    stars = np.array([0, 4, 6, 100, 52], np.float32)
    ratings = Ratings(np.arange(5), np.zeros(5, int), stars, np.arange(5), np.arange(1))
    values, shares = star_shares(replace(ratings, scale=Scale(0, 100, 2)))
    assert dict(zip(values, shares, strict=True)) == {
        v: 0.4 if v == 0 else 0.2 * (v in (10, 50, 100)) for v in range(0, 101, 10)
    }
    equal = replace(ratings, stars=np.full(5, 3.0), scale=Scale(3, 3, 0))
    assert [part.tolist() for part in star_shares(equal)] == [[3], [1]]


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


def test_pruning_takes_several_rounds():
    ratings, _ = generate_ratings(np.random.default_rng(0))
    _, rounds = prune(ratings, 10)
    assert len(rounds) > 3
    assert (np.diff(rounds, axis=0) <= 0).all()


def test_little_data_are_pruned_less():
    ratings = make_ratings(
        np.random.default_rng(0).random((60, 40)) < 0.2, np.random.default_rng(1)
    )
    pruned, rounds, more_than = prune_enough(ratings, 10)
    assert 0 < more_than < 10
    assert len(pruned.stars) >= 0.2 * len(ratings.stars)
    assert rounds == prune(ratings, more_than)[1]
    with pytest.raises(ValueError, match="nothing is left"):
        prune(ratings, 10)
    dense = make_ratings(np.ones((30, 20), bool), np.random.default_rng(1))
    assert prune_enough(dense, 10)[2] == 10
    core = np.zeros((412, 212), bool)
    core[:12, :12] = True  # all that more than 10 would leave, 15 % of the ratings
    core[12 + np.arange(400), 12 + np.arange(400) % 200] = True
    core[12 + np.arange(400), 12 + (np.arange(400) + 1) % 200] = True
    assert len(prune(make_ratings(core, np.random.default_rng(1)), 10)[0].stars) == 144
    assert prune_enough(make_ratings(core, np.random.default_rng(1)))[2] == 1
    single = make_ratings(np.eye(5, dtype=bool), np.random.default_rng(1))
    assert (prune_enough(single)[0].shape, prune_enough(single)[2]) == ((5, 5), 0)


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
