"""Stochastic gradient descent (SGD): factors of ratings. One epoch visits each rating once."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from scipy.sparse import csr_array

from helpers.compiled import njit
from helpers.factorization import (
    PATIENCE,
    Factors,
    Fit,
    check_init,
    judge_by,
    keep_best,
    with_factors,
)
from helpers.rating_models import RatingModel, check_positive, residuals
from helpers.ratings import Ratings, coordinates


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
        As of :func:`helpers.als.als_iterates`.
    penalty : float
        λ of the weighted penalty of :func:`helpers.factorization.objective`.
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
    check_init(init, matrix.shape)
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
    patience: int = PATIENCE,
) -> Fit:
    """Factors by stochastic gradient descent, with early stopping.

    Parameters and errors as of :func:`helpers.als.fit_als` and :func:`sgd_iterates`; the penalty is the
    weighted one.
    """
    matrix = residuals(train, baseline)
    iterates = sgd_iterates(matrix, init, penalty=penalty, rng=rng, learning_rate=learning_rate)
    models = (with_factors(baseline, factors) for factors in islice(iterates, epochs + 1))
    judge = judge_by(train, validation, penalty=penalty, weighted=True)
    return keep_best(models, judge, patience)
