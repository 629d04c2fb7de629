"""The mean of independent samples, and how well it is known."""

import numpy as np

from helpers.arrays import as_numbers


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over independent samples and its 95 % interval, by the normal approximation.

    The variance is estimated from the samples: it divides by P − 1.

    Parameters
    ----------
    values : ndarray of shape (P, …)
        One row for each of P samples, P ≥ 2: paths, images, pairs of them.

    Returns
    -------
    mean, low, high : ndarray of shape (…)

    Raises
    ------
    ValueError
        If there are fewer than two samples.
    """
    values = as_numbers("values", values)
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 samples, got {len(values)}")
    mean = values.mean(axis=0)
    half = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return mean, mean - half, mean + half
