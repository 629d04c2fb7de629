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
from helpers.plots.parts import mosaic, show_distances, show_image, show_rows
from helpers.spectrum import rank_above, relative

# one look for each model throughout the chapter
LOOKS = {
    "AE": {"color": BLUE, "ls": "-", "marker": "o"},
    "AE + L1": {"color": BROWN, "ls": (0, (3, 1, 1, 1)), "marker": "v"},
    "AE + L2": {"color": VIOLET, "ls": (0, (5, 1)), "marker": "P"},
    "l = 2": {"color": VERMILLION, "ls": "--", "marker": "s"},
    "l = 4": {"color": GREEN, "ls": "-.", "marker": "^"},
    "pixels": {"color": GREY, "ls": ":", "marker": "X"},
    "true shapes": {"color": BLACK, "ls": (0, (1, 1)), "marker": "D"},
}
COLORS_OF = {name: look["color"] for name, look in LOOKS.items()}
GAP = 10  # pixels between enlarged images, for their names
DEGREES = 7  # of freedom of one shape
EDGE = DEGREES - 0.5  # as many indices, from 0, lie left of it
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
def plot_falling(
    steps: Sequence[int], ranks: Mapping[str, Sequence[float]], errors: Mapping[str, Sequence]
) -> Picture:
    """Effective rank of the codes and error while networks are trained.

    Parameters
    ----------
    ranks, errors : mapping from model to sequence, one value for each of ``steps``
    """
    picture = new_picture(
        "Against the steps of training: on the left the effective rank of the codes of "
        + " and ".join(ranks)
        + ", on the right their errors.",
        height=4,
    )
    panels = picture.subplots(1, 2)
    for axes, curves, title in zip(
        panels, (ranks, errors), ("effective rank of the codes", "held-out error"), strict=True
    ):
        for name, values in curves.items():
            axes.plot(steps, values, label=name, **LOOKS[name])
        axes.set(ylim=0, xlabel="steps", title=title)
    panels[0].legend(frameon=False)
    return picture


@styled
def plot_starts(
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
        f"For {starts}: on the left how much what each of ten convolutions gives differs "
        "between images before any training, on the right the held-out errors against the epochs; "
        "a dashed line: all right but for the hue.",
        height=4.4,
    )
    left, right = picture.subplots(1, 2)
    fills = ("white", None)
    places = ((2.6, -3.5), (7.9, -1))
    colors = (GREY, PURPLE)
    for start, color, fill, place in zip(sizes, colors, fills, places, strict=True):
        look = {"color": color, "marker": "o", "mfc": fill}
        left.plot(np.arange(1, 11), np.log10(sizes[start]), ls="-", **look)
        left.text(*place, start, color=color, ha="center", weight="bold")
        for name, errors in curves[start].items():
            epochs = np.arange(1, len(errors) + 1)
            look = LOOKS[name] | {"mfc": fill or LOOKS[name]["color"], "ms": 5}
            look["markevery"] = max(1, len(errors) // 16)
            right.plot(epochs, np.log10(errors), label=f"{name}, {start}", **look)
    left.axvline(5.5, color=BLACK, ls=":", lw=1.5)
    left.text(5.6, -6.8, "code")
    _powers(left, -6)
    left.set(
        ylim=(-7, 0.9),
        xlabel="convolution: encoder | decoder",
        title="difference left, untrained",
    )
    left.set_xticks(range(1, 11))
    right.axhline(np.log10(grey), color=BLACK, ls="--", lw=1.5)
    right.text(right.get_xlim()[1], np.log10(grey), "all right but hue ", ha="right", va="top")
    ticks = (0.0005, 0.001, 0.002, 0.004, 0.008)
    right.set_yticks(np.log10(ticks), [f"{value:g}" for value in ticks])
    right.set(ylim=(None, np.log10(0.15)), xlabel="epochs", title="held-out error")
    right.legend(frameon=False, loc="upper right")
    return picture


@styled
def plot_hue(curves: Mapping[str, np.ndarray], hue: float) -> Picture:
    """The error in hue against the passes over the images, for several networks.

    Parameters
    ----------
    curves : mapping from name to ndarray of shape (passes,)
    hue : float
        That of images without any.
    """
    picture = new_picture(
        "The error in hue against the passes over the images for "
        + "; ".join(curves)
        + ". Dashed: images without hue.",
        height=3.8,
    )
    axes = picture.subplots()
    looks = (
        (GREY, "o", "-"),
        (BLACK, "X", ":"),
        (PURPLE, "D", (0, (3, 1, 1, 1))),
        (BLUE, "^", "-."),
        (VERMILLION, "s", "--"),
    )
    for (name, values), (color, marker, ls) in zip(curves.items(), looks, strict=False):
        passes = np.arange(1, len(values) + 1)
        axes.plot(passes, values, label=name, color=color, marker=marker, ls=ls)
    axes.axhline(hue, color=BLACK, ls=(0, (6, 6)), lw=1)
    axes.text(len(values), hue * 0.97, "without hue", va="top", ha="right")
    axes.set(ylim=(0, 1.8 * hue), xlabel="passes over 10,000 images", title="error in hue")
    axes.legend(frameon=False, ncols=3, loc="upper right")
    return picture


@styled
def plot_spectra(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    published: Mapping[str, Mapping[int, float]] | None = None,
) -> Picture:
    """Spectra of codes, each divided by its largest value, one panel for each set of images.

    Parameters
    ----------
    panels : mapping from title to mapping from model to ndarray of shape (latent,)
        Variances, falling.
    published : mapping from model to mapping from index to value, optional
        Drawn as hollow marks.
    """
    picture = new_picture(
        "Singular values of the covariance of the codes, divided by the largest, against their "
        "index; panels: "
        + "; ".join(panels)
        + ". Seven values lie left of a dashed line"
        + ("; hollow marks are the paper's values." if published else "."),
        height=4.8,
    )
    for axes, (title, spectra) in zip(
        picture.subplots(1, len(panels), sharey=True, squeeze=False)[0],
        panels.items(),
        strict=True,
    ):
        for name, spectrum in spectra.items():
            axes.plot(relative(spectrum), label=name, markevery=3, **LOOKS[name])
        for i, (name, values) in enumerate((published or {}).items()):  # equal ones are nested
            look = LOOKS[name] | {"ls": "", "mfc": "none", "mew": 2, "ms": 14 - 2 * i}
            axes.plot(list(values), list(values.values()), **look)
        if published:
            axes.plot(
                [], [], "o", mfc="none", color=BLACK, mew=2, ms=10, ls="", label="hollow: the paper"
            )
        axes.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
        axes.set(xlim=(-0.5, 25), ylim=(-0.03, 1.02), title=title, xlabel="index, from 0")
    picture.axes[0].set_ylabel("share of the largest")
    axes.legend(frameon=False)
    return picture


@styled
def plot_widening(models: Mapping[str, Mapping[int, np.ndarray]]) -> Picture:
    """The variances of each model's code after some epochs, on a logarithmic axis.

    Parameters
    ----------
    models : mapping from model to mapping from epochs to ndarray of shape (latent,)
    """
    picture = new_picture(
        "Variances of the codes after several epochs on a logarithmic axis, one panel for each of "
        + ", ".join(models)
        + "; later epochs are darker.",
        height=4.2,
    )
    low, high = -10, 2  # powers of ten
    for axes, (name, spectra) in zip(
        picture.subplots(1, len(models), sharey=True), models.items(), strict=True
    ):
        look = LOOKS[name]
        for i, (epochs, spectrum) in enumerate(spectra.items()):
            shade = 0.25 + 0.75 * (i + 1) / len(spectra)
            values = np.log10(np.maximum(spectrum, 1e-30))
            options = {"color": look["color"], "alpha": shade, "lw": 1 + 2 * shade}
            axes.plot(values, ls="-", label=f"{epochs}", **options)
        axes.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
        axes.set(xlim=(-0.5, 31.5), ylim=(low, high), title=name, xlabel="index, from 0")
        _powers(axes, low)
    picture.axes[0].set_ylabel("variance")
    picture.axes[0].legend(frameon=False, title="epochs", loc="lower right")
    return picture


@styled
def plot_doses(spectra: Mapping[str, np.ndarray]) -> Picture:
    """Spectra of codes that differ in one thing, its dose: the later in the mapping, the darker.

    Parameters
    ----------
    spectra : mapping from dose to ndarray of shape (latent,)
        Variances, falling; drawn as shares of the largest, on a logarithmic axis.
    """
    picture = new_picture(
        "Singular values of the covariance of codes, divided by the largest, on a logarithmic axis "
        "against their index, for " + ", ".join(spectra) + ".",
        height=4.4,
    )
    axes = picture.subplots()
    for i, (dose, spectrum) in enumerate(spectra.items()):
        shade = 0.3 + 0.7 * (i + 1) / len(spectra)
        values = np.log10(np.maximum(relative(spectrum), FLOOR))
        look = {"marker": "osD^vPX"[i % 7], "ls": ("-", "--", "-.", ":")[i % 4]}
        axes.plot(values, color=VERMILLION, alpha=shade, label=dose, **look)
    axes.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
    low = -8  # just below FLOOR
    axes.set(xlim=(-0.5, 16.5), ylim=(low, 0.3), xlabel="index, from 0")
    axes.set_ylabel("share of the largest")
    _powers(axes, low)
    axes.legend(frameon=False, loc="lower left")
    return picture


def _powers(axes: Axes, low: int) -> None:
    """Labels of a vertical axis that holds logarithms."""
    ticks = range(low, 1, 2)
    superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")  # quicker to draw than formulas
    axes.set_yticks(ticks, ["1" if p == 0 else "10" + str(p).translate(superscript) for p in ticks])


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
    _powers(left, -6)
    right = picture.add_axes((0.71, 0.16, 0.27, 0.74))
    places = np.arange(len(counts))[::-1]
    colors = [LOOKS[name]["color"] for name in counts]
    right.barh(places, list(counts.values()), color=colors)
    for place, count in zip(places, counts.values(), strict=True):
        right.text(count + 0.4, place, str(count), va="center", weight="bold")
    right.axvline(DEGREES, color=BLACK, ls="--", lw=1.5)
    right.set_yticks(places, list(counts))
    right.set(xlim=(0, 34), xticks=[], title=f"above {threshold:g}")
    right.grid(False)
    return picture


@styled
def plot_where_read(
    models: Mapping[str, tuple[np.ndarray, np.ndarray]], plain: np.ndarray
) -> Picture:
    """Spectra before and after the linear layers, beside that of the plain autoencoder.

    Parameters
    ----------
    models : mapping from model to (before, after), each of shape (latent,)
    plain : ndarray of shape (latent,)
    """
    picture = new_picture(
        "Spectra of what the linear layers get, dotted, and of what they give, solid, for "
        + " and ".join(models)
        + ", beside the plain autoencoder's, on a logarithmic axis.",
        height=4.2,
    )
    for axes, (name, (before, after)) in zip(
        picture.subplots(1, len(models), sharey=True), models.items(), strict=True
    ):
        logs = [np.log10(np.maximum(relative(v), FLOOR)) for v in (plain, before, after)]
        look = LOOKS[name]
        axes.plot(logs[0], **LOOKS["AE"], markevery=3, label="AE")
        axes.plot(logs[1], **look | {"ls": ":", "mfc": "white"}, markevery=3, label="before")
        axes.plot(logs[2], **look | {"ls": "-"}, markevery=3, label="after")
        axes.axvline(EDGE, color=BLACK, ls="--", lw=1.5)
        axes.set(xlim=(-0.5, 31.5), ylim=(-6, 0.1), title=name, xlabel="index, from 0")
        axes.legend(frameon=False)
        _powers(axes, -6)
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
    right.axvline(DEGREES, color=BLACK, lw=1.5, ls="--")
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


@styled
def plot_quality(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]],
    shares: np.ndarray,
) -> Picture:
    """Means over many paths, with their intervals, against the place on the path.

    Parameters
    ----------
    panels : mapping from title to mapping from model to (mean, low, high), each of shape (T,)
    """
    picture = new_picture(
        "Against t, means over many paths with 95 % intervals, for "
        + ", ".join(next(iter(panels.values())))
        + "; panels: "
        + "; ".join(panels)
        + ".",
        height=3.4 + 3 * (len(panels) // 2),
    )
    rows = -(-len(panels) // 2)
    grid = picture.subplots(rows, 2, squeeze=False, sharex=True, sharey="col")
    for axes, (title, curves) in zip(grid.flat, panels.items(), strict=False):
        for name, (mean, low, high) in curves.items():
            axes.plot(shares, mean, label=name, **LOOKS[name] | {"ms": 6})
            axes.fill_between(shares, low, high, color=LOOKS[name]["color"], alpha=0.2, lw=0)
        axes.set(ylim=(0, None), title=title)
    for axes in grid[-1]:
        axes.set_xlabel("t")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return picture
