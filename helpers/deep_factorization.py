"""Matrix completion by a product of N matrices, without penalty: what gradient descent finds.

W = W_N … W_1 is fitted to the entries seen of an (n, m) matrix by gradient descent on the loss
ℓ(W) = ½ Σ (W − M)² over these entries. An array that is seen only in part has NaN elsewhere.
Source: Arora, Cohen, Hu and Luo, "Implicit regularization in deep matrix factorization", 2019.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import hyp2f1
from threadpoolctl import threadpool_limits

from helpers.spectrum import effective_rank

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


@dataclass(frozen=True)
class RecoveryCurve:
    """What a path of R records found, judged by the whole matrix.

    Attributes
    ----------
    steps, losses : ndarray of shape (R,)
        As in :class:`Descent`.
    errors : ndarray of shape (R,)
        :func:`unseen_error` of the product.
    singular_values : ndarray of shape (R, min(n, m))
        Of the product, falling.
    effective_ranks, nuclear_norms : ndarray of shape (R,)
        Exponential of the entropy, and sum, of the singular values.
    """

    steps: np.ndarray
    losses: np.ndarray
    errors: np.ndarray
    singular_values: np.ndarray
    effective_ranks: np.ndarray
    nuclear_norms: np.ndarray


@dataclass(frozen=True)
class NuclearNormSolution:
    """The completion of least nuclear norm, and the proof that there is none smaller.

    Attributes
    ----------
    product : ndarray of shape (n, m)
    certificate : ndarray of shape (n, m)
        Y: zero where nothing is seen, largest singular value 1 at most. For every completion X,
        ‖X‖_* ≥ ⟨Y, X⟩ = ⟨Y, M⟩ over the entries seen, and that is the norm reached.
    """

    product: np.ndarray
    certificate: np.ndarray


def planted_matrix(rng: np.random.Generator, n: int, rank: int) -> np.ndarray:
    """A random (n, n) matrix of a rank, with entries of root mean square 1.

    Raises
    ------
    ValueError
        Unless 1 ≤ rank ≤ n.
    """
    if not 1 <= rank <= n:
        raise ValueError(f"rank must lie between 1 and n = {n}, got {rank}")
    matrix = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))
    return matrix * (n / np.linalg.norm(matrix))


def sample_entries(rng: np.random.Generator, matrix: np.ndarray, seen: int) -> np.ndarray:
    """A copy of a matrix in which only some entries are seen; the others are NaN.

    Parameters
    ----------
    matrix : ndarray of shape (n, m)
    seen : int
        How many entries are kept, drawn without replacement.

    Returns
    -------
    ndarray of shape (n, m)

    Raises
    ------
    ValueError
        Unless 1 ≤ seen ≤ n·m.
    """
    if not 1 <= seen <= matrix.size:
        raise ValueError(f"seen must lie between 1 and {matrix.size}, got {seen}")
    observed = np.full(matrix.shape, np.nan)
    places = rng.choice(matrix.size, size=seen, replace=False)
    observed.flat[places] = matrix.flat[places]
    return observed


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
    _check_depth(depth)
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
    _check_depth(depth)
    seen = _check_observed(observed)
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


def unseen_error(products: np.ndarray, truth: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Relative error ‖W − M‖ / ‖M‖ over the entries not seen: 0 is perfect, zeros score 1.

    Parameters
    ----------
    products : ndarray of shape (…, n, m)
    truth, observed : ndarray of shape (n, m)

    Returns
    -------
    ndarray of shape (…)

    Raises
    ------
    ValueError
        If every entry is seen.
    """
    unseen = np.isnan(observed)
    if not unseen.any():
        raise ValueError("every entry is seen: there is nothing to judge by")
    off = np.asarray(products)[..., unseen] - truth[unseen]
    return np.linalg.norm(off, axis=-1) / np.linalg.norm(truth[unseen])


def recovery_curve(descent: Descent, truth: np.ndarray, observed: np.ndarray) -> RecoveryCurve:
    """Error, spectrum, effective rank and nuclear norm along a path.

    Parameters
    ----------
    truth, observed : ndarray of shape (n, m)
        The whole matrix, and what the descent has seen of it.
    """
    values = np.linalg.svd(descent.products, compute_uv=False)
    return RecoveryCurve(
        steps=descent.steps,
        losses=descent.losses,
        errors=unseen_error(descent.products, truth, observed),
        singular_values=values,
        effective_ranks=np.array([effective_rank(s) for s in values]),
        nuclear_norms=values.sum(axis=1),
    )


def truncate(product: np.ndarray, rank: int) -> np.ndarray:
    """The nearest matrix of at most this rank: the first terms of the SVD."""
    u, s, vt = np.linalg.svd(product, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vt[:rank]


def singular_order(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index that sorts rows and columns of (n, m) matrices by the first singular vectors of one.

    ``matrix[singular_order(matrix)]`` has similar rows side by side, and similar columns.
    """
    u, _, vt = np.linalg.svd(matrix)
    return np.ix_(np.argsort(u[:, 0]), np.argsort(vt[0]))


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
    _check_depth(depth)
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
    _check_depth(depth)
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


def nuclear_norm_completion(observed: np.ndarray) -> NuclearNormSolution:
    """The completion with the least sum of singular values, by CVXPY and SCS.

    Parameters
    ----------
    observed : ndarray of shape (n, m)
        NaN where nothing is seen. Up to about 60 × 60 it takes seconds.

    Raises
    ------
    ValueError
        If ``observed`` isn't a matrix with entries seen.
    RuntimeError
        If the solver doesn't reach its accuracy.
    """
    import cvxpy  # only this function needs it

    rows, columns = np.nonzero(_check_observed(observed))
    scale = np.abs(observed[rows, columns]).max() or 1.0
    product = cvxpy.Variable(observed.shape)
    agrees = product[rows, columns] == observed[rows, columns] / scale
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.normNuc(product)), [agrees])
    problem.solve(solver=cvxpy.SCS, eps=1e-7, max_iters=50_000)
    if problem.status != cvxpy.OPTIMAL:
        raise RuntimeError(f"the nuclear norm was not minimised: the solver says {problem.status}")
    certificate = np.zeros(observed.shape)
    dual = agrees.dual_value  # of a sign that is CVXPY's convention
    certificate[rows, columns] = dual * np.sign(dual @ observed[rows, columns])
    return NuclearNormSolution(product.value * scale, certificate)


def _check_depth(depth: int) -> None:
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")


def _check_observed(observed: np.ndarray) -> np.ndarray:
    """Which entries are seen, shape (n, m)."""
    if np.ndim(observed) != 2:
        raise ValueError(f"observed must be a matrix (n, m), got shape {np.shape(observed)}")
    if np.isinf(observed).any():
        raise ValueError("observed has infinite entries; what is not seen is NaN")
    seen = ~np.isnan(observed)
    if not np.any(observed[seen]):
        raise ValueError("observed has no entry other than zero: there is nothing to fit")
    return seen


def _check_factors(factors: Sequence[np.ndarray], observed: np.ndarray) -> list[np.ndarray]:
    _check_observed(observed)
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
