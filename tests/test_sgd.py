"""SGD: the steps of an epoch, the objective that it minimises, and what diverges."""

import numpy as np
import pytest

from helpers.als import fit_als
from helpers.factorization import random_init
from helpers.rating_models import fit_mean, residuals
from helpers.ratings import coordinates
from helpers.sgd import fit_sgd, sgd_epoch
from tests.made_ratings import some_ratings


def test_sgd_that_diverges_names_its_learning_rate():
    ratings = some_ratings(share=0.5)
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    with pytest.raises(FloatingPointError, match="lower the learning rate, now 2"):
        fit_sgd(
            ratings,
            fit_mean(ratings),
            init,
            penalty=0.1,
            rng=np.random.default_rng(0),
            learning_rate=2,
        )


def test_sgd_epoch_takes_the_steps_written_out():
    ratings = some_ratings()
    matrix = residuals(ratings, fit_mean(ratings))
    users, items, targets = coordinates(matrix)
    init = random_init(ratings.shape, 3, np.random.default_rng(0), 0.5)
    order = np.random.default_rng(1).permutation(len(users))
    Q, P = (factors.copy() for factors in init)
    for n in order:
        u, i = users[n], items[n]
        error = targets[n] - Q[u] @ P[i]
        Q[u], P[i] = (
            Q[u] + 0.02 * (error * P[i] - 0.1 * Q[u]),
            P[i] + 0.02 * (error * Q[u] - 0.1 * P[i]),
        )
    for run in (sgd_epoch, sgd_epoch.py_func):
        found = [factors.copy() for factors in init]
        run(users[order], items[order], targets[order], *found, 0.02, 0.1)
        np.testing.assert_allclose(found[0], Q)
        np.testing.assert_allclose(found[1], P)


def test_sgd_minimises_the_weighted_objective():
    ratings = some_ratings(share=0.5)
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    options = {"penalty": 0.5}
    als = fit_als(ratings, fit_mean(ratings), init, **options, epochs=300)
    rng = np.random.default_rng(0)
    sgd = fit_sgd(
        ratings, fit_mean(ratings), init, **options, rng=rng, learning_rate=3e-3, epochs=2000
    )
    reached = [fit.history["objective"][-1] for fit in (als, sgd)]
    assert reached[1] == pytest.approx(reached[0], rel=5e-3)
