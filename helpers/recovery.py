"""What a completed matrix is worth, judged by the true matrix: error, spectrum, effective rank."""

from dataclasses import dataclass

import numpy as np

from helpers.deep_factorization import Descent
from helpers.spectrum import effective_rank


@dataclass(frozen=True)
class RecoveryCurve:
    """What a path of R records found, judged by the true matrix.

    Attributes
    ----------
    steps, losses : ndarray of shape (R,)
        As in :class:`helpers.deep_factorization.Descent`.
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


def spread(table: np.ndarray) -> np.ndarray:
    """Median, least and greatest of each row.

    Parameters
    ----------
    table : ndarray of shape (S, R)
        NaN is left out.

    Returns
    -------
    ndarray of shape (3, S)
        NaN where a row has nothing else.
    """
    kept = ([value for value in row if not np.isnan(value)] or [np.nan] for row in table)
    return np.array([np.quantile(row, (0.5, 0, 1)) for row in kept]).T


def recovery_curve(descent: Descent, truth: np.ndarray, observed: np.ndarray) -> RecoveryCurve:
    """Error, spectrum, effective rank and nuclear norm along a path.

    Parameters
    ----------
    truth, observed : ndarray of shape (n, m)
        The true matrix, and what the descent has seen of it.
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
