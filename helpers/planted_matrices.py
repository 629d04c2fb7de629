"""Matrices of a known rank, of which only some entries are seen: the others are NaN."""

import numpy as np


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


def seen_entries(observed: np.ndarray) -> np.ndarray:
    """Which entries of a matrix are seen.

    Parameters
    ----------
    observed : ndarray of shape (n, m)
        NaN where nothing is seen.

    Returns
    -------
    ndarray of bool, of shape (n, m)

    Raises
    ------
    ValueError
        If it isn't a matrix, an entry is infinite, or no entry other than zero is seen.
    """
    if np.ndim(observed) != 2:
        raise ValueError(f"observed must be a matrix (n, m), got shape {np.shape(observed)}")
    if np.isinf(observed).any():
        raise ValueError("observed has infinite entries; what is not seen is NaN")
    seen = ~np.isnan(observed)
    if not np.any(observed[seen]):
        raise ValueError("observed has no entry other than zero: there is nothing to fit")
    return seen
