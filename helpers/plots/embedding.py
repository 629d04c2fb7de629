"""Pictures of maps of high-dimensional points in the plane."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from helpers.picture import (
    BLACK,
    BLUE,
    BROWN,
    GREEN,
    GREY,
    PURPLE,
    VERMILLION,
    VIOLET,
    Picture,
    new_picture,
    styled,
)
from helpers.plots.parts import labels_apart, mosaic, places_beside, show_image

# ten classes: told apart by marker where colours repeat
CLASS_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, BROWN, VIOLET, BLACK, VERMILLION, GREY, GREEN)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "h")
CELLS = np.array([10, 7])  # of a map with images, across and up: each is about 95 pixels wide
LETTER, LINE = 0.125, 0.27  # inches that a letter and a line of a label take
HALO = [withStroke(linewidth=3, foreground="white")]


def _classes(
    axes: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str], *, size: float = 8
) -> None:
    """Points by class, with colour and marker, and each class's name beside its points.

    A line leads from a name to the median of its class. ``size`` is that of the markers.
    """
    classes = np.unique(labels)
    for c in classes:
        look = {"color": CLASS_COLORS[c], "marker": CLASS_MARKERS[c]}
        axes.plot(*points[labels == c].T, ls="", markersize=size, mec="white", mew=0.4, **look)
    inches = axes.get_position().size * axes.figure.get_size_inches()
    middle, span = (points.max(axis=0) + points.min(axis=0)) / 2, np.ptp(points, axis=0)
    inch = ((span + 1e-9) / (inches * [0.75, 0.85])).max()  # in the units of the map
    low, high = middle - inches * inch / 2, middle + inches * inch / 2
    medians = np.stack([np.median(points[labels == c], axis=0) for c in classes])
    sizes = np.array([[LETTER * len(names[c]) + 0.1, LINE] for c in classes]) * inch
    for c, (x, y), place in zip(
        classes, medians, places_beside(points, medians, sizes, low, high), strict=True
    ):
        if names[c]:
            words = {"color": CLASS_COLORS[c], "weight": "bold", "path_effects": HALO}
            axes.plot([x, place[0]], [y, place[1]], color=CLASS_COLORS[c], lw=1.5, ls="-")
            axes.text(*place, names[c], ha="center", va="center", **words)
    axes.set(xticks=[], yticks=[], xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.grid(False)
    axes.spines[:].set_visible(False)


@styled
def plot_maps(
    maps: Mapping[str, np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    alt: str,
) -> Picture:
    """Maps of the same points side by side, coloured by class.

    Parameters
    ----------
    maps : mapping from title to ndarray of shape (N, 2)
    labels : ndarray of shape (N,)
    names : sequence of str
        The name of class c is ``names[c]``; an empty one is not written.
    """
    width = 1 / len(maps)
    steepest = max(y / x for x, y in (np.ptp(points, axis=0) for points in maps.values()))
    height = 10 * width * min(max(steepest, 0.5), 1)  # as high as a map as wide as its panel needs
    picture = new_picture(alt, height=height + 0.5, layout=None)
    top = height / (height + 0.5)
    for i, (title, points) in enumerate(maps.items()):
        axes = picture.add_axes((i * width + 0.01, 0.01, width - 0.02, top - 0.01))
        _classes(axes, points, labels, names, size=4 + 8 * width)
        axes.set_title(title)
    return picture


@styled
def plot_kernels(levels: Sequence[float]) -> Picture:
    """The two curves by which t-SNE turns distances into similarities: Gaussian and Student-t.

    Parameters
    ----------
    levels : sequence of float
        Similarities between 0 and 1, at which an arrow leads from the one curve to the other.
    """
    gaussian, student = np.sqrt(-2 * np.log(levels)), np.sqrt(1 / np.asarray(levels) - 1)
    moved = ", ".join(f"{a:.1f} becomes {b:.1f}" for a, b in zip(gaussian, student, strict=True))
    picture = new_picture(
        "Similarity against distance: the Gaussian curve of the data falls fast, the Student-t "
        f"curve of the map slowly. For the same similarity, distance {moved}.",
        height=3.8,
    )
    axes = picture.subplots()
    distance = np.linspace(0, 8, 400)
    axes.plot(distance, np.exp(-(distance**2) / 2), color=BLUE, ls="--")
    axes.plot(distance, 1 / (1 + distance**2), color=VERMILLION, ls="-")
    for level, start, end in zip(levels, gaussian, student, strict=True):
        arrow = {"arrowstyle": "-|>", "color": BLACK, "lw": 2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (end, level), (start, level), arrowprops=arrow)
        axes.text(end + 0.1, level + 0.02, f"{start:.1f} → {end:.1f}", va="bottom")
    axes.text(1.15, 0.75, "in the data: Gaussian", color=BLUE, weight="bold")
    axes.text(2.3, 0.36, "on the map: Student-t", color=VERMILLION, weight="bold")
    axes.set(xlim=(0, 8), ylim=(0, 1.05), xlabel="distance", ylabel="similarity")
    return picture


@styled
def plot_thumbnails(points: np.ndarray, images: np.ndarray, title: str = "") -> Picture:
    """The images themselves at their places in a map: of each cell of a grid, the first that lies in it.

    Parameters
    ----------
    points : ndarray of shape (N, 2)
    images : ndarray of shape (N, H, W)
    """
    places = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    cells, first = np.unique(
        np.minimum(places * CELLS, CELLS - 1).astype(int), axis=0, return_index=True
    )
    picture = new_picture(
        f"{len(cells)} of {len(points)} images at their places in the map; neighbours look alike.",
        height=7.2,
        layout=None,
    )
    axes = picture.add_axes((0.01, 0.01, 0.98, 0.93))
    across, up = CELLS
    sheet = np.zeros((across * up, *images.shape[1:]), images.dtype)
    sheet[(up - 1 - cells[:, 1]) * across + cells[:, 0]] = images[first]  # rows count from the top
    show_image(axes, mosaic(sheet, across), title, vmin=0, vmax=1)
    return picture


@styled
def plot_perplexity(
    maps: Mapping[int, np.ndarray],
    measures: Mapping[int, Mapping[str, float]],
    labels: np.ndarray,
    names: Sequence[str],
    perplexity: int,
) -> Picture:
    """A t-SNE map of one perplexity, and the measures of all.

    Parameters
    ----------
    maps : mapping from perplexity to ndarray of shape (N, 2)
    measures : mapping from perplexity to measures, as ``faithfulness`` gives them
    perplexity : int
        One of the keys.
    """
    shown = measures[perplexity]
    picture = new_picture(
        f"A map by t-SNE of perplexity {perplexity}, with "
        + ", ".join(f"{name} {shown[name]:.1f}" for name in ("KNN", "CPD"))
        + ", and these measures against the perplexity.",
        height=5.4,
        layout=None,
    )
    left = picture.add_axes((0.01, 0.02, 0.56, 0.87))
    _classes(left, maps[perplexity], labels, names)
    left.set_title(f"perplexity {perplexity}")
    _measures(picture.add_axes((0.66, 0.15, 0.2, 0.74)), measures, perplexity)
    return picture


def _measures(axes, measures: Mapping[int, Mapping[str, float]], perplexity: int) -> None:
    values = sorted(measures)
    looks = {"accuracy": (BROWN, "v", "-."), "KNC": (GREEN, "^", ":")}
    looks |= {"CPD": (VERMILLION, "s", "--"), "KNN": (BLUE, "o", "-")}
    heights = labels_apart(np.array([(1, measures[values[-1]][name]) for name in looks]), (1, 0.07))
    for (name, (color, marker, line)), (_, height) in zip(looks.items(), heights, strict=True):
        curve = [measures[value][name] for value in values]
        axes.plot(values, curve, color=color, ls=line)
        shown = measures[perplexity][name]
        axes.plot(perplexity, shown, color=color, marker=marker, markersize=11)
        axes.annotate(
            name,
            (1.04, height),
            xycoords=axes.get_yaxis_transform(),
            color=color,
            weight="bold",
            va="center",
        )
    axes.set_xscale("log")
    ticks = [*values[::2], values[-1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set(ylim=(0, 1), xlabel="perplexity", title="how faithful")
