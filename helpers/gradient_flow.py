"""How singular values of a product of N matrices move under gradient flow, the limit of small steps.

Source: Arora, Cohen, Hu and Luo, "Implicit regularization in deep matrix factorization", 2019.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.special import hyp2f1

from helpers.deep_factorization import check_depth


def imbalance(factors: Sequence[np.ndarray]) -> float:
    """Largest ‖W_{j+1}ᵀ W_{j+1} − W_j W_jᵀ‖ over neighbours: constant under gradient flow."""
    gaps = (float(np.linalg.norm(b.T @ b - a @ a.T)) for a, b in pairwise(factors))
    return max(gaps, default=0.0)


def singular_speeds(
    product: np.ndarray, gradient: np.ndarray, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """Singular values of W and how fast gradient flow moves them, for balanced factors.

    dσ_r/dt = −N (σ_r²)^{1−1/N} ⟨∇ℓ(W), u_r v_rᵀ⟩ (Arora et al., theorem 3), with u_r and v_r the
    singular vectors of the W of that moment. Distinct singular values are assumed.

    Parameters
    ----------
    product, gradient : ndarray of shape (n, m)
        W and ∇ℓ(W).
    depth : int
        N.

    Returns
    -------
    values, speeds : ndarray of shape (min(n, m),)
        Speeds per unit of time; a step of gradient descent takes step_size of it.
    """
    check_depth(depth)
    u, s, vt = np.linalg.svd(product, full_matrices=False)
    along = np.einsum("ir,ij,rj->r", u, gradient, vt)
    return s, -depth * s ** (2 - 2 / depth) * along


def time_to_reach(sigma: np.ndarray, target: float, init: float, depth: int) -> np.ndarray:
    """The time at which a singular value of a fully seen matrix reaches sigma, under gradient flow.

    The factors are balanced, and their initial product has the singular vectors of M. Then each
    singular value moves on its own: dσ/dt = N σ^{2−2/N} (target − σ). The time is the integral of
    dσ / (N σ^{2−2/N} (target − σ)): a logarithm for N = 2, a hypergeometric function for other N.

    Parameters
    ----------
    sigma : ndarray
        Values between ``init`` and ``target``, the latter left out.
    target, init : float
        The singular value of M, and that of the product at time 0; 0 < init < target.
    depth : int
        N.

    Raises
    ------
    ValueError
        If the values aren't in this order, or depth is below 1.
    """
    check_depth(depth)
    sigma = np.asarray(sigma, dtype=float)
    if not (init > 0 and (sigma >= init).all() and (sigma < target).all()):
        raise ValueError(f"need 0 < init ≤ sigma < target, got init {init}, target {target}")
    if depth == 2:
        return np.log(sigma * (target - init) / (init * (target - sigma))) / (2 * target)

    def integral(value):
        b = (2 - depth) / depth
        return value**b * hyp2f1(1, b, 1 + b, value / target) / ((2 - depth) * target)

    return integral(sigma) - integral(init)


def growth(target: float, init: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of a singular value that grows as in :func:`time_to_reach`.

    Returns
    -------
    times, values : ndarray of shape (150,)
        Values from ``init`` to 0.999 of ``target``, dense at both ends, where growth is slow.
    """
    low, high = np.log(init / (target - init)), np.log(999)
    values = target / (1 + np.exp(-np.linspace(low, high, 150))).clip(1, target / init)
    return time_to_reach(values, target, init, depth), values


def value_at(time: float, target: float, init: float, depth: int) -> float:
    """Where the singular value of :func:`growth` is at a time, between its values interpolated."""
    return float(np.interp(time, *growth(target, init, depth)))
