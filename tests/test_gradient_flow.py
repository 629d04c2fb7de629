"""Gradient flow against closed forms, numerical integration and descent in small steps."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from helpers.deep_factorization import (
    balanced_factors,
    gaussian_factors,
    gradient_descent,
    loss_gradient,
    safe_step,
)
from helpers.gradient_flow import growth, imbalance, singular_speeds, time_to_reach, value_at
from tests.made_matrices import problem

DEPTHS = pytest.mark.parametrize("depth", [1, 2, 3, 4])


@DEPTHS
def test_aligned_balanced_start_follows_the_closed_form(depth):
    """Fully seen, singular vectors those of M: each value on its own, and vectors that stay."""
    truth, _, _ = problem(n=6, rank=2, seen=36)
    u, s, vt = np.linalg.svd(truth)
    start = 0.1 * (u[:, :2] @ vt[:2])
    factors = balanced_factors(start, depth)
    step = 1e-2 * safe_step(truth, depth)
    path = gradient_descent(factors, truth, step_size=step, tolerance=1e-3)
    for r in (0, 1):
        sigma = np.einsum("i,tij,j->t", u[:, r], path.products, vt[r])
        grown = (sigma > 0.1) & (sigma < 0.99 * s[r])
        predicted = time_to_reach(sigma[grown], s[r], 0.1, depth)
        np.testing.assert_allclose(path.steps[grown] * step, predicted, rtol=0.02, atol=1e-12)
    outside = path.products[-1] - (u[:, :2] * sigma_of(path, u, vt)) @ vt[:2]
    assert np.abs(outside).max() < 1e-8


def sigma_of(path, u, vt):
    return [u[:, r] @ path.products[-1] @ vt[r] for r in (0, 1)]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("start", [1e-4, 0.3])
def test_time_to_reach_is_what_integration_gives(depth, start):
    end = float(time_to_reach(1.9, 2.0, start, depth))
    solved = solve_ivp(
        lambda _, y: depth * y ** (2 - 2 / depth) * (2 - y),
        (0, end),
        [start],
        rtol=1e-10,
        atol=1e-14,
    )
    assert solved.y[0, -1] == pytest.approx(1.9, rel=1e-5)
    assert time_to_reach(start, 2.0, start, depth) == pytest.approx(0, abs=1e-12)


def test_time_to_reach_of_depth_one_is_exponential_relaxation():
    sigma = np.array([0.5, 1.0, 1.9])
    np.testing.assert_allclose(time_to_reach(sigma, 2, 0.1, 1), np.log(1.9 / (2 - sigma)))


@DEPTHS
def test_singular_values_move_as_the_equation_says(depth):
    _, observed, rng = problem()
    factors = balanced_factors(0.3 * rng.normal(size=(12, 12)), depth)
    errors = []
    for step in (1e-5, 1e-6):
        path = gradient_descent(
            factors, observed, step_size=step, tolerance=0, max_steps=1, spacing=2
        )
        before, after = np.linalg.svd(path.products, compute_uv=False)
        values, speeds = singular_speeds(
            path.products[0], loss_gradient(path.products[0], observed), depth
        )
        np.testing.assert_allclose(values, before)
        errors.append(np.abs((after - before) / step - speeds).max() / np.abs(speeds).max())
    assert errors[0] < 1e-2
    assert errors[1] < 0.2 * errors[0]  # what is left comes from the step


@DEPTHS
def test_difference_of_neighbours_stays_but_for_the_step(depth):
    _, observed, rng = problem()
    factors = gaussian_factors(rng, [12] * (depth + 1), 1.0)
    drifts = []
    for part in (0.1, 0.05):
        step = part * safe_step(observed, depth)
        path = gradient_descent(
            factors, observed, step_size=step, tolerance=0, max_steps=int(20 / part)
        )
        drifts.append(abs(imbalance(path.factors) - imbalance(factors)))
    if depth == 1:
        assert drifts == [0, 0]
    else:
        assert drifts[1] < 0.7 * drifts[0]


@pytest.mark.parametrize("depth", [2, 3])
def test_values_on_the_way_to_the_target_are_dense_at_both_ends(depth):
    times, values = growth(2, 1e-4, depth)
    assert values[0] == pytest.approx(1e-4)
    assert values[-1] == pytest.approx(2 * 0.999)
    assert (np.diff(values) > 0).all()
    assert value_at(0.0, 2, 1e-4, depth) == pytest.approx(1e-4)
    np.testing.assert_array_equal(times, time_to_reach(values, 2, 1e-4, depth))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda _: singular_speeds(np.eye(2), np.eye(2), 0), "depth must be at least 1"),
        (lambda _: time_to_reach(1.0, 2.0, 0.0, 2), "0 < init ≤ sigma < target"),
        (lambda _: time_to_reach(2.0, 2.0, 0.1, 2), "0 < init ≤ sigma < target"),
        (lambda _: time_to_reach(1.0, 2.0, 0.1, 0), "depth must be at least 1"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))
