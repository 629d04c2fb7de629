"""Pictures of autoencoders and of their codes."""

from collections.abc import Mapping, Sequence

import numpy as np

from helpers.picture import (
    BLACK,
    BLUE,
    COLORS,
    GREEN,
    GREY,
    VERMILLION,
    Picture,
    new_picture,
    styled,
)
from helpers.plots.parts import mosaic, show_distances, show_image, show_rows

WAYS = (  # the look of each way from one image to another
    {"color": VERMILLION, "marker": "s", "ls": "-"},
    {"color": BLUE, "marker": "o", "ls": "--"},
    {"color": GREEN, "marker": "^", "ls": "-."},
)


@styled
def plot_rows(
    rows: Mapping[str, np.ndarray],
    alt: str,
    *,
    title: str = "",
    under: Sequence[str] = (),
    signed: bool = False,
) -> Picture:
    """Rows of images, each with its name.

    Parameters
    ----------
    rows : mapping from name to ndarray of shape (M, H, W) or (M, H, W, 3)
        As many images in each.
    alt : str
        What is to be seen.
    under : sequence of str, optional
        A caption below each column.
    signed : bool
        Show each row's values from red over white (zero) to blue instead of grey.

    Raises
    ------
    ValueError
        If the rows have different numbers of images.
    """
    counts = {len(images) for images in rows.values()}
    if len(counts) != 1:
        raise ValueError(f"rows have different numbers of images: {sorted(counts)}")
    columns = counts.pop()
    left = 0.025 + 0.0108 * max(map(len, rows))
    height_of_row = 10 * (0.98 - left) / columns
    top, bottom = 0.42 * bool(title), 0.34 * bool(under)
    height = height_of_row * len(rows) + top + bottom + 0.1
    picture = new_picture(alt, height=height, layout=None)
    box = (left, (bottom + 0.05) / height, 0.98 - left, height_of_row * len(rows) / height)
    axes = picture.add_axes(box)
    if signed:
        rows = {name: images / np.abs(images).max() for name, images in rows.items()}
    look = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1} if signed else {}
    show_rows(axes, rows, columns, **look)
    axes.set_title(title)
    width = axes.get_xlim()[1] / columns
    for i, words in enumerate(under):
        axes.text(width * (i + 0.5), axes.get_ylim()[0] + 2, words, ha="center", va="top")
    return picture


@styled
def plot_transposed(size: int, kernel: int, stride: int, padding: int, extra: int) -> Picture:
    """Which outputs each input of a one-dimensional transposed convolution reaches.

    Parameters
    ----------
    size, kernel, stride, padding : int
        Number of inputs, length of the kernel, and how far apart and cut off its copies are laid.
    extra : int
        The output padding: places added at the far end, fewer than the stride.

    Raises
    ------
    ValueError
        If the output padding is negative or not below the stride: there is no such layer.
    """
    if not 0 <= extra < stride:
        raise ValueError(f"output padding must be from 0 to below the stride {stride}, got {extra}")
    outputs = (size - 1) * stride - 2 * padding + kernel + extra
    first = np.arange(size) * stride - padding
    reached = np.zeros(outputs, int)
    picture = new_picture(
        f"{size} inputs above, {outputs} outputs below, joined where an input reaches an output: "
        f"kernel {kernel}, stride {stride}, padding {padding}, output padding {extra}.",
        height=3.6,
        layout=None,
    )
    axes = picture.add_axes((0.13, 0.02, 0.85, 0.83))
    centre = (outputs - 1) / 2
    inputs = (np.arange(size) - (size - 1) / 2) * stride + centre + (kernel % 2 == 0) / 2
    lines = []
    for i in range(size):
        for place in range(first[i], first[i] + kernel):
            inside = 0 <= place < outputs
            lines.append((place, inputs[i], inside))
            if inside:
                reached[place] += 1
    for place, above, inside in lines:
        color, style = (BLUE, "-") if inside else (GREY, ":")
        axes.plot([above, place], [1, 0.12], color=color, ls=style, lw=1.5)
    axes.plot(inputs, np.ones(size), color=BLUE, ls="", marker="o", markersize=17)
    added = np.arange(outputs) >= outputs - extra
    for chosen, color, marker in ((~added, GREEN, "s"), (added, VERMILLION, "D")):
        places = np.arange(outputs)[chosen]
        axes.plot(places, np.zeros(len(places)), color=color, ls="", marker=marker, markersize=17)
    for place, count in enumerate(reached):
        axes.text(place, -0.19, str(count), ha="center", va="center")
    for y, words in ((1, "inputs"), (0, "outputs"), (-0.19, "reached by")):
        axes.text(-0.02, y, words, ha="right", va="center", transform=axes.get_yaxis_transform())
    middle = 0.5 * (min(-1, inputs[0]) + max(outputs, inputs[-1]))
    axes.set(xlim=(middle - 8, middle + 8), ylim=(-0.35, 1.2))
    axes.set_axis_off()
    pieces = f"({size} − 1)·{stride} − 2·{padding} + {kernel} + {extra}"
    picture.text(0.13, 0.91, f"{pieces} = {outputs} outputs", fontsize=16)
    return picture


@styled
def plot_histories(
    ours: Sequence[float], theirs: Mapping[int, float], *, title: str, lines: Mapping[str, float]
) -> Picture:
    """Test error after each epoch, beside what another run printed.

    Parameters
    ----------
    ours : sequence of float
        From epoch 1.
    theirs : mapping from epoch, counted from 1, to error
    lines : mapping from name to error
        Drawn as level lines, for comparison.
    """
    ours = np.asarray(ours)
    picture = new_picture(
        f"Test error against the epoch: ours falls from {ours[0]:.3f} to {ours[-1]:.3f} in "
        f"{len(ours)} epochs, beside {len(theirs)} of the errors that the source printed.",
        height=4.2,
    )
    axes = picture.subplots()
    axes.semilogy(np.arange(1, len(ours) + 1), ours, color=BLUE)
    axes.semilogy(*zip(*theirs.items(), strict=True), color=VERMILLION, ls="", marker="s")
    early = min(12, len(ours) - 1)  # between two of their points
    axes.text(early + 1, ours[early] * 1.09, "ours", color=BLUE, weight="bold")
    axes.text(1.8, max(theirs.values()), "source", color=VERMILLION, weight="bold")
    for name, error in lines.items():
        axes.axhline(error, color=GREY, ls=":", lw=2)
        axes.text(1, error * 0.98, name, color=GREY, va="top")
    ticks = [0.002, 0.005, 0.01, 0.02, 0.05]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set(ylim=(min([*lines.values(), ours.min()]) * 0.75, 0.06))
    axes.set(title=title, xlabel="epoch", ylabel="test MSE")
    return picture


@styled
def plot_code_sizes(
    images: np.ndarray,
    by_pca: Mapping[int, np.ndarray],
    by_network: Mapping[int, np.ndarray],
    errors: Mapping[str, Mapping[int, float]],
    d: int,
) -> Picture:
    """Images rebuilt from d numbers by PCA and by an autoencoder, and the error of each.

    Parameters
    ----------
    images : ndarray of shape (M, H, W)
    by_pca, by_network : mapping from d to ndarray of shape (M, H, W)
    errors : mapping from "PCA", "autoencoder" and "section 3.3" to mapping from d to test error
    d : int
        A key of all but the last.
    """
    pca, network = errors["PCA"], errors["autoencoder"]
    picture = new_picture(
        f"{len(images)} test images and what PCA and an autoencoder make of {d} numbers each; "
        f"beside them the test error against the number of numbers: {pca[d]:.4f} for PCA and "
        f"{network[d]:.4f} for the autoencoder at {d}.",
        height=4.2,
        layout=None,
    )
    left = picture.add_axes((0.155, 0.02, 0.54, 0.86))
    rows = {"original": images, f"PCA, {d}": by_pca[d], "autoencoder": by_network[d]}
    show_rows(left, {name: values.clip(0, 1) for name, values in rows.items()}, len(images))
    left.set_title(f"{images[0].size} pixels, or {d} numbers an image")
    right = picture.add_axes((0.77, 0.18, 0.22, 0.7))
    looks = {"PCA": (BLUE, "o", "--"), "autoencoder": (VERMILLION, "s", "-")}
    right.plot([d, d], [pca[d], network[d]], color=GREY, ls="-", lw=2)
    for name, (color, marker, line) in looks.items():
        right.plot(*zip(*sorted(errors[name].items()), strict=True), color=color, ls=line)
        right.plot(d, errors[name][d], color=color, marker=marker, markersize=11)
    right.plot(
        *zip(*errors["section 3.3"].items(), strict=True), color=GREEN, marker="^", markersize=11
    )
    right.text(26, 0.022, "PCA", color=BLUE, weight="bold")
    right.text(2.2, 0.0009, "autoencoder", color=VERMILLION, weight="bold")
    right.text(360, 0.0115, "section\n3.3", color=GREEN, weight="bold", ha="right")
    right.set_xscale("log")
    ticks = [2, 8, 16, 32, 64, 288]
    right.set_xticks(ticks, [str(tick) for tick in ticks])
    right.set_xticks([], minor=True)
    right.set(xlim=(1.8, 380), ylim=(0, 0.05), xlabel="numbers, d")
    right.set_title(f"MSE: {network[d] / pca[d]:.0%} of PCA's")
    return picture


@styled
def plot_paths(
    paths: Mapping[str, np.ndarray],
    distances: Mapping[str, np.ndarray],
    shares: np.ndarray,
    t: float,
) -> Picture:
    """Three ways from one image to another: strips, and how far from the data each goes.

    Parameters
    ----------
    paths : mapping from name to ndarray of shape (T, H, W)
        Images along the way.
    distances : mapping from name to ndarray of shape (T,)
        To the nearest training image.
    shares : ndarray of shape (T,)
        t of each image, rising from 0 to 1.
    t : float
        One of them: where the larger images are taken.
    """
    at = int(np.abs(shares - t).argmin())
    picture = new_picture(
        f"Images on the way from one to another at t = {t:.2f}, by "
        + ", ".join(paths)
        + "; beside them the distance to the nearest training image along each way.",
        height=3.2,
        layout=None,
    )
    names = list(paths)
    looks = dict(zip(names, WAYS, strict=True))
    first, last = paths[names[0]][0], paths[names[0]][-1]
    shown = [first, *(paths[name][at].clip(0, 1) for name in names), last]
    left = picture.add_axes((0.01, 0.1, 0.66, 0.7))
    show_image(left, mosaic(np.stack(shown), len(shown), gap=3), vmin=0, vmax=1)
    step = first.shape[1] + 3
    for i, name in enumerate(("from", *names, "to")):
        color = looks[name]["color"] if name in looks else BLACK
        place = (step * i + first.shape[1] / 2, -1.5)
        left.text(*place, name, color=color, ha="center", va="bottom", weight="bold")
        if name in looks:
            below = (place[0], first.shape[0] + 1.5)
            left.text(*below, f"{distances[name][at]:.1f}", color=color, ha="center", va="top")
    right = picture.add_axes((0.74, 0.2, 0.24, 0.67))
    show_distances(right, shares, distances, looks, at)
    right.set_title("distance to the data")
    return picture


@styled
def plot_scores(scores: Mapping[str, np.ndarray], curves: Mapping[str, tuple]) -> Picture:
    """Reconstruction errors of usual and unusual images, and how well they tell them apart.

    Parameters
    ----------
    scores : mapping from name to ndarray of shape (N,)
        The first are the usual ones.
    curves : mapping from name to (false alarms, hits, area)
        ROC curve of each of the others against the usual ones.
    """
    areas = ", ".join(f"{name} {area:.2f}" for name, (_, _, area) in curves.items())
    picture = new_picture(
        f"Left: histograms, each scaled to its peak, of the reconstruction error of {', '.join(scores)}. Right: the ROC "
        f"curves, with the areas {areas}.",
        height=4.4,
    )
    left, right = picture.subplots(1, 2)
    looks = dict(
        zip(scores, zip(COLORS, ("-", "--", "-.", ":", (0, (5, 1))), strict=False), strict=False)
    )
    edges = np.geomspace(
        min(s.min() for s in scores.values()), max(s.max() for s in scores.values()), 40
    )
    for name, values in scores.items():
        color, line = looks[name]
        heights = np.histogram(values, edges)[0]
        heights = heights / heights.max()
        left.stairs(heights, edges, color=color, ls=line, lw=2.5, label=name)
    left.set_xscale("log")
    left.set_xlim(edges[0] / 4)  # room for the names
    left.set(title="how many, scaled to the peak", xlabel="reconstruction error (MSE)", yticks=[])
    left.legend(frameon=False, fontsize=12, loc="upper left", bbox_to_anchor=(0, 1))
    for name, (false, true, area) in curves.items():
        color, line = looks[name]
        right.plot(false, true, color=color, ls=line, label=f"{name}, area {area:.2f}")
    right.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1.5)
    right.legend(frameon=False, fontsize=13, loc="lower right")
    right.set(title="ROC curves", xlabel="false alarms", ylabel="found", aspect="equal")
    return picture
