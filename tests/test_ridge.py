"""Each row's solve against scikit-learn, and the compiled one against the readable one."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import Ridge

from helpers.factorization import penalties, random_init
from helpers.rating_models import fit_mean, residuals
from helpers.ridge import fast_ridge_rows, ridge_rows
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
