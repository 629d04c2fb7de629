"""Predicting ratings: means, biases and matrix factorization, by SGD and by alternating ridge regressions.

All models have one form, μ + b_u + b_i + q_u · p_i, and differ in what of it they use. Factors are
fitted to what a baseline leaves unexplained.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np
import scipy.stats
from numba import njit, prange
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from helpers.ratings import Ratings

# Its threads sleep while they wait; those of the default (OpenMP) spin, which costs a busy machine dear.
numba.config.THREADING_LAYER = "workqueue"

FEWEST, MOST = 1, 5  # stars
CHUNKS = 64  # of the rows, shared out among the cores


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
    """

    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray


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


def predict(
    model: RatingModel, users: np.ndarray, items: np.ndarray, *, cut_off: bool = True
) -> np.ndarray:
    """Predicted stars of pairs, shape (n,); cut off at 1 and 5, unless told otherwise."""
    stars = model.mean + model.user_bias[users] + model.item_bias[items]
    stars += _dot_pairs(model.user_factors, model.item_factors, users, items)
    return np.clip(stars, FEWEST, MOST) if cut_off else stars


def rmse(model: RatingModel, ratings: Ratings, *, cut_off: bool = True) -> float:
    """Root mean squared error of the predictions, in stars."""
    _check_shape(model, ratings)
    errors = ratings.stars - predict(model, ratings.users, ratings.items, cut_off=cut_off)
    return math.sqrt(np.mean(errors**2))


def rmse_intervals(
    ratings: Ratings, predictions: np.ndarray, rng: np.random.Generator, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap intervals over users, of RMSE and of its difference from the first model's.

    A user's ratings are drawn together, because their errors are alike. Drawing the same users for
    all models makes the differences paired.

    Parameters
    ----------
    ratings : Ratings
        What was predicted.
    predictions : ndarray of shape (models, n)
    rng : Generator
        Draws the users.
    level : float
        Share of the bootstrap's values that lies within an interval.

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


# ---- baselines


def fit_mean(train: Ratings) -> RatingModel:
    """Everybody gives everything the mean of all ratings."""
    users, items = train.shape
    nothing = np.zeros((users, 0)), np.zeros((items, 0))
    mean = float(train.stars.mean(dtype=np.float64))
    return RatingModel(mean, np.zeros(users), np.zeros(items), *nothing)


def fit_user_means(train: Ratings) -> RatingModel:
    """Each user gives everything the mean of the user's ratings; without any, the mean of all."""
    model = fit_mean(train)
    sums = np.bincount(train.users, train.stars - model.mean, len(model.user_bias))
    counts = np.bincount(train.users, minlength=len(model.user_bias))
    return replace(model, user_bias=sums / np.maximum(counts, 1))


def fit_biases(
    train: Ratings, *, user_penalty: float = 10, item_penalty: float = 8, passes: int = 30
) -> RatingModel:
    """The bias model μ + b_u + b_i, fitted alternately.

    Minimises Σ (r − μ − b_u − b_i)² + λ_U Σ b_u² + λ_I Σ b_i². Given the other biases, each is a
    mean of residuals that counts λ more ratings than there are, all zero.

    Parameters
    ----------
    user_penalty, item_penalty : float
        λ_U and λ_I, in ratings.
    passes : int
        Over all items, then all users.
    """
    _check_positive(user_penalty=user_penalty, item_penalty=item_penalty)
    model = fit_mean(train)
    user_bias, item_bias = model.user_bias, model.item_bias
    centred = train.stars - model.mean
    user_weight = np.bincount(train.users, minlength=len(user_bias)) + user_penalty
    item_weight = np.bincount(train.items, minlength=len(item_bias)) + item_penalty
    for _ in range(passes):
        left = centred - user_bias[train.users]
        item_bias = np.bincount(train.items, left, len(item_bias)) / item_weight
        left = centred - item_bias[train.items]
        user_bias = np.bincount(train.users, left, len(user_bias)) / user_weight
    return replace(model, user_bias=user_bias, item_bias=item_bias)


def fit_users(
    train: Ratings, item_bias: np.ndarray, item_traits: np.ndarray, *, penalty: float
) -> RatingModel:
    """What could be predicted by somebody who knows all about the items and nothing about users.

    The stars are regressed on the items' true biases (what is cut off at 5 makes the slope less
    than 1), then a ridge regression for each user finds the user's bias and tastes.

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


# ---- what both methods minimise


def residuals(train: Ratings, baseline: RatingModel) -> csr_array:
    """What a baseline leaves of the training ratings, shape (users, items), observed entries only.

    A residual of 0 is stored like any other: it was observed.
    """
    _check_shape(baseline, train)
    left = train.stars - predict(baseline, train.users, train.items, cut_off=False)
    return csr_array((left, (train.users, train.items)), shape=train.shape)


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
    return matrix.data - _dot_pairs(user_factors, item_factors, users, matrix.indices)


def penalties(
    matrix: csr_array, *, penalty: float, weighted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """λ for each user and each item: the same for all, or times the number of ratings."""
    if not weighted:
        return tuple(np.full(count, float(penalty)) for count in matrix.shape)
    items = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return penalty * np.diff(matrix.indptr), penalty * items


# ---- alternating least squares


def ridge_rows(matrix: csr_array, factors: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """A ridge regression for each row of ratings on the factors of what was rated.

    Parameters
    ----------
    matrix : csr_array of shape (rows, columns)
    factors : ndarray of shape (columns, k)
    penalties : ndarray of shape (rows,)

    Returns
    -------
    ndarray of shape (rows, k)
        (AᵀA + λI)⁻¹ Aᵀy for each row, where y are its ratings and A the factors; zeros for a row
        without ratings.
    """
    solved = np.zeros((matrix.shape[0], factors.shape[1]))
    for row in range(matrix.shape[0]):
        rated = slice(matrix.indptr[row], matrix.indptr[row + 1])
        A, y = factors[matrix.indices[rated]], matrix.data[rated]
        if len(y) > 0:
            ridge = A.T @ A + penalties[row] * np.eye(A.shape[1])
            solved[row] = np.linalg.solve(ridge, A.T @ y)
    return solved


def fast_ridge_rows(matrix: csr_array, factors: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """What :func:`ridge_rows` computes, compiled, on all cores.

    A row with fewer ratings than factors takes the dual form Aᵀ(AAᵀ + λI)⁻¹y, whose system is
    smaller. The penalties of rows with ratings must be positive.
    """
    return _solve_rows(matrix.indptr, matrix.indices, matrix.data, factors, penalties)


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
    _check_positive(penalty=penalty)
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
    _check_positive(penalty=penalty, rate=rate)
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


def random_start(
    shape: tuple[int, int], k: int, rng: np.random.Generator, spread: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Factors drawn from a normal distribution with this standard deviation around 0."""
    _check_positive(k=k)
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


# ---- use


def principal_axes(model: RatingModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The factors turned so that they are orthogonal and sorted: the SVD of Q Pᵀ, never formed.

    Factors are determined only up to an invertible matrix; Q Pᵀ, and hence its SVD, is not touched
    by that.

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


def fold_in(
    model: RatingModel,
    items: np.ndarray,
    stars: np.ndarray,
    *,
    penalty: float,
    weighted: bool,
    bias_penalty: float = 10,
) -> tuple[float, np.ndarray]:
    """Bias and factors of a new user from a few ratings; the items stay as they are.

    The same two steps as for all users: the bias first, then one ridge regression of what is left
    on the factors of the rated items.

    Parameters
    ----------
    items : ndarray of shape (n,), int
    stars : ndarray of shape (n,)
        None at all is fine: bias and factors are then 0.
    penalty, weighted
        As in the fit of the model.

    Returns
    -------
    bias : float
    factors : ndarray of shape (k,)
    """
    items, stars = np.asarray(items, dtype=int), np.asarray(stars, dtype=float)
    if items.shape != stars.shape or items.ndim != 1:
        raise ValueError(f"need one rating for each item, got {items.shape} and {stars.shape}")
    if not ((stars >= FEWEST) & (stars <= MOST)).all():
        raise ValueError(f"ratings must lie between 1 and 5, got {stars}")
    _check_positive(penalty=penalty, bias_penalty=bias_penalty)
    left = stars - model.mean - model.item_bias[items]
    bias = left.sum() / (len(left) + bias_penalty)
    row = csr_array((left - bias, items, [0, len(items)]), shape=(1, len(model.item_bias)))
    weight = penalty * len(items) if weighted else penalty
    return bias, ridge_rows(row, model.item_factors, np.array([weight]))[0]


def predict_new(model: RatingModel, bias: float, factors: np.ndarray) -> np.ndarray:
    """What a folded-in user would give each item, in stars, shape (items,)."""
    liking = model.mean + bias + model.item_bias + model.item_factors @ factors
    return np.clip(liking, FEWEST, MOST)


def user_with(ratings: Ratings, count: int = 60) -> int:
    """The first user with exactly, or else nearest to, so many ratings."""
    by_user = np.bincount(ratings.users, minlength=ratings.shape[0])
    return int(np.argmin(np.abs(by_user - count)))


def nearest_items(
    model: RatingModel, item: int, count: int, among: np.ndarray | None = None
) -> np.ndarray:
    """The items whose factors are nearest to one's, itself left out.

    Near by what they add to the predictions: the distance between two items' columns of Q Pᵀ, over
    all users. It doesn't depend on how the factors happen to be turned.

    Parameters
    ----------
    among : ndarray of int, optional
        The items to choose from; all of them otherwise.

    Returns
    -------
    ndarray of shape (count,), int
    """
    _, s, items = principal_axes(model)
    among = np.arange(len(items)) if among is None else np.asarray(among)
    among = among[among != item]
    distances = np.linalg.norm((items[among] - items[item]) * s, axis=1)
    return among[np.argsort(distances, kind="stable")[:count]]


# ---- compiled


@njit(cache=True, parallel=True)
def _dot_pairs(Q, P, users, items):
    dots = np.empty(len(users))
    for n in prange(len(users)):
        total = 0.0
        for f in range(Q.shape[1]):
            total += Q[users[n], f] * P[items[n], f]
        dots[n] = total
    return dots


@njit(cache=True, parallel=True, fastmath=True)
def _solve_rows(starts, columns, targets, factors, penalties):
    rows, k = len(starts) - 1, factors.shape[1]
    solved = np.zeros((rows, k))
    if rows == 0:
        return solved
    longest = np.max(starts[1:] - starts[:-1])
    for chunk in prange(CHUNKS):
        A = np.empty((longest, k))
        gram = np.empty((k, k))
        y = np.empty(k)
        for row in range(chunk, rows, CHUNKS):
            first, n = starts[row], starts[row + 1] - starts[row]
            for i in range(n):
                for f in range(k):
                    A[i, f] = factors[columns[first + i], f]
            if n < k:
                for i in range(n):
                    y[i] = targets[first + i]
                    for j in range(i + 1):
                        total = 0.0
                        for f in range(k):
                            total += A[i, f] * A[j, f]
                        gram[i, j] = total
                _solve_ridge(gram, y, n, penalties[row])
                for i in range(n):
                    for f in range(k):
                        solved[row, f] += A[i, f] * y[i]
            else:
                _gram(A, n, gram)
                y[:] = 0
                for i in range(n):
                    for f in range(k):
                        y[f] += targets[first + i] * A[i, f]
                _solve_ridge(gram, y, k, penalties[row])
                solved[row] = y
    return solved


@njit(cache=True, fastmath=True)
def _gram(A, n, gram):
    """Lower triangle of AᵀA for the first n rows; four at a time, to write ``gram`` less often."""
    k = A.shape[1]
    gram[:] = 0
    whole = n - n % 4
    for i in range(0, whole, 4):
        for f in range(k):
            a, b, c, d = A[i, f], A[i + 1, f], A[i + 2, f], A[i + 3, f]
            for g in range(f + 1):
                gram[f, g] += a * A[i, g] + b * A[i + 1, g] + c * A[i + 2, g] + d * A[i + 3, g]
    for i in range(whole, n):
        for f in range(k):
            for g in range(f + 1):
                gram[f, g] += A[i, f] * A[i, g]


@njit(cache=True, fastmath=True)
def _solve_ridge(gram, y, n, penalty):
    """Solve (gram + penalty · I) x = y in place by Cholesky's method; lower triangle, first n rows."""
    for j in range(n):
        gram[j, j] += penalty
        for p in range(j):
            total = gram[j, p]
            for q in range(p):
                total -= gram[j, q] * gram[p, q]
            gram[j, p] = total * gram[p, p]
        for q in range(j):
            gram[j, j] -= gram[j, q] ** 2
            y[j] -= gram[j, q] * y[q]
        gram[j, j] = 1 / math.sqrt(gram[j, j])  # as a reciprocal: dividing is slow
        y[j] *= gram[j, j]
    for j in range(n - 1, -1, -1):
        y[j] *= gram[j, j]
        for q in range(j):
            y[q] -= gram[j, q] * y[j]


def _check_shape(model: RatingModel, ratings: Ratings) -> None:
    expected = len(model.user_bias), len(model.item_bias)
    if ratings.shape != expected:
        raise ValueError(
            f"the model knows {expected[0]} users and {expected[1]} items, the ratings have "
            f"{ratings.shape[0]} and {ratings.shape[1]}: they must come from one split"
        )


def _check_start(start: tuple[np.ndarray, np.ndarray], train: Ratings) -> None:
    found = tuple(factors.shape for factors in start)
    expected = tuple((count, found[0][-1]) for count in train.shape)
    if found != expected or found[0][-1] == 0:
        raise ValueError(f"the start has shapes {found}; with these ratings it needs {expected}")


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
