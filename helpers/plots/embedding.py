"""Pictures of maps of high-dimensional points in the plane."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from helpers.picture import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    new_picture,
    styled,
)
from helpers.plots.parts import labels_apart, show_image

# ten classes: told apart by marker where colours repeat
CLASS_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, VERMILLION, PURPLE, BLUE)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "h")
THUMBNAILS = 20  # in a column of a map
HALO = [withStroke(linewidth=3, foreground="white")]


def _classes(
    axes: Axes,
    points: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    width: float = 0.5,
    above: bool = False,
) -> None:
    """Points by class, with colour, marker and a label at the median of each class, or above all.

    ``width`` is the axes' share of the picture's width: it tells how much room a label takes.
    """
    for c in np.unique(labels):
        x, y = points[labels == c].T
        look = {"color": CLASS_COLORS[c], "marker": CLASS_MARKERS[c]}
        axes.plot(x, y, ls="", markersize=10 * width, alpha=0.75, markeredgewidth=0, **look)
    classes = np.unique(labels)
    middles = np.stack([np.median(points[labels == c], axis=0) for c in classes])
    room = np.ptp(points, axis=0).max() / width * np.array([0.1, 0.03])
    if above:
        middles[:, 1] = [points[labels == c, 1].max() for c in classes]
    for c, (x, y) in zip(classes, labels_apart(middles, room), strict=True):
        words = {"color": CLASS_COLORS[c], "weight": "bold", "path_effects": HALO}
        axes.text(x, y, names[c], ha="center", va="bottom" if above else "center", **words)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.margins(0.13, 0.05)  # labels are wider than islands
    axes.set_aspect("equal", adjustable="datalim")


@styled
def plot_maps(
    maps: Mapping[str, np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    alt: str,
    *,
    above: bool = False,
) -> Picture:
    """Maps of the same points side by side, coloured by class.

    Parameters
    ----------
    maps : mapping from title to ndarray of shape (N, 2)
    labels : ndarray of shape (N,)
    names : sequence of str
        The name of class c is ``names[c]``.
    above : bool
        Names stand above the points of their class, not amid them.
    """
    width = 1 / len(maps)
    steepest = max(y / x for x, y in (np.ptp(points, axis=0) for points in maps.values()))
    height = 10 * width * min(max(steepest, 0.5), 1)  # as high as a map as wide as its panel needs
    picture = new_picture(alt, height=height + 0.5, layout=None)
    top = height / (height + 0.5)
    for i, (title, points) in enumerate(maps.items()):
        axes = picture.add_axes((i * width + 0.01, 0.01, width - 0.02, top - 0.01))
        _classes(axes, points, labels, names, width=width, above=above)
        axes.set_title(title)
    return picture


@styled
def plot_thumbnails(points: np.ndarray, images: np.ndarray, title: str = "") -> Picture:
    """The images themselves at their places in a map; those that would hide another are left out.

    Parameters
    ----------
    points : ndarray of shape (N, 2)
    images : ndarray of shape (N, H, W)
    """
    places = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    kept: list[int] = []
    for i, place in enumerate(places):
        apart = np.abs((places[kept] - place) * [THUMBNAILS * 1.45 - 1, THUMBNAILS - 1])
        if not kept or apart.max(axis=1).min() >= 1:
            kept.append(i)
    picture = new_picture(
        f"{len(kept)} of {len(points)} images at their places in the map; neighbours look alike.",
        height=7.2,
        layout=None,
    )
    axes = picture.add_axes((0.01, 0.01, 0.98, 0.93))
    height, width = images.shape[1:]
    sheet = np.zeros((THUMBNAILS * height, round(THUMBNAILS * 1.45) * width))
    corners = places * (np.array(sheet.shape)[::-1] - [width, height])
    for i in kept:
        x, y = corners[i].astype(int)
        y = len(sheet) - height - y  # rows are counted from the top
        sheet[y : y + height, x : x + width] = images[i]
    show_image(axes, sheet, title, vmin=0, vmax=1)
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
        height=4.9,
        layout=None,
    )
    left = picture.add_axes((0.01, 0.02, 0.56, 0.87))
    _classes(left, maps[perplexity], labels, names)
    left.set_title(f"perplexity {perplexity}")
    right = picture.add_axes((0.66, 0.15, 0.2, 0.74))
    values = sorted(measures)
    looks = {"accuracy": (ORANGE, "v", "-."), "KNC": (GREEN, "^", ":")}
    looks |= {"CPD": (VERMILLION, "s", "--"), "KNN": (BLUE, "o", "-")}
    heights = labels_apart(np.array([(1, measures[values[-1]][name]) for name in looks]), (1, 0.07))
    for (name, (color, marker, line)), (_, height) in zip(looks.items(), heights, strict=True):
        curve = [measures[value][name] for value in values]
        right.plot(values, curve, color=color, ls=line)
        right.plot(perplexity, shown[name], color=color, marker=marker, markersize=11)
        right.annotate(
            name,
            (1.04, height),
            xycoords=right.get_yaxis_transform(),
            color=color,
            weight="bold",
            va="center",
        )
    right.set_xscale("log")
    right.set_xticks(values[::2], [str(value) for value in values[::2]])
    right.set_xticks([], minor=True)
    right.set(ylim=(0, 1), xlabel="perplexity", title="how faithful")
    return picture
