"""Chapter 4's checks: right answers of several kinds pass, each usual mistake has its own message."""

import numpy as np
import pytest

from helpers.checks import deep_factorization as checks
from helpers.checks.parts import WrongAnswer
from helpers.deep_factorization import (
    balanced_factors,
    factor_gradients,
    gaussian_factors,
    gradient_descent,
    loss_gradient,
    multiply,
    safe_step,
)
from helpers.gradient_flow import time_to_reach
from helpers.planted_matrices import planted_matrix, sample_entries
from helpers.recovery import unseen_error
from helpers.spectrum import effective_rank

N = 12


def refused(words, check, *arguments):
    with pytest.raises(WrongAnswer) as caught:
        check(*arguments)
    assert words in str(caught.value), str(caught.value)
    return str(caught.value)


def told_apart(cases, check, *rest):
    """Each wrong answer is refused with words of its own."""
    messages = [refused(words, check, *answer, *rest) for answer, words in cases]
    assert len(set(messages)) == len(messages) >= 5


# ---- 1


def norm(x):
    return np.sqrt(x**2 + 4)


def rank(x):
    return effective_rank(np.linalg.svd(np.array([[x, 1], [1, 0]]), compute_uv=False))


def rank_by_hand(x):
    values = np.array([np.sqrt(x**2 + 4) + abs(x), np.sqrt(x**2 + 4) - abs(x)]) / 2
    shares = values / values.sum()
    return np.exp(-np.sum(shares * np.log(shares)))


@pytest.mark.parametrize(
    "answer",
    [
        (norm, rank),
        (lambda x: (x * x + 4) ** 0.5, rank_by_hand),
        (lambda x: np.linalg.norm([[x, 1], [1, 0]], "nuc"), lambda x: np.array(rank(x))),
    ],
)
def test_right_norms_and_ranks(answer, capsys):
    checks.check_norm_and_rank(*answer)
    assert "norm 2.00 at x = 0" in capsys.readouterr().out


def test_wrong_norms_and_ranks():
    def squared(x):
        return effective_rank(np.linalg.svd(np.array([[x, 1], [1, 0]]), compute_uv=False) ** 2)

    told_apart(
        [
            ((lambda x: x**2 + 4, rank), "the square of what was asked for"),
            ((lambda x: np.sqrt(x**2 + 1), rank), "below the Frobenius norm"),
            ((lambda x: abs(x) + 2, rank), "not the sum of the two singular values"),
            ((norm, squared), "not squared first"),
            ((norm, lambda x: np.log(rank(x))), "lies from 1 to 2"),
            ((norm, lambda x: rank(x) ** 0.9), "natural logarithm"),
            ((norm, lambda x: 2.0), "natural logarithm"),
            ((lambda x: "norm", rank), "should hold numbers"),
        ],
        checks.check_norm_and_rank,
    )


# ---- 2


@pytest.fixture
def holes():
    truth = planted_matrix(np.random.default_rng(0), N, 2)
    observed = sample_entries(np.random.default_rng(1), truth, 80)
    return truth, observed, np.random.default_rng(2).normal(size=(N, N))


def test_right_closest(holes, capsys):
    _, observed, start = holes
    seen = ~np.isnan(observed)
    by_loop = start.copy()
    by_loop[seen] = observed[seen]
    descended = gradient_descent([start], observed, tolerance=1e-20).products[-1]
    for answer in (np.where(seen, observed, start), by_loop, descended, by_loop.tolist()):
        checks.check_closest(answer, start, observed)
    assert "an unseen entry is" in capsys.readouterr().out


def test_wrong_closest(holes):
    truth, observed, start = holes
    told_apart(
        [
            ((observed,), "has NaN where nothing is seen"),
            ((np.nan_to_num(observed),), "is 0 where nothing is seen"),
            ((start,), "differs from a seen entry"),
            ((truth,), "wrong where nothing is seen"),
            ((np.where(np.isnan(observed), start, observed)[:5],), "should have the shape"),
            ((np.where(np.isnan(observed), start, observed).ravel(),), "it has (144,)"),
        ],
        checks.check_closest,
        start,
        observed,
    )


# ---- 3


def test_right_pairs(capsys):
    W = np.random.default_rng(3).normal(size=(N, N))
    u, s, vt = np.linalg.svd(W)
    Q, P = u * np.sqrt(s), np.sqrt(s)[:, None] * vt
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(N, N)))[0]
    for pair in ((Q, P), (-Q, -P), (Q @ turn, turn.T @ P)):
        checks.check_factor_pair(*pair, W)
    assert "nuclear norm" in capsys.readouterr().out


def test_wrong_pairs():
    W = np.random.default_rng(3).normal(size=(N, N))
    u, s, vt = np.linalg.svd(W)
    Q, P = u * np.sqrt(s), np.sqrt(s)[:, None] * vt
    skew = np.diag(np.linspace(0.5, 2, N))
    uneven = Q @ skew, np.linalg.inv(skew) @ P
    size = np.sqrt(np.linalg.norm(uneven[1]) / np.linalg.norm(uneven[0]))
    told_apart(
        [
            ((P, Q), "it should be Q @ P"),
            ((u * s, vt), "one factor is larger"),
            ((u, s[:, None] * vt), "one factor is larger"),
            ((Q, P.T), "Q @ P differs from W"),
            ((uneven[0] * size, uneven[1] / size), "share each singular value evenly"),
            ((Q[:, :3], P[:3]), "Q should have the shape (12, 12)"),
        ],
        checks.check_factor_pair,
        W,
    )


# ---- 4


def right_step(factors, observed, size):
    gradients = factor_gradients(factors, loss_gradient(multiply(factors), observed))
    return [w - size * g for w, g in zip(factors, gradients, strict=True)]


def product_of(factors, shape):
    total = np.eye(shape)
    for factor in factors:
        total = factor @ total
    return total


def by_hand(factors, observed, size):
    gradient = np.where(np.isnan(observed), 0, product_of(factors, observed.shape[1]) - observed)
    new = []
    for j, factor in enumerate(factors):
        above = np.eye(observed.shape[0])
        for other in factors[:j:-1]:
            above = above @ other
        below = product_of(factors[:j], observed.shape[1])
        new.append(factor - size * above.T @ gradient @ below.T)
    return tuple(new)


def by_torch(factors, observed, size):
    import torch

    tensors = [torch.tensor(w, requires_grad=True) for w in factors]
    product = tensors[0]
    for factor in tensors[1:]:
        product = factor @ product
    seen = torch.tensor(~np.isnan(observed))
    ((product - torch.tensor(np.nan_to_num(observed)))[seen].square().sum() / 2).backward()
    return [(w - size * w.grad).detach() for w in tensors]


@pytest.fixture
def rectangular():
    factors = gaussian_factors(np.random.default_rng(5), [6, 5, 4, 7], 1.0)
    observed = sample_entries(np.random.default_rng(6), np.ones((7, 6)), 20)
    return factors, observed


@pytest.mark.parametrize("step", [right_step, by_hand, by_torch])
def test_right_steps(step, rectangular, capsys):
    checks.check_gradient_step(step, *rectangular)
    assert "× step size; their gradients" in capsys.readouterr().out


def test_wrong_steps(rectangular):
    def in_place(factors, observed, size):
        for old, new in zip(factors, right_step(factors, observed, size), strict=True):
            old[:] = new
        return factors

    def one_after_the_other(factors, observed, size):
        new = [w.copy() for w in factors]
        for j in range(3):
            new[j] = right_step(new, observed, size)[j]
        return new

    def half_of_them(factors, observed, size):
        return [right_step(factors, observed, size)[0], *factors[1:]]

    def with_zeros(factors, observed, size):
        return right_step(factors, np.nan_to_num(observed), size)

    cases = [
        ((in_place,), "changes the factors"),
        ((lambda f, o, s: right_step(f, o, -s),), "goes against descent"),
        ((lambda f, o, s: right_step(f, o, 2 * s),), "twice the gradient"),
        ((half_of_them,), "leaves factor 2 as it was"),
        ((one_after_the_other,), "after factor 1 has moved"),
        ((lambda f, o, s: right_step(f, o, s)[:2],), "should return 3 factors"),
        ((lambda f, o, s: [w.T for w in right_step(f, o, s)],), "rows and columns are swapped"),
        ((with_zeros,), "it goes aside"),
    ]
    told_apart(cases, checks.check_gradient_step, *rectangular)


# ---- 5


@pytest.fixture
def aligned():
    truth = planted_matrix(np.random.default_rng(0), N, 2)
    u, s, vt = np.linalg.svd(truth)
    return 0.01 * u[:, :2] @ vt[:2], truth, {d: safe_step(truth, d) / 10 for d in (2, 3)}, s[0]


def test_right_predictions(aligned, capsys):
    start, truth, sizes, m = aligned
    by_formula = {d: time_to_reach(m / 2, m, 0.01, d) / sizes[d] for d in (2, 3)}
    logistic = by_formula | {2: np.log((m - 0.01) / 0.01) / (2 * m) / sizes[2]}
    rounded = {d: round(float(value)) for d, value in by_formula.items()}
    for answer in (by_formula, logistic, rounded):
        checks.check_predicted_steps(answer, start, truth, sizes)
    assert "depth 2: predicted" in capsys.readouterr().out


def test_wrong_predictions(aligned):
    start, truth, sizes, m = aligned
    times = {d: time_to_reach(m / 2, m, 0.01, d) for d in (2, 3)}
    steps = {d: times[d] / sizes[d] for d in (2, 3)}
    told_apart(
        [
            ((times,), "that is a time"),
            (({2: steps[2] * 2, 3: steps[3]},), "twice what descent takes"),
            (({2: steps[2] / 2, 3: steps[3]},), "half what descent takes"),
            (({2: steps[2] / 10, 3: steps[3]},), "a tenth of what"),
            (({2: steps[2], 3: steps[2]},), "descent takes another number"),
            (({2: steps[2]},), "should have the keys 2 and 3"),
            (({2: steps[2], 3: np.nan},), "NaN"),
        ],
        checks.check_predicted_steps,
        start,
        truth,
        sizes,
    )


# ---- 6


@pytest.fixture(scope="module")
def search():
    rng = np.random.default_rng(6)
    truth = planted_matrix(np.random.default_rng(0), N, 2)
    noisy = sample_entries(rng, truth + 0.3 * rng.normal(size=(N, N)), 100)
    held = rng.permutation(np.flatnonzero(~np.isnan(noisy)))[:20]
    return checks.best_choice(noisy, held, [(1, 1.0), (2, 0.01)]), truth, noisy


def test_right_choices(search, capsys):
    best, truth, noisy = search
    depth, scale, path, at = best
    step, error = path.steps[at], unseen_error(path.products[at], truth, noisy)
    for choice, found in (
        ((depth, scale, int(step)), float(error)),
        ([depth, scale, step], error),
        ((np.int64(depth), scale, float(step)), np.array(error)),
    ):
        checks.check_choice(choice, found, *search)
    assert f"depth {depth}" in capsys.readouterr().out


def test_wrong_choices(search):
    (depth, scale, path, at), truth, noisy = search
    step, W = int(path.steps[at]), path.products[at]
    error = float(unseen_error(W, truth, noisy))
    everywhere = float(np.linalg.norm(W - truth) / np.linalg.norm(truth))
    told_apart(
        [
            (((3 - depth, scale, step), error), "the depth of your choice"),
            (((depth, 10 * scale, step), error), "the scale of your choice"),
            (((depth, scale, int(path.steps[-1])), error), "the last one"),
            (((depth, scale, at), error), "the number of the record"),
            (((depth, scale, step + 1.5), error), "no record was made"),
            (((depth, scale, int(path.steps[at - 1])), error), "not the least of this descent"),
            (((depth, scale, step), everywhere), "over all entries"),
            (((depth, scale, step), 2 * error), "not that of your choice"),
            (((depth, scale), error), "should be (depth, scale, step)"),
        ],
        checks.check_choice,
        *search,
    )


def test_balanced_start_is_what_the_predictions_descend_from(aligned):
    start, *_ = aligned
    np.testing.assert_allclose(multiply(balanced_factors(start, 3)), start, atol=1e-12)
