"""Matrix factorization of ratings by SGD and by alternating least squares (ALS).

Factors are fitted to what a baseline leaves of the ratings, and judged after each epoch. One epoch
of SGD visits each rating once. One epoch of ALS solves for all users, then for all items; other
texts call it an iteration or a sweep.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
from numba import njit
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from helpers.rating_models import (
    RatingModel,
    add_biases,
    check_positive,
    dot_pairs,
    residuals,
    rmse,
)
from helpers.ratings import Ratings, coordinates, to_csr
from helpers.ridge import fast_ridge_rows

Factors = tuple[np.ndarray, np.ndarray]  # of users (users, k), and of items (items, k)


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
    weighted: bool,
    errors: np.ndarray | None = None,
) -> float:
    """Σ (r_ui − q_u · p_i)² over the observed entries, plus a penalty on the size of the factors.

    The plain penalty is λ (Σ ‖q_u‖² + Σ ‖p_i‖²). The weighted one counts each vector once for each
    of its ratings, λ (Σ n_u ‖q_u‖² + Σ n_i ‖p_i‖²) (Zhou et al. 2008, "ALS-WR").

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
        The observed entries, of :func:`helpers.rating_models.residuals`.
    user_factors, item_factors : ndarray of shape (users, k), (items, k)
    penalty, weighted
        λ, and which of the two penalties.
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
    weighted: bool,
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
    matrix: csr_array, *, penalty: float, weighted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """λ of each user and of each item, shapes (users,) and (items,).

    The same for all, or, if weighted, times the number of ratings.
    """
    if not weighted:
        return tuple(np.full(count, float(penalty)) for count in matrix.shape)
    items = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return penalty * np.diff(matrix.indptr), penalty * items


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
    U, s, Vt = svds(matrix, k=k, v0=np.ones(min(matrix.shape)))
    order = np.argsort(-s)
    return (U * s)[:, order], Vt[order].T.copy()


def _check_init(init: Factors, shape: tuple[int, int]) -> None:
    found = tuple(factors.shape for factors in init)
    expected = tuple((count, found[0][-1]) for count in shape)
    if found != expected or found[0][-1] == 0:
        raise ValueError(f"init has shapes {found}; with these ratings it needs {expected}")


# ---- alternating least squares


def als_iterates(
    matrix: csr_array, init: Factors, *, penalty: float, weighted: bool = True
) -> Iterator[Factors]:
    """The factors that ALS starts from, then those after each epoch, without end.

    Each half of an epoch minimises :func:`objective` exactly while the other half's factors stay as
    they are, so the objective never rises. All iterates are arrays of their own.

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
        The observed entries, of :func:`helpers.rating_models.residuals`.
    init : (user_factors, item_factors)
        Of :func:`random_init` or :func:`svd_init`. The first epoch solves for the users anew: only
        the items' factors matter.
    penalty, weighted
        See :func:`objective`.

    Raises
    ------
    ValueError
        At the first iterate, if the penalty isn't positive or the shapes don't fit.
    """
    check_positive(penalty=penalty)
    _check_init(init, matrix.shape)
    transposed = matrix.T.tocsr()
    of_users, of_items = penalties(matrix, penalty=penalty, weighted=weighted)
    yield init
    _, item_factors = init
    while True:
        user_factors = fast_ridge_rows(matrix, item_factors, of_users)
        item_factors = fast_ridge_rows(transposed, user_factors, of_items)
        yield user_factors, item_factors


def fit_als(
    train: Ratings,
    baseline: RatingModel,
    init: Factors,
    *,
    penalty: float,
    weighted: bool = True,
    epochs: int = 30,
    validation: Ratings | None = None,
    patience: int = 10,
) -> Fit:
    """Factors by alternating least squares, with early stopping.

    Parameters
    ----------
    train : Ratings
    baseline : RatingModel
        Its biases stay as they are; the factors are fitted to what it leaves.
    init, penalty, weighted
        See :func:`als_iterates`.
    epochs : int
        At most so many.
    validation : Ratings, optional
        Judges, by RMSE without penalty, which epoch was best.
    patience : int
        Stop after so many epochs without a new best. A small random initialisation predicts what
        the baseline does, and the first epochs can be worse than that.

    Raises
    ------
    ValueError
        If the penalty isn't positive, or shapes don't fit.
    """
    matrix = residuals(train, baseline)
    iterates = als_iterates(matrix, init, penalty=penalty, weighted=weighted)
    options = {"penalty": penalty, "weighted": weighted, "validation": validation}
    judge = partial(_judge, matrix=matrix, stars=to_csr(train, train.stars).data, **options)
    return _keep_best(islice(iterates, epochs + 1), baseline, judge, patience)


def search_als(
    train: Ratings,
    baseline: RatingModel,
    ks: Sequence[int],
    penalties: Sequence[float],
    *,
    weighted: bool = True,
    epochs: int = 40,
    seed: int = 0,
) -> Iterator[tuple[int, float, RatingModel]]:
    """(k, penalty, model) for each number of factors and each penalty, one at a time, by ALS.

    No early stopping: what too many factors or too small a penalty do should be seen. Fits with the
    same number of factors have the same initialisation. Errors as of :func:`fit_als`.
    """
    matrix = residuals(train, baseline)
    for k in ks:
        init = random_init(train.shape, k, np.random.default_rng(seed))
        for penalty in penalties:
            iterates = als_iterates(matrix, init, penalty=penalty, weighted=weighted)
            yield k, penalty, _with_factors(baseline, next(islice(iterates, epochs, None)))


# ---- stochastic gradient descent


@njit(cache=True, fastmath=True)
def sgd_epoch(users, items, targets, user_factors, item_factors, learning_rate, penalty):
    """Visit ratings one at a time and step against the gradient; changes the factors in place.

    The penalty is paid at every visit, hence once for each rating: SGD minimises the *weighted*
    objective (half its gradient, the 2 being part of the learning rate).

    Parameters
    ----------
    users, items : ndarray of shape (n,), int
        In the order in which the ratings are visited.
    targets : ndarray of shape (n,)
    user_factors, item_factors : ndarray of shape (users, k), (items, k)
    learning_rate, penalty : float
    """
    for n in range(len(users)):
        q, p = user_factors[users[n]], item_factors[items[n]]
        error = targets[n]
        for f in range(len(q)):
            error -= q[f] * p[f]
        for f in range(len(q)):
            q_before = q[f]
            q[f] += learning_rate * (error * p[f] - penalty * q_before)
            p[f] += learning_rate * (error * q_before - penalty * p[f])


def sgd_iterates(
    matrix: csr_array,
    init: Factors,
    *,
    penalty: float,
    rng: np.random.Generator,
    learning_rate: float = 0.05,
) -> Iterator[Factors]:
    """The factors that SGD starts from, then those after each epoch, without end.

    After the first, they are in single precision. All iterates are arrays of their own.

    Parameters
    ----------
    matrix, init
        As of :func:`als_iterates`.
    penalty : float
        λ of the weighted penalty of :func:`objective`.
    rng : Generator
        Draws a new order of the ratings for each epoch.
    learning_rate : float
        Size of a step.

    Raises
    ------
    ValueError
        At the first iterate, if a number isn't positive or the shapes don't fit.
    """
    check_positive(penalty=penalty, learning_rate=learning_rate)
    _check_init(init, matrix.shape)
    # Single precision: most of an epoch is fetching factors from memory, in no order.
    single = np.float32
    options = single(learning_rate), single(penalty)
    users, items, targets = coordinates(matrix)
    data = users, items, targets.astype(single)
    factors = init
    yield factors
    while True:
        factors = tuple(each.astype(single) for each in factors)  # a copy: not yet changed
        order = rng.permutation(len(users))
        sgd_epoch(*(part[order] for part in data), *factors, *options)
        yield factors


def fit_sgd(
    train: Ratings,
    baseline: RatingModel,
    init: Factors,
    *,
    penalty: float,
    rng: np.random.Generator,
    learning_rate: float = 0.05,
    epochs: int = 60,
    validation: Ratings | None = None,
    patience: int = 10,
) -> Fit:
    """Factors by stochastic gradient descent, with early stopping.

    Parameters and errors as of :func:`fit_als` and :func:`sgd_iterates`; the penalty is the
    weighted one.
    """
    matrix = residuals(train, baseline)
    iterates = sgd_iterates(matrix, init, penalty=penalty, rng=rng, learning_rate=learning_rate)
    options = {"penalty": penalty, "weighted": True, "validation": validation}
    judge = partial(_judge, matrix=matrix, stars=to_csr(train, train.stars).data, **options)
    return _keep_best(islice(iterates, epochs + 1), baseline, judge, patience)


# ---- judging and keeping


def _keep_best(
    iterates: Iterator[Factors],
    baseline: RatingModel,
    judge: Callable[[RatingModel], dict[str, float]],
    patience: int,
) -> Fit:
    """Judge iterates until the validation RMSE hasn't fallen for a while; keep the best model.

    It needs no copy, because an iterate isn't overwritten by the next one.
    """
    history: dict[str, list[float]] = {}
    best, best_model = 0, baseline
    for epoch, factors in enumerate(iterates):
        model = _with_factors(baseline, factors)
        for name, value in judge(model).items():
            history.setdefault(name, []).append(value)
        judged_by = history.get("validation")
        if epoch == 0 or judged_by is None or judged_by[-1] < judged_by[best]:
            best, best_model = epoch, model
        elif epoch - best >= patience:
            break
    return Fit(best_model, best, history)


def _with_factors(baseline: RatingModel, factors: Factors) -> RatingModel:
    return replace(baseline, user_factors=factors[0], item_factors=factors[1])


def _judge(
    model: RatingModel,
    *,
    matrix: csr_array,
    stars: np.ndarray,
    validation: Ratings | None,
    penalty: float,
    weighted: bool,
) -> dict[str, float]:
    """The penalised objective, and the RMSE of training and validation ratings.

    The products of the training ratings' factors are computed once for both. ``stars`` are those of
    the training ratings in the order of ``matrix``.
    """
    factors = model.user_factors, model.item_factors
    users, items, targets = coordinates(matrix)
    products = dot_pairs(*factors, users, items)
    options = {"penalty": penalty, "weighted": weighted, "errors": targets - products}
    errors = stars - add_biases(model, users, items, products)
    figures = {
        "objective": objective(matrix, *factors, **options),
        "training": math.sqrt(np.mean(errors**2)),
    }
    if validation is not None:
        figures["validation"] = rmse(model, validation)
    return figures
