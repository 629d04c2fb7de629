"""Ratings of items by users: from triples, as a sparse matrix, pruned, and split."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

MORE_THAN = 10  # ratings that chapter 2 asks of users and restaurants
LEAST_LEFT = 0.2  # of the ratings, after pruning
LARGEST_RATING = 1e6  # in size; beyond it a column is hardly one of ratings


class Scale(NamedTuple):
    """The values that ratings take: lowest, lowest + step … highest (step 0: no common step)."""

    lowest: float
    highest: float
    step: float

    @property
    def unit(self) -> float:
        """A quarter of the way from lowest to highest: one star of five; 1 if all are equal.

        Ratings that are c times as large need c times the penalty and 1/c of the learning rate.
        """
        return (self.highest - self.lowest) / 4 or 1.0

    def values(self, most: int = 11) -> np.ndarray:
        """The values from lowest to highest; of more than ``most``, so many evenly spread ones."""
        span = self.highest - self.lowest
        count = round(span / self.step) + 1 if self.step else most if span else 1
        return np.linspace(self.lowest, self.highest, min(count, most))


NOT_RATED = float("-inf")  # in place of a rating, and below all of them
STARS = Scale(1, 5, 1)  # Yelp's, and those of generated ratings


@dataclass(frozen=True)
class Ratings:
    """Observed ratings in coordinate form: the n-th one is ``stars[n]``, by a user of an item.

    Attributes
    ----------
    users, items : ndarray of shape (n,), int32
        Positions in ``user_ids`` and ``item_ids``.
    stars : ndarray of shape (n,), float32
        On the scale.
    user_ids, item_ids : ndarray of shape (users,), (items,)
        Names under which the source knows them; they survive pruning.
    scale : Scale
        Of all ratings; pruning and splitting keep it.
    """

    users: np.ndarray
    items: np.ndarray
    stars: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    scale: Scale = STARS

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of users and of items."""
        return len(self.user_ids), len(self.item_ids)


def to_csr(ratings: Ratings, values: np.ndarray) -> csr_array:
    """One value for each rating as a sparse matrix of shape (users, items).

    What is observed is stored, zeros too.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Such as the stars, or what a model leaves of them.
    """
    return csr_array((values, (ratings.users, ratings.items)), shape=ratings.shape)


def coordinates(matrix: csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items and values of a sparse matrix's stored entries, each of shape (n,), row by row.

    Items and values are the matrix's own arrays, not copies.
    """
    entries = matrix.tocoo(copy=False)
    return *entries.coords, entries.data


# ---- counts


def activity(ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """How many ratings each user and each item has, shapes (users,) and (items,)."""
    users, items = ratings.shape
    return np.bincount(ratings.users, minlength=users), np.bincount(ratings.items, minlength=items)


def often_rated(ratings: Ratings, at_least: int, fewest: int = 20) -> np.ndarray:
    """Items with so many ratings, in their order; the ``fewest`` most rated if those are too few."""
    _, counts = activity(ratings)
    bound = np.sort(counts)[-min(fewest, len(counts))]
    return np.flatnonzero(counts >= min(at_least, bound))


def user_with(ratings: Ratings, count: int = 60) -> int:
    """The user whose number of ratings is nearest to ``count``; of several, the first."""
    return int(np.argmin(np.abs(activity(ratings)[0] - count)))


def star_shares(ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """Values of the scale, and which share of the ratings each has; both of shape (values,).

    A fine scale is counted at 11 evenly spread values, each rating at the nearest of them.
    """
    values = ratings.scale.values()
    gap = values[1] - values[0] if len(values) > 1 else 1.0
    nearest = np.rint((ratings.stars - values[0]) / gap).astype(int)
    return values, np.bincount(nearest, minlength=len(values)) / len(ratings.stars)


# ---- pruning and splitting


def prune(ratings: Ratings, more_than: int) -> tuple[Ratings, list[tuple[int, int, int]]]:
    """Drop users and items until every one left has more than so many ratings.

    Dropping a user takes ratings from items and the other way round, so it takes several rounds.
    What is left is the largest part of the data that has the property, a *k-core* of the graph of
    users and items.

    Parameters
    ----------
    ratings : Ratings
    more_than : int
        Number of ratings.

    Returns
    -------
    ratings : Ratings
        Positions are counted anew; ``user_ids`` and ``item_ids`` tell who is left.
    rounds : list of (users, items, ratings)
        How many there were before the first round, after it, and so on.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    rounds = []
    while True:
        by_user = np.bincount(ratings.users, minlength=ratings.shape[0])
        by_item = np.bincount(ratings.items, minlength=ratings.shape[1])
        rounds.append((*ratings.shape, len(ratings.stars)))
        if (by_user > more_than).all() and (by_item > more_than).all():
            return ratings, rounds
        ratings = _keep(ratings, by_user > more_than, by_item > more_than)
        if len(ratings.stars) == 0:
            raise ValueError(
                f"nothing is left: no group of users and items has more than {more_than} ratings "
                f"each (rounds: {rounds}); prune with a smaller number"
            )


def prune_enough(
    ratings: Ratings, most: int = MORE_THAN, least_left: float = LEAST_LEFT
) -> tuple[Ratings, list[tuple[int, int, int]], int]:
    """Prune as :func:`prune` does, with a smaller number where little data would be left.

    Parameters
    ----------
    ratings : Ratings
    most : int
        The number of ratings that is tried first.
    least_left : float
        Share of the ratings that must be left.

    Returns
    -------
    ratings, rounds
        As of :func:`prune`.
    more_than : int
        The largest number, at most ``most``, that leaves so many; 0 leaves all of them.
    """
    for more_than in range(most, 0, -1):
        try:
            pruned, rounds = prune(ratings, more_than)
        except ValueError:
            continue
        if len(pruned.stars) >= least_left * len(ratings.stars):
            return pruned, rounds, more_than
    return *prune(ratings, 0), 0


def _keep(ratings: Ratings, users: np.ndarray, items: np.ndarray) -> Ratings:
    """The ratings of some users and some items, chosen by two masks."""
    kept = users[ratings.users] & items[ratings.items]
    return replace(
        ratings,
        users=(np.cumsum(users, dtype=np.int32) - 1)[ratings.users[kept]],
        items=(np.cumsum(items, dtype=np.int32) - 1)[ratings.items[kept]],
        stars=ratings.stars[kept],
        user_ids=ratings.user_ids[users],
        item_ids=ratings.item_ids[items],
    )


def hold_out(
    ratings: Ratings, rng: np.random.Generator, validation: float = 0.1, test: float = 0.1
) -> tuple[Ratings, Ratings, Ratings]:
    """Split ratings at random into training, validation and test ratings.

    All three know the same users and items, some of whom may be left without training ratings.

    Parameters
    ----------
    validation, test : float
        Shares of all ratings.

    Returns
    -------
    train, validation, test : Ratings

    Raises
    ------
    ValueError
        If a part would have no rating.
    """
    n = len(ratings.stars)
    sizes = round(validation * n), round(test * n)
    if min(sizes) < 1 or sum(sizes) >= n:
        raise ValueError(
            f"of {n} ratings, shares {validation} and {test} leave {n - sum(sizes)} for training, "
            f"{sizes[0]} for validation and {sizes[1]} for test: each needs at least one"
        )
    parts = np.split(rng.permutation(n), [n - sum(sizes), n - sizes[1]])
    return tuple(
        replace(ratings, users=ratings.users[p], items=ratings.items[p], stars=ratings.stars[p])
        for p in map(np.sort, parts)
    )


def ratings_from_triples(triples: np.ndarray) -> tuple[Ratings, int]:
    """Ratings from rows (user, item, stars); of a pair that comes again, the last row counts.

    Parameters
    ----------
    triples : ndarray of shape (n, 3), numbers
        Users and items are whole numbers from 0, with gaps or without.

    Returns
    -------
    ratings : Ratings
    dropped : int
        How many rows a later one has replaced.

    Raises
    ------
    TypeError, ValueError
        If the array isn't like that; says what is wrong with which row.
    """
    if isinstance(triples, np.ma.MaskedArray):
        raise TypeError("ratings must have no mask: keep the rows that count, as a plain array")
    triples = np.asarray(triples)
    if triples.dtype.kind not in "iuf":
        raise TypeError(f"ratings must be numbers, got an array of type {triples.dtype}")
    if triples.dtype in (np.float16, np.float32):
        raise TypeError(
            f"{triples.dtype} can't tell large user and item numbers apart: save int64 or float64"
        )
    if triples.ndim != 2 or triples.shape[1] != 3 or len(triples) == 0:
        raise ValueError(
            f"ratings must have shape (n, 3), rows of user, item and stars, got {triples.shape}"
        )
    ids, stars = triples[:, :2], triples[:, 2]
    _check_rows(np.isfinite(triples).all(axis=1), triples, "has a value that isn't finite")
    _check_rows((ids == np.floor(ids)).all(axis=1), triples, "has a user or item that isn't whole")
    _check_rows((ids >= 0).all(axis=1), triples, "has a negative user or item")
    largest = 2**53 if triples.dtype.kind == "f" else 2**63 - 1  # whole numbers are exact up to it
    _check_rows((ids <= largest).all(axis=1), triples, f"has a user or item beyond {largest:,}")
    _check_rows(
        np.abs(stars) <= LARGEST_RATING, triples, f"has a rating beyond ±{LARGEST_RATING:,.0f}"
    )
    user_ids, users = np.unique(ids[:, 0].astype(np.int64), return_inverse=True)
    item_ids, items = np.unique(ids[:, 1].astype(np.int64), return_inverse=True)
    pairs = users * len(item_ids) + items
    # np.unique finds the first of equal values: the last one, from behind
    _, from_behind = np.unique(pairs[::-1], return_index=True)
    last = len(pairs) - 1 - from_behind
    ratings = Ratings(
        users[last].astype(np.int32),
        items[last].astype(np.int32),
        stars[last].astype(np.float32),
        user_ids,
        item_ids,
        rating_scale(stars),
    )
    return ratings, len(triples) - len(last)


def rating_scale(stars: np.ndarray) -> Scale:
    """Lowest and highest rating, and the largest step that leads to all of them (four decimals)."""
    values = np.unique(stars).astype(float)
    units = np.rint(values * 10_000).astype(np.int64)
    common = np.gcd.reduce(np.diff(units), initial=0) / 10_000
    step = common if np.allclose(units, values * 10_000, rtol=0, atol=1e-3) else 0.0
    return Scale(float(values[0]), float(values[-1]), float(step))


def _check_rows(good: np.ndarray, triples: np.ndarray, fault: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"row {row} of the ratings, {triples[row].tolist()}, {fault}")
