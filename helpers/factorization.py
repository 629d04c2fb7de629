"""Matrix factorization of what a baseline leaves of ratings, by SGD and by alternating ridge regressions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from helpers.rating_models import RatingModel, check_positive, dot_pairs, residuals, rmse
from helpers.ratings import Ratings
from helpers.ridge import fast_ridge_rows


@dataclass(frozen=True)
class Fit:
    """The model that was best on the validation ratings, and how the fit got there.

    Attributes
    ----------
    model : RatingModel
        Of the pass with the lowest validation RMSE; of the last pass if there was no validation.
    best : int
        Which pass that was; 0 is the start.
    history : dict of list of float
        ``training`` and ``validation`` RMSE in stars, and the penalised ``objective``, at the
        start and after each pass.
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
) -> float:
    """Σ (r_ui − q_u · p_i)² over the observed entries, plus a penalty on the size of the factors.

    The plain penalty is λ (Σ ‖q_u‖² + Σ ‖p_i‖²); the weighted one counts each vector once for each
    of its ratings, λ (Σ n_u ‖q_u‖² + Σ n_i ‖p_i‖²) (Zhou et al. 2008, "ALS-WR").
    """
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
    """Gradients of :func:`objective`, of the shapes of the factors."""
    errors = csr_array(
        (_errors(matrix, user_factors, item_factors), matrix.indices, matrix.indptr), matrix.shape
    )
    of_users, of_items = penalties(matrix, penalty=penalty, weighted=weighted)
    by_users = -2 * errors @ item_factors + 2 * of_users[:, None] * user_factors
    by_items = -2 * errors.T @ user_factors + 2 * of_items[:, None] * item_factors
    return by_users, by_items


def _errors(matrix: csr_array, user_factors: np.ndarray, item_factors: np.ndarray) -> np.ndarray:
    users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return matrix.data - dot_pairs(user_factors, item_factors, users, matrix.indices)


def penalties(
    matrix: csr_array, *, penalty: float, weighted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """λ for each user and each item: the same for all, or times the number of ratings."""
    if not weighted:
        return tuple(np.full(count, float(penalty)) for count in matrix.shape)
    items = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return penalty * np.diff(matrix.indptr), penalty * items


# ---- alternating least squares


def fit_als(
    train: Ratings,
    baseline: RatingModel,
    start: tuple[np.ndarray, np.ndarray],
    *,
    penalty: float,
    weighted: bool = True,
    passes: int = 30,
    validation: Ratings | None = None,
    patience: int = 10,
) -> Fit:
    """Factors by alternating least squares: all users' ridge regressions, then all items'.

    Each half of a pass minimises the objective exactly while the other half's factors stay as they
    are, so the objective never rises.

    Parameters
    ----------
    baseline : RatingModel
        Its biases stay as they are; the factors are fitted to what it leaves.
    start : (user_factors, item_factors)
        Of :func:`random_start` or :func:`svd_start`. The first pass solves for the users anew;
        their start only counts as pass 0.
    penalty, weighted
        See :func:`objective`.
    validation : Ratings, optional
        Judges, by RMSE without penalty, which pass was best.
    patience : int
        Stop after so many passes without a new best. A small random start predicts what the
        baseline does, and the first passes can be worse than that.

    Raises
    ------
    ValueError
        If the penalty isn't positive, or shapes don't fit.
    """
    check_positive(penalty=penalty)
    _check_start(start, train)
    matrix = residuals(train, baseline)
    transposed = matrix.T.tocsr()
    of_users, of_items = penalties(matrix, penalty=penalty, weighted=weighted)

    def one_pass(_, item_factors):
        user_factors = fast_ridge_rows(matrix, item_factors, of_users)
        return user_factors, fast_ridge_rows(transposed, user_factors, of_items)

    model = replace(baseline, user_factors=start[0], item_factors=start[1])
    judge = _Judge(matrix, train, validation, penalty, weighted)
    return _iterate(one_pass, model, judge, passes, patience)


# ---- stochastic gradient descent


@njit(cache=True, fastmath=True)
def sgd_pass(users, items, targets, user_factors, item_factors, rate, penalty):
    """Visit ratings one at a time and step against the gradient; changes the factors in place.

    The penalty is paid at every visit, hence once for each rating: SGD minimises the *weighted*
    objective (half its gradient, the 2 being part of the rate).

    Parameters
    ----------
    users, items : ndarray of shape (n,), int
        In the order in which the ratings are visited.
    targets : ndarray of shape (n,)
    user_factors, item_factors : ndarray of shape (users, k), (items, k)
    rate, penalty : float
    """
    for n in range(len(users)):
        q, p = user_factors[users[n]], item_factors[items[n]]
        error = targets[n]
        for f in range(len(q)):
            error -= q[f] * p[f]
        for f in range(len(q)):
            q_before = q[f]
            q[f] += rate * (error * p[f] - penalty * q_before)
            p[f] += rate * (error * q_before - penalty * p[f])


def fit_sgd(
    train: Ratings,
    baseline: RatingModel,
    start: tuple[np.ndarray, np.ndarray],
    *,
    penalty: float,
    rng: np.random.Generator,
    rate: float = 0.05,
    passes: int = 60,
    validation: Ratings | None = None,
    patience: int = 10,
) -> Fit:
    """Factors by stochastic gradient descent over single ratings, in a new order at each pass.

    Parameters and errors as for :func:`fit_als`; the penalty is the weighted one.

    Parameters
    ----------
    rate : float
        Size of a step.
    """
    check_positive(penalty=penalty, rate=rate)
    _check_start(start, train)
    matrix = residuals(train, baseline)
    users = np.repeat(np.arange(train.shape[0], dtype=np.int32), np.diff(matrix.indptr))
    # Single precision: most of a pass is fetching factors from memory, in no order.
    single = np.float32
    steps = single(rate), single(penalty)
    data = users, matrix.indices, matrix.data.astype(single)

    def one_pass(*factors):
        factors = tuple(each.astype(single) for each in factors)
        order = rng.permutation(len(users))
        sgd_pass(*(part[order] for part in data), *factors, *steps)
        return factors

    model = replace(baseline, user_factors=start[0], item_factors=start[1])
    judge = _Judge(matrix, train, validation, penalty, weighted=True)
    return _iterate(one_pass, model, judge, passes, patience)


@dataclass(frozen=True)
class _Judge:
    """What a model is judged by after each pass."""

    matrix: csr_array
    train: Ratings
    validation: Ratings | None
    penalty: float
    weighted: bool

    def __call__(self, model: RatingModel) -> dict[str, float]:
        factors = model.user_factors, model.item_factors
        figures = {
            "objective": objective(
                self.matrix, *factors, penalty=self.penalty, weighted=self.weighted
            ),
            "training": rmse(model, self.train),
        }
        if self.validation is not None:
            figures["validation"] = rmse(model, self.validation)
        return figures


def _iterate(
    one_pass: Callable, model: RatingModel, judge: _Judge, passes: int, patience: int
) -> Fit:
    """Repeat a pass until the validation RMSE hasn't fallen for a while; keep the best model.

    A pass returns new arrays, so what is kept as best is not overwritten by the next one.
    """
    figures = judge(model)
    history = {name: [value] for name, value in figures.items()}
    best, best_model = 0, model
    for number in range(1, passes + 1):
        factors = one_pass(model.user_factors, model.item_factors)
        model = replace(model, user_factors=factors[0], item_factors=factors[1])
        for name, value in judge(model).items():
            history[name].append(value)
        judged_by = history.get("validation")
        if judged_by is None or judged_by[-1] < judged_by[best]:
            best, best_model = number, model
        elif number - best >= patience:
            break
    return Fit(best_model, best, history)


# ---- initialisations


def random_start(
    shape: tuple[int, int], k: int, rng: np.random.Generator, spread: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Factors drawn from a normal distribution with this standard deviation around 0."""
    check_positive(k=k)
    return rng.normal(0, spread, (shape[0], k)), rng.normal(0, spread, (shape[1], k))


def svd_start(matrix: csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors from a truncated SVD in which whatever is missing counts as 0: Q = UΣ and P = V.

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
    k : int
        Less than both numbers.

    Returns
    -------
    user_factors, item_factors : ndarray of shape (users, k), (items, k)
    """
    if not 1 <= k < min(matrix.shape):
        raise ValueError(f"k must be at least 1 and less than {min(matrix.shape)}, got {k}")
    U, s, Vt = svds(matrix, k=k, v0=np.ones(min(matrix.shape)))
    order = np.argsort(-s)
    return (U * s)[:, order], Vt[order].T.copy()


# ---- search


def search_als(
    train: Ratings,
    baseline: RatingModel,
    ks: Sequence[int],
    penalties: Sequence[float],
    *,
    weighted: bool = True,
    passes: int = 40,
    seed: int = 0,
) -> Iterator[tuple[int, float, RatingModel]]:
    """Models for each number of factors and each penalty, one at a time, by ALS to its end.

    No early stopping: what too many factors or too small a penalty do should be seen. Fits with the
    same number of factors have the same start.
    """
    for k in ks:
        start = random_start(train.shape, k, np.random.default_rng(seed))
        for penalty in penalties:
            options = {"penalty": penalty, "weighted": weighted, "passes": passes}
            yield k, penalty, fit_als(train, baseline, start, **options).model


def _check_start(start: tuple[np.ndarray, np.ndarray], train: Ratings) -> None:
    found = tuple(factors.shape for factors in start)
    expected = tuple((count, found[0][-1]) for count in train.shape)
    if found != expected or found[0][-1] == 0:
        raise ValueError(f"the start has shapes {found}; with these ratings it needs {expected}")
