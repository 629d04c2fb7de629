"""Pictures of matrix completion by products of several matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from helpers.gradient_flow import growth, time_to_reach, value_at
from helpers.picture import (
    BLACK,
    BLUE,
    BROWN,
    GREEN,
    GREY,
    LINES,
    MARKERS,
    PURPLE,
    VERMILLION,
    VIOLET,
    Picture,
    new_picture,
    styled,
)
from helpers.plots.parts import labels_apart, show_image
from helpers.recovery import RecoveryCurve

# one look for each method throughout the chapter
LOOKS = {
    "depth 1": {"color": PURPLE, "ls": ":", "marker": "D"},
    "depth 2": {"color": BLUE, "ls": "-", "marker": "o"},
    "depth 3": {"color": VERMILLION, "ls": "--", "marker": "s"},
    "depth 4": {"color": GREEN, "ls": "-.", "marker": "^"},
    "minimum nuclear norm": {"color": BLACK, "ls": "-", "marker": "X"},
    "explicit λ": {"color": BLACK, "ls": "-", "marker": "X"},
    "rank and λ": {"color": BROWN, "ls": "-", "marker": "v"},
}
WHITE = withStroke(linewidth=4, foreground="white")  # behind letters on lines
TALLEST = 8  # singular values drawn one by one
DASHES = {"color": GREY, "lw": 1.2, "ls": (0, (4, 3))}


@styled
def plot_matrices(
    truth: np.ndarray, observed: np.ndarray, found: Mapping[str, np.ndarray]
) -> Picture:
    """A matrix and what is seen of it; its completions, and by how much they miss it; as images.

    Parameters
    ----------
    truth, observed : ndarray of shape (n, m)
        NaN in ``observed`` is not seen.
    found : mapping from title to ndarray of shape (n, m)
        The completions. Rows and columns of all matrices are best in the order of
        :func:`helpers.recovery.singular_order`: similar ones side by side.
    """
    picture = new_picture(
        "Matrices as images, red above zero and blue below. Left: the true matrix with its stripes "
        "and blocks, and the entries that are seen, scattered over grey. Then what was made of them "
        f"by {', '.join(found)}; below each, the same minus the true matrix.",
        height=4.9,
    )
    upper = {"true matrix": truth} | dict(found)
    lower = [observed, *(matrix - truth for matrix in found.values())]
    titles = ["what is seen", *["minus the truth"] * len(found)]
    rows = picture.subplots(2, len(upper))
    for column, (title, matrix) in enumerate(upper.items()):
        for axes, shown, words in (
            (rows[0, column], matrix, title),
            (rows[1, column], lower[column], titles[column]),
        ):
            axes.set_facecolor("#BDBDBD")
            show_image(axes, shown, words, cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    return picture


def _steps_axis(axes: Axes, last: int) -> None:
    """Steps on a logarithmic axis, drawn as logarithms: a fraction of the time of a log axis."""
    powers = np.arange(0, np.log10(last), 2, dtype=int)
    axes.set_xlim(0, np.log10(last))
    axes.set_xticks(powers, [f"{10**p:,}" for p in powers])
    axes.set_xlabel("steps")


@styled
def plot_recovery(
    runs: Mapping[tuple[int, float], RecoveryCurve],
    planted: np.ndarray,
    depth: int,
    init_scale: float,
) -> Picture:
    """Singular values, errors and effective rank along one path; its nuclear norm at the end.

    Parameters
    ----------
    runs : mapping from (int, float) to RecoveryCurve
        By depth and scale of the initial product.
        The axes reach as far as the longest of them.
    planted : ndarray of shape (rank,)
        The singular values of the true matrix that aren't zero, falling; they are marked.
    depth, init_scale
        Which of the runs.
    """
    run, rank = runs[depth, init_scale], len(planted)
    picture = new_picture(
        f"Depth {depth} from scale {init_scale:g}, against the steps. Left: the largest singular "
        f"values, which end at {', '.join(f'{s:.0f}' for s in run.singular_values[-1, : rank + 1])}, beside "
        f"the {rank} of the true matrix. Middle: error on seen and on unseen entries, at the end "
        f"{run.errors[-1]:.2f} on unseen. Right: effective rank, at the end {run.effective_ranks[-1]:.0f}. "
        f"The nuclear norm ends at {run.nuclear_norms[-1]:.0f}.",
        height=4.1,
        layout=None,
    )
    last = max(other.steps[-1] for other in runs.values())
    at = np.log10(np.maximum(run.steps, 1))
    left = picture.add_axes((0.05, 0.16, 0.35, 0.72))
    left.hlines(planted, 0, np.log10(last), **DASHES)
    _values_along(left, at, run, planted)
    middle = picture.add_axes((0.46, 0.16, 0.235, 0.72))
    _errors_along(middle, at, run)
    right = picture.add_axes((0.75, 0.16, 0.22, 0.72))
    right.plot(at, run.effective_ranks, color=BLACK, ls="-")
    right.axhline(rank, **DASHES)
    effective = f"effective rank: {run.effective_ranks[-1]:.1f}"
    right.set(ylim=(0, run.singular_values.shape[1]), title=effective)
    for axes in (left, middle, right):
        _steps_axis(axes, last)
        axes.yaxis.set_major_locator(MaxNLocator(4))  # few ticks are drawn fast
    return picture


def _values_along(axes: Axes, at: np.ndarray, run: RecoveryCurve, planted: np.ndarray) -> None:
    rank = len(planted)
    axes.plot(at, run.singular_values[:, rank:TALLEST], color=BROWN, ls="-", lw=2)
    axes.plot(at, run.singular_values[:, :rank], color=BLUE, ls="-")
    axes.set(ylim=(0, 1.15 * planted[0]))
    axes.set_title(f"singular values (sum: {run.nuclear_norms[-1]:.0f})")
    for y, color, words in ((0.13, BLUE, f"the largest {rank}"), (0.04, BROWN, "the next five")):
        axes.text(0.15, y * planted[0], words, color=color, weight="bold", path_effects=[WHITE])


def _errors_along(axes: Axes, at: np.ndarray, run: RecoveryCurve) -> None:
    axes.plot(at, np.sqrt(run.losses), color=GREY, ls="--")
    axes.plot(at, run.errors, color=VERMILLION, ls="-")
    axes.text(0.15, 0.1, "seen", color=GREY, weight="bold")
    axes.text(0.15, 1.07, "unseen", color=VERMILLION, weight="bold")
    axes.set(ylim=(0, 1.25), title=f"unseen error: {run.errors[-1]:.2f}")


@styled
def plot_rank_errors(
    curves: Mapping[str, np.ndarray], numbers: Sequence[int], planted: int
) -> Picture:
    """Error on unseen entries when only the k largest singular values of a completion are kept.

    Parameters
    ----------
    curves : mapping from method to ndarray of shape (K + 1,)
        Relative error for k = 0 … K.
    numbers : sequence of K + 1 int
        How many numbers a matrix of rank k takes.
    planted : int
        Rank of the true matrix.
    """
    ends = "; ".join(f"{name} {curve[planted]:.2f}" for name, curve in curves.items())
    picture = new_picture(
        "Error on unseen entries against the numbers kept, when a completion is cut off at rank k. "
        f"At rank {planted}, that of the true matrix: {ends}.",
        height=4.3,
    )
    axes = picture.subplots()
    for name, curve in curves.items():
        axes.plot(numbers, curve, **LOOKS[name])
    ends = np.array([(numbers[-1] * 1.02, curve[-1]) for curve in curves.values()])
    for name, place in zip(curves, labels_apart(ends, (1, 0.075)), strict=True):
        color = LOOKS[name]["color"]
        axes.text(*place, name, color=color, weight="bold", va="center")
    axes.axvline(numbers[planted], **DASHES)
    axes.text(
        numbers[planted],
        1.13,
        f" rank {planted}: {numbers[planted]} numbers",
        color=GREY,
        va="center",
    )
    ticks = [f"{number:,}\nk = {k}" for k, number in enumerate(numbers)]
    axes.set_xticks(numbers[::2], ticks[::2])
    axes.set(ylim=(0, 1.2), xlabel="numbers kept", title="error on unseen entries")
    return picture


@styled
def plot_speeds(panels: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Picture:
    """Speeds of the largest singular values along a path: measured, and by the equation.

    Parameters
    ----------
    panels : mapping from title to (times, measured, predicted)
        Of shapes (T,), (T, r) and (T, r).
    """
    picture = new_picture(
        "Speed of the three largest singular values against time, for "
        + " and ".join(panels)
        + ". Each "
        "rises to a peak and falls back to zero, one after the other; the measured points lie on the "
        "lines of the equation.",
        height=4.0,
    )
    for axes, (title, (times, measured, predicted)) in zip(
        picture.subplots(1, len(panels), sharex=True, squeeze=False)[0],
        panels.items(),
        strict=True,
    ):
        for r, (color, line) in enumerate(zip((BLUE, VERMILLION, GREEN), LINES, strict=False)):
            axes.plot(times, predicted[:, r], color=color, ls=line)
            axes.plot(
                times,
                measured[:, r],
                color=color,
                ls="",
                marker=MARKERS[r],
                markersize=6,
                markevery=5,
            )
            top = predicted[:, r].argmax()
            axes.annotate(
                f"σ{'₁₂₃'[r]}",
                (times[top], predicted[top, r]),
                (0, 8),
                ha="center",
                textcoords="offset points",
                color=color,
                weight="bold",
                path_effects=[WHITE],
            )
        axes.set(title=title, xlabel="time = steps × step size", ylabel="dσ/dt")
        axes.margins(y=0.12)
    return picture


@styled
def plot_growth(targets: Sequence[float], depth: int, init: float) -> Picture:
    """Singular values of a fully seen matrix against time, from an initial product aligned with it.

    Parameters
    ----------
    targets : sequence of float
        Singular values of the matrix, falling.
    depth : int
    init : float
        The value at which all begin; below half of every target.
    """
    half = float(time_to_reach(targets[0] / 2, targets[0], init, depth))
    second = value_at(half, targets[1], init, depth)
    grown = f"{float(f'{second / init:.2g}'):,g}"
    picture = new_picture(
        f"Depth {depth}, start {init:g}: singular values of target "
        + ", ".join(f"{target:g}" for target in targets)
        + " against time, on a linear and on a logarithmic axis. When the first is half grown, the "
        f"second is {grown} times its start.",
        height=4.0,
        layout=None,
    )
    left, right = (
        picture.add_axes((0.06, 0.16, 0.41, 0.72)),
        picture.add_axes((0.57, 0.16, 0.41, 0.72)),
    )
    for target, color, line in zip(targets, (BLUE, VERMILLION, GREEN), LINES, strict=False):
        times, sigma = growth(target, init, depth)
        at, sigma = np.append(times / half, 9), np.append(sigma, target)
        left.plot(at, sigma, color=color, ls=line)
        right.plot(at, np.log10(sigma), color=color, ls=line)
        left.text(4.45, target + 0.06, f"{target:g}", color=color, weight="bold", ha="right")
    right.plot(1, np.log10(second), color=BLACK, marker="o", markersize=10)
    right.text(4.45, 1, f"second at ●: {grown} × its start", weight="bold", ha="right")
    powers = range(int(np.floor(np.log10(init))), 1)
    right.set_yticks(powers, [f"{10.0**p:.{-p}f}" for p in powers])
    for axes in (left, right):
        axes.axvline(1, **DASHES)
        axes.set(xlim=(0, 4.5), xticks=range(5), xlabel="time (1: the first is half grown)")
    left.set(ylim=(0, targets[0] * 1.15), title=f"depth {depth}: singular values")
    left.set_yticks([0, *targets])
    right.set(ylim=(np.log10(init) - 0.2, 1.5), title="the same, logarithmic")
    return picture


@styled
def plot_observations(
    seen: Sequence[int],
    errors: Mapping[str, np.ndarray],
    norms: Mapping[str, np.ndarray],
    degrees: int,
) -> Picture:
    """Error and nuclear norm of completions from few to many entries seen.

    Parameters
    ----------
    seen : sequence of S int
        Entries seen.
    errors, norms : mapping from method to ndarray of shape (3, S)
        Median, least and greatest over several matrices: of the relative error on unseen entries,
        and of the nuclear norm divided by the smallest possible; NaN isn't drawn.
    degrees : int
        How many free parameters a matrix of the planted rank has.
    """
    described = "; ".join(
        f"{name} {median[0]:.1f} to {median[-1]:.2f}" for name, (median, _, _) in errors.items()
    )
    picture = new_picture(
        "Left: median error on unseen entries against the number of entries seen, with the range over the "
        f"matrices, falling from few to many entries: {described}. Right: nuclear norm divided by the minimum "
        "possible, of the runs that fitted what is seen; for few entries the deeper products lie above 1, for "
        "many all are close to 1.",
        height=4.6,
    )
    left, right = picture.subplots(1, 2)
    apart = np.ptp(seen) / 80  # between the bars of two methods, so that none hides another
    for axes, table in ((left, errors), (right, norms)):
        for i, (name, (median, low, high)) in enumerate(table.items()):
            at = np.array(seen) + (i - (len(table) - 1) / 2) * apart
            axes.plot(at, median, label=name, **LOOKS[name])
            axes.vlines(at, low, high, color=LOOKS[name]["color"], lw=3, alpha=0.5)
        axes.axvline(degrees, **DASHES)
        axes.set(xlabel="entries seen", xlim=(0.82 * degrees, 1.03 * seen[-1]))
    highest = max([1.02, *(np.nanmax(table) for table in norms.values())])
    for axes, top in ((left, 1.58), (right, highest)):
        axes.text(
            degrees, top, f"{degrees} parameters ", color=GREY, va="top", ha="right", rotation=90
        )
    left.set(ylim=(0, 1.6), title="error on unseen entries")
    right.set(ylim=(0.99, highest + 0.01), title="nuclear norm ÷ the minimum, if fitted")
    left.legend(frameon=False, fontsize=13, loc="upper right", bbox_to_anchor=(1, 0.93))
    return picture


@styled
def plot_two_by_two(paths: Mapping[str, Sequence[np.ndarray]]) -> Picture:
    """Gradient descent on a 2 × 2 matrix of which three entries are seen.

    Parameters
    ----------
    paths : mapping from name to (steps, sizes of the unseen entry, effective ranks, determinants)
        Each of shape (R,); at most two paths.
    """
    ends = (
        f"From a {name} the entry ends at {sizes[-1]:.2g}, the determinant at "
        f"{determinants[-1]:.1g}."
        for name, (_, sizes, _, determinants) in paths.items()
    )
    picture = new_picture(
        "Descents on the 2 × 2 matrix, against the steps: size of the unseen entry, effective rank, "
        "determinant. " + " ".join(ends),
        height=4.0,
    )
    panels = picture.subplots(1, 3)
    for (name, (steps, *curves)), color, line in zip(
        paths.items(), (VERMILLION, BLUE), LINES, strict=False
    ):
        for axes, curve in zip(panels, curves, strict=True):
            axes.plot(np.maximum(steps, 1), curve, color=color, ls=line, label=name)
    for axes, title in zip(
        panels, ("|unseen entry| (log)", "effective rank", "determinant (log)"), strict=True
    ):
        axes.set(xscale="log", title=title, xlabel="steps")
        axes.set_xticks([1, 100, 10_000], ["1", "100", "10,000"])
    panels[0].set(yscale="log")
    panels[0].set_yticks([1, 10], ["1", "10"])
    panels[2].axhline(0, **DASHES)
    panels[1].set(ylim=(0.95, 2.05))
    panels[2].set_yscale("symlog", linthresh=1e-4, linscale=0.5)
    panels[2].set_yticks([-1, -1e-2, 0, 1e-2, 1], ["−1", "−0.01", "0", "0.01", "1"])
    panels[0].legend(frameon=False, fontsize=13, loc="upper left")
    return picture


@styled
def plot_noise(
    levels: Sequence[float],
    chosen: Mapping[str, np.ndarray],
    medians: Mapping[str, np.ndarray],
    last: np.ndarray,
) -> Picture:
    """Error of completions of a noisy matrix, stopped and penalised as validation says.

    Parameters
    ----------
    levels : sequence of L float
        Standard deviation of the noise; the entries without it have root mean square 1.
    chosen : mapping from method to ndarray of shape (L, matrices)
        Relative error on unseen entries, against the matrix without noise.
    medians : mapping from method to ndarray of shape (L,)
        Over the matrices.
    last : ndarray of shape (L,)
        The median of the last method, run to the end instead of being stopped.
    """
    described = "; ".join(
        f"{name} {median[0]:.2f} to {median[-1]:.2f}" for name, median in medians.items()
    )
    name = list(chosen)[-1]
    picture = new_picture(
        f"Error on unseen entries against the noise, from none to the most: {described}. "
        f"Run to the end, {name} rises far above 1.",
        height=4.4,
    )
    axes = picture.subplots()
    for place, (method, runs) in enumerate(chosen.items(), start=1):
        axes.plot(levels, medians[method], label=method, **LOOKS[method])
        dots = {"color": LOOKS[method]["color"], "ls": "", "marker": "o", "ms": 4}
        axes.plot(np.add(levels, 0.02 * place), runs, **dots)  # beside the marker
    axes.plot(
        levels,
        last,
        color=VIOLET,
        ls=":",
        marker=LOOKS[name]["marker"],
        label=f"{name}, run to the end",
    )
    axes.axhline(1, **DASHES)
    axes.text(0, 1.03, "predicting 0", color=GREY)
    axes.set(ylim=(0, 1.6), xlabel="standard deviation of the noise")
    axes.set_title("error on unseen entries")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return picture


@styled
def plot_gains(rows: Mapping[str, tuple[float, float, float]], floor: float) -> Picture:
    """How much better or worse than a baseline models predict, with intervals.

    Parameters
    ----------
    rows : mapping from model to (difference, low, high)
        Of the error, in stars; negative is better than the baseline.
    floor : float
        The difference that the best possible prediction would make.
    """
    picture = new_picture(
        "Test error minus that of the biases, in stars, with 95 % intervals: "
        + "; ".join(f"{name} {round(d, 2) + 0:.2f}" for name, (d, _, _) in rows.items())
        + f". The best possible prediction would reach {floor:.2f}.",
        height=1.4 + 0.5 * len(rows),
    )
    axes = picture.subplots()
    at = np.arange(len(rows))[::-1]
    for y, (name, (difference, low, high)) in zip(at, rows.items(), strict=True):
        color = LOOKS[name]["color"] if name in LOOKS else GREY
        axes.plot([low, high], [y, y], color=color, marker="|", ls="-", markersize=10)
        axes.plot(difference, y, color=color, marker="o", markersize=9)
    axes.axvline(0, color=BLACK, lw=1.5, ls="-")
    axes.axvline(floor, color=GREY, lw=2, ls="--")
    axes.text(floor, at[0] + 0.42, " best possible", color=GREY, va="bottom")
    axes.text(0, at[0] + 0.42, "biases ", va="bottom", ha="right")
    axes.set_yticks(at, list(rows))
    axes.set(
        ylim=(-0.6, len(rows) + 0.1), xlabel="test error (RMSE, stars) minus that of the biases"
    )
    return picture
