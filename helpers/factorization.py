"""Matrix factorization of ratings by SGD and by alternating least squares (ALS).

Factors are fitted to what a baseline leaves of the ratings, or together with the biases, and judged
after each epoch. One epoch of SGD visits each rating once. One epoch of ALS solves for all users,
then for all items; other texts call it an iteration or a sweep.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from helpers.compiled import njit
from helpers.rating_models import (
    RatingModel,
    add_biases,
    check_positive,
    clip_to_scale,
    dot_pairs,
    penalty_weights,
    residuals,
    rmse,
)
from helpers.ratings import Ratings, coordinates, to_csr
from helpers.ridge import fast_cg_ridge_rows, fast_joint_ridge_rows, fast_ridge_rows

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


def _check_init(init: Factors, shape: tuple[int, int]) -> None:
    found = tuple(factors.shape for factors in init)
    expected = tuple((count, found[0][-1]) for count in shape)
    if found != expected or found[0][-1] == 0:
        raise ValueError(f"init has shapes {found}; with these ratings it needs {expected}")


# ---- alternating least squares


def als_iterates(
    matrix: csr_array,
    init: Factors,
    *,
    penalty: float,
    weighted: bool | str = True,
    cg_steps: int | None = None,
) -> Iterator[Factors]:
    """The factors that ALS starts from, then those after each epoch, without end.

    Each half of an epoch minimises :func:`objective` exactly while the other half's factors stay as
    they are, so the objective never rises. Some steps of conjugate gradients only come nearer to
    that minimum, in single precision, and cost less. All iterates are arrays of their own.

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
        The observed entries, of :func:`helpers.rating_models.residuals`.
    init : (user_factors, item_factors)
        Of :func:`random_init` or :func:`svd_init`. The first epoch solves for the users anew: only
        the items' factors matter, unless ``cg_steps`` are given.
    penalty, weighted
        See :func:`objective`.
    cg_steps : int, optional
        How many steps of :func:`helpers.ridge.fast_cg_ridge_rows` each row takes, from its factors
        of the epoch before. Exact solutions by default.

    Raises
    ------
    ValueError
        At the first iterate, if a number isn't positive or the shapes don't fit.
    """
    check_positive(penalty=penalty, cg_steps=1 if cg_steps is None else cg_steps)
    _check_init(init, matrix.shape)
    transposed = matrix.T.tocsr()
    of_users, of_items = penalties(matrix, penalty=penalty, weighted=weighted)
    yield init
    user_factors, item_factors = init
    while True:
        user_factors = _solve(matrix, item_factors, of_users, user_factors, cg_steps)
        item_factors = _solve(transposed, user_factors, of_items, item_factors, cg_steps)
        yield user_factors, item_factors


def _solve(
    matrix: csr_array, factors: np.ndarray, costs: np.ndarray, start: np.ndarray, steps: int | None
) -> np.ndarray:
    if steps is None:
        return fast_ridge_rows(matrix, factors, costs)
    return fast_cg_ridge_rows(matrix, factors, costs, start, steps)


def fit_als(
    train: Ratings,
    baseline: RatingModel,
    init: Factors,
    *,
    penalty: float,
    weighted: bool | str = True,
    cg_steps: int | None = None,
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
    init, penalty, weighted, cg_steps
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
        If a number isn't positive, or shapes don't fit.
    """
    options = {"penalty": penalty, "weighted": weighted}
    iterates = als_iterates(residuals(train, baseline), init, cg_steps=cg_steps, **options)
    models = (_with_factors(baseline, factors) for factors in islice(iterates, epochs + 1))
    return _keep_best(models, _judge_by(train, validation, **options), patience)


def search_als(
    train: Ratings,
    baseline: RatingModel,
    ks: Sequence[int],
    penalties: Sequence[float],
    *,
    weighted: bool | str = True,
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


# ---- biases and factors together


def joint_als_iterates(
    train: Ratings,
    baseline: RatingModel,
    init: Factors,
    *,
    penalty: float,
    weighted: bool | str = True,
    bias_penalties: tuple[float, float] = (10, 8),
) -> Iterator[RatingModel]:
    """Models whose biases *and* factors are fitted by ALS: the first one, then one an epoch.

    Fixed biases explain what they can before the factors are asked. Here a user's bias is one more
    factor, whose partner is a 1 in each item; an item's bias likewise. Each half of an epoch solves
    for biases and factors of one side at once. It minimises :func:`objective` of what μ and both
    biases leave, plus λ_U Σ b_u² + λ_I Σ b_i².

    Parameters
    ----------
    train : Ratings
    baseline : RatingModel
        Its mean stays; its biases are where the fit starts.
    init, penalty, weighted
        As of :func:`als_iterates`.
    bias_penalties : (float, float)
        λ_U and λ_I, as of :func:`helpers.rating_models.fit_biases`.

    Raises
    ------
    ValueError
        At the first iterate, if a number isn't positive or the shapes don't fit.
    """
    of_user, of_item = bias_penalties
    check_positive(penalty=penalty, user_penalty=of_user, item_penalty=of_item)
    _check_init(init, train.shape)
    by_user = to_csr(train, train.stars.astype(float) - baseline.mean)
    by_item = by_user.T.tocsr()
    of_users, of_items = penalties(by_user, penalty=penalty, weighted=weighted)
    item_bias, item_factors = baseline.item_bias, init[1]
    yield _with_factors(baseline, init)
    while True:
        user_bias, user_factors = _joint_half(by_user, item_bias, item_factors, of_users, of_user)
        item_bias, item_factors = _joint_half(by_item, user_bias, user_factors, of_items, of_item)
        model = replace(baseline, user_bias=user_bias, item_bias=item_bias)
        yield _with_factors(model, (user_factors, item_factors))


def _joint_half(
    matrix: csr_array, bias: np.ndarray, factors: np.ndarray, costs: np.ndarray, bias_penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Biases and factors of the rows, given those of the columns."""
    left = matrix.data - bias[matrix.indices]
    left = csr_array((left, matrix.indices, matrix.indptr), matrix.shape)
    solved = fast_joint_ridge_rows(left, factors, costs, bias_penalty)
    return solved[:, 0].copy(), solved[:, 1:].copy()


def fit_joint_als(
    train: Ratings,
    baseline: RatingModel,
    init: Factors,
    *,
    penalty: float,
    weighted: bool | str = True,
    bias_penalties: tuple[float, float] = (10, 8),
    epochs: int = 30,
    validation: Ratings | None = None,
    patience: int = 10,
) -> Fit:
    """Biases and factors together by alternating least squares, with early stopping.

    Parameters as of :func:`joint_als_iterates` and :func:`fit_als`.

    Raises
    ------
    ValueError
        If a number isn't positive, or shapes don't fit.
    """
    options = {"penalty": penalty, "weighted": weighted, "bias_penalties": bias_penalties}
    models = islice(joint_als_iterates(train, baseline, init, **options), epochs + 1)
    return _keep_best(models, _judge_by(train, validation, **options), patience)


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
    FloatingPointError
        After an epoch that left factors that aren't finite numbers.
    """
    check_positive(penalty=penalty, learning_rate=learning_rate)
    _check_init(init, matrix.shape)
    # Single precision: most of an epoch is fetching numbers from memory, in no order.
    single, short = np.float32, np.int32
    options = single(learning_rate), single(penalty)
    users, items, targets = coordinates(matrix)
    data = users.astype(short), items.astype(short), targets.astype(single)
    factors = init
    yield factors
    while True:
        factors = tuple(each.astype(single) for each in factors)  # a copy: not yet changed
        order = rng.permutation(len(users))
        sgd_epoch(*(part.take(order) for part in data), *factors, *options)
        if not all(np.isfinite(each).all() for each in factors):
            raise FloatingPointError(
                f"the factors are no finite numbers; lower the learning rate, now {learning_rate:g}"
            )
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
    models = (_with_factors(baseline, factors) for factors in islice(iterates, epochs + 1))
    judge = _judge_by(train, validation, penalty=penalty, weighted=True)
    return _keep_best(models, judge, patience)


# ---- judging and keeping


def _keep_best(
    models: Iterator[RatingModel], judge: Callable[[RatingModel], dict[str, float]], patience: int
) -> Fit:
    """Judge models until the validation RMSE hasn't fallen for a while; keep the best one.

    It needs no copy, because the arrays of a model aren't overwritten by the next one.
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


def _with_factors(baseline: RatingModel, factors: Factors) -> RatingModel:
    return replace(baseline, user_factors=factors[0], item_factors=factors[1])


def _judge_by(
    train: Ratings, validation: Ratings | None, **options
) -> Callable[[RatingModel], dict[str, float]]:
    """:func:`_judge` with all but the model."""
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
