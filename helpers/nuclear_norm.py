"""Matrix completion by the minimum nuclear norm, the sum of singular values: the convex rival of depth."""

from dataclasses import dataclass

import numpy as np

from helpers.planted_matrices import seen_entries


@dataclass(frozen=True)
class NuclearNormSolution:
    """The completion of minimum nuclear norm, and the proof that there is none smaller.

    Attributes
    ----------
    product : ndarray of shape (n, m)
    certificate : ndarray of shape (n, m)
        Y: zero where nothing is seen, largest singular value 1 at most. For every completion X,
        ‖X‖_* ≥ ⟨Y, X⟩ = ⟨Y, M⟩ over the entries seen, and that is the norm reached.
    """

    product: np.ndarray
    certificate: np.ndarray


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

    rows, columns = np.nonzero(seen_entries(observed))
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
