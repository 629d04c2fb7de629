"""Each row's solve against scikit-learn, and the compiled one against the readable one."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import Ridge

from helpers.factorization import penalties, random_init
from helpers.rating_models import fit_mean, residuals
from helpers.ridge import (
    cg_ridge_rows,
    fast_cg_ridge_rows,
    fast_joint_ridge_rows,
    fast_ridge_rows,
    joint_ridge_rows,
    ridge_rows,
)
from tests.made_ratings import some_ratings


@pytest.mark.parametrize("solve", [ridge_rows, fast_ridge_rows])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_each_row_is_a_ridge_regression(solve, k):
    """Against scikit-learn; rows are shorter and longer than k."""
    ratings = some_ratings(share=0.4)
    matrix = residuals(ratings, fit_mean(ratings))
    _, factors = random_init(ratings.shape, k, np.random.default_rng(0), 1)
    weights, _ = penalties(matrix, penalty=0.3, weighted=True)
    solved = solve(matrix, factors, weights)
    for row in range(matrix.shape[0]):
        rated = ratings.items[ratings.users == row]
        if len(rated) == 0:
            np.testing.assert_array_equal(solved[row], 0)
            continue
        ridge = Ridge(alpha=0.3 * len(rated), fit_intercept=False, tol=1e-12)
        ridge.fit(factors[rated], matrix[[row]].data)
        np.testing.assert_allclose(solved[row], ridge.coef_, atol=1e-8)


@given(
    observed=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    k=st.integers(1, 6),
    weighted=st.booleans(),
)
@settings(max_examples=60)
def test_fast_rows_are_the_readable_ones_whatever_is_observed(observed, k, weighted):
    rng = np.random.default_rng(0)
    values = rng.normal(size=observed.shape) * observed
    matrix = scipy.sparse.csr_array(values)
    factors = rng.normal(size=(observed.shape[1], k))
    weights, _ = penalties(matrix, penalty=0.5, weighted=weighted)
    np.testing.assert_allclose(
        fast_ridge_rows(matrix, factors, weights), ridge_rows(matrix, factors, weights), atol=1e-9
    )


def test_no_rows_at_all_are_solved_too():
    empty = scipy.sparse.csr_array((0, 4))
    assert fast_ridge_rows(empty, np.ones((4, 2)), np.ones(0)).shape == (0, 2)
    assert fast_joint_ridge_rows(empty, np.ones((4, 2)), np.ones(0), 1).shape == (0, 3)
    assert fast_cg_ridge_rows(empty, np.ones((4, 2)), np.ones(0), np.ones((0, 2)), 1).shape == (
        0,
        2,
    )


# ---- with a bias in each row


@pytest.mark.parametrize("solve", [joint_ridge_rows, fast_joint_ridge_rows])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_bias_and_coefficients_are_the_least_squares_solution_of_both_together(solve, k):
    """Against NumPy's least squares, with the penalties as further rows."""
    matrix, factors, weights = a_problem(k)
    solved = solve(matrix, factors, weights, 2.5)
    for row in range(matrix.shape[0]):
        rated, y = matrix[[row]].indices, matrix[[row]].data
        if len(rated) == 0:
            np.testing.assert_array_equal(solved[row], 0)
            continue
        size = np.diag(np.sqrt([2.5, *[weights[row]] * k]))
        A = np.vstack([np.hstack([np.ones((len(rated), 1)), factors[rated]]), size])
        expected = np.linalg.lstsq(A, np.concatenate([y, np.zeros(k + 1)]), rcond=None)[0]
        np.testing.assert_allclose(solved[row], expected, atol=1e-9)


# ---- conjugate gradients


@pytest.mark.parametrize("k", [1, 4, 12])
def test_as_many_steps_as_factors_are_exact_and_compiled_steps_are_the_readable_ones(k):
    matrix, factors, weights = a_problem(k)
    start = np.random.default_rng(1).normal(size=(matrix.shape[0], k))
    exact = ridge_rows(matrix, factors, weights)
    found = cg_ridge_rows(matrix, factors, weights, start, k)
    np.testing.assert_allclose(found, exact, atol=1e-6)
    for steps in (1, 2, 3):
        found = cg_ridge_rows(matrix, factors, weights, start, steps)
        fast = fast_cg_ridge_rows(matrix, factors, weights, start, steps)
        assert fast.dtype == np.float32
        np.testing.assert_allclose(fast, found, atol=2e-4)
        assert k <= steps or np.abs(found - exact).max() > 0.01  # still on the way


@pytest.mark.parametrize("solve", [cg_ridge_rows, fast_cg_ridge_rows])
def test_who_has_arrived_stays_and_each_step_comes_nearer(solve):
    matrix, factors, weights = a_problem(12)
    exact = ridge_rows(matrix, factors, weights)
    np.testing.assert_allclose(solve(matrix, factors, weights, exact, 3), exact, atol=1e-5)
    start = np.ones_like(exact)
    found = [start, *(solve(matrix, factors, weights, start, steps) for steps in range(1, 6))]
    rated = np.diff(matrix.indptr) > 0
    far = [np.linalg.norm((each - exact)[rated], axis=1) for each in found]
    for before, after in pairwise(far):
        assert (after <= before + 1e-5).all()


def a_problem(k):
    """Rows shorter and longer than k, some of them empty; factors, and a penalty for each row."""
    ratings = some_ratings(share=0.4)
    matrix = residuals(ratings, fit_mean(ratings))
    _, factors = random_init(ratings.shape, k, np.random.default_rng(0), 1)
    return matrix, factors, penalties(matrix, penalty=0.3, weighted=True)[0]
