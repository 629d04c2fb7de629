"""Chapter 1: PCA."""

import numpy as np
import sklearn.decomposition

from helpers.fashion_mnist import load_fashion_mnist
from helpers.pca import covariance, pca_from_covariance, pca_from_svd
from tests.benchmarks.compare import RUNS, Result, medians


def benchmark_pca() -> Result:
    """All components of 60,000 × 784 in single precision."""
    images, _ = load_fashion_mnist("train", full=True)
    data = images.reshape(len(images), -1)
    peer = sklearn.decomposition.PCA(svd_solver="covariance_eigh")
    times = medians(lambda: pca_from_covariance(data), lambda: peer.fit(data))
    exact = np.linalg.eigvalsh(covariance(data.astype(np.float64)))[::-1][:100]
    error = float(np.max(np.abs(pca_from_covariance(data, 100).explained_variance / exact - 1)))
    met = times[2] <= 1 and error <= 1e-4
    name = "PCA of 60,000 × 784 float32, all components"
    return Result(
        name,
        times[0],
        "scikit-learn, covariance_eigh",
        *times[1:],
        f"ratio ≤ 1; 100 largest within 1e-4 ({error:.0e})",
        met,
        RUNS,
    )


def solver_times(runs: int = 5) -> list[dict]:
    """Seconds that ways to do PCA take on the shipped 10,000 × 784 images, for chapter 1."""
    images, _ = load_fashion_mnist("train")
    single = images.reshape(len(images), -1)
    double = single.astype(np.float64)
    few = {"n_components": 50, "random_state": 0}
    randomized = sklearn.decomposition.PCA(svd_solver="randomized", **few)
    incremental = sklearn.decomposition.IncrementalPCA(50, batch_size=1000)
    solvers = {
        "covariance + eigh, all": pca_from_covariance,
        "thin SVD, all": pca_from_svd,
        "randomized SVD, first 50": randomized.fit,
        "incremental, first 50": incremental.fit,
    }
    times = {
        name: medians(lambda fit=fit: fit(single), lambda fit=fit: fit(double), runs)
        for name, fit in solvers.items()
    }
    return [
        {"name": n, "float32": single, "float64": double}
        for n, (single, double, _) in times.items()
    ]


COMPARISONS = (benchmark_pca,)
TABLES = {"solvers": solver_times}
