"""Pictures of shapes, of the spectra of their codes, and of the ways between them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Polygon

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
from helpers.plots.parts import labels_apart, mosaic, powers, show_distances, show_image, show_rows
from helpers.shapes import FACTORS
from helpers.spectrum import rank_above, relative

# one look for each model throughout the chapter
LOOKS = {
    "AE": {"color": BLUE, "ls": "-", "marker": "o"},
    "AE + L1": {"color": BROWN, "ls": (0, (3, 1, 1, 1)), "marker": "v"},
    "AE + L2": {"color": VIOLET, "ls": (0, (5, 1)), "marker": "P"},
    "l = 2": {"color": VERMILLION, "ls": "--", "marker": "s"},
    "l = 4": {"color": GREEN, "ls": "-.", "marker": "^"},
    "pixels": {"color": GREY, "ls": ":", "marker": "X"},
}
COLORS_OF = {name: look["color"] for name, look in LOOKS.items()}
GAP = 10  # pixels between enlarged images, for their names
TRUE_DEGREES = len(FACTORS)  # of freedom of one shape
EDGE = TRUE_DEGREES - 0.5  # as many indices, from 0, lie left of it
FLOOR = 1e-7  # of the largest value: what is smaller is rounding


def for_display(images: np.ndarray) -> np.ndarray:
    """Images (…, 3, H, W) as (…, H, W, 3), cut off at 0 and 1."""
    return np.moveaxis(np.asarray(images), -3, -1).clip(0, 1)


@styled
def plot_folding(linear_layers: int) -> Picture:
    """The network while it is trained, and with its linear layers multiplied out."""
    picture = new_picture(
        f"An encoder, {linear_layers} square linear layers and a decoder in a row; below them the "
        "same with a single matrix, the product of the layers.",
        height=3.2,
        layout=None,
    )
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 20), ylim=(0, 6.4), xticks=[], yticks=[])
    axes.axis("off")
    several = [f"$W_{i + 1}$" for i in range(linear_layers)]
    product = "$W = " + "".join(f"W_{i}" for i in range(linear_layers, 0, -1)) + "$"
    for y, layers, name in ((4.9, several, "training"), (1.7, [product], "afterwards")):
        axes.text(0.2, y, name, va="center", weight="bold")
        _box(axes, 4.6, y, 2.8, "encoder", BLUE, right=0.5)
        xs = np.linspace(7.3, 14.2, len(layers)) if len(layers) > 1 else [10.75]
        width = 1.2 if len(layers) > 1 else 4.4
        for x, label in zip(xs, layers, strict=True):
            _box(axes, x, y, width, label, VERMILLION, tall=0.62)
        _box(axes, 16.8, y, 2.8, "decoder", BLUE, left=0.5)
        stops = [3.2, 6.0, *xs, 15.4, 18.2]
        halves = [0, 0, *[width / 2] * len(xs), 0, 0]
        ends = [(2.6, 3.2), (18.2, 18.9)] + [
            (stops[i] + halves[i], stops[i + 1] - halves[i + 1]) for i in range(1, len(stops) - 2)
        ]
        for start, end in ends:
            axes.add_patch(
                FancyArrowPatch((start, y), (end, y), arrowstyle="-|>", mutation_scale=14, lw=1.5)
            )
        axes.text(15.0, y - 1.35, "code", ha="center", color=GREY)
        axes.plot([15.0, 15.0], [y - 0.9, y - 0.1], color=GREY, ls=":", lw=1.5)
    axes.text(10.2, 3.35, "32 × 32 each, nothing between them", ha="center", color=GREY)
    return picture


def _box(axes: Axes, x, y, width, label, color, *, tall=1.2, left=1.0, right=1.0) -> None:
    """A box, or a funnel whose left or right side is shorter, with a label."""
    w, a, b = width / 2, tall * left, tall * right
    corners = [(x - w, y - a), (x - w, y + a), (x + w, y + b), (x + w, y - b)]
    axes.add_patch(Polygon(corners, facecolor=color, alpha=0.2))
    axes.add_patch(Polygon(corners, facecolor="none", edgecolor=color, lw=2))
    axes.text(x, y, label, ha="center", va="center")


@styled
def plot_readings(readings: Mapping[str, np.ndarray], x: int, y: int) -> Picture:
    """One shape as each reading of its size draws it, with the place that x and y name.

    Parameters
    ----------
    readings : mapping from title to ndarray of shape (3, 32, 32)
    """
    picture = new_picture(
        f"A shape on black with x = {x} and y = {y}, drawn "
        + ", and ".join(readings)
        + "; a cross marks (x, y).",
        height=3.6,
        layout=None,
    )
    for i, (title, image) in enumerate(readings.items()):
        axes = picture.add_axes((0.17 + 0.37 * i, 0.03, 0.29, 0.82))
        show_image(axes, for_display(image), title)
        axes.plot(x, y, marker="+", color="white", ms=17, mew=4)
        axes.plot(x, y, marker="+", color=BLACK, ms=14, mew=1.5)
    return picture


@styled
def plot_rising(steps: Sequence[int], variances: Mapping[str, np.ndarray]) -> Picture:
    """The variances of each model's code along its axes while it is trained, one line for each.

    Parameters
    ----------
    steps : sequence of int
    variances : mapping from model to ndarray of shape (len(steps), latent)
        Falling in each row; the nine largest are drawn.
    """
    picture = new_picture(
        "Variances of the code along its axes, on a logarithmic axis against the steps of training; "
        "panels: " + "; ".join(variances) + ". Each line is one direction, the largest is darkest.",
        height=4.4,
    )
    low = -8
    for axes, (name, values) in zip(
        picture.subplots(1, len(variances), sharey=True), variances.items(), strict=True
    ):
        logs = np.log10(np.maximum(values, 10.0 ** (low - 1)))
        color = COLORS_OF[name.split(",")[0]]
        for i in reversed(range(9)):
            look = {"color": color, "alpha": 1 - 0.08 * i, "lw": 3 - 0.25 * i}
            axes.plot(steps, logs[:, i], ls="-", marker="", **look)
        for i in range(5):  # numbers only where they have room
            if i == 0 or logs[-1, i - 1] - logs[-1, i] > 0.4:
                place = steps[-1] * 1.01, logs[-1, i]
                axes.text(*place, str(i + 1), va="center", fontsize=12, color=color)
        axes.set(xlim=(0, steps[-1] * 1.06), ylim=(low, 1), xlabel="steps", title=name)
        powers(axes, low)
    picture.axes[0].set_ylabel("variance")
    return picture


@styled
def plot_signals(
    sizes: Mapping[str, np.ndarray],
    curves: Mapping[str, Mapping[str, np.ndarray]],
    grey: float,
) -> Picture:
    """Two starts: how much differs between images in each convolution, and the errors of training.

    Parameters
    ----------
    sizes : mapping from start to ndarray of shape (10,)
        Encoder, then decoder; as shares of how much the images differ.
    curves : mapping from start to mapping from model to ndarray of shape (epochs,)
        Held-out error after each epoch.
    grey : float
        Error of images that are right but for their hue.
    """
    starts = " and ".join(sizes)
    picture = new_picture(
        f"For {starts}: on the left how much the output of each of ten convolutions varies "
        "between images before any training, on the right the held-out errors against the epochs; "
        "a dashed line: all right but for the hue.",
        height=4.4,
    )
    left, right = picture.subplots(1, 2)
    fills = dict(zip(sizes, ("white", None), strict=True))
    _errors_of_starts(right, curves, fills, grey)
    places = ((3.6, -4.2), (7.9, -1))
    for start, color, place in zip(sizes, (GREY, PURPLE), places, strict=True):
        look = {"color": color, "marker": "o", "mfc": fills[start]}
        left.plot(np.arange(1, 11), np.log10(sizes[start]), ls="-", **look)
        left.text(*place, start, color=color, ha="center", weight="bold")
    left.axvline(5.5, color=BLACK, ls=":", lw=1.5)
    left.text(5.6, -6.8, "code")
    powers(left, -6)
    left.set(
        ylim=(-7, 0.9),
        xlabel="convolution: encoder | decoder",
        title="difference left, untrained",
    )
    left.set_xticks(range(1, 11))
    return picture


def _errors_of_starts(axes: Axes, curves, fills: Mapping[str, str | None], grey: float) -> None:
    for start, fill in fills.items():
        for name, errors in curves[start].items():
            epochs = np.arange(1, len(errors) + 1)
            look = LOOKS[name] | {"mfc": fill or LOOKS[name]["color"], "ms": 5}
            look["markevery"] = max(1, len(errors) // 16)
            axes.plot(epochs, np.log10(errors), label=f"{name}, {start}", **look)
    axes.axhline(np.log10(grey), color=BLACK, ls="--", lw=1.5)
    axes.text(axes.get_xlim()[1], np.log10(grey), "all right but hue ", ha="right", va="top")
    ticks = (0.0005, 0.001, 0.002, 0.004, 0.008)
    axes.set_yticks(np.log10(ticks), [f"{value:g}" for value in ticks])
    axes.set(ylim=(None, np.log10(0.15)), xlabel="epochs", title="held-out error")
    axes.legend(frameon=False, loc="upper right")


@styled
def plot_spectra(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    published: Mapping[str, Mapping[int, float]],
    marked: str,
) -> Picture:
    """Spectra of codes, each divided by its largest value, one panel for each set of images.

    Parameters
    ----------
    panels : mapping from title to mapping from model to ndarray of shape (latent,)
        Variances, falling.
    published : mapping from model to mapping from index to value
        Drawn as hollow marks.
    marked : str
        The panel that has them: the one whose experiment was published.
    """
    picture = new_picture(
        "Singular values of the covariance of the codes, divided by the largest, against their "
        "index; panels: "
        + "; ".join(panels)
        + ". Seven values lie left of a dashed line; hollow marks are the paper's values.",
        height=4.8,
    )
    for axes, (title, spectra) in zip(
        picture.subplots(1, len(panels), sharey=True, squeeze=False)[0],
        panels.items(),
        strict=True,
    ):
        for name, spectrum in spectra.items():
            axes.plot(relative(spectrum), label=name, markevery=3, **LOOKS[name])
        if title == marked:
            for i, (name, values) in enumerate(published.items()):  # equal ones are nested
                look = LOOKS[name] | {"ls": "", "mfc": "none", "mew": 2, "ms": 14 - 2 * i}
                axes.plot(list(values), list(values.values()), **look)
            hollow = {"marker": "o", "mfc": "none", "color": BLACK, "mew": 2, "ms": 10, "ls": ""}
            axes.plot([], [], label="hollow: the paper", **hollow)
        axes.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
        axes.set(xlim=(-0.5, 25), ylim=(-0.03, 1.02), title=title, xlabel="index, from 0")
        axes.legend(frameon=False)
    picture.axes[0].set_ylabel("share of the largest")
    return picture


@styled
def plot_start(
    spectra: Mapping[float, np.ndarray],
    tracks: Mapping[float, tuple[Sequence[float], Sequence[int]]],
    start: float,
    epoch: int,
) -> Picture:
    """Networks that differ in the size of their start: spectra, and counts against the error.

    Parameters
    ----------
    spectra : mapping from factor of the start to ndarray of shape (epochs, latent)
        Variances of the code after each epoch, falling.
    tracks : mapping from factor of the start to (errors, counts), each of length epochs
        Held-out error, and how many values exceed 1 % of the largest.
    start : float
        Which is drawn strong.
    epoch : int
        From 1; the one whose spectra are drawn.
    """
    count = tracks[start][1][epoch - 1]
    picture = new_picture(
        f"Left: spectra of codes after {epoch} epochs on a logarithmic axis, one line for each size "
        f"of the start, × {start:g} drawn strong. Right: how many values exceed 1 % against the held-out "
        f"error; the chosen network has {count}.",
        height=4.2,
        layout=None,
    )
    looks = {name: {"color": GREY, "lw": 1.2} for name in spectra}
    looks[start] = {"color": VERMILLION, "lw": 3.5, "zorder": 3}
    left = picture.add_axes((0.08, 0.16, 0.4, 0.74))
    for name, values in spectra.items():
        shares = np.log10(np.maximum(relative(values[epoch - 1]), FLOOR))
        left.plot(shares, ls="-", marker="o" if name == start else "", **looks[name])
    left.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
    left.axhline(-2, color=PURPLE, ls="-", lw=1.5)
    left.text(16.4, -1.95, "1 %", color=PURPLE, ha="right", va="bottom")
    low = -8  # just below FLOOR
    left.set(xlim=(-0.5, 16.5), ylim=(low, 0.3), xlabel="index, from 0")
    left.set_title(f"share of the largest after {epoch} epochs")
    left.set_xticks(range(0, 17, 4))
    powers(left, low)
    right = picture.add_axes((0.57, 0.16, 0.41, 0.74))
    _counts_against_error(right, tracks, looks, epoch)
    right.set_title(f"values above 1 %, start × {start:g}: {count}")
    return picture


def _counts_against_error(axes: Axes, tracks, looks: Mapping[float, dict], epoch: int) -> None:
    ends = np.array([(0.0, counts[-1]) for _, counts in tracks.values()])
    heights = labels_apart(ends, (1, 1.3))[:, 1]
    for (name, (errors, counts)), height in zip(tracks.items(), heights, strict=True):
        errors, look = np.log10(errors), looks[name]
        axes.plot(errors, counts, ls="-", marker="", **look)
        axes.plot(errors[epoch - 1], counts[epoch - 1], marker="o", **look)
        told = f"× {name:g} → {counts[-1]}"
        axes.text(np.log10(0.00066), height, told, color=look["color"], va="center")
    ticks = (0.0005, 0.001, 0.002, 0.005, 0.01)
    axes.set_xticks(np.log10(ticks), [f"{value:g}" for value in ticks])
    axes.set_yticks(range(0, 19, 3))
    axes.axhline(TRUE_DEGREES, color=BLACK, ls="--", lw=1.5)
    axes.set(xlim=np.log10((0.011, 0.0002)), ylim=(0, 19), xlabel="held-out error, falling")


@styled
def plot_threshold(spectra: Mapping[str, np.ndarray], threshold: float) -> Picture:
    """How many values of each spectrum exceed a share of its largest.

    Parameters
    ----------
    spectra : mapping from model to ndarray of shape (latent,)
    threshold : float
        0 < threshold < 1.
    """
    counts = {name: rank_above(values, threshold) for name, values in spectra.items()}
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    picture = new_picture(
        f"Spectra on a logarithmic axis and how many values exceed {threshold:g} of the largest: "
        f"{told}. Dashed: seven.",
        height=4.2,
        layout=None,
    )
    left = picture.add_axes((0.07, 0.16, 0.5, 0.74))
    for name, values in spectra.items():
        left.plot(np.log10(np.maximum(relative(values), FLOOR)), markevery=3, **LOOKS[name])
    left.axhline(np.log10(threshold), color=PURPLE, lw=2, ls="-")
    left.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
    left.set(
        xlim=(-0.5, 31.5), ylim=(-6, 0.1), xlabel="index, from 0", title="share of the largest"
    )
    powers(left, -6)
    right = picture.add_axes((0.71, 0.16, 0.27, 0.74))
    places = np.arange(len(counts))[::-1]
    colors = [LOOKS[name]["color"] for name in counts]
    right.barh(places, list(counts.values()), color=colors)
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for place, count in zip(places, counts.values(), strict=True):
        right.text(count + 0.4, place, str(count), va="center", weight="bold", bbox=behind)
    right.axvline(TRUE_DEGREES, color=BLACK, ls="--", lw=1.5)
    right.set_yticks(places, list(counts))
    right.set(xlim=(0, 34), xticks=[], title=f"above {threshold:g}")
    right.grid(False)
    return picture


@styled
def plot_cut(
    images: np.ndarray,
    rows: Mapping[str, np.ndarray],
    errors: Mapping[str, np.ndarray],
    ks: Sequence[int],
    k: int,
) -> Picture:
    """Images decoded from the first k components of their codes, and the error for each k.

    Parameters
    ----------
    images : ndarray of shape (N, 3, H, W)
    rows : mapping from model to ndarray of shape (len(ks), N, 3, H, W)
    errors : mapping from model to ndarray of shape (len(ks),)
        Mean squared errors, of these or of more images.
    """
    at = list(ks).index(k)
    picture = new_picture(
        f"Shapes, and what {', '.join(rows)} make of them with k = {k} components of their codes; "
        "beside them the error against k.",
        height=4,
        layout=None,
    )
    shown = {"original": images} | {name: row[at] for name, row in rows.items()}
    left = picture.add_axes((0.1, 0.02, 0.52, 0.9))
    rows = {name: for_display(values) for name, values in shown.items()}
    show_rows(left, rows, len(images), colors=COLORS_OF, gap=2)
    left.set_title(f"k = {k}")
    right = picture.add_axes((0.7, 0.16, 0.28, 0.76))
    for name, values in errors.items():
        right.plot(ks, np.log10(values), markevery=4, **LOOKS[name])
    right.axvline(k, color=PURPLE, lw=4, alpha=0.5, ls="-")
    right.axvline(TRUE_DEGREES, color=BLACK, lw=1.5, ls="--")
    if "pixels" in errors:
        place = len(ks) - 1, np.log10(errors["pixels"][len(ks) // 2]) + 0.04
        right.text(*place, "PCA of pixels", color=COLORS_OF["pixels"], ha="right", va="bottom")
    ticks = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
    low, high = right.get_ylim()
    shown_ticks = [t for t in ticks if low <= np.log10(t) <= high]
    right.set_yticks(np.log10(shown_ticks), [f"{t:g}" for t in shown_ticks])
    right.set(xlabel="numbers kept, k", title="error")
    return picture


@styled
def plot_between(
    paths: Mapping[str, np.ndarray],
    distances: Mapping[str, np.ndarray],
    shares: np.ndarray,
    t: float,
) -> Picture:
    """What each model makes of a point on the way from one image to another.

    Parameters
    ----------
    paths : mapping from model to ndarray of shape (T, 3, 32, 32)
    distances : mapping from model to ndarray of shape (T,)
        Relative distance to the nearest true shape.
    shares : ndarray of shape (T,)
        t of each image, rising from 0 to 1.
    t : float
        One of them.
    """
    at = int(np.abs(np.asarray(shares) - t).argmin())
    picture = new_picture(
        f"What {', '.join(paths)} make of the point t = {t:.2f} on the way from one image to "
        "another, and the distance to the nearest true shape along the way.",
        height=3.6,
        layout=None,
    )
    images = for_display(np.stack([path[at] for path in paths.values()]))
    left = picture.add_axes((0.01, 0.03, 0.5, 0.88))
    sheet = mosaic(np.pad(images, [(0, 0)] * 3 + [(0, 1)], constant_values=1), 3, gap=GAP)
    show_image(left, sheet)  # between the images it is transparent
    step = images.shape[1] + GAP
    for i, name in enumerate(paths):
        place = (i % 3 * step + images.shape[2] / 2, i // 3 * step - 1)
        color = LOOKS[name]["color"]
        left.text(*place, name, color=color, ha="center", va="bottom", weight="bold")
    right = picture.add_axes((0.6, 0.17, 0.38, 0.7))
    show_distances(right, shares, distances, LOOKS, at)
    right.set_title("distance to a true shape")
    return picture
