"""Straight paths between two samples, in whatever coordinates they are given."""

import numpy as np

from helpers.arrays import as_numbers, as_points


def linear_path(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points on the straight line between two: start + t (end − start).

    Parameters
    ----------
    start, end : ndarray of the same shape (…)
        Two samples, or their codes.
    shares : ndarray of shape (T,)
        The values of t: 0 is the start, 1 the end; beyond them the line goes on.

    Returns
    -------
    ndarray of shape (T, …)
        Exactly ``start`` and ``end`` at t = 0 and t = 1.

    Raises
    ------
    ValueError
        If the ends have different shapes, or ``shares`` is no vector.
    """
    start, end = as_numbers("start", start), as_numbers("end", end)
    shares = as_numbers("shares", shares)
    if start.shape != end.shape:
        raise ValueError(f"start and end have different shapes: {start.shape} and {end.shape}")
    if shares.ndim != 1:
        raise ValueError(f"shares must have shape (T,), got {shares.shape}")
    t = shares.reshape(-1, *[1] * start.ndim).astype(np.result_type(start, np.float32))
    return (1 - t) * start + t * end


def nearest_distances(
    points: np.ndarray, reference: np.ndarray, *, block_rows: int = 256
) -> np.ndarray:
    """Euclidean distance of each point to the nearest of the reference points.

    Parameters
    ----------
    points, reference : ndarray of shape (M, D) and (N, D)
    block_rows : int
        Points handled at once: memory is block_rows · N numbers.

    Returns
    -------
    ndarray of shape (M,), float64

    Raises
    ------
    TypeError, ValueError
        If the two don't lie in one space, there is no reference point, or as for
        :func:`helpers.arrays.as_points`.
    """
    points, reference = as_numbers("points", points), as_numbers("reference", reference)
    if points.ndim != 2 or reference.ndim != 2 or points.shape[1] != reference.shape[1]:
        raise ValueError(
            f"points and reference must be (M, D) and (N, D), got {points.shape}, {reference.shape}"
        )
    if len(reference) == 0:
        raise ValueError("reference has no points")
    points, reference = as_points("points", points, at_least=0), as_points("reference", reference)
    # squared distances as |a|² − 2ab + |b|² lose digits: only candidates come from them, and they
    # are taken from the middle of the reference, not from a far origin
    middle = reference.mean(axis=0)
    centred = reference - middle
    squares = np.einsum("nd,nd->n", centred, centred)
    distances = []
    for i in range(0, len(points), block_rows):
        block = points[i : i + block_rows]
        nearest = (squares - 2 * (block - middle) @ centred.T).argmin(axis=1)
        distances.append(np.linalg.norm(block - reference[nearest], axis=1))
    return np.concatenate(distances) if distances else np.zeros(0)
