"""Principal component analysis, from the covariance matrix and from the SVD.

N samples are the rows of an (N, D) array. Variances are means over the N samples (divided by
N, not N − 1): that makes the variance dropped equal to the squared error of reconstruction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.arrays import as_numbers

BLOCK_ROWS = 16_384
SAMPLE_ROWS = 256
FAR = 100  # squared mean of a feature, in variances, from which float32 would suffer


@dataclass(frozen=True)
class PrincipalComponents:
    """What PCA learns from data with D features, for the k directions of largest variance.

    Attributes
    ----------
    mean : ndarray of shape (D,)
        Mean sample.
    components : ndarray of shape (k, D)
        Orthonormal directions, one a row, by falling variance. Of a direction and its
        opposite, the one whose entry of largest size is positive.
    explained_variance : ndarray of shape (k,)
        Variance of the data along each direction: the eigenvalues of the covariance.
    total_variance : float
        Variance along all D axes together; what k directions leave out is the rest.
    """

    mean: np.ndarray
    components: np.ndarray
    explained_variance: np.ndarray
    total_variance: float

    @property
    def explained_variance_ratio(self) -> np.ndarray:
        """Share of the total variance along each direction, shape (k,)."""
        if self.total_variance == 0:
            return np.zeros_like(self.explained_variance)
        return self.explained_variance / self.total_variance


def covariance(data: np.ndarray) -> np.ndarray:
    """Covariance of the features: mean over the samples of (x − mean)(x − mean)ᵀ.

    Parameters
    ----------
    data : ndarray of shape (N, D)

    Returns
    -------
    ndarray of shape (D, D), float64

    Raises
    ------
    TypeError, ValueError
        If ``data`` isn't an (N, D) array of at least two samples of finite numbers.
    """
    return mean_and_covariance(check_data(data))[1]


def variances_along(data: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Variance of the data's coordinates along directions: γᵀΣγ for each.

    Parameters
    ----------
    data : ndarray of shape (N, D)
    directions : ndarray of shape (D,) or (D, n)
        Of length one, as columns.

    Returns
    -------
    ndarray of shape () or (n,), in squared units of the data
    """
    return np.var(data @ directions, axis=0)


@np.errstate(over="ignore", invalid="ignore")  # reported as an error, not as a warning
def mean_and_covariance(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and covariance (D, D), float64, in one pass over floating-point data (N, D).

    For any shift a, Σ = mean of (x − a)(x − a)ᵀ − (m − a)(m − a)ᵀ. The sums are taken block by
    block in the precision of the data and added up in float64, so no copy of the data is made.
    Data far from the origin are shifted first: of two large numbers, float32 loses the difference.
    """
    sample = data[:: -(-len(data) // SAMPLE_ROWS)]
    shift = sample.mean(axis=0)
    far = (shift**2 > FAR * sample.var(axis=0)).any()
    total, products = np.zeros(data.shape[1]), np.zeros((data.shape[1], data.shape[1]))
    for i in range(0, len(data), BLOCK_ROWS):
        block = data[i : i + BLOCK_ROWS]
        if far:
            block = block - shift
        total += np.ones(len(block), block.dtype) @ block
        products += block.T @ block
    offset = total / len(data)
    products /= len(data)
    products -= np.outer(offset, offset)
    _require_finite(np.diag(products), data)
    return (offset + shift if far else offset), products


def pca_from_covariance(data: np.ndarray, k: int | None = None) -> PrincipalComponents:
    """PCA by the eigendecomposition of the (D, D) covariance.

    Parameters
    ----------
    data : ndarray of shape (N, D)
        Kept in its precision: float32 isn't copied to float64.
    k : int, optional
        Number of directions kept, 1 … min(N, D); all of them by default.

    Raises
    ------
    TypeError, ValueError
        If ``data`` isn't an (N, D) array of at least two samples of finite numbers, or k is
        out of range.
    """
    data = check_data(data)
    k = _check_k(k, min(data.shape))
    mean, matrix = mean_and_covariance(data)
    variances, directions = np.linalg.eigh(matrix)
    components = directions[:, ::-1][:, :k].T
    variances = np.maximum(variances[::-1][:k], 0)
    return _result(data, mean, components, variances, np.trace(matrix))


@np.errstate(over="ignore", invalid="ignore")  # reported as an error, not as a warning
def pca_from_svd(data: np.ndarray, k: int | None = None) -> PrincipalComponents:
    """PCA by the thin SVD of the centred data, U S Vᵀ: directions V, variances s²/N.

    Parameters, result and errors as for :func:`pca_from_covariance`.
    """
    data = check_data(data)
    k = _check_k(k, min(data.shape))
    mean = data.mean(axis=0, dtype=np.float64)
    _require_finite(mean, data)
    _, singular_values, components = np.linalg.svd(
        data - mean.astype(data.dtype), full_matrices=False
    )
    variances = singular_values.astype(np.float64) ** 2 / len(data)
    _require_finite(variances, data)
    return _result(data, mean, components[:k], variances[:k], variances.sum())


def _result(data, mean, components, variances, total) -> PrincipalComponents:
    components = fix_signs(components.astype(data.dtype))
    rounding = np.finfo(data.dtype).eps + len(data) * np.finfo(np.float64).eps
    if total <= np.sum((rounding * mean) ** 2):  # all samples are the same
        variances, total = np.zeros_like(variances), 0.0
    return PrincipalComponents(mean.astype(data.dtype), components, variances, float(total))


def fix_signs(directions: np.ndarray) -> np.ndarray:
    """Of each direction (a row) and its opposite, the one whose entry of largest size is positive.

    Of entries that are as large but for rounding, the first counts.
    """
    sizes = np.abs(directions)
    largest = (sizes >= (1 - 1e-6) * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
    return directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]


@np.errstate(over="ignore", invalid="ignore")  # reported as an error, not as a warning
def project(pca: PrincipalComponents, data: np.ndarray) -> np.ndarray:
    """Coordinates of samples along the components.

    Parameters
    ----------
    data : ndarray of shape (M, D)
        Samples of the same D features; one is enough.

    Returns
    -------
    ndarray of shape (M, k)

    Raises
    ------
    TypeError, ValueError
        If ``data`` isn't an (M, D) array of finite numbers, with as many features as the PCA has.
    """
    data = check_data(data, at_least=1)
    if data.shape[1] != len(pca.mean):
        raise ValueError(f"data has {data.shape[1]} features, the PCA has {len(pca.mean)}")
    scores = (data - pca.mean) @ pca.components.T
    _require_finite(scores, data)
    return scores


def reconstruct(pca: PrincipalComponents, scores: np.ndarray) -> np.ndarray:
    """Samples from their first k coordinates: mean + scores · components.

    Parameters
    ----------
    scores : ndarray of shape (M, k)
        As many columns as components are to be used, e.g. ``project(pca, x)[:, :10]``.

    Returns
    -------
    ndarray of shape (M, D)

    Raises
    ------
    ValueError
        If ``scores`` isn't two-dimensional, or has more columns than there are components.
    """
    scores = as_numbers("scores", scores)
    if scores.ndim != 2 or scores.shape[1] > len(pca.components):
        raise ValueError(
            f"scores has shape {scores.shape}: need (M, k) with k at most {len(pca.components)}"
        )
    return pca.mean + scores @ pca.components[: scores.shape[1]]


def error_curve(pca: PrincipalComponents, data: np.ndarray) -> np.ndarray:
    """Mean squared error per feature of reconstructions from 0, 1, …, k components.

    The directions are orthonormal, so each coordinate that is kept lowers the error by its own
    square. That is why one projection is enough for all k.

    Parameters
    ----------
    data : ndarray of shape (M, D)
        For the samples that PCA was fitted to, the result is the variance left out, divided by D.

    Returns
    -------
    ndarray of shape (k + 1,), float64

    Raises
    ------
    TypeError, ValueError
        As :func:`project`.
    """
    scores = project(pca, data).astype(np.float64)
    squares = np.mean(scores**2, axis=0)
    all_of_it = np.mean((data - pca.mean).astype(np.float64) ** 2) * data.shape[1]
    left = all_of_it - np.concatenate([[0.0], np.cumsum(squares)])
    return np.maximum(left, 0) / data.shape[1]


def compression_table(
    pca: PrincipalComponents, data: np.ndarray, ks: Sequence[int]
) -> dict[str, list]:
    """Explained variance and errors of reconstructions from k numbers a sample, for several k.

    Parameters
    ----------
    data : ndarray of shape (M, D)
        Samples whose features lie in [0, 1], best such that PCA was not fitted to.
    ks : sequence of int
        Numbers of components, 0 … k.

    Returns
    -------
    dict of lists, as long as ``ks``
        "k"; "explained", share of the variance of the data that PCA was fitted to; "left_out",
        the rest of that variance, per feature; "error", mean squared error per feature on
        ``data``; "clipped", the same after reconstructions were clipped to [0, 1], where the
        features lie.

    Raises
    ------
    TypeError, ValueError
        If a k is out of range, or as :func:`project`.
    """
    if bad := [k for k in ks if not 0 <= k <= len(pca.components)]:
        raise ValueError(f"ks must lie between 0 and {len(pca.components)}, got {bad}")
    scores, curve = project(pca, data), error_curve(pca, data)
    explained = np.concatenate([[0.0], np.cumsum(pca.explained_variance_ratio)])
    per_feature = pca.total_variance / len(pca.mean)
    clipped = [np.mean((reconstruct(pca, scores[:, :k]).clip(0, 1) - data) ** 2) for k in ks]
    return {
        "k": [int(k) for k in ks],
        "explained": [float(explained[k]) for k in ks],
        "left_out": [float(per_feature * (1 - explained[k])) for k in ks],
        "error": [float(curve[k]) for k in ks],
        "clipped": [float(error) for error in clipped],
    }


def check_data(data: np.ndarray, *, at_least: int = 2) -> np.ndarray:
    """The data as a floating-point (N, D) array; float32 and float64 are not copied.

    Raises
    ------
    TypeError
        If ``data`` doesn't hold real numbers.
    ValueError
        If it isn't two-dimensional, or has too few samples or no feature.
    """
    data = as_numbers("data", data)
    if data.ndim != 2:
        raise ValueError(
            f"data must have shape (N, D), a sample a row, got {data.shape}; "
            "images are flattened by data.reshape(len(data), -1)"
        )
    if len(data) < at_least or data.shape[1] == 0:
        raise ValueError(
            f"data must have at least {at_least} samples and 1 feature, got shape {data.shape}"
        )
    return data


def _require_finite(result: np.ndarray, data: np.ndarray) -> None:
    """Blame the data for a result that isn't finite: cheaper than looking at all data first."""
    if np.isfinite(result).all():
        return
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        raise ValueError(
            f"data must be finite, got {len(bad)} NaN or infinite values, "
            f"the first in row {bad[0][0]}, column {bad[0][1]}"
        )
    raise ValueError(f"data are too large: their squares overflow {data.dtype}; divide them first")


def _check_k(k: int | None, most: int) -> int:
    if k is None:
        return most
    if not isinstance(k, int | np.integer) or isinstance(k, bool):
        raise TypeError(f"k must be an integer, got {k!r}")
    if not 1 <= k <= most:
        raise ValueError(f"k must lie between 1 and min(N, D) = {most}, got {k}")
    return int(k)
