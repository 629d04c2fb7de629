"""Maps of high-dimensional points in the plane, and how faithful they are.

Settings and all measures but trustworthiness (Venna and Kaski, 2001) follow Kobak and Berens, "The
art of using t-SNE for single-cell transcriptomics", 2019.
"""

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.special import entr, rel_entr
from scipy.stats import spearmanr
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors

from helpers.arrays import as_points
from helpers.pca import pca_from_svd, project

INIT_SCALE = 1e-4  # standard deviation of t-SNE's initial map along its first axis


def tsne(
    points: np.ndarray, *, perplexity: float = 30.0, init: str = "pca", seed: int = 0
) -> np.ndarray:
    """A place in the plane for each point, by t-SNE.

    Parameters
    ----------
    points : ndarray of shape (N, D)
    perplexity : float
        About how many neighbours of each point count; at least 1 and below N.
    init : {"pca", "random"}
        Where the points are placed first: at their first two principal components, or at random,
        drawn with ``seed``. Both are scaled to a standard deviation of 0.0001.
    seed : int
        Of the random placement, and of scikit-learn's solver.

    Returns
    -------
    ndarray of shape (N, 2), float32
        Twice the same on one machine; another machine may give another map.

    Raises
    ------
    ValueError
        If ``init`` isn't one of the two, ``perplexity`` is out of range, or the points are no (N, D)
        array of finite numbers or all the same.
    """
    if init not in ("pca", "random"):
        raise ValueError(f"init must be 'pca' or 'random', got {init!r}")
    points = as_points("points", points, at_least=2)
    if not 1 <= perplexity < len(points):
        raise ValueError(f"perplexity must lie in [1, N = {len(points)}), got {perplexity}")
    if (points == points[0]).all():
        raise ValueError(f"all {len(points)} points are the same: there is nothing to map")
    if init == "pca":
        initial = project(pca_from_svd(points, 2), points)
        initial *= INIT_SCALE / initial[:, 0].std()
    else:
        initial = np.random.default_rng(seed).normal(0, INIT_SCALE, (len(points), 2))
    # scikit-learn's "auto" is a quarter of Kobak and Berens's N / 12, and its unit four times as large
    method = TSNE(perplexity=perplexity, init=initial.astype(np.float32), learning_rate="auto")
    return method.set_params(random_state=seed, n_jobs=1).fit_transform(points)


def similarities(points: np.ndarray, perplexity: float = 30.0) -> np.ndarray:
    """How near each pair of points is, as t-SNE sees it: Gaussian, each point with its own width.

    The width of a point is found by bisection: the entropy of its neighbours is to be the logarithm
    of the perplexity. Source: van der Maaten and Hinton, "Visualizing data using t-SNE", 2008.

    Parameters
    ----------
    points : ndarray of shape (N, D)
    perplexity : float
        At least 1 and below N − 1.

    Returns
    -------
    ndarray of shape (N, N)
        Symmetric, zero on the diagonal; all of it sums to 1.
    """
    squares = squareform(pdist(points, "sqeuclidean"))
    np.fill_diagonal(squares, np.inf)
    squares -= squares.min(axis=1, keepdims=True)  # changes no share
    low, high = np.full((len(points), 1), -40.0), np.full((len(points), 1), 40.0)
    for _ in range(60):
        middle = (low + high) / 2  # the logarithm of 1 / 2σ²
        p = np.exp(-np.exp(middle) * squares)
        p /= p.sum(axis=1, keepdims=True)
        too_wide = entr(p).sum(axis=1, keepdims=True) > np.log(perplexity)
        low, high = np.where(too_wide, middle, low), np.where(too_wide, high, middle)
    return (p + p.T) / (2 * len(points))


def map_similarities(mapped: np.ndarray) -> np.ndarray:
    """How near each pair of points is on a map, by t-SNE's Student-t curve.

    Parameters
    ----------
    mapped : ndarray of shape (N, 2)

    Returns
    -------
    ndarray of shape (N, N)
        Symmetric, zero on the diagonal; all of it sums to 1.
    """
    q = 1 / (1 + squareform(pdist(mapped, "sqeuclidean")))
    np.fill_diagonal(q, 0)
    return q / q.sum()


def kl_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback–Leibler divergence Σ p log (p / q): what t-SNE makes small; 0 if p = q."""
    return float(rel_entr(p, q).sum())


def neighbours(points: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k nearest other points of each point, the nearest first.

    Parameters
    ----------
    points : ndarray of shape (N, D)

    Returns
    -------
    ndarray of shape (N, k), int

    Raises
    ------
    ValueError
        Unless 1 ≤ k < N.
    """
    points = as_points("points", points)
    if not 1 <= k < len(points):
        raise ValueError(f"k must lie between 1 and N − 1 = {len(points) - 1}, got {k}")
    return NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)


def _pair(original: np.ndarray, mapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and their places in a map, as many of these as of those."""
    original, mapped = as_points("original", original), as_points("mapped", mapped)
    if len(original) != len(mapped):
        raise ValueError(f"{len(original)} original points, but {len(mapped)} mapped ones")
    return original, mapped


def knn_overlap(original: np.ndarray, mapped: np.ndarray, k: int = 10) -> float:
    """Share of each point's k nearest neighbours that are the same in the map (KNN).

    Parameters
    ----------
    original, mapped : ndarray of shape (N, D) and (N, 2)

    Returns
    -------
    float
        1 if all are kept; about k / (N − 1) for a map without any relation.

    Raises
    ------
    ValueError
        Unless 1 ≤ k < N.
    """
    original, mapped = _pair(original, mapped)
    pairs = zip(neighbours(original, k), neighbours(mapped, k), strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in pairs]))


def class_overlap(
    original: np.ndarray, mapped: np.ndarray, labels: np.ndarray, k: int = 4
) -> float:
    """Share of each class mean's k nearest class means that are the same in the map (KNC).

    Parameters
    ----------
    original, mapped : ndarray of shape (N, D) and (N, 2)
    labels : ndarray of shape (N,)
    """
    means = [class_means(points, labels) for points in _pair(original, mapped)]
    return knn_overlap(*means, k)


def class_means(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean point of each class, in the order of the labels, shape (classes, D)."""
    return np.stack([points[labels == c].mean(axis=0) for c in np.unique(labels)])


def distance_correlation(original: np.ndarray, mapped: np.ndarray) -> float:
    """Spearman's correlation of all pairwise distances with those in the map (CPD)."""
    original, mapped = _pair(original, mapped)
    return float(spearmanr(pdist(original), pdist(mapped)).statistic)


def faithfulness(original: np.ndarray, mapped: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Five measures of how much of the original points a map keeps.

    Parameters
    ----------
    original, mapped : ndarray of shape (N, D) and (N, 2)
    labels : ndarray of shape (N,)
        The class of each point.

    Returns
    -------
    dict
        "KNN" (k = 10), "KNC" (k = 4) and "CPD", as above; "trustworthiness" (k = 10), from 0 to 1:
        high if neighbours in the map were near before; "accuracy", the share of points whose class
        is the most frequent one among their 10 neighbours in the map (:func:`knn_correct`).
    """
    original, mapped = _pair(original, mapped)
    return {
        "KNN": knn_overlap(original, mapped),
        "KNC": class_overlap(original, mapped, labels),
        "CPD": distance_correlation(original, mapped),
        "trustworthiness": float(trustworthiness(original, mapped, n_neighbors=10)),
        "accuracy": float(knn_correct(mapped, labels).mean()),
    }


def faithfulness_by_chance(
    original: np.ndarray, labels: np.ndarray, rng: np.random.Generator, maps: int = 10
) -> dict[str, float]:
    """The measures of :func:`faithfulness` for maps at random, on average: what chance gives.

    Parameters
    ----------
    original : ndarray of shape (N, D)
    labels : ndarray of shape (N,)
    maps : int
        How many are drawn.
    """
    drawn = [rng.random((len(original), 2)) for _ in range(maps)]
    found = [faithfulness(original, mapped, labels) for mapped in drawn]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def knn_correct(points: np.ndarray, labels: np.ndarray, k: int = 10) -> np.ndarray:
    """Whether each point's class is the most frequent one among its k nearest other points.

    Parameters
    ----------
    points : ndarray of shape (N, D)
    labels : ndarray of shape (N,)

    Returns
    -------
    ndarray of shape (N,), bool
        Their mean is the accuracy of k nearest neighbours, each point judged by the others.
    """
    nearest = labels[neighbours(points, k)]
    votes = np.stack([(nearest == c).sum(axis=1) for c in np.unique(labels)], axis=1)
    return np.unique(labels)[votes.argmax(axis=1)] == labels
