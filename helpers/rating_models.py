"""Models of ratings: what they predict, how good that is, the baselines, and the use of factors.

All have one form, μ + b_u + b_i + q_u · p_i, and differ in what of it they use.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.stats
from numba import prange
from scipy.sparse import csr_array

from helpers.compiled import njit
from helpers.ratings import STARS, Ratings, Scale, activity, to_csr
from helpers.ridge import fast_ridge_rows


@dataclass(frozen=True)
class RatingModel:
    """Predicts a rating by ``mean + user_bias[u] + item_bias[i] + user_factors[u] · item_factors[i]``.

    Attributes
    ----------
    mean : float
        μ, in stars.
    user_bias, item_bias : ndarray of shape (users,), (items,)
        In stars.
    user_factors, item_factors : ndarray of shape (users, k), (items, k)
        q_u and p_i; k is 0 where a model has none.
    scale : Scale
        Of the ratings; predictions are clipped to its lowest and highest value.
    """

    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    scale: Scale = STARS


def predict(
    model: RatingModel, users: np.ndarray, items: np.ndarray, *, clip: bool = True
) -> np.ndarray:
    """Predicted stars of pairs, shape (n,).

    Parameters
    ----------
    users, items : ndarray of shape (n,), int
        The pairs: positions, counted from 0.
    clip : bool
        Whether predictions are clipped to the scale.

    Raises
    ------
    ValueError
        If a position isn't a whole number, or the model doesn't know it.
    """
    users = check_positions("user", users, len(model.user_bias))
    items = check_positions("item", items, len(model.item_bias))
    products = dot_pairs(model.user_factors, model.item_factors, users, items)
    return add_biases(model, users, items, products, clip=clip)


def add_biases(
    model: RatingModel,
    users: np.ndarray,
    items: np.ndarray,
    products: np.ndarray,
    *,
    clip: bool = True,
) -> np.ndarray:
    """Predicted stars as of :func:`predict`, from ``products`` q_u · p_i of shape (n,)."""
    stars = model.mean + model.user_bias[users] + model.item_bias[items] + products
    return clip_to_scale(model, stars) if clip else stars


def clip_to_scale(model: RatingModel, stars: np.ndarray) -> np.ndarray:
    """Predictions beyond the lowest or highest rating of the scale brought back to it."""
    return np.clip(stars, model.scale.lowest, model.scale.highest)


def rmse(model: RatingModel, ratings: Ratings, *, clip: bool = True) -> float:
    """Root mean squared error of the predictions, in stars.

    Raises
    ------
    ValueError
        If model and ratings don't have the same numbers of users and items.
    """
    _check_shape(model, ratings)
    errors = ratings.stars - predict(model, ratings.users, ratings.items, clip=clip)
    return math.sqrt(np.mean(errors**2))


def rmse_by_activity(
    model: RatingModel, train: Ratings, ratings: Ratings, edges: Sequence[int]
) -> list[float]:
    """RMSE of the predictions, by how many training ratings the users have.

    Parameters
    ----------
    edges : sequence of int
        Band n holds the users with at least ``edges[n]`` and less than ``edges[n + 1]`` of them.

    Returns
    -------
    list of float
        In stars, one for each band; NaN for a band without ratings.
    """
    known = activity(train)[0][ratings.users]
    squares = (ratings.stars - predict(model, ratings.users, ratings.items)) ** 2
    bands = [(known >= low) & (known < high) for low, high in pairwise(edges)]
    return [math.sqrt(squares[band].mean()) if band.any() else math.nan for band in bands]


def rmse_intervals(
    ratings: Ratings, predictions: np.ndarray, rng: np.random.Generator, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence intervals of each model's RMSE, and of its difference from the first model's.

    A bootstrap over users: all ratings of a user are drawn together, because their errors are
    alike. The same users are drawn for all models, so the differences are paired.

    Parameters
    ----------
    ratings : Ratings
        What was predicted.
    predictions : ndarray of shape (models, n)
    rng : Generator
        Draws the users.
    level : float
        Confidence level: the share of the bootstrap's values within an interval.

    Returns
    -------
    of_rmse, of_difference : ndarray of shape (models, 2)
        Lower and upper ends, in stars.
    """
    squares = (ratings.stars - predictions) ** 2
    _, user = np.unique(ratings.users, return_inverse=True)
    counts = np.bincount(user)
    sums = [np.bincount(user, weights=row) for row in squares]

    def statistic(*columns, axis=-1):
        total = columns[-1].sum(axis=axis)
        each = np.stack([np.sqrt(c.sum(axis=axis) / total) for c in columns[:-1]])
        return np.concatenate([each, each - each[0]])

    drawn = scipy.stats.bootstrap(
        (*sums, counts),
        statistic,
        paired=True,
        n_resamples=999,
        batch=50,
        confidence_level=level,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return tuple(np.split(np.column_stack(drawn), 2))


def compare(
    models: Mapping[str, RatingModel], ratings: Ratings, rng: np.random.Generator
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """RMSE of each model on the same ratings, and the intervals of :func:`rmse_intervals`.

    Returns
    -------
    errors : list of float
        In stars, one for each model.
    of_rmse, of_difference : ndarray of shape (models, 2)
    """
    predictions = [predict(model, ratings.users, ratings.items) for model in models.values()]
    intervals = rmse_intervals(ratings, np.stack(predictions), rng)
    return [rmse(model, ratings) for model in models.values()], *intervals


# ---- baselines


def fit_mean(train: Ratings) -> RatingModel:
    """The model that predicts the mean of all ratings for every pair."""
    users, items = train.shape
    nothing = np.zeros((users, 0)), np.zeros((items, 0))
    mean = float(train.stars.mean(dtype=np.float64))
    return RatingModel(mean, np.zeros(users), np.zeros(items), *nothing, train.scale)


def fit_user_means(train: Ratings) -> RatingModel:
    """The model that predicts the user's mean; of who has no rating, the mean of all ratings."""
    model = fit_mean(train)
    sums = np.bincount(train.users, train.stars - model.mean, len(model.user_bias))
    counts = np.bincount(train.users, minlength=len(model.user_bias))
    return replace(model, user_bias=sums / np.maximum(counts, 1))


def fit_biases(
    train: Ratings, *, user_penalty: float = 10, item_penalty: float = 8, epochs: int = 30
) -> RatingModel:
    """The bias model μ + b_u + b_i, by alternating least squares.

    Minimises Σ (r − μ − b_u − b_i)² + λ_U Σ b_u² + λ_I Σ b_i². Given the items' biases, that of a
    user is the sum of the user's residuals ÷ (their number + λ_U), and the other way round.

    Parameters
    ----------
    user_penalty, item_penalty : float
        λ_U and λ_I, in ratings.
    epochs : int
        Each solves for all items, then for all users.

    Raises
    ------
    ValueError
        If a penalty isn't positive.
    """
    check_positive(user_penalty=user_penalty, item_penalty=item_penalty)
    model = fit_mean(train)
    user_bias, item_bias = alternate_biases(train, model.mean, user_penalty, item_penalty, epochs)
    return replace(model, user_bias=user_bias, item_bias=item_bias)


def alternate_biases(
    train: Ratings, mean: float, user_penalty: float, item_penalty: float, epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Biases of users and of items, shapes (users,) and (items,): what :func:`fit_biases` solves."""
    users, items = train.shape
    user_bias, item_bias = np.zeros(users), np.zeros(items)
    user_ratings, item_ratings = activity(train)
    centred = train.stars - mean
    for _ in range(epochs):
        left = centred - user_bias[train.users]
        item_bias = np.bincount(train.items, left, items) / (item_ratings + item_penalty)
        left = centred - item_bias[train.items]
        user_bias = np.bincount(train.users, left, users) / (user_ratings + user_penalty)
    return user_bias, item_bias


def fit_users(
    train: Ratings, item_bias: np.ndarray, item_traits: np.ndarray, *, penalty: float
) -> RatingModel:
    """The model of somebody who knows the truth about all items, and learns only about the users.

    A linear regression of the stars on the items' true biases comes first. (Its slope is less than
    1, because stars are clipped at 5.) A ridge regression for each user then finds the user's bias
    and tastes.

    Parameters
    ----------
    item_bias : ndarray of shape (items,)
    item_traits : ndarray of shape (items, d)
    penalty : float
        In ratings: variance of the noise ÷ variance of a taste.

    Returns
    -------
    RatingModel
        With k = d + 1: the first factor of an item is 1, that of a user the user's bias.
    """
    model = fit_mean(train)
    slope, mean = np.polyfit(item_bias[train.items], train.stars, 1)
    features = np.column_stack([np.ones(len(item_bias)), item_traits])
    model = replace(model, mean=float(mean), item_bias=slope * item_bias, item_factors=features)
    left = residuals(train, replace(model, item_factors=np.zeros((len(features), 0))))
    cost = np.full(train.shape[0], float(penalty))
    return replace(model, user_factors=fast_ridge_rows(left, features, cost))


def residuals(train: Ratings, baseline: RatingModel) -> csr_array:
    """Ratings minus a baseline's predictions, as a sparse matrix of shape (users, items).

    A residual of 0 is stored like any other: it was observed.

    Raises
    ------
    ValueError
        If model and ratings don't have the same numbers of users and items.
    """
    _check_shape(baseline, train)
    left = train.stars - predict(baseline, train.users, train.items, clip=False)
    return to_csr(train, left)


# ---- use


def principal_axes(model: RatingModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The SVD of Q Pᵀ, computed without forming that large matrix.

    Factors are determined only up to an invertible k × k matrix. Q Pᵀ and its SVD don't depend on
    that matrix.

    Returns
    -------
    users : ndarray of shape (users, k)
        Left singular vectors.
    singular_values : ndarray of shape (k,)
        Descending.
    items : ndarray of shape (items, k)
        Right singular vectors; the entry of largest size in each is positive.
    """
    Q, of_users = np.linalg.qr(model.user_factors)
    P, of_items = np.linalg.qr(model.item_factors)
    U, s, Vt = np.linalg.svd(of_users @ of_items.T)
    users, items = Q @ U, P @ Vt.T
    signs = np.sign(items[np.abs(items).argmax(axis=0), np.arange(len(s))])
    return users * signs, s, items * signs


@njit(cache=True, parallel=True)
def dot_pairs(Q, P, users, items):
    """Products q_u · p_i of pairs, shape (n,); compiled, on all cores."""
    dots = np.empty(len(users))
    for n in prange(len(users)):
        total = 0.0
        for f in range(Q.shape[1]):
            total += Q[users[n], f] * P[items[n], f]
        dots[n] = total
    return dots


def _check_shape(model: RatingModel, ratings: Ratings) -> None:
    expected = len(model.user_bias), len(model.item_bias)
    if ratings.shape != expected:
        raise ValueError(
            f"the model knows {expected[0]} users and {expected[1]} items, the ratings have "
            f"{ratings.shape[0]} and {ratings.shape[1]}: they must come from one split"
        )


def check_positions(kind: str, positions: np.ndarray, count: int) -> np.ndarray:
    """Positions as an array of int, if they are whole numbers from 0 to ``count`` − 1.

    Parameters
    ----------
    kind : str
        What is at the positions, such as "user".

    Raises
    ------
    ValueError
        That names the first one that isn't.
    """
    positions = np.asarray(positions)
    if positions.size and positions.dtype.kind not in "iu":
        raise ValueError(f"{kind}s are known by position, whole numbers, not by {positions.dtype}")
    unknown = positions[(positions < 0) | (positions >= count)]
    if unknown.size:
        raise ValueError(f"the model knows the {kind}s 0 to {count - 1}, not {unknown.flat[0]}")
    return positions if positions.size else positions.astype(int)


def penalty_weights(counts: np.ndarray, weighted: bool | str) -> np.ndarray:
    """The weight w of the penalty λ for users or items with n ratings.

    Parameters
    ----------
    counts : ndarray of shape (m,), int
        n of each.
    weighted : bool or "root"
        False: w = 1. "root": w = √n. True: w = n.

    Returns
    -------
    ndarray of shape (m,)

    Raises
    ------
    ValueError
        If ``weighted`` is something else.
    """
    powers = {False: 0.0, "root": 0.5, True: 1.0}
    if weighted not in powers:
        raise ValueError(f"weighted must be False, True or 'root', got {weighted!r}")
    return np.asarray(counts) ** powers[weighted]


def check_positive(**values: float) -> None:
    """Check that values are positive.

    Raises
    ------
    ValueError
        If one isn't; it names the first such value.
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
