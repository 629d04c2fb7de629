"""Products of matrices against autograd, finite differences and the closed form of depth 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import deep_factorization as deep
from helpers.deep_factorization import (
    balanced_factors,
    factor_gradients,
    gaussian_factors,
    gradient_descent,
    loss_gradient,
    multiply,
    safe_step,
)
from helpers.gradient_flow import imbalance
from helpers.planted_matrices import sample_entries
from tests.made_matrices import problem

DEPTHS = pytest.mark.parametrize("depth", [1, 2, 3, 4])
chains = st.lists(st.integers(1, 5), min_size=2, max_size=6)
seeds = st.integers(0, 99)
SEEN = np.array([[1.0, np.nan], [np.nan, 1.0]])
TWO = [np.eye(2), np.eye(2)]


def loss(factors, observed):
    return 0.5 * np.nansum((multiply(factors) - observed) ** 2)


@DEPTHS
def test_start_of_the_product_has_one_scale_whatever_the_depth(depth):
    rng = np.random.default_rng(0)
    sizes = [60] * (depth + 1)
    squares = [np.mean(multiply(gaussian_factors(rng, sizes, 1e-3)) ** 2) for _ in range(40)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(1e-3 / np.sqrt(60), rel=0.1)


@given(seed=seeds, rows=st.integers(1, 6), columns=st.integers(1, 6), depth=st.integers(1, 5))
def test_balanced_factors_give_the_product_back_and_are_balanced(seed, rows, columns, depth):
    product = np.random.default_rng(seed).normal(size=(rows, columns))
    factors = balanced_factors(product, depth)
    assert len(factors) == depth
    np.testing.assert_allclose(multiply(factors), product, atol=1e-10)
    assert imbalance(factors) < 1e-10


@given(seed=seeds, sizes=chains)
def test_gradients_are_those_of_autograd(seed, sizes):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    factors = gaussian_factors(rng, sizes, 1.0)
    target = rng.normal(size=(sizes[-1], sizes[0]))
    observed = np.where(rng.random(target.shape) < 0.6, target, np.nan)
    ours = factor_gradients(factors, loss_gradient(multiply(factors), observed))
    tensors = [torch.tensor(w, requires_grad=True) for w in factors]
    product = tensors[0]
    for tensor in tensors[1:]:
        product = tensor @ product
    off = (product - torch.tensor(target))[torch.tensor(~np.isnan(observed))]
    (0.5 * off.square().sum()).backward()
    for gradient, tensor in zip(ours, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), atol=1e-10)


@DEPTHS
def test_gradients_are_finite_differences_of_the_loss(depth):
    _, observed, rng = problem(n=5, seen=15)
    factors = gaussian_factors(rng, [5] * (depth + 1), 1.0)
    gradients = factor_gradients(factors, loss_gradient(multiply(factors), observed))
    for j, gradient in enumerate(gradients):
        for place in [(0, 0), (1, 3), (4, 2)]:
            ends = []
            for step in (1e-5, -1e-5):
                moved = [w.copy() for w in factors]
                moved[j][place] += step
                ends.append(loss(moved, observed))
            assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_depth_one_moves_seen_entries_as_in_closed_form_and_no_others():
    truth, observed, rng = problem()
    (start,) = gaussian_factors(rng, [12, 12], 1.0)
    path = gradient_descent(
        [start], observed, step_size=0.3, tolerance=0, max_steps=7, spacing=1.001
    )
    unseen = np.isnan(observed)
    for step, product in zip(path.steps, path.products, strict=True):
        assert (product[unseen] == start[unseen]).all()
        expected = truth + 0.7**step * (start - truth)
        np.testing.assert_allclose(product[~unseen], expected[~unseen], atol=1e-12)


@settings(max_examples=25)
@given(seed=seeds, sizes=st.lists(st.integers(2, 6), min_size=2, max_size=5))
def test_loss_falls_and_only_seen_entries_count(seed, sizes):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(sizes[-1], sizes[0]))
    observed = sample_entries(rng, truth, truth.size - 1)
    factors = gaussian_factors(rng, sizes, 0.1)
    kept = [w.copy() for w in factors]
    step = 0.05 * safe_step(observed, len(factors))
    path = gradient_descent(factors, observed, step_size=step, max_steps=300)
    assert (np.diff(path.losses) <= 0).all()
    assert path.losses[-1] == pytest.approx(
        np.nansum((multiply(path.factors) - observed) ** 2) / np.nansum(observed**2)
    )
    assert all((a == b).all() for a, b in zip(factors, kept, strict=True))
    np.testing.assert_array_equal(path.products[-1], multiply(path.factors))


def test_records_are_spaced_and_end_with_the_last_step():
    _, observed, rng = problem()
    start = gaussian_factors(rng, [12] * 3, 0.1)
    path = gradient_descent(start, observed, tolerance=0, max_steps=100, spacing=1.5)
    assert path.steps.tolist() == [0, 1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 100]
    assert path.products.shape == (13, 12, 12)
    stopped = gradient_descent(start, observed, tolerance=0.5, spacing=1.5)
    assert stopped.losses[-1] <= 0.5 < stopped.losses[-2]


def test_safe_step_knows_the_curvature_of_a_fully_seen_matrix():
    truth, _, _ = problem()
    sigma = np.linalg.norm(truth, 2)
    for depth in (1, 2, 3):
        assert safe_step(truth, depth) == pytest.approx(0.5 / (depth * sigma ** (2 - 2 / depth)))


def test_safe_step_guesses_the_largest_singular_value_from_a_part():
    observed = sample_entries(np.random.default_rng(0), np.ones((60, 60)), 1800)  # of the whole: 60
    assert safe_step(observed, 2) == pytest.approx(0.5 / (2 * 60), rel=0.05)


def test_loss_that_becomes_nan_is_an_explosion_too(monkeypatch):
    monkeypatch.setattr(deep, "DIVERGED", np.inf)
    with pytest.raises(ValueError, match="exploded"), np.errstate(all="ignore"):
        gradient_descent([np.full((2, 2), 1e200)] * 2, SEEN, step_size=1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rng: gaussian_factors(rng, [3], 1), r"at least two numbers ≥ 1, got \[3\]"),
        (lambda rng: gaussian_factors(rng, [3, 0, 3], 1), "at least two numbers"),
        (lambda rng: gaussian_factors(rng, [3, 3], 0.0), "nothing ever moves"),
        (lambda rng: gaussian_factors(rng, [3, 3], np.nan), "scale must be positive"),
        (lambda _: balanced_factors(np.eye(2), 0), "depth must be at least 1, got 0"),
        (lambda _: safe_step(SEEN, 0), "depth must be at least 1"),
        (lambda _: gradient_descent([np.eye(3)], SEEN), r"\[\(3, 3\)\] don't multiply to \(2, 2\)"),
        (lambda _: gradient_descent([np.eye(2), np.ones((2, 3))], SEEN), "don't multiply"),
        (lambda _: gradient_descent(TWO, np.ones(4)), r"matrix \(n, m\), got shape \(4,\)"),
        (lambda _: gradient_descent(TWO, np.full((2, 2), np.nan)), "nothing to fit"),
        (lambda _: gradient_descent(TWO, np.array([[np.inf, 1], [1, 1]])), "infinite"),
        (lambda _: gradient_descent(TWO, SEEN, step_size=0.0), "step_size > 0"),
        (lambda _: gradient_descent(TWO, SEEN, spacing=1.0), "spacing > 1"),
        (lambda _: gradient_descent(TWO, SEEN, max_steps=-1), "max_steps ≥ 0"),
        (
            lambda _: gradient_descent([5 * w for w in TWO], SEEN, step_size=1.0),
            "step_size 1 is too large",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))
