"""Pictures of ranks against a known truth, of what directions of a code carry, and of starts and depths."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

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
from helpers.plots.irmae import for_display
from helpers.plots.parts import LINE_ON_BLACK, labels_apart, mosaic, powers, show_image
from helpers.spectrum import rank_above, relative

# one look for each model, and for each truth, throughout the chapter
LOOKS = {
    "AE": {"color": BLUE, "marker": "o"},
    "l = 2, small start": {"color": VERMILLION, "marker": "s"},
}
TRUTHS = (BLUE, VERMILLION, GREEN, PURPLE, BROWN, VIOLET, BLACK)
FACTOR_LOOKS = {
    "x": (BLUE, "o"),
    "y": (BLUE, "s"),
    "size": (VERMILLION, "^"),
    "kind": (GREY, "D"),
    "red": (BROWN, "v"),
    "green": (GREEN, "P"),
    "blue": (VIOLET, "X"),
}
FLOOR = 1e-6  # of the largest value: what is smaller is drawn there


@styled
def plot_degrees(
    images: Mapping[int, np.ndarray],
    spectra: Mapping[int, Mapping[str, Sequence[np.ndarray]]],
    degrees: int,
) -> Picture:
    """Images with a known number of degrees of freedom, and the spectra of codes of such images.

    Parameters
    ----------
    images : mapping from degrees to ndarray of shape (15, 3, 32, 32)
    spectra : mapping from degrees to mapping from model to one ndarray of shape (latent,) for each seed
        Variances of the codes, falling.
    degrees : int
        Which are shown.
    """
    counts = {
        name: " and ".join(str(rank_above(values, 0.01)) for values in of)
        for name, of in spectra[degrees].items()
    }
    told = "; ".join(f"{name}: {count}" for name, count in counts.items())
    picture = new_picture(
        f"Fifteen images with {degrees} degrees of freedom, and the spectra of codes of such images on a "
        f"logarithmic axis. Values above 1 % of the largest, by two seeds: {told}. Dashed: {degrees}.",
        height=4.2,
        layout=None,
    )
    left = picture.add_axes((0.01, 0.04, 0.45, 0.84))
    show_image(left, mosaic(for_display(images[degrees]), 5, gap=2, between=LINE_ON_BLACK))
    left.set_title(f"degrees of freedom: {degrees}")
    right = picture.add_axes((0.56, 0.16, 0.42, 0.66))
    for name, of in spectra[degrees].items():
        for values in of:
            shares = np.log10(np.maximum(relative(values), FLOOR))
            right.plot(shares, ls="-", markevery=2, **LOOKS[name])
    right.axvline(degrees - 0.5, color=BLACK, ls="--", lw=1.5)
    for name, place, align in (("AE", 0, "left"), ("l = 2, small start", 1, "right")):
        look = {"color": LOOKS[name]["color"], "weight": "bold", "transform": right.transAxes}
        right.text(
            place, 1.03, f"{name.split(',')[0]}: {counts[name]}", ha=align, va="bottom", **look
        )
    _one_percent(right, last=31)
    right.set_title("share of the largest; above 1 %:", pad=26)
    return picture


def _one_percent(axes: Axes, last: int) -> None:
    """The axes of logarithms of a spectrum up to an index, with a line at 1 % of the largest."""
    axes.axhline(-2, color=PURPLE, ls="-", lw=1.5)
    axes.text(last + 0.4, -1.95, "1 %", color=PURPLE, ha="right", va="bottom")
    axes.set(xlim=(-0.5, last + 0.5), ylim=(-6.2, 0.3), xlabel="index, from 0")
    powers(axes, -6)


@styled
def plot_against_truth(
    counts: Mapping[str, Mapping[int, Sequence[int]]],
    ranks: Mapping[str, Mapping[int, Sequence[float]]],
    rising: Mapping[str, Mapping[int, Sequence[bool]]],
    threshold: float,
    when: str,
) -> Picture:
    """Counted and effective rank of codes against the true number of degrees of freedom.

    Parameters
    ----------
    counts, ranks, rising : mapping from model to mapping from truth to one value for each seed
        Values above the threshold, effective rank, and whether the count still rises.
    threshold : float
        Share of the largest value.
    when : str
        At which point of the training it was read.
    """
    told = "; ".join(
        f"{name}: " + ", ".join(f"{truth} → {max(values)}" for truth, values in of.items())
        for name, of in counts.items()
    )
    picture = new_picture(
        f"Left: how many values of a code's spectrum exceed {threshold:g} of the largest, {when}, against "
        f"the true number of degrees of freedom ({told}). Right: the effective rank. A dashed diagonal: "
        "equal to the truth.",
        height=4.6,
        layout=None,
    )
    panels = {f"values above {100 * threshold:g} %": counts, "effective rank": ranks}
    for i, (title, values) in enumerate(panels.items()):
        axes = picture.add_axes((0.07 + 0.49 * i, 0.14, 0.42, 0.74))
        for name, of in values.items():
            _against_truth(axes, of, rising[name] if i == 0 else {}, LOOKS[name])
        _diagonal(axes, 33)
        axes.set_title(title)
        places = {"AE": (1.3, 27.5), "l = 2, small start": (6.2, 2.5)} if i == 0 else {}
        for name, place in places.items():
            axes.text(*place, name, color=LOOKS[name]["color"], weight="bold", va="center")
    return picture


def _against_truth(axes: Axes, values, rising, look: Mapping) -> None:
    """One mark for each seed, joined by a line; hollow where the count still rises."""
    for truth, of in values.items():
        still = rising.get(truth, [False] * len(of))
        for shift, value, hollow in zip((-0.12, 0.12), of, still, strict=True):
            fill = "white" if hollow else look["color"]
            axes.plot(truth + shift, value, ls="", ms=9, mfc=fill, mew=2, zorder=3, **look)
    means = [np.mean(of) for of in values.values()]
    axes.plot(list(values), means, color=look["color"], ls="-", lw=1.5, marker="")


def _diagonal(axes: Axes, top: float) -> None:
    axes.plot([0, top], [0, top], color=BLACK, ls="--", lw=1.5, marker="")
    axes.set(xlim=(0, 13), ylim=(0, top), xlabel="true degrees of freedom")
    axes.set_xticks((1, 2, 3, 4, 5, 7, 12))


@styled
def plot_local_ranks(
    sizes: Sequence[int], curves: Mapping[int, np.ndarray], everywhere: Mapping[int, int], size: int
) -> Picture:
    """Ranks of neighbourhoods of codes against their size, and for one size against the truth.

    Parameters
    ----------
    sizes : sequence of int
        How many points a neighbourhood has.
    curves : mapping from truth to ndarray of shape (len(sizes),)
        Mean rank; NaN where there are not so many points.
    everywhere : mapping from truth to int
        Rank of all codes together.
    size : int
        One of the sizes.
    """
    at = list(sizes).index(size)
    found = {t: values[at] for t, values in curves.items() if np.isfinite(values[at])}
    told = ", ".join(f"{truth} → {rank:.1f}" for truth, rank in found.items())
    picture = new_picture(
        f"Left: mean rank of neighbourhoods of codes against how many points they have, a line for each "
        f"truth. Right: for {size} points the rank against the truth: {told}.",
        height=4.4,
        layout=None,
    )
    left, right = (picture.add_axes((x, 0.15, w, 0.74)) for x, w in ((0.07, 0.45), (0.62, 0.36)))
    logs, ends = np.log2(sizes), []
    for color, values in zip(TRUTHS, curves.values(), strict=True):
        shown = np.isfinite(values)
        left.plot(logs[shown], values[shown], color=color, ls="-", marker=".")
        ends.append((logs[shown][-1], values[shown][-1]))
    for color, truth, place in zip(
        TRUTHS, curves, labels_apart(np.array(ends), (0.9, 1.2)), strict=True
    ):
        left.text(place[0] + 0.15, place[1], f"{truth}", color=color, va="center", weight="bold")
    left.axvline(np.log2(size), color=PURPLE, lw=4, alpha=0.5, ls="-")
    left.set_xticks(logs[::2], [str(n) for n in sizes[::2]])
    left.set(
        ylim=(0, 18.5), xlim=(logs[0] - 0.2, logs[-1] + 1.1), xlabel="points in a neighbourhood"
    )
    left.set_title("rank; numbers: the truth")
    for axes in (left, right):
        axes.set_yticks(range(0, 19, 3))
    look = LOOKS["l = 2, small start"] | {"ls": "", "ms": 9}
    right.plot(list(everywhere), list(everywhere.values()), mfc="white", mew=2, **look)
    right.plot(list(found), list(found.values()), **look)
    _diagonal(right, 18.5)
    right.text(0.4, 17.4, "□ all codes", color=VERMILLION)
    right.text(0.4, 16, f"■ {size} neighbours", color=VERMILLION)
    right.set_title("rank")
    return picture


@styled
def plot_directions(
    images: np.ndarray,
    shares: Sequence[float],
    amounts: Sequence[float],
    direction: int,
    amount: float,
) -> Picture:
    """Walks from three images along one principal direction of the code.

    Parameters
    ----------
    images : ndarray of shape (directions, 3, len(amounts), 3, 32, 32)
        Decoded: for each direction three walks.
    shares : sequence of float
        Variance of each direction as a share of the largest.
    amounts : sequence of float
        How far along the direction, in its standard deviations.
    direction : int
        From 1.
    amount : float
        One of the amounts.
    """
    at = int(np.abs(np.asarray(amounts) - amount).argmin())
    picture = new_picture(
        f"Three shapes, and what they become on the way along direction {direction} of the code, from "
        f"{amounts[0]:g} to {amounts[-1]:g} standard deviations; large: {amount:g}.",
        height=3.9,
        layout=None,
    )
    walks = images[direction - 1]
    left = picture.add_axes((0.01, 0.05, 0.2, 0.8))
    show_image(left, mosaic(for_display(walks[:, at]), 1, gap=2, between=LINE_ON_BLACK))
    left.set_title(f"{amount:+g}")
    right = picture.add_axes((0.22, 0.05, 0.77, 0.8))
    show_image(
        right, mosaic(for_display(walks.reshape(-1, 3, 32, 32)), len(amounts), 2, LINE_ON_BLACK)
    )
    right.set_title(
        f"direction {direction}: variance {shares[direction - 1]:.2g} of the largest", pad=24
    )
    for i, value in enumerate(amounts):
        look = {"color": PURPLE, "weight": "bold"} if i == at else {"color": GREY}
        right.text(
            34 * i + 16,
            -1.5,
            f"{value:+g}" if value else "0",
            ha="center",
            va="bottom",
            fontsize=12,
            **look,
        )
    return picture


@styled
def plot_probes(
    errors: Sequence[float],
    spectra: Sequence[np.ndarray],
    scores: Mapping[str, Sequence[float]],
    epoch: int,
) -> Picture:
    """A film of a training: the spectrum of the code, and what linear probes read off it.

    Parameters
    ----------
    errors : sequence of float
        Held-out error after each epoch.
    spectra : sequence of ndarray of shape (latent,)
        After each epoch.
    scores : mapping from factor to sequence of float
        R² after each epoch.
    epoch : int
        From 1.
    """
    told = ", ".join(f"{name} {values[epoch - 1]:.2f}" for name, values in scores.items())
    picture = new_picture(
        f"After {epoch} epochs, held-out error {errors[epoch - 1]:.4f}: the spectrum of the code on a "
        f"logarithmic axis, and R² of linear probes: {told}.",
        height=4.2,
        layout=None,
    )
    left = picture.add_axes((0.08, 0.16, 0.36, 0.72))
    shares = np.log10(np.maximum(relative(spectra[epoch - 1]), FLOOR))
    left.plot(shares, ls="-", ms=8, **LOOKS["l = 2, small start"])
    _one_percent(left, last=16)
    left.set_title(f"share of the largest, epoch {epoch}")
    right = picture.add_axes((0.53, 0.16, 0.37, 0.72))
    epochs = np.arange(1, len(errors) + 1)
    for name, values in scores.items():
        color, marker = FACTOR_LOOKS[name]
        right.plot(epochs, values, color=color, ls="-", lw=1.2, marker="", alpha=0.7)
        right.plot(epoch, values[epoch - 1], color=color, ls="", marker=marker, ms=10)
    ends = np.array([(0, values[-1]) for values in scores.values()])
    for name, height in zip(scores, labels_apart(ends, (1, 0.062))[:, 1], strict=True):
        right.text(epochs[-1] + 0.4, height, name, color=FACTOR_LOOKS[name][0], va="center")
    right.axvline(epoch, color=PURPLE, lw=4, alpha=0.3, ls="-")
    right.set(xlim=(0.5, epochs[-1] + 0.3), ylim=(-0.05, 1), xlabel="epoch")
    right.set_title("R² of linear probes")
    return picture


@styled
def plot_depth_and_start(
    counts: np.ndarray, errors: np.ndarray, layers: Sequence[int], starts: Sequence[str]
) -> Picture:
    """Rank and error of networks that differ in depth and in the size of their code at the start.

    Parameters
    ----------
    counts, errors : ndarray of shape (len(starts), len(layers))
    layers : sequence of int
        Linear layers of each column.
    starts : sequence of str
        Variance of the code before training, a row each.
    """
    told = "; ".join(
        f"{start}: " + ", ".join(map(str, row)) for start, row in zip(starts, counts, strict=True)
    )
    picture = new_picture(
        f"Two tables. Left: values above 1 % for {', '.join(map(str, layers))} linear layers, by the "
        f"variance of the code before training ({told}). Right: held-out errors, from {errors.min():.4f} "
        f"to {errors.max():.4f}.",
        height=3.6,
        layout=None,
    )
    panels = (
        ("values above 1 %", counts, "d", 22),
        ("held-out error × 10⁴", errors * 1e4, ".1f", errors.max() * 2e4),
    )
    for i, (title, values, form, top) in enumerate(panels):
        axes = picture.add_axes((0.15 + 0.46 * i, 0.2, 0.37, 0.66))
        axes.imshow(values, cmap="Oranges", vmin=0, vmax=top, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            axes.text(column, row, format(value, form), ha="center", va="center", fontsize=18)
        axes.set_xticks(range(len(layers)), layers)
        axes.set_yticks(range(len(starts)), starts if i == 0 else [""] * len(starts))
        axes.set(xlabel="linear layers", title=title)
        axes.grid(False)
        axes.spines[:].set_visible(False)
    picture.axes[0].set_ylabel("variance of the code\nbefore training")
    return picture


@styled
def plot_over_training(tracks: Mapping[str, Mapping[int, Sequence[int]]]) -> Picture:
    """Counts after each epoch of training, a panel for each model.

    Parameters
    ----------
    tracks : mapping from model to mapping from truth to sequence of int
        Values above 1 % of the largest after each epoch.
    """
    picture = new_picture(
        "Values above 1 % against the epochs of training, one line for each true number of degrees of "
        "freedom; panels: " + "; ".join(tracks) + ".",
        height=4.4,
        layout=None,
    )
    for i, (name, of) in enumerate(tracks.items()):
        axes = picture.add_axes((0.06 + 0.49 * i, 0.15, 0.42, 0.74))
        for color, counts in zip(TRUTHS, of.values(), strict=True):
            axes.plot(np.arange(1, len(counts) + 1), counts, color=color, ls="-", marker=".")
        last = max(map(len, of.values()))
        ends = np.array([(0, counts[-1]) for counts in of.values()])
        for color, truth, height in zip(
            TRUTHS, of, labels_apart(ends, (1, 2.2))[:, 1], strict=True
        ):
            axes.text(last + 0.5, height, f"{truth}", color=color, va="center", weight="bold")
        axes.set_yticks(range(0, 37, 4))
        axes.set(xlim=(0, last + 1.8), ylim=(0, 37), xlabel="epochs")
        axes.set_title(f"{name}; numbers: the truth")
    return picture
