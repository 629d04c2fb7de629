"""How many of a spectrum's values count: ways to put a number to it."""

import numpy as np

from helpers.arrays import as_numbers


def effective_rank(values: np.ndarray) -> float:
    """Exponential of the entropy of the values, taken as shares of their sum.

    k equal values and nothing else give k. Source: Roy and Vetterli, "The effective rank: a
    measure of effective dimensionality", 2007, who apply it to singular values.

    Parameters
    ----------
    values : ndarray of shape (D,)
        Singular values, or variances; say which, the result differs.

    Returns
    -------
    float
        Between 1 and D.

    Raises
    ------
    ValueError
        If ``values`` isn't one-dimensional, finite, ≥ 0, or all of them are zero.
    """
    values = _check_spectrum(values)
    shares = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def relative(values: np.ndarray) -> np.ndarray:
    """A spectrum divided by its largest value, shape (D,)."""
    values = as_numbers("values", values)
    return values / values.max()


def rank_above(values: np.ndarray, threshold: float) -> int:
    """How many values exceed ``threshold`` times the largest one.

    Parameters
    ----------
    values : ndarray of shape (D,)
    threshold : float
        0 ≤ threshold < 1.

    Raises
    ------
    ValueError
        If ``threshold`` is out of range, or ``values`` as for :func:`effective_rank`.
    """
    values = _check_spectrum(values)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    return int(np.sum(values > threshold * values.max()))


def edges(values: np.ndarray, fall: float = 5, floor: float = 1e-4) -> list[int]:
    """How many values lie before each edge: a place where a value is many times the next.

    Parameters
    ----------
    values : ndarray of shape (D,)
        Falling.
    fall : float
        Where one value is more than this many times the next, there is an edge.
    floor : float
        No edge is sought after values below this share of the largest.

    Returns
    -------
    list of int, rising
        Empty if the spectrum has no edge.

    Raises
    ------
    ValueError
        As for :func:`effective_rank`.
    """
    values = _check_spectrum(values)
    steep = (values[:-1] > fall * values[1:]) & (values[:-1] >= floor * values.max())
    return (np.flatnonzero(steep) + 1).tolist()


def summarise_spectrum(values: np.ndarray) -> dict[str, float | str | None]:
    """The numbers that chapter 5 compares spectra by.

    Parameters
    ----------
    values : ndarray of shape (D,)
        Variances of a code, falling; D ≥ 8.

    Returns
    -------
    dict
        "index 4" and "index 7", from 0, as shares of the largest; how many values are "above 1 %"
        and "above 0.1 %" of it; the "effective rank"; and "edges after", such as "4, 6": how many
        values come before each edge (None if there is none).

    Raises
    ------
    ValueError
        If there are fewer than eight values, or as for :func:`effective_rank`.
    """
    values = _check_spectrum(values)
    if len(values) < 8:
        raise ValueError(f"index 7 needs at least 8 values, got {len(values)}")
    heights = {f"index {i}": float(relative(values)[i]) for i in (4, 7)}
    counts = {"above 1 %": rank_above(values, 0.01), "above 0.1 %": rank_above(values, 0.001)}
    after = ", ".join(map(str, edges(values))) or None
    return heights | counts | {"effective rank": effective_rank(values), "edges after": after}


def cumulative_shares(variances: np.ndarray) -> np.ndarray:
    """Share of the sum that the first k of some variances have together, for k = 1 … D.

    Parameters
    ----------
    variances : ndarray of shape (D,)

    Returns
    -------
    ndarray of shape (D,), rising to 1

    Raises
    ------
    ValueError
        As for :func:`effective_rank`.
    """
    variances = _check_spectrum(variances)
    return np.cumsum(variances) / variances.sum()


def components_for_share(variances: np.ndarray, share: float) -> int:
    """The fewest of the largest variances that add up to a share of their sum.

    Parameters
    ----------
    variances : ndarray of shape (D,)
        All of them, falling.
    share : float
        0 < share ≤ 1, e.g. 0.95.

    Raises
    ------
    ValueError
        If ``share`` is out of range, the variances rise, or as for :func:`effective_rank`.
    """
    variances = _check_spectrum(variances)
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    if (np.diff(variances) > 0).any():
        raise ValueError("variances must fall; np.sort(variances)[::-1] sorts them")
    reached = cumulative_shares(variances)
    # the sums are rounded: a share missed by a hair is reached
    return int(np.searchsorted(reached, share * (1 - 1e-12))) + 1


def _check_spectrum(values: np.ndarray) -> np.ndarray:
    values = as_numbers("a spectrum", values).astype(np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"a spectrum has shape (D,) with D ≥ 1, got {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"a spectrum has finite values ≥ 0, got {values.min()} … {values.max()}")
    if values.sum() == 0:
        raise ValueError("all values of the spectrum are zero: no share of it is defined")
    return values
