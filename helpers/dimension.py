"""How many numbers a cloud of points needs near each of its points: local ranks, and two-NN.

A straight subspace of d dimensions has rank d; a curved surface of d dimensions has more, and d only
where one looks closely.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import NearestNeighbors

from helpers.arrays import as_points
from helpers.pca import covariance
from helpers.spectrum import rank_above


def local_ranks(
    points: np.ndarray,
    sizes: Sequence[int],
    centres: int,
    rng: np.random.Generator,
    threshold: float = 0.01,
) -> np.ndarray:
    """Rank of the points around a point: how many variances exceed a share of the largest there.

    Points that occur several times count once. n points lie in a subspace of n − 1 dimensions, so no
    rank is higher.

    Parameters
    ----------
    points : ndarray of shape (N, D)
    sizes : sequence of int
        How many points a neighbourhood has, its centre included.
    centres : int
        Of how many neighbourhoods the mean is taken, with centres drawn at random.

    Returns
    -------
    ndarray of shape (len(sizes),)
        Mean ranks; NaN where there are fewer points than a neighbourhood should have.

    Raises
    ------
    ValueError
        If a size is below 2, or ``points`` are no finite matrix.
    """
    points = np.unique(as_points("points", points), axis=0)
    if min(sizes) < 2:
        raise ValueError(f"a neighbourhood needs at least 2 points, got {min(sizes)}")
    fitting = [size for size in sizes if size <= len(points)]
    if not fitting:
        return np.full(len(sizes), np.nan)
    chosen = points[rng.choice(len(points), min(centres, len(points)), replace=False)]
    nearest = NearestNeighbors(n_neighbors=max(fitting)).fit(points).kneighbors(chosen)[1]
    ranks = {
        size: np.mean([_rank(points[i[:size]], threshold) for i in nearest]) for size in fitting
    }
    return np.array([ranks.get(size, np.nan) for size in sizes])


def _rank(points: np.ndarray, threshold: float) -> int:
    return rank_above(np.linalg.svd(covariance(points), compute_uv=False), threshold)


def nearest_ratios(points: np.ndarray) -> np.ndarray:
    """For each point the distance to its second neighbour, divided by that to its first.

    Points that occur several times count once. Where d numbers are spread evenly, the ratio exceeds µ
    with probability µ to the power of −d. Source: Facco, d'Errico, Rodriguez and Laio, "Estimating the
    intrinsic dimension of datasets by a minimal neighborhood information", 2017.

    Parameters
    ----------
    points : ndarray of shape (N, D)

    Returns
    -------
    ndarray of shape (number of different points,), ≥ 1

    Raises
    ------
    ValueError
        If fewer than three points differ, or they are no finite matrix.
    """
    points = np.unique(as_points("points", points), axis=0)
    if len(points) < 3:
        raise ValueError(f"two neighbours need at least 3 different points, got {len(points)}")
    distances = NearestNeighbors(n_neighbors=3).fit(points).kneighbors()[0][:, :2]
    return distances[:, 1] / distances[:, 0]
