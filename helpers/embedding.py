"""Maps of high-dimensional points in the plane, and how faithful they are.

Settings and all measures but trustworthiness (Venna and Kaski, 2001) follow Kobak and Berens, "The
art of using t-SNE for single-cell transcriptomics", 2019.
"""

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors

from helpers.pca import pca_from_svd, project

START_SPREAD = 1e-4  # standard deviation of t-SNE's start along its first axis


def tsne(
    points: np.ndarray, *, perplexity: float = 30.0, start: str = "pca", seed: int = 0
) -> np.ndarray:
    """Map of points in the plane by t-SNE.

    Parameters
    ----------
    points : ndarray of shape (N, D)
    perplexity : float
        About how many neighbours of each point count, 1 … N − 1.
    start : {"pca", "random"}
        The first two principal components, scaled down so far that they set the layout and no
        distance; or noise of the same size, drawn with ``seed``.

    Returns
    -------
    ndarray of shape (N, 2), float32
        The same on one machine; other machines may give another layout.

    Raises
    ------
    ValueError
        If ``start`` or ``perplexity`` is out of range.
    """
    if start not in ("pca", "random"):
        raise ValueError(f"start must be 'pca' or 'random', got {start!r}")
    if not 1 <= perplexity < len(points):
        raise ValueError(f"perplexity must lie in [1, N = {len(points)}), got {perplexity}")
    points = np.ascontiguousarray(points, np.float32)
    if start == "pca":
        first = project(pca_from_svd(points, 2), points)
        first *= START_SPREAD / first[:, 0].std()
    else:
        first = np.random.default_rng(seed).normal(0, START_SPREAD, (len(points), 2))
    # scikit-learn's "auto" is a quarter of Kobak and Berens's N / 12, and its unit four times as large
    method = TSNE(perplexity=perplexity, init=first.astype(np.float32), learning_rate="auto")
    return method.set_params(random_state=seed, n_jobs=1).fit_transform(points)


def neighbours(points: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k nearest other points of each, shape (N, k)."""
    if not 1 <= k < len(points):
        raise ValueError(f"k must lie between 1 and N − 1 = {len(points) - 1}, got {k}")
    return NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)


def knn_overlap(original: np.ndarray, mapped: np.ndarray, k: int = 10) -> float:
    """Share of each point's k nearest neighbours that are the same in the map (KNN).

    Parameters
    ----------
    original, mapped : ndarray of shape (N, D) and (N, 2)

    Returns
    -------
    float
        1 if all are kept; about k / (N − 1) for a map without any relation.
    """
    pairs = zip(neighbours(original, k), neighbours(mapped, k), strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in pairs]))


def class_overlap(
    original: np.ndarray, mapped: np.ndarray, labels: np.ndarray, k: int = 4
) -> float:
    """Share of each class mean's k nearest class means that are the same in the map (KNC)."""
    means = [class_means(points, labels) for points in (original, mapped)]
    return knn_overlap(*means, k)


def class_means(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean point of each class, in the order of the labels, shape (classes, D)."""
    return np.stack([points[labels == c].mean(axis=0) for c in np.unique(labels)])


def distance_correlation(original: np.ndarray, mapped: np.ndarray) -> float:
    """Spearman's correlation of all pairwise distances with those in the map (CPD)."""
    return float(spearmanr(pdist(original), pdist(mapped)).statistic)


def faithfulness(original: np.ndarray, mapped: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How much of the original a map keeps, from the nearest neighbours to the whole.

    Returns
    -------
    dict
        "KNN" (k = 10), "KNC" (k = 4), "CPD", as above; "trustworthiness", which asks whether
        neighbours in the map were near before (k = 10); "accuracy", the share of points whose
        class is that of most of its 10 neighbours in the map.
    """
    return {
        "KNN": knn_overlap(original, mapped),
        "KNC": class_overlap(original, mapped, labels),
        "CPD": distance_correlation(original, mapped),
        "trustworthiness": float(trustworthiness(original, mapped, n_neighbors=10)),
        "accuracy": float(guessed_by_neighbours(mapped, labels).mean()),
    }


def guessed_by_neighbours(points: np.ndarray, labels: np.ndarray, k: int = 10) -> np.ndarray:
    """For each point, whether its class is the most frequent one among its k nearest others."""
    nearest = labels[neighbours(points, k)]
    votes = np.stack([(nearest == c).sum(axis=1) for c in np.unique(labels)], axis=1)
    return np.unique(labels)[votes.argmax(axis=1)] == labels
