"""The one way in for arrays of numbers: what users bring becomes a plain array, or a clear error."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse


def as_numbers(name: str, values: ArrayLike, *, finite: bool = False) -> np.ndarray:
    """Values as a plain array of float32 or float64, that nothing was dropped from.

    float32 and float64 stay as they are and are not copied; whole numbers, booleans and half
    precision become float64, so that their squares and differences neither overflow nor wrap.

    Parameters
    ----------
    name : str
        What the caller calls the values; errors begin with it.
    values : array_like
        Arrays of any layout, nested lists, tensors on the CPU, masked arrays without a masked value.
    finite : bool
        Whether NaN and infinity are refused too.

    Raises
    ------
    TypeError
        If the values are no real numbers, or a sparse matrix, whose holes may mean 0 or "not known".
    ValueError
        If an entry is masked or rows have different lengths; with ``finite``, if a value is not.
    """
    if issparse(values):
        raise TypeError(f"{name} is a sparse matrix; if its holes are zeros, pass {name}.toarray()")
    if np.ma.is_masked(values):
        count = int(np.ma.getmaskarray(values).sum())
        raise ValueError(f"{name} has {count} masked values; drop their rows or fill them first")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must have rows of one length: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got an array of type {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if finite and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        raise ValueError(
            f"{name} must be finite, got {len(bad)} NaN or infinite values, the first at "
            f"{tuple(map(int, bad[0]))}"
        )
    return array


def as_points(name: str, values: ArrayLike, *, at_least: int = 1) -> np.ndarray:
    """Points as a float64 array (N, D), finite.

    Distances between points far from the origin lose digits in float32; here they don't.

    Raises
    ------
    TypeError, ValueError
        As for :func:`as_numbers`, or if the shape is another, or there are fewer than ``at_least``.
    """
    points = as_numbers(name, values, finite=True).astype(np.float64, copy=False)
    if points.ndim != 2 or len(points) < at_least or points.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (N, D), a point a row, with N ≥ {at_least} and D ≥ 1; "
            f"got {points.shape}"
        )
    return points
