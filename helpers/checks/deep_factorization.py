"""Checks of chapter 4's exercises: why depth finds low rank."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from helpers.checks.parts import check_array, passed, require, require_right
from helpers.deep_factorization import (
    Descent,
    balanced_factors,
    factor_gradients,
    gaussian_factors,
    gradient_descent,
    loss_gradient,
    multiply,
)
from helpers.recovery import unseen_error
from helpers.spectrum import effective_rank

XS = np.array([-7.0, -2.0, -0.5, 0.0, 1.0, 3.0, 30.0])  # where formulas are compared


def check_norm_and_rank(
    nuclear_norm: Callable[[float], float], rank_measure: Callable[[float], float]
) -> None:
    """Exercise 1: the nuclear norm and the effective rank of [[x, 1], [1, 0]].

    Raises
    ------
    WrongAnswer
        If a formula is wrong somewhere; it says for which x, and what the value can't be.
    """
    for x in XS:
        values = np.linalg.svd(np.array([[x, 1], [1, 0]]), compute_uv=False)
        norm = check_array(f"nuclear_norm({x:g})", nuclear_norm(x), ()).item()
        words = f"nuclear_norm({x:g}) is {norm:.3f}, below the Frobenius norm."
        require(norm >= np.linalg.norm(values) - 1e-9, words)
        mistakes = {"the square of what was asked for.": values.sum() ** 2}
        words = "not the sum of the two singular values. (σ₁ + σ₂)² = σ₁² + σ₂² + 2 σ₁σ₂."
        require_right(f"nuclear_norm({x:g})", norm, values.sum(), mistakes, words)
        rank = check_array(f"rank_measure({x:g})", rank_measure(x), ()).item()
        words = f"rank_measure({x:g}) is {rank:.3f}; with two singular values it lies from 1 to 2."
        require(1 <= rank <= 2 + 1e-9, words)
        mistakes = {
            "singular values are divided by their sum, not squared first.": effective_rank(
                values**2
            )
        }
        words = "it is exp of the entropy (natural logarithm) of the singular values' shares."
        require_right(f"rank_measure({x:g})", rank, effective_rank(values), mistakes, words)
    passed(
        f"norm {nuclear_norm(0.0):.2f} at x = 0 and {nuclear_norm(30.0):.2f} at 30; "
        f"effective rank {rank_measure(0.0):.2f} and {rank_measure(30.0):.2f}"
    )


def check_closest(closest: ArrayLike, start: np.ndarray, observed: np.ndarray) -> None:
    """Exercise 2: where gradient descent on one matrix ends.

    Parameters
    ----------
    closest : array_like of shape (n, m)
        The answer.
    start, observed : ndarray of shape (n, m)
        Of the exercise; NaN where nothing is seen.

    Raises
    ------
    WrongAnswer
        If an entry is wrong; it says whether among the seen or the unseen ones.
    """
    seen = ~np.isnan(observed)
    require(
        not np.isnan(np.asarray(closest, float)[~seen]).any()
        if np.shape(closest) == observed.shape
        else True,
        "closest has NaN where nothing is seen: descent has a value there too.",
    )
    answer = check_array("closest", closest, observed.shape)
    off = np.abs(answer - observed)[seen].max()
    require(off < 1e-6, f"closest differs from a seen entry by {off:.3g}: it must agree with all.")
    rest = answer[~seen]
    require(
        (rest != 0).any(), "closest is 0 where nothing is seen; the start was not 0. What moves it?"
    )
    require(
        np.allclose(rest, start[~seen], atol=1e-6),
        "closest is wrong where nothing is seen. What is the gradient of the loss there?",
    )
    end = gradient_descent([start], observed, tolerance=1e-20).products[-1]
    i, j = np.argwhere(~seen)[0]
    passed(f"an unseen entry is {answer[i, j]:.4f}, descent ends at {end[i, j]:.4f}")


def check_factor_pair(Q: ArrayLike, P: ArrayLike, W: np.ndarray) -> None:
    """Exercise 3: two factors of W with the least penalty.

    Raises
    ------
    WrongAnswer
        If the product isn't W, or a pair with a smaller penalty exists.
    """
    n = len(W)
    Q, P = check_array("Q", Q, (n, n)), check_array("P", P, (n, n))
    require(not np.allclose(P @ Q, W) or np.allclose(Q @ P, W), "P @ Q is W; it should be Q @ P.")
    off = np.abs(Q @ P - W).max()
    require(np.allclose(Q @ P, W), f"Q @ P differs from W by up to {off:.3g}.")
    penalty, norm = (np.sum(Q**2) + np.sum(P**2)) / 2, np.linalg.norm(W, "nuc")
    sizes = np.linalg.norm(Q), np.linalg.norm(P)
    require(
        np.isclose(penalty, norm) or np.isclose(*sizes),
        f"½(‖Q‖² + ‖P‖²) is {penalty:.1f}, more than the nuclear norm {norm:.1f}: "
        f"one factor is larger, ‖Q‖ = {sizes[0]:.1f}, ‖P‖ = {sizes[1]:.1f}.",
    )
    require(
        np.isclose(penalty, norm),
        f"½(‖Q‖² + ‖P‖²) is {penalty:.1f}, more than the nuclear norm {norm:.1f}: the factors are equally "
        "large, but they must share each singular value evenly.",
    )
    passed(f"½(‖Q‖² + ‖P‖²) = {penalty:.4f}, nuclear norm {norm:.4f}")


def check_predicted_steps(
    predicted: Mapping[int, float],
    aligned: np.ndarray,
    truth: np.ndarray,
    step_size: Mapping[int, float],
) -> None:
    """Exercise 5: the step at which the first singular value is half grown.

    Raises
    ------
    WrongAnswer
        If a prediction is off by more than 5 %; a time in place of steps is told.
    """
    require(
        set(predicted) == {2, 3}, f"predicted should have the keys 2 and 3, has {[*predicted]}."
    )
    target, told = np.linalg.norm(truth, 2), []
    for depth in (2, 3):
        factors = balanced_factors(aligned, depth)
        path = gradient_descent(factors, truth, step_size=step_size[depth], spacing=1 + 1e-9)
        largest = np.linalg.norm(path.products, 2, axis=(1, 2))
        measured = int(path.steps[np.argmax(largest >= target / 2)])
        mistakes = {
            f"that is a time; a step takes step_size[{depth}] of it.": measured * step_size[depth]
        }
        for factor, reason in ((2, "twice"), (0.5, "half"), (0.1, "a tenth of"), (10, "ten times")):
            words = f"{reason} what descent takes. Check N, and the step size of the exercise."
            mistakes[words] = factor * measured
        name, words = f"predicted[{depth}]", "descent takes another number."
        answer = require_right(name, predicted[depth], measured, mistakes, words, rtol=0.05)
        told.append(f"depth {depth}: predicted {answer:.0f}, descended {measured}")
    passed("; ".join(told))


def best_choice(
    noisy: np.ndarray, held: np.ndarray, options: Sequence[tuple[int, float]]
) -> tuple[int, float, Descent, int]:
    """Depth, scale, its descent, and the record with the least squared error on held-out entries.

    Parameters
    ----------
    noisy : ndarray of shape (n, n)
        NaN where nothing is seen.
    held : ndarray of int
        Flat positions of the entries to choose by.
    options : sequence of (int, float)
        Depth and scale of each.
    """
    learn = noisy.copy()
    learn.flat[held] = np.nan
    found = []
    for depth, scale in options:
        start = gaussian_factors(np.random.default_rng(5), [len(noisy)] * (depth + 1), scale)
        path = gradient_descent(start, learn, tolerance=1e-3, max_steps=5000)
        guesses = path.products.reshape(len(path.steps), -1)[:, held]
        off = np.sum((guesses - noisy.flat[held]) ** 2, axis=1)
        found.append((off.min(), depth, scale, path, int(off.argmin())))
    return min(found, key=lambda row: row[0])[1:]


def check_choice(
    choice: tuple[int, float, int],
    error: float,
    best: tuple[int, float, Descent, int],
    truth: np.ndarray,
    noisy: np.ndarray,
) -> None:
    """Exercise 6: what the held-out entries choose, and the error of that choice.

    Parameters
    ----------
    choice, error
        The answers: depth, scale and step; the error on unseen entries.
    best : tuple
        What :func:`best_choice` returns.
    truth, noisy : ndarray of shape (n, n)
        Of the exercise; NaN in ``noisy`` where nothing is seen.

    Raises
    ------
    WrongAnswer
        If depth, scale or step is another, or the error isn't that of the choice on unseen entries.
    """
    require(
        isinstance(choice, tuple | list) and len(choice) == 3,
        f"choice should be (depth, scale, step), got {choice!r}.",
    )
    depth, scale, path, at = best
    for name, mine, right in zip(("depth", "scale"), choice, (depth, scale), strict=False):
        words = "another one has a smaller squared error on `held`."
        require_right(f"the {name} of your choice", mine, right, {}, words)
    step, last = int(path.steps[at]), path.steps[-1]
    words = "no record was made there: choose among path.steps, with tolerance=1e-3, seed 5."
    if choice[2] in path.steps:
        words = "the squared error on `held` is not the least of this descent there."
    mistakes = {
        "the last one. Was the error on `held` not smaller before?": last,
        "the number of the record; asked for is the step: path.steps.": at,
    }
    require_right("the step of your choice", choice[2], step, mistakes, words, 0, 0)
    W = path.products[at]
    found = float(unseen_error(W, truth, noisy))
    whole = np.linalg.norm(W - truth) / np.linalg.norm(truth)
    mistakes = {"that is over all entries; asked for is that over the unseen ones.": whole}
    words = "not that of your choice on unseen entries, against `truth`."
    answer = require_right("error", error, found, mistakes, words, rtol=0.01)
    passed(f"depth {depth}, scale {scale:g}, step {step}: error {answer:.3f}, here {found:.3f}")


def check_gradient_step(
    step: Callable[[list[np.ndarray], np.ndarray, float], list[np.ndarray]],
    factors: list[np.ndarray],
    observed: np.ndarray,
) -> None:
    """Exercise 4: one step of gradient descent on all factors of a product.

    Parameters
    ----------
    step : callable
        Takes the factors W_1, …, W_N, the observed matrix and a step size; returns new factors.
    factors : list of N ndarrays, rectangular, so that sides can't be confused
    observed : ndarray, NaN where nothing is seen

    Raises
    ------
    WrongAnswer
        If the factors it was given are changed, shapes differ, or a factor doesn't move against its
        gradient; it says which, and how far it moved along it.
    """
    before, size = [w.copy() for w in factors], 0.01
    after = step(factors, observed, size)
    require(
        all(np.array_equal(a, b) for a, b in zip(before, factors, strict=True)),
        "step changes the factors that it is given; return new ones.",
    )
    require(
        isinstance(after, list | tuple) and len(after) == len(factors),
        f"step should return {len(factors)} factors.",
    )
    gradients = factor_gradients(before, loss_gradient(multiply(before), observed))
    after = [check_array(f"factor {j}", w, before[j - 1].shape) for j, w in enumerate(after, 1)]
    for j, (old, new, gradient) in enumerate(zip(before, after, gradients, strict=True), 1):
        change = (old - new) / size
        require(change.any(), f"step leaves factor {j} as it was.")
        ahead = [*after[: j - 1], *before[j - 1 :]] if j == 2 else before
        late = factor_gradients(ahead, loss_gradient(multiply(ahead), observed))[j - 1]
        mistakes = {
            "it goes against descent: the loss rises.": -gradient,
            "twice the gradient: the loss of the chapter has the factor ½.": 2 * gradient,
            "its gradient is taken after factor 1 has moved; all are taken at the old factors.": late,
        }
        share = np.sum(change * gradient) / np.sum(gradient**2)
        words = (
            f"along the gradient it is {share:.2f} of what it should be, and it goes aside: does it "
            "stand between the right products, on the right sides, and does the loss count seen "
            "entries alone?"
        )
        require_right(f"the move of factor {j}", change, gradient, mistakes, words)
    told = [
        f"{np.linalg.norm(old - new) / size:.4f}" for old, new in zip(before, after, strict=True)
    ]
    norms = [f"{np.linalg.norm(gradient):.4f}" for gradient in gradients]
    passed(
        f"the factors move by {', '.join(told)} × step size; their gradients have {', '.join(norms)}"
    )
