"""What is measured of completions, against its parts and against what theory says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.deep_factorization import balanced_factors, gaussian_factors, gradient_descent
from helpers.recovery import recovery_curve, singular_order, spread, truncate, unseen_error
from helpers.spectrum import effective_rank
from tests.made_matrices import problem

seeds = st.integers(0, 99)


@pytest.mark.parametrize("depth", [2, 3])
def test_small_start_finds_the_planted_matrix_and_large_start_does_not(depth):
    truth, observed, _ = problem(n=20, seen=200)
    errors = {}
    for scale in (1.0, 1e-4):
        start = gaussian_factors(np.random.default_rng(1), [20] * (depth + 1), scale)
        path = gradient_descent(start, observed, tolerance=1e-5)
        found = recovery_curve(path, truth, observed)
        assert found.losses[-1] <= 1e-5
        errors[scale] = found.errors[-1]
    assert errors[1e-4] < 0.1 < 0.3 < errors[1.0]


def test_progress_is_what_its_parts_say():
    truth, observed, rng = problem()
    path = gradient_descent(gaussian_factors(rng, [12] * 3, 0.1), observed, max_steps=50)
    found = recovery_curve(path, truth, observed)
    values = np.linalg.svd(path.products[-1], compute_uv=False)
    np.testing.assert_allclose(found.singular_values[-1], values)
    assert found.nuclear_norms[-1] == pytest.approx(np.linalg.norm(path.products[-1], "nuc"))
    assert found.effective_ranks[-1] == pytest.approx(effective_rank(values))
    assert found.errors[-1] == pytest.approx(unseen_error(path.products[-1], truth, observed))


def test_unseen_error_is_zero_for_the_truth_one_for_zeros_and_blind_to_what_was_seen():
    truth, observed, _ = problem()
    assert unseen_error(truth, truth, observed) == 0
    assert unseen_error(0 * truth, truth, observed) == pytest.approx(1)
    spoiled = np.where(np.isnan(observed), truth, 99.0)
    assert unseen_error(spoiled, truth, observed) == 0
    assert unseen_error(np.stack([truth, 0 * truth]), truth, observed).shape == (2,)


def test_singular_order_puts_similar_rows_and_columns_side_by_side():
    u, v = np.array([0.3, -0.1, 0.2]), np.array([2.0, 1, -1, 3])
    ordered = np.outer(u, v)[singular_order(np.outer(u, v))]
    rising = np.outer(np.sort(u), np.sort(v))
    assert np.allclose(ordered, rising) or np.allclose(ordered, rising[::-1, ::-1])


@given(seed=seeds, rank=st.integers(0, 4))
def test_truncation_leaves_out_the_smallest_singular_values(seed, rank):
    matrix = np.random.default_rng(seed).normal(size=(5, 4))
    s = np.linalg.svd(matrix, compute_uv=False)
    left = np.linalg.norm(matrix - truncate(matrix, rank))
    assert left == pytest.approx(np.sqrt(np.sum(s[rank:] ** 2)), abs=1e-9)


@pytest.mark.parametrize("depth", [2, 3])
def test_positive_determinant_sends_norms_up_and_the_effective_rank_down(depth):
    observed = np.array([[np.nan, 1], [1, 0]])
    start = balanced_factors(0.5 * np.eye(2), depth)
    path = gradient_descent(start, observed, step_size=0.01, tolerance=0, max_steps=20_000)
    if depth == 3:
        assert (np.linalg.det(path.products) > 0).all()
    # at depth 2 it falls below the rounding of the product, but not below that of the factors
    early = gradient_descent(start, observed, step_size=0.01, tolerance=0, max_steps=3_000)
    assert np.prod([np.linalg.det(w) for w in early.factors]) > 0
    late = path.steps > 500
    norms = np.linalg.norm(path.products[late], axis=(1, 2))
    assert (np.diff(norms) > 0).all()
    assert norms[-1] > 8
    values = np.linalg.svd(path.products[-1], compute_uv=False)
    assert effective_rank(values) < 1.01


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda _: unseen_error(np.eye(2), np.eye(2), np.eye(2)), "every entry is seen"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))


def test_spread_leaves_nan_out_and_keeps_rows_without_anything():
    found = spread(np.array([[3, 1, 2, np.nan], [np.nan] * 4]))
    assert found[:, 0].tolist() == [2, 1, 3]
    assert np.isnan(found[:, 1]).all()
