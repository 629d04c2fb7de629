"""Ratings of restaurants by users: generated ones of Yelp's shape, and pruning.

The Yelp Open Dataset may not be passed on. The generator makes ratings with the same numbers of
users and restaurants, the same long tails and the same J-shaped stars, from a structure that is
known, so that the best possible prediction is known too.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

N_USERS = 337_867
N_ITEMS = 5_899
# Around a circle of taste: who likes one cuisine likes its neighbours, and less what lies opposite.
CUISINES = ("Burgers", "Mexican", "Indian", "Chinese", "Sushi", "Vegan", "Italian", "Breakfast")
PRICES = ("$", "$$", "$$$", "$$$$")
PRICE_SHARES = (0.3, 0.5, 0.15, 0.05)

# Activity and popularity, fitted to what recursive pruning leaves of the real data: of users and
# restaurants with more than 10 ratings 11,275 × 3,531 with 285,343, with more than 20 3,529 × 2,072.
ACTIVITY_LOG_MEAN, ACTIVITY_SCALE, ACTIVITY_POWER, MOST_ACTIVE = -0.4552, 1.0037, 1.3531, 2_000
POPULARITY_SCALE, POPULARITY_POWER = 1.6322, 0.8946

MORE_THAN = 10  # ratings that chapter 2 asks of users and restaurants

MEAN_STARS = 4.45
USER_SPREAD, ITEM_SPREAD = 0.4, 0.4  # standard deviations of the biases, in stars
TASTE_SPREAD = (0.4, 0.4, 0.25)  # of what users think of each trait, in stars
CUISINE_SCATTER = 0.25  # of restaurants around the place of their cuisine
NOISE = 0.75
BAD_VISIT, BAD_VISIT_NOISE = 2.9, 1.1  # what goes wrong on a bad day, in stars
BAD_VISIT_SHARE, BAD_VISIT_POWER = 0.36, 0.5  # who rates seldom rates often in anger


LARGEST_RATING = 1e6  # in size; beyond it a column is hardly one of ratings


class Scale(NamedTuple):
    """The values that ratings take: lowest, lowest + step … highest (step 0: no common step)."""

    lowest: float
    highest: float
    step: float


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


@dataclass(frozen=True)
class Truth:
    """What generated ratings were made from; biases and tastes in stars.

    Attributes
    ----------
    user_bias : ndarray of shape (users,)
    item_bias : ndarray of shape (items,)
    user_taste : ndarray of shape (users, 3)
        What a user thinks of each trait.
    item_traits : ndarray of shape (items, 3)
        Place in the plane of cuisines, and price; each with mean about 0 and variance about 1.
    cuisine, price : ndarray of shape (items,), int
        Positions in ``CUISINES`` and ``PRICES``.
    bad_visit_share : ndarray of shape (users,)
        How often a user rates after a visit that went wrong.
    """

    user_bias: np.ndarray
    item_bias: np.ndarray
    user_taste: np.ndarray
    item_traits: np.ndarray
    cuisine: np.ndarray
    price: np.ndarray
    bad_visit_share: np.ndarray


def generate_ratings(
    rng: np.random.Generator, n_users: int = N_USERS, n_items: int = N_ITEMS
) -> tuple[Ratings, Truth]:
    """Ratings of Yelp's shape, and the structure that they were made from.

    A rating is mean + user bias + restaurant bias + taste · traits + noise, rounded to whole stars
    and cut off at 1 and 5. If the visit went wrong, ``BAD_VISIT`` is taken off and the noise is larger.

    Returns
    -------
    ratings : Ratings
        At most one of each user and restaurant.
    truth : Truth

    Raises
    ------
    ValueError
        If there is not at least one user and one restaurant.
    """
    if n_users < 1 or n_items < 1:
        raise ValueError(f"need at least 1 user and 1 restaurant, got {n_users} and {n_items}")
    users, items = _draw_visits(rng, n_users, n_items)
    truth = _draw_truth(rng, np.bincount(users, minlength=n_users), n_items)
    went_wrong = rng.random(len(users)) < truth.bad_visit_share[users]
    noise = rng.normal(0, np.where(went_wrong, BAD_VISIT_NOISE, NOISE))
    liking = _liking(truth, users, items) - BAD_VISIT * went_wrong + noise
    stars = np.rint(liking).clip(1, 5).astype(np.float32)
    ids = np.arange(n_users), np.arange(n_items)
    return Ratings(users.astype(np.int32), items.astype(np.int32), stars, *ids), truth


def _draw_visits(
    rng: np.random.Generator, n_users: int, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Who rated what: heavy-tailed activity and popularity, no pair twice, sorted by user."""
    depth = np.abs(_spread_normal(rng, n_users)) ** ACTIVITY_POWER
    visits = np.ceil(np.exp(ACTIVITY_LOG_MEAN + ACTIVITY_SCALE * depth)).clip(1, MOST_ACTIVE)
    z = _spread_normal(rng, n_items)
    weights = np.exp(POPULARITY_SCALE * np.sign(z) * np.abs(z) ** POPULARITY_POWER)
    users = np.repeat(np.arange(n_users), visits.astype(int))
    items = rng.choice(n_items, size=len(users), p=weights / weights.sum())
    return np.divmod(np.unique(users * n_items + items), n_items)


def _spread_normal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Quantiles of the normal distribution in random order: tails that don't depend on luck."""
    return rng.permutation(ndtri((np.arange(n) + 0.5) / n))


def _draw_truth(rng: np.random.Generator, activity: np.ndarray, n_items: int) -> Truth:
    n_users = len(activity)
    cuisine = rng.integers(0, len(CUISINES), n_items)
    price = rng.choice(len(PRICES), n_items, p=PRICE_SHARES)
    angle = 2 * np.pi * cuisine / len(CUISINES)
    place = np.sqrt(2) * np.column_stack([np.cos(angle), np.sin(angle)])
    place += rng.normal(0, CUISINE_SCATTER, place.shape)
    mean_price = np.dot(PRICE_SHARES, range(len(PRICES)))
    return Truth(
        user_bias=rng.normal(0, USER_SPREAD, n_users),
        item_bias=rng.normal(0, ITEM_SPREAD, n_items),
        user_taste=rng.normal(0, TASTE_SPREAD, (n_users, len(TASTE_SPREAD))),
        item_traits=np.column_stack([place, (price - mean_price) / 0.8]),
        cuisine=cuisine,
        price=price,
        bad_visit_share=BAD_VISIT_SHARE * np.maximum(activity, 1) ** -BAD_VISIT_POWER,
    )


def _liking(truth: Truth, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Stars before noise, rounding and cut-off, shape (n,)."""
    taste = np.einsum("nk,nk->n", truth.user_taste[users], truth.item_traits[items])
    return MEAN_STARS + truth.user_bias[users] + truth.item_bias[items] + taste


def expected_stars(truth: Truth, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The best possible prediction: E[stars | truth], after rounding and cut-off.

    Stars exceed k when the liking exceeds k + ½, so E = 1 + Σ P(liking > k + ½) over k = 1 … 4.

    Parameters
    ----------
    users, items : ndarray of shape (n,)
        Positions in the arrays of ``truth``: ``ratings.user_ids[ratings.users]``.

    Returns
    -------
    ndarray of shape (n,)
    """
    above = _liking(truth, users, items)[:, None] - np.array([1.5, 2.5, 3.5, 4.5])
    share = truth.bad_visit_share[users][:, None]
    good, bad = ndtr(above / NOISE), ndtr((above - BAD_VISIT) / BAD_VISIT_NOISE)
    return 1 + np.sum((1 - share) * good + share * bad, axis=1)


def prune(ratings: Ratings, more_than: int) -> tuple[Ratings, list[tuple[int, int, int]]]:
    """Drop users and items until every one left has more than so many ratings.

    Dropping a user takes ratings from items and the other way round, so it takes several rounds.
    What is left is the largest part of the data that has the property.

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
        Shares of all ratings; at least one rating goes to each part.
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
