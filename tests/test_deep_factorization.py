"""Deep factorization against autograd, closed forms, numerical integration and duality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from helpers import deep_factorization as deep
from helpers.deep_factorization import (
    balanced_factors,
    factor_gradients,
    gaussian_factors,
    gradient_descent,
    growth,
    imbalance,
    loss_gradient,
    multiply,
    nuclear_norm_completion,
    planted_matrix,
    recovery_curve,
    safe_step,
    sample_entries,
    singular_order,
    singular_speeds,
    time_to_reach,
    truncate,
    unseen_error,
    value_at,
)
from helpers.spectrum import effective_rank

DEPTHS = pytest.mark.parametrize("depth", [1, 2, 3, 4])
chains = st.lists(st.integers(1, 5), min_size=2, max_size=6)
seeds = st.integers(0, 99)


def problem(seed=0, n=12, rank=2, seen=80):
    rng = np.random.default_rng(seed)
    truth = planted_matrix(rng, n, rank)
    return truth, sample_entries(rng, truth, seen), rng


def loss(factors, observed):
    return 0.5 * np.nansum((multiply(factors) - observed) ** 2)


# ---- the matrix and its start


@given(seed=seeds, n=st.integers(1, 12), data=st.data())
def test_planted_matrix_has_its_rank_and_unit_entries(seed, n, data):
    rank = data.draw(st.integers(1, n))
    matrix = planted_matrix(np.random.default_rng(seed), n, rank)
    assert np.mean(matrix**2) == pytest.approx(1)
    assert np.linalg.matrix_rank(matrix) == rank


@given(seed=seeds, seen=st.integers(1, 20))
def test_hiding_leaves_so_many_entries_as_they_are(seed, seen):
    matrix = np.arange(20.0).reshape(4, 5)
    observed = sample_entries(np.random.default_rng(seed), matrix, seen)
    assert np.sum(~np.isnan(observed)) == seen
    kept = ~np.isnan(observed)
    assert (observed[kept] == matrix[kept]).all()


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


# ---- gradients


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


# ---- descent


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


def test_records_are_spaced_and_end_with_the_last_step():
    _, observed, rng = problem()
    start = gaussian_factors(rng, [12] * 3, 0.1)
    path = gradient_descent(start, observed, tolerance=0, max_steps=100, spacing=1.5)
    assert path.steps.tolist() == [0, 1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 100]
    assert path.products.shape == (13, 12, 12)
    stopped = gradient_descent(start, observed, tolerance=0.5, spacing=1.5)
    assert stopped.losses[-1] <= 0.5 < stopped.losses[-2]


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


@pytest.mark.parametrize("depth", [2, 3])
def test_values_on_the_way_to_the_target_are_dense_at_both_ends(depth):
    times, values = growth(2, 1e-4, depth)
    assert values[0] == pytest.approx(1e-4)
    assert values[-1] == pytest.approx(2 * 0.999)
    assert (np.diff(values) > 0).all()
    assert value_at(0.0, 2, 1e-4, depth) == pytest.approx(1e-4)
    np.testing.assert_array_equal(times, time_to_reach(values, 2, 1e-4, depth))


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


def test_safe_step_knows_the_curvature_of_a_fully_seen_matrix():
    truth, _, _ = problem()
    sigma = np.linalg.norm(truth, 2)
    for depth in (1, 2, 3):
        assert safe_step(truth, depth) == pytest.approx(0.5 / (depth * sigma ** (2 - 2 / depth)))


def test_safe_step_guesses_the_largest_singular_value_from_a_part():
    observed = sample_entries(np.random.default_rng(0), np.ones((60, 60)), 1800)  # of the whole: 60
    assert safe_step(observed, 2) == pytest.approx(0.5 / (2 * 60), rel=0.05)


# ---- the least nuclear norm


@pytest.mark.parametrize(("rows", "columns", "seen"), [(12, 12, 80), (8, 10, 30), (3, 2, 4)])
def test_nuclear_norm_is_certified_least(rows, columns, seen):
    rng = np.random.default_rng(0)
    truth = 7 * rng.normal(size=(rows, 2)) @ rng.normal(size=(2, columns))
    observed = sample_entries(rng, truth, seen)
    found = nuclear_norm_completion(observed)
    norm, unseen = np.linalg.norm(found.product, "nuc"), np.isnan(observed)
    np.testing.assert_allclose(found.product[~unseen], observed[~unseen], atol=1e-4)
    assert (found.certificate[unseen] == 0).all()
    assert np.linalg.norm(found.certificate, 2) <= 1 + 1e-5
    assert np.nansum(found.certificate * observed) == pytest.approx(norm, rel=1e-5)
    # no completion on the way to any other is smaller
    for _ in range(10):
        other = found.product + np.where(unseen, rng.normal(size=observed.shape), 0)
        assert np.linalg.norm(other, "nuc") > norm


def test_nuclear_norm_recovers_the_planted_matrix_from_many_entries():
    truth, observed, _ = problem(n=20, seen=320)
    assert unseen_error(nuclear_norm_completion(observed).product, truth, observed) < 1e-3


def test_two_by_two_of_least_nuclear_norm_is_known():
    """[[x, 1], [1, 0]] has singular values of sum √(x² + 4): least at x = 0."""
    product = nuclear_norm_completion(np.array([[np.nan, 1], [1, 0]])).product
    np.testing.assert_allclose(product, [[0, 1], [1, 0]], atol=1e-3)


def test_solver_that_fails_is_named(monkeypatch):
    import cvxpy

    monkeypatch.setattr(cvxpy.Problem, "solve", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match="not minimised: the solver says None"):
        nuclear_norm_completion(np.eye(2))


def test_import_leaves_the_solver_alone():
    import subprocess
    import sys

    code = "import sys, helpers.deep_factorization; print('cvxpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ---- two by two: norms grow while the effective rank falls


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


# ---- bad input

SEEN = np.array([[1.0, np.nan], [np.nan, 1.0]])
TWO = [np.eye(2), np.eye(2)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rng: planted_matrix(rng, 3, 4), "between 1 and n = 3, got 4"),
        (lambda rng: planted_matrix(rng, 3, 0), "got 0"),
        (lambda rng: sample_entries(rng, np.eye(2), 5), "between 1 and 4, got 5"),
        (lambda rng: sample_entries(rng, np.eye(2), 0), "got 0"),
        (lambda rng: gaussian_factors(rng, [3], 1), r"at least two numbers ≥ 1, got \[3\]"),
        (lambda rng: gaussian_factors(rng, [3, 0, 3], 1), "at least two numbers"),
        (lambda rng: gaussian_factors(rng, [3, 3], 0.0), "nothing ever moves"),
        (lambda rng: gaussian_factors(rng, [3, 3], np.nan), "scale must be positive"),
        (lambda _: balanced_factors(np.eye(2), 0), "depth must be at least 1, got 0"),
        (lambda _: safe_step(SEEN, 0), "depth must be at least 1"),
        (lambda _: singular_speeds(np.eye(2), np.eye(2), 0), "depth must be at least 1"),
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
        (lambda _: unseen_error(np.eye(2), np.eye(2), np.eye(2)), "every entry is seen"),
        (lambda _: time_to_reach(1.0, 2.0, 0.0, 2), "0 < init ≤ sigma < target"),
        (lambda _: time_to_reach(2.0, 2.0, 0.1, 2), "0 < init ≤ sigma < target"),
        (lambda _: time_to_reach(1.0, 2.0, 0.1, 0), "depth must be at least 1"),
        (lambda _: nuclear_norm_completion(np.full((2, 2), np.nan)), "nothing to fit"),
        (lambda _: nuclear_norm_completion(np.ones(3)), "matrix"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))


def test_loss_that_becomes_nan_is_an_explosion_too(monkeypatch):
    monkeypatch.setattr(deep, "DIVERGED", np.inf)
    with pytest.raises(ValueError, match="exploded"), np.errstate(all="ignore"):
        gradient_descent([np.full((2, 2), 1e200)] * 2, SEEN, step_size=1.0)
