"""Alternating least squares (ALS): factors of ratings, alone or together with the biases.

One epoch solves for all users, then for all items; other texts call it an iteration or a sweep.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from scipy.sparse import csr_array

from helpers.factorization import (
    PATIENCE,
    Factors,
    Fit,
    check_init,
    judge_by,
    keep_best,
    penalties,
    random_init,
    with_factors,
)
from helpers.rating_models import RatingModel, check_positive, residuals
from helpers.ratings import Ratings, to_csr
from helpers.ridge import fast_cg_ridge_rows, fast_joint_ridge_rows, fast_ridge_rows


def als_iterates(
    matrix: csr_array,
    init: Factors,
    *,
    penalty: float,
    weighted: bool | str = True,
    cg_steps: int | None = None,
) -> Iterator[Factors]:
    """The factors that ALS starts from, then those after each epoch, without end.

    Each half of an epoch minimises :func:`helpers.factorization.objective` exactly while the other
    half's factors stay as they are, so the objective never rises. Some steps of conjugate gradients only come nearer to
    that minimum, in single precision, and cost less. All iterates are arrays of their own.

    Parameters
    ----------
    matrix : csr_array of shape (users, items)
        The observed entries, of :func:`helpers.rating_models.residuals`.
    init : (user_factors, item_factors)
        Of :func:`helpers.factorization.random_init` or :func:`helpers.factorization.svd_init`. The
        first epoch solves for the users anew: only the items' factors matter, unless ``cg_steps``
        are given.
    penalty, weighted
        See :func:`helpers.factorization.objective`.
    cg_steps : int, optional
        How many steps of :func:`helpers.ridge.fast_cg_ridge_rows` each row takes, from its factors
        of the epoch before. Exact solutions by default.

    Raises
    ------
    ValueError
        At the first iterate, if a number isn't positive or the shapes don't fit.
    """
    check_positive(penalty=penalty, cg_steps=1 if cg_steps is None else cg_steps)
    check_init(init, matrix.shape)
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
    patience: int = PATIENCE,
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
    models = (with_factors(baseline, factors) for factors in islice(iterates, epochs + 1))
    return keep_best(models, judge_by(train, validation, **options), patience)


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
            yield k, penalty, with_factors(baseline, next(islice(iterates, epochs, None)))


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
    for biases and factors of one side at once. It minimises
    :func:`helpers.factorization.objective` of what μ and both biases leave, plus λ_U Σ b_u² + λ_I Σ b_i².

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
    check_init(init, train.shape)
    by_user = to_csr(train, train.stars.astype(float) - baseline.mean)
    by_item = by_user.T.tocsr()
    of_users, of_items = penalties(by_user, penalty=penalty, weighted=weighted)
    item_bias, item_factors = baseline.item_bias, init[1]
    yield with_factors(baseline, init)
    while True:
        user_bias, user_factors = _joint_half(by_user, item_bias, item_factors, of_users, of_user)
        item_bias, item_factors = _joint_half(by_item, user_bias, user_factors, of_items, of_item)
        model = replace(baseline, user_bias=user_bias, item_bias=item_bias)
        yield with_factors(model, (user_factors, item_factors))


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
    patience: int = PATIENCE,
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
    return keep_best(models, judge_by(train, validation, **options), patience)
