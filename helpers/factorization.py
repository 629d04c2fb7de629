"""What the factorization of ratings minimises, where it starts, and how an epoch is judged.

Factors are fitted to what a baseline leaves of the ratings, or together with the biases, by SGD
(:mod:`helpers.sgd`) or by alternating least squares (:mod:`helpers.als`).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from helpers.rating_models import (
    RatingModel,
    add_biases,
    check_positive,
    clip_to_scale,
    dot_pairs,
    penalty_weights,
    rmse,
)
from helpers.ratings import Ratings, coordinates, to_csr

Factors = tuple[np.ndarray, np.ndarray]  # of users (users, k), and of items (items, k)
PATIENCE = 10  # epochs that early stopping waits for a new best


@dataclass(frozen=True)
class Fit:
    """The model with the lowest validation RMSE, and how the fit got there.

    Attributes
    ----------
    model : RatingModel
        Of the epoch with the lowest validation RMSE; of the last one if there was no validation.
    best : int
        Which epoch that was; 0 is the initialisation.
    history : dict of list of float
        ``training`` and ``validation`` RMSE in stars, and the penalised ``objective``, at the
        initialisation and after each epoch.
    """

    model: RatingModel
    best: int
    history: dict[str, list[float]]


# ---- what both methods minimise


def objective(
    matrix: csr_array,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    *,
    penalty: float,
    weighted: bool | str,
    errors: np.ndarray | None = None,
) -> float:
    """Σ (r_ui − q_u · p_i)² over the observed entries, plus a penalty on the size of the factors.

    The plain penalty is λ (Σ ‖q_u‖² + Σ ‖p_i‖²). The weighted one counts each vector once for each
    of its ratings, λ (Σ n_u ‖q_u‖² + Σ n_i ‖p_i‖²) (Zhou et al. 2008, "ALS-WR"). Between them is the
    one with the roots √n_u and √n_i.

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
        The observed entries, of :func:`helpers.rating_models.residuals`.
    user_factors, item_factors : ndarray of shape (users, k), (items, k)
    penalty, weighted
        λ, and which penalty: the plain one (False), the weighted one (True), or "root".
    errors : ndarray of shape (n,), optional
        r_ui − q_u · p_i of the observed entries, row by row, where they have been computed already.
    """
    if errors is None:
        errors = _errors(matrix, user_factors, item_factors)
    of_users, of_items = penalties(matrix, penalty=penalty, weighted=weighted)
    size_of_users = of_users @ np.sum(user_factors**2, axis=1)
    return float(np.sum(errors**2) + size_of_users + of_items @ np.sum(item_factors**2, axis=1))


def gradients(
    matrix: csr_array,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    *,
    penalty: float,
    weighted: bool | str,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of :func:`objective` by both factors, of their shapes; the same parameters."""
    errors = csr_array(
        (_errors(matrix, user_factors, item_factors), matrix.indices, matrix.indptr), matrix.shape
    )
    of_users, of_items = penalties(matrix, penalty=penalty, weighted=weighted)
    by_users = -2 * errors @ item_factors + 2 * of_users[:, None] * user_factors
    by_items = -2 * errors.T @ user_factors + 2 * of_items[:, None] * item_factors
    return by_users, by_items


def _errors(matrix: csr_array, user_factors: np.ndarray, item_factors: np.ndarray) -> np.ndarray:
    users, items, values = coordinates(matrix)
    return values - dot_pairs(user_factors, item_factors, users, items)


def penalties(
    matrix: csr_array, *, penalty: float, weighted: bool | str
) -> tuple[np.ndarray, np.ndarray]:
    """λ·w of each user and of each item, shapes (users,) and (items,), where w is the weight.

    :func:`helpers.rating_models.penalty_weights` says which weights there are.
    """
    of_items = np.bincount(matrix.indices, minlength=matrix.shape[1])
    counts = np.diff(matrix.indptr), of_items
    return tuple(penalty * penalty_weights(each, weighted) for each in counts)


# ---- initialisations


def random_init(
    shape: tuple[int, int], k: int, rng: np.random.Generator, std: float = 0.1
) -> Factors:
    """Factors drawn from a normal distribution around 0, shapes (users, k) and (items, k).

    Parameters
    ----------
    shape : (users, items)
    k : int
    rng : Generator
    std : float
        Standard deviation of each number.

    Raises
    ------
    ValueError
        If ``k`` isn't positive.
    """
    check_positive(k=k)
    return rng.normal(0, std, (shape[0], k)), rng.normal(0, std, (shape[1], k))


def svd_init(matrix: csr_array, k: int) -> Factors:
    """Factors from a truncated SVD, Q = UΣ and P = V, shapes (users, k) and (items, k).

    What is missing counts as 0 in it.

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
    k : int
        Less than both numbers.

    Raises
    ------
    ValueError
        If ``k`` is too small or too large.
    """
    if not 1 <= k < min(matrix.shape):
        raise ValueError(f"k must be at least 1 and less than {min(matrix.shape)}, got {k}")
    if not matrix.data.any():  # the solver can't begin; any directions will do
        return np.zeros((matrix.shape[0], k)), np.eye(matrix.shape[1], k)
    U, s, Vt = svds(matrix, k=k, v0=np.ones(min(matrix.shape)))
    order = np.argsort(-s)
    return (U * s)[:, order], Vt[order].T.copy()


def check_init(init: Factors, shape: tuple[int, int]) -> None:
    """Check that factors fit ratings of a shape (users, items).

    Raises
    ------
    ValueError
        If there are none, or they are of other users or items.
    """
    found = tuple(factors.shape for factors in init)
    expected = tuple((count, found[0][-1]) for count in shape)
    if found != expected or found[0][-1] == 0:
        raise ValueError(f"init has shapes {found}; with these ratings it needs {expected}")


# ---- judging and keeping


def keep_best(
    models: Iterator[RatingModel], judge: Callable[[RatingModel], dict[str, float]], patience: int
) -> Fit:
    """Judge models until the validation RMSE hasn't fallen for a while; keep the best one.

    It needs no copy, because the arrays of a model aren't overwritten by the next one.

    Parameters
    ----------
    models : iterator of RatingModel
        The initialisation, then one an epoch.
    judge : callable
        What is said of a model, such as ``validation``: see :func:`judge_by`.
    patience : int
        Stop after so many epochs without a new best.
    """
    history: dict[str, list[float]] = {}
    best, best_model = 0, None
    for epoch, model in enumerate(models):
        for name, value in judge(model).items():
            history.setdefault(name, []).append(value)
        judged_by = history.get("validation")
        if epoch == 0 or judged_by is None or judged_by[-1] < judged_by[best]:
            best, best_model = epoch, model
        elif epoch - best >= patience:
            break
    return Fit(best_model, best, history)


def with_factors(baseline: RatingModel, factors: Factors) -> RatingModel:
    """The model with the biases of a baseline, and factors of users (users, k) and items (items, k)."""
    return replace(baseline, user_factors=factors[0], item_factors=factors[1])


def judge_by(
    train: Ratings, validation: Ratings | None, **options
) -> Callable[[RatingModel], dict[str, float]]:
    """A function that takes a model and returns its ``objective`` and the RMSEs of ``training`` and ``validation``.

    Options are those of the objective: ``penalty``, ``weighted``, and ``bias_penalties`` if biases
    are fitted, too.
    """
    return partial(_judge, matrix=to_csr(train, train.stars), validation=validation, **options)


def _judge(
    model: RatingModel,
    *,
    matrix: csr_array,
    validation: Ratings | None,
    penalty: float,
    weighted: bool | str,
    bias_penalties: tuple[float, float] = (0, 0),
) -> dict[str, float]:
    """The penalised objective, and the RMSE of training and validation ratings.

    The products of the training ratings' factors are computed once for both. ``matrix`` has the
    training ratings themselves.
    """
    factors = model.user_factors, model.item_factors
    users, items, stars = coordinates(matrix)
    products = dot_pairs(*factors, users, items)
    biases = add_biases(model, users, items, 0, clip=False)
    options = {"penalty": penalty, "weighted": weighted, "errors": stars - biases - products}
    of_user, of_item = bias_penalties
    size = of_user * np.sum(model.user_bias**2) + of_item * np.sum(model.item_bias**2)
    errors = stars - clip_to_scale(model, biases + products)
    figures = {
        "objective": objective(matrix, *factors, **options) + float(size),
        "training": math.sqrt(np.mean(errors**2)),
    }
    if validation is not None:
        figures["validation"] = rmse(model, validation)
    return figures
