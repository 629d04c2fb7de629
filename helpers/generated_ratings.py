"""Generated ratings of restaurants, of the shape of Yelp's.

The Yelp Open Dataset may not be passed on. The generator makes ratings with the same numbers of
users and restaurants, the same long tails and the same J-shaped stars, from a structure that is
known, so that the best possible prediction is known too.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from helpers.ratings import Ratings

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

MEAN_STARS = 4.45
USER_STD, ITEM_STD = 0.4, 0.4  # standard deviations of the biases, in stars
TASTE_STD = (0.4, 0.4, 0.25)  # of what users think of each trait, in stars
CUISINE_STD = 0.25  # of restaurants around the place of their cuisine
NOISE = 0.75
BAD_VISIT, BAD_VISIT_NOISE = 2.9, 1.1  # what goes wrong on a bad day, in stars
BAD_VISIT_SHARE, BAD_VISIT_POWER = 0.36, 0.5  # who rates seldom rates often in anger


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
    and clipped to 1 … 5. If the visit went wrong, ``BAD_VISIT`` is taken off and the noise is larger.

    Parameters
    ----------
    rng : Generator
    n_users, n_items : int
        Each user gives at least one rating; a restaurant may stay without.

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
    depth = np.abs(_normal_quantiles(rng, n_users)) ** ACTIVITY_POWER
    visits = np.ceil(np.exp(ACTIVITY_LOG_MEAN + ACTIVITY_SCALE * depth)).clip(1, MOST_ACTIVE)
    z = _normal_quantiles(rng, n_items)
    weights = np.exp(POPULARITY_SCALE * np.sign(z) * np.abs(z) ** POPULARITY_POWER)
    users = np.repeat(np.arange(n_users), visits.astype(int))
    items = rng.choice(n_items, size=len(users), p=weights / weights.sum())
    return np.divmod(np.unique(users * n_items + items), n_items)


def _normal_quantiles(rng: np.random.Generator, n: int) -> np.ndarray:
    """Quantiles of the normal distribution in random order: tails that don't depend on luck."""
    return rng.permutation(ndtri((np.arange(n) + 0.5) / n))


def _draw_truth(rng: np.random.Generator, activity: np.ndarray, n_items: int) -> Truth:
    n_users = len(activity)
    cuisine = rng.integers(0, len(CUISINES), n_items)
    price = rng.choice(len(PRICES), n_items, p=PRICE_SHARES)
    angle = 2 * np.pi * cuisine / len(CUISINES)
    place = np.sqrt(2) * np.column_stack([np.cos(angle), np.sin(angle)])
    place += rng.normal(0, CUISINE_STD, place.shape)
    mean_price = np.dot(PRICE_SHARES, range(len(PRICES)))
    return Truth(
        user_bias=rng.normal(0, USER_STD, n_users),
        item_bias=rng.normal(0, ITEM_STD, n_items),
        user_taste=rng.normal(0, TASTE_STD, (n_users, len(TASTE_STD))),
        item_traits=np.column_stack([place, (price - mean_price) / 0.8]),
        cuisine=cuisine,
        price=price,
        bad_visit_share=BAD_VISIT_SHARE * np.maximum(activity, 1) ** -BAD_VISIT_POWER,
    )


def _liking(truth: Truth, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Stars before noise, rounding and clipping, shape (n,)."""
    taste = np.einsum("nk,nk->n", truth.user_taste[users], truth.item_traits[items])
    return MEAN_STARS + truth.user_bias[users] + truth.item_bias[items] + taste


def best_rmse(truth: Truth, ratings: Ratings) -> float:
    """RMSE of the best possible prediction of some of the generated ratings, in stars."""
    best = expected_stars(truth, ratings.user_ids[ratings.users], ratings.item_ids[ratings.items])
    return float(np.sqrt(np.mean((ratings.stars - best) ** 2)))


def expected_stars(truth: Truth, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The best possible prediction: E[stars | truth], rounding and clipping included.

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
