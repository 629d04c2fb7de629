"""What all chapters share: the import and the sliders."""

import subprocess
import sys

from matplotlib.backends.backend_agg import FigureCanvasAgg

from helpers.explore import labelled_values, live_view
from helpers.fashion_mnist import load_fashion_mnist
from helpers.pca import error_curve, pca_from_covariance
from helpers.plots.pca import plot_reconstructions
from tests.benchmarks.compare import RUNS, Result, medians


def benchmark_slider() -> Result:
    """From the event of chapter 1's slider to the new PNG, nothing cached; peer: the bare figure."""
    images, _ = load_fashion_mnist("train")
    test, _ = load_fashion_mnist("test")
    pca = pca_from_covariance(images.reshape(len(images), -1))
    curve = error_curve(pca, test.reshape(len(test), -1))

    def figure(k):
        return plot_reconstructions(pca, test[:6], curve, k)

    slider, _, image, _ = live_view(figure, {"k": labelled_values("k", range(200))}, [0]).children

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


COMPARISONS = (benchmark_import, benchmark_slider)
TABLES = {}
