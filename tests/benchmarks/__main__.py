"""``make benchmark``: how fast the course is, against a peer in the same run.

Prints a table and writes results.json, from which notebooks and pages take their timings.
"""

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import sklearn.decomposition
from matplotlib.backends.backend_agg import FigureCanvasAgg

from helpers.explore import labelled_values, live_view
from helpers.fashion_mnist import load_fashion_mnist
from helpers.pca import covariance, error_curve, pca_from_covariance, pca_from_svd
from helpers.plots.pca import plot_reconstructions
from helpers.storage import BENCHMARKS as RESULTS
from helpers.storage import StorageError, write_json

RUNS = 25
PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "ipywidgets", "torch")


@dataclass(frozen=True)
class Result:
    """One comparison: medians of several runs, in seconds."""

    name: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    target: str
    met: bool
    runs: int


def medians(ours: Callable, peer: Callable, runs: int = RUNS) -> tuple[float, float, float]:
    """Median seconds of two functions that take turns, and the median of their ratios pair by pair.

    A round to warm up comes first; who begins alternates, so that neither profits from the order.
    """
    pairs = []
    for i in range(runs + 1):
        seconds = {}
        for function in (ours, peer) if i % 2 else (peer, ours):
            started = time.perf_counter()
            function()
            seconds[function] = time.perf_counter() - started
        pairs.append((seconds[ours], seconds[peer], seconds[ours] / seconds[peer]))
    return tuple(map(statistics.median, zip(*pairs[1:], strict=True)))


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


def benchmark_slider() -> Result:
    """From the event of chapter 1's slider to the new PNG, nothing cached; peer: the bare figure."""
    images, _ = load_fashion_mnist("train")
    test, _ = load_fashion_mnist("test")
    pca = pca_from_covariance(images.reshape(len(images), -1))
    curve = error_curve(pca, test.reshape(len(test), -1))

    def figure(k):
        return plot_reconstructions(pca, test[:6], curve, k)

    slider, _, image = live_view(figure, {"k": labelled_values("k", range(200))}, [0]).children

    def move():
        before = image.value
        slider.index = (slider.index + 7) % 200
        assert image.value != before

    times = medians(move, lambda: FigureCanvasAgg(figure(k=100)).draw(), runs=30)
    name = "slider event to new PNG"
    return Result(
        name, times[0], "drawing the figure alone", *times[1:], "≤ 0.1 s", times[0] <= 0.1, 30
    )


def benchmark_import() -> Result:
    """A fresh interpreter that imports the package."""

    def run(code):
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    times = medians(run("import helpers"), run("import numpy"))
    met = times[0] <= 0.3
    return Result(
        "python -c 'import helpers'", times[0], "import numpy", *times[1:], "≤ 0.3 s", met, RUNS
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


COMPARISONS = (benchmark_import, benchmark_slider, benchmark_pca)


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def main() -> None:
    """Run all benchmarks, print them and save them."""
    results = []
    print(f"{'':46}{'ours':>9}{'peer':>9}{'ratio':>7}  target")
    for benchmark in COMPARISONS:
        try:
            result = benchmark()
        except StorageError as error:
            raise SystemExit(f"make benchmark: {error}") from None
        results.append(asdict(result))
        verdict = "met" if result.met else "MISSED"
        print(
            f"{result.name:46}{result.ours:8.3f}s{result.peer:8.3f}s{result.ratio:7.2f}  "
            f"{result.target}: {verdict} (peer: {result.peer_name})"
        )
    record = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "results": results,
        "solvers": solver_times(),
    }
    write_json(RESULTS, record)


if __name__ == "__main__":
    main()
