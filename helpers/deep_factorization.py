"""Matrix completion by a product of N matrices, without penalty: the product and its descent.

W = W_N … W_1 is fitted to the entries seen of an (n, m) matrix by gradient descent on the loss
ℓ(W) = ½ Σ (W − M)² over these entries. An array that is seen only in part has NaN elsewhere.
Source: Arora, Cohen, Hu and Luo, "Implicit regularization in deep matrix factorization", 2019.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from helpers.planted_matrices import seen_entries

DIVERGED = 1e6  # times the loss of W = 0


@dataclass(frozen=True)
class Descent:
    """The path of gradient descent, at R of its steps.

    Attributes
    ----------
    steps : ndarray of shape (R,)
        Steps taken before each record: 0, then by a growing distance, the last one included.
    losses : ndarray of shape (R,)
        Loss on the entries seen, divided by the loss of W = 0.
    products : ndarray of shape (R, n, m)
        The product W of the factors.
    factors : list of ndarray
        W_1, …, W_N after the last step.
    step_size : float
    """

    steps: np.ndarray
    losses: np.ndarray
    products: np.ndarray
    factors: list[np.ndarray]
    step_size: float


def gaussian_factors(
    rng: np.random.Generator, sizes: Sequence[int], scale: float
) -> list[np.ndarray]:
    """Random W_1, …, W_N whose product has entries of about scale/√m, whatever the depth N.

    Parameters
    ----------
    sizes : sequence of N + 1 int
        m, the sizes in between, and n: W_j has shape (sizes[j], sizes[j − 1]).
    scale : float
        Entries of W_j have standard deviation scale^{1/N}/√sizes[j − 1]; a fixed deviation for
        each factor would start deeper products smaller.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, one is below 1, or scale isn't positive.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be at least two numbers ≥ 1, got {list(sizes)}")
    if not scale > 0:
        raise ValueError(f"scale must be positive (at 0 nothing ever moves), got {scale}")
    each = scale ** (1 / (len(sizes) - 1))
    return [
        rng.normal(0, each / math.sqrt(columns), (rows, columns))
        for columns, rows in pairwise(sizes)
    ]


def balanced_factors(product: np.ndarray, depth: int) -> list[np.ndarray]:
    """Factors of a product U S Vᵀ that share it evenly: S^{1/N}Vᵀ, S^{1/N}, …, U S^{1/N}.

    They are balanced, W_{j+1}ᵀ W_{j+1} = W_j W_jᵀ, as the equation of the singular values asks.

    Raises
    ------
    ValueError
        If depth is below 1.
    """
    check_depth(depth)
    if depth == 1:
        return [np.array(product, dtype=float)]
    u, s, vt = np.linalg.svd(product, full_matrices=False)
    share = s ** (1 / depth)
    return [share[:, None] * vt, *[np.diag(share) for _ in range(depth - 2)], u * share]


def multiply(factors: Sequence[np.ndarray]) -> np.ndarray:
    """The product W_N … W_1 of factors W_1, …, W_N."""
    product = factors[0]
    for factor in factors[1:]:
        product = factor @ product
    return product


def factor_gradients(factors: Sequence[np.ndarray], gradient: np.ndarray) -> list[np.ndarray]:
    """Gradients of the loss by each factor: (W_N … W_{j+1})ᵀ ∇ℓ(W) (W_{j−1} … W_1)ᵀ.

    Parameters
    ----------
    factors : sequence of N arrays
        W_1, …, W_N.
    gradient : ndarray of shape (n, m)
        ∇ℓ(W), the gradient by the product.
    """
    below = [None]  # W_{j−1} … W_1, nothing for j = 1
    for factor in factors[:-1]:
        below.append(factor if below[-1] is None else factor @ below[-1])
    gradients = []
    for factor, under in zip(reversed(factors), reversed(below), strict=True):
        gradients.append(gradient if under is None else gradient @ under.T)
        gradient = factor.T @ gradient
    return gradients[::-1]


def loss_gradient(product: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """∇ℓ(W): W − M on the entries seen, 0 on the others."""
    return np.nan_to_num(product - observed, nan=0.0)


def safe_step(observed: np.ndarray, depth: int) -> float:
    """A step size at which gradient descent converges: half of 1 / (N σ^{2−2/N}).

    σ is the largest singular value of M. It is estimated from the observed entries, with zeros
    elsewhere, divided by the share that is seen. At a solution with balanced factors the curvature
    of the loss is at most N σ^{2−2/N}; steps larger than 2 divided by the curvature diverge there.

    Raises
    ------
    ValueError
        If depth is below 1, or ``observed`` isn't a matrix with entries seen.
    """
    check_depth(depth)
    seen = seen_entries(observed)
    sigma = np.linalg.norm(np.where(seen, observed, 0), 2) / seen.mean()
    return float(0.5 / (depth * sigma ** (2 - 2 / depth)))


@threadpool_limits.wrap(limits=1)  # to share small products among cores costs more than it saves
def gradient_descent(
    factors: Sequence[np.ndarray],
    observed: np.ndarray,
    *,
    step_size: float | None = None,
    tolerance: float = 1e-6,
    max_steps: int = 100_000,
    spacing: float = 1.05,
) -> Descent:
    """The path of gradient descent with a constant step on all factors at once.

    Parameters
    ----------
    factors : sequence of N arrays
        The initial W_1, …, W_N; they are not changed.
    observed : ndarray of shape (n, m)
        NaN where nothing is seen.
    step_size : float, optional
        :func:`safe_step` by default.
    tolerance : float
        Stop when the loss is this share of the loss of W = 0.
    max_steps : int
        Stop after so many steps in any case.
    spacing : float
        Ratio of recorded steps, above 1: 1.05 records every step up to 20, then every 5 %.

    Raises
    ------
    ValueError
        If the factors can't be multiplied to the shape of ``observed``, nothing is seen, an
        option is out of range, or the loss explodes because the step is too large.
    """
    factors = _check_factors(factors, observed)
    step_size = safe_step(observed, len(factors)) if step_size is None else step_size
    _check_options(step_size, tolerance, max_steps, spacing)
    unit = np.nansum(observed**2)
    steps, losses, products = [], [], []
    for step in range(max_steps + 1):
        product = multiply(factors)
        gradient = loss_gradient(product, observed)
        loss = np.sum(gradient**2) / unit
        if not loss < DIVERGED:
            raise ValueError(
                f"the loss exploded at step {step}: step_size {step_size:.3g} is too large"
            )
        done = loss <= tolerance or step == max_steps
        if done or not steps or step >= spacing * steps[-1]:
            steps.append(step)
            losses.append(loss)
            products.append(product)
        if done:
            break
        gradients = factor_gradients(factors, gradient)
        factors = [w - step_size * g for w, g in zip(factors, gradients, strict=True)]
    return Descent(np.array(steps), np.array(losses), np.array(products), factors, step_size)


def check_depth(depth: int) -> None:
    """Let pass how many factors a product may have: 1 or more.

    Raises
    ------
    ValueError
        If depth is below 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")


def _check_factors(factors: Sequence[np.ndarray], observed: np.ndarray) -> list[np.ndarray]:
    seen_entries(observed)
    shapes = [w.shape for w in factors]
    fit = all(b[1] == a[0] for a, b in pairwise(shapes))
    if not fit or (shapes[-1][0], shapes[0][1]) != observed.shape:
        raise ValueError(f"W_N … W_1 of shapes {shapes[::-1]} don't multiply to {observed.shape}")
    return list(factors)


def _check_options(step_size: float, tolerance: float, max_steps: int, spacing: float) -> None:
    if not (step_size > 0 and tolerance >= 0 and max_steps >= 0 and spacing > 1):
        raise ValueError(
            "need step_size > 0, tolerance ≥ 0, max_steps ≥ 0 and spacing > 1, "
            f"got {step_size}, {tolerance}, {max_steps} and {spacing}"
        )
