"""What to do with the factors of items: similar items, newcomers, recommendations, a map."""

from collections.abc import Mapping

import numpy as np

from helpers.rating_models import (
    RatingModel,
    check_positions,
    check_positive,
    clip_to_scale,
    penalty_weights,
    principal_axes,
)

# ---- newcomers


def fold_in(
    model: RatingModel,
    items: np.ndarray,
    stars: np.ndarray,
    *,
    penalty: float,
    weighted: bool | str,
    bias_penalty: float = 10,
) -> tuple[float, np.ndarray]:
    """Bias and factors of a new user from a few ratings; the items' stay as they are.

    Two steps, as for all users: first the bias, then one ridge regression of what it leaves on the
    factors of the rated items.

    Parameters
    ----------
    items : ndarray of shape (n,), int
    stars : ndarray of shape (n,)
        None at all is fine: bias and factors are then 0.
    penalty, weighted
        As in the fit of the model.
    bias_penalty : float
        λ_U of :func:`helpers.rating_models.fit_biases`.

    Returns
    -------
    bias : float
    factors : ndarray of shape (k,)

    Raises
    ------
    ValueError
        If items and stars don't have the same length, the model doesn't know an item, a rating
        isn't on the scale, or a penalty isn't positive.
    """
    items = check_positions("item", items, len(model.item_bias))
    stars = np.asarray(stars, dtype=float)
    if items.shape != stars.shape or items.ndim != 1:
        raise ValueError(f"need one rating for each item, got {items.shape} and {stars.shape}")
    lowest, highest, _ = model.scale
    if not ((stars >= lowest) & (stars <= highest)).all():
        raise ValueError(f"ratings must lie between {lowest:g} and {highest:g}, got {stars}")
    check_positive(penalty=penalty, bias_penalty=bias_penalty)
    weight = penalty * float(penalty_weights(max(len(items), 1), weighted))
    return solve_newcomer(model, items, stars, weight, bias_penalty)


def solve_newcomer(
    model: RatingModel, items: np.ndarray, stars: np.ndarray, penalty: float, bias_penalty: float
) -> tuple[float, np.ndarray]:
    """What :func:`fold_in` computes, without its checks; ``penalty`` is λ·w of this user."""
    left = stars - model.mean - model.item_bias[items]
    bias = left.sum() / (len(left) + bias_penalty)
    A, y = model.item_factors[items], left - bias
    factors = np.linalg.solve(A.T @ A + penalty * np.eye(A.shape[1]), A.T @ y)
    return bias, factors


def predict_new(model: RatingModel, bias: float, factors: np.ndarray) -> np.ndarray:
    """Predicted stars of all items, shape (items,), for a user of :func:`fold_in`."""
    stars = model.mean + bias + model.item_bias + model.item_factors @ factors
    return clip_to_scale(model, stars)


def recommend(
    model: RatingModel,
    factors: np.ndarray,
    given: Mapping[int, float],
    candidates: np.ndarray,
    count: int = 8,
) -> np.ndarray:
    """The items that a new user should like best, best first, without those that the user rated.

    Parameters
    ----------
    factors : ndarray of shape (k,)
        Of :func:`fold_in`. The user's bias is the same for all items and changes no order.
    given : mapping from item to stars
        What the user has rated.
    candidates : ndarray of int
        The items that may be recommended.
    count : int
        How many at most.

    Returns
    -------
    ndarray of shape (at most count,), int
    """
    candidates = check_positions("item", candidates, len(model.item_bias))
    new = candidates[~np.isin(candidates, [*given])]
    score = model.item_bias[new] + model.item_factors[new] @ factors
    return new[np.argsort(-score, kind="stable")[:count]]


# ---- similar items


def nearest_items(
    model: RatingModel, item: int, count: int, among: np.ndarray | None = None
) -> np.ndarray:
    """The items most similar to one, nearest first, itself left out.

    The distance between two items is that between their columns of Q Pᵀ: how differently the
    factors let all users judge them. It stays the same when the factors are turned.

    Parameters
    ----------
    item : int
    count : int
        How many to find.
    among : ndarray of int, optional
        The items to choose from; all of them otherwise.

    Returns
    -------
    ndarray of shape (count,), int

    Raises
    ------
    ValueError
        If the model doesn't know an item.
    """
    _, s, items = principal_axes(model)
    among = np.arange(len(items)) if among is None else among
    among, (item,) = (check_positions("item", each, len(items)) for each in (among, [item]))
    among = among[among != item]
    distances = np.linalg.norm((items[among] - items[item]) * s, axis=1)
    return among[np.argsort(distances, kind="stable")[:count]]


# ---- a map of the items


def item_places(model: RatingModel) -> np.ndarray:
    """Items on the first two principal axes of the factors, shape (items, 2).

    With users at ``users[:, :2] * sqrt(s[:2])``, the product of both places is what these two axes
    add to a rating. A model with one factor has zeros on the second axis.
    """
    _, s, items = principal_axes(model)
    places = np.zeros((len(items), 2))
    places[:, : len(s)] = (items * np.sqrt(s))[:, :2]
    return places


def user_place(places: np.ndarray, taste: np.ndarray) -> np.ndarray:
    """The place of a user on the map of items, shape (2,), by least squares.

    Parameters
    ----------
    places : ndarray of shape (items, 2)
        Of :func:`item_places`.
    taste : ndarray of shape (items,)
        What the user's factors add to each item's rating, q · p_i.
    """
    return np.linalg.lstsq(places, taste, rcond=None)[0]


def group_centres(
    places: np.ndarray, group: np.ndarray, weights: np.ndarray, groups: int
) -> np.ndarray:
    """Weighted mean place of each group, shape (groups, 2); NaN for a group without members.

    Parameters
    ----------
    places : ndarray of shape (items, 2)
    group : ndarray of shape (items,), int
        From 0 to ``groups`` − 1.
    weights : ndarray of shape (items,)
        Such as the number of ratings of each item.
    """
    sums = [np.bincount(group, weights * axis, groups) for axis in places.T]
    with np.errstate(invalid="ignore"):
        return np.column_stack(sums) / np.bincount(group, weights, groups)[:, None]


def landmarks(places: np.ndarray, among: np.ndarray, count: int = 5) -> np.ndarray:
    """Items in different directions from the middle of a map: of each sector the farthest.

    Parameters
    ----------
    places : ndarray of shape (items, 2)
    among : ndarray of int
        The items to choose from.
    count : int
        How many sectors, and how many items at most. For a sector without an item the farthest of
        the others stands in.
    """
    sectors = (np.arctan2(*places[among].T) + 3.6) // (2 * np.pi / count) % count
    outwards = among[np.argsort(-np.linalg.norm(places[among], axis=1), kind="stable")]
    by_item = dict(zip(among.tolist(), sectors, strict=True))
    first = {by_item[item]: item for item in outwards[::-1].tolist()}
    chosen = [first[sector] for sector in sorted(first)]
    return np.array([*chosen, *(i for i in outwards.tolist() if i not in chosen)][:count])
