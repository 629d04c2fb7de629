"""Pictures of principal components."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from helpers.pca import PrincipalComponents, project, reconstruct, variances_along
from helpers.picture import (
    BLACK,
    BLUE,
    BROWN,
    GREEN,
    GREY,
    VERMILLION,
    VIOLET,
    Picture,
    new_picture,
    styled,
)
from helpers.plots.parts import labels_apart, mosaic, show_image
from helpers.spectrum import components_for_share, cumulative_shares


@styled
def plot_components(pca: PrincipalComponents, shape: tuple[int, int], count: int = 8) -> Picture:
    """The mean and the first components as images.

    Parameters
    ----------
    shape : (int, int)
        Height and width of an image; their product is D.
    count : int
        Number of components.
    """
    picture = new_picture(
        f"The mean image and the first {count} principal components as images. "
        "In a component, red pixels rise together while blue ones fall.",
        height=2.1,
    )
    axes = picture.subplots(1, count + 1)
    show_image(axes[0], pca.mean.reshape(shape), "mean", vmin=0, vmax=1)
    for i in range(count):
        component = pca.components[i].reshape(shape)
        most = np.abs(component).max()
        share = f"{pca.explained_variance_ratio[i]:.0%}"
        show_image(axes[i + 1], component, f"{i + 1}", cmap="RdBu_r", vmin=-most, vmax=most)
        axes[i + 1].set_xlabel(share)
    picture.supxlabel("share of the variance", fontsize=13)
    return picture


@styled
def plot_reconstructions(
    pca: PrincipalComponents, images: np.ndarray, curve: np.ndarray, k: int
) -> Picture:
    """Images, what k components make of them, the difference, and the point on the error curve.

    Parameters
    ----------
    images : ndarray of shape (M, H, W)
        Values in [0, 1].
    curve : ndarray of shape (K + 1,)
        Mean squared error per pixel from 0, 1, …, K components, over all test images.
    k : int
        Number of components, 0 … K.
    """
    picture = new_picture(
        f"{len(images)} test images, their reconstructions from {k} numbers each, and the "
        f"difference; beside them the test error against the number of components, marked at {k}.",
        height=3.9,
        layout=None,
    )
    left = picture.add_axes((0.11, 0.02, 0.57, 0.86))
    flat = images.reshape(len(images), -1)
    rebuilt = reconstruct(pca, project(pca, flat)[:, :k]).reshape(images.shape)
    rows = np.concatenate([images, rebuilt.clip(0, 1), np.abs(rebuilt - images)])
    show_image(left, mosaic(rows, len(images)), vmin=0, vmax=1)
    numbers = "1 number" if k == 1 else f"{k} numbers"
    height = left.get_ylim()[0]
    for row, label in enumerate(("original", f"k = {k}", "difference")):
        left.text(-3, height * (row + 0.5) / 3, label, ha="right", va="center")
    left.set_title(f"{images[0].size} pixels or {numbers} an image")

    right = picture.add_axes((0.755, 0.19, 0.23, 0.69))
    right.plot(curve, color=BLUE)
    right.plot(k, curve[k], color=VERMILLION, marker="o", markersize=12)
    right.set_xscale("symlog", linthresh=1, linscale=0.5)
    ticks = [0, 1, 10, 100]
    right.set_xticks(ticks, [str(t) for t in ticks])
    right.set(ylim=(0, curve[0] * 1.12), xlim=(0, len(curve)))
    right.set(xlabel="numbers kept, k", title=f"test MSE: {curve[k]:.4f}")
    right.tick_params(colors=GREY)
    return picture


def _scatter(axes: Axes, points: np.ndarray, **options) -> None:
    axes.plot(*points.T, **{"color": BLUE, "ls": "", "marker": "o", "alpha": 0.8} | options)
    axes.set_aspect("equal", adjustable="datalim")


def _arrow(axes: Axes, start, step, label: str, color: str, *, beside: bool = False) -> None:
    """An arrow with its label at the head, or beside the shaft."""
    start, step = np.asarray(start), np.asarray(step)
    halo = [withStroke(linewidth=5, foreground="white")]  # on points of any colour
    style = {"arrowstyle": "-|>", "lw": 3, "color": color, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", start + step, start, arrowprops=style | {"path_effects": halo})
    x, y = step / max(np.linalg.norm(step), 1e-12)
    axes.annotate(
        label,
        start + (0.6 if beside else 1) * step,
        (16 * y, -16 * x) if beside else (14 * x, 14 * y),  # points
        textcoords="offset points",
        color=color,
        weight="bold",
        ha="center" if beside else "left" if x >= 0 else "right",
        va="center",
        path_effects=[withStroke(linewidth=4, foreground="white")],
    )


def _components(axes: Axes, pca: PrincipalComponents) -> None:
    deviations = np.sqrt(pca.explained_variance)
    for i, color in zip((0, 1), (VERMILLION, GREEN), strict=True):
        step = pca.components[i] * deviations[i]
        _arrow(axes, pca.mean, step, f"γ{'₁₂'[i]}", color, beside=True)
    axes.set_title("λ₁ = {:.3g}, λ₂ = {:.3g}".format(*pca.explained_variance))


@styled
def plot_directions(points: np.ndarray, pca: PrincipalComponents, scores: np.ndarray) -> Picture:
    """Points of the plane with their principal directions, and the same in these coordinates.

    Parameters
    ----------
    points, scores : ndarray of shape (N, 2)
        The points, and their coordinates along the two components.
    """
    picture = new_picture(
        "Left: points in the plane with two arrows from their mean, along the directions of "
        "largest and least variance, one standard deviation long. Right: the same points turned, "
        "so that these directions are the axes.",
    )
    left, right = picture.subplots(1, 2)
    _scatter(left, points)
    _components(left, pca)
    left.plot(*pca.mean, marker="X", color=BLACK, markersize=11, zorder=4)
    left.set(xlabel="$x_1$", ylabel="$x_2$")
    _scatter(right, scores)
    right.axhline(0, color=VERMILLION, lw=2, zorder=1)
    right.axvline(0, color=GREEN, lw=2, zorder=1)
    right.set(title="in their own axes", xlabel="along the first", ylabel="along the second")
    return picture


@styled
def plot_pruned(points: np.ndarray, rebuilt: np.ndarray, title: str = "") -> Picture:
    """Points of the plane, what is left of them after pruning, and what each has lost.

    Parameters
    ----------
    points, rebuilt : ndarray of shape (N, 2)
    """
    picture = new_picture(
        "Points in the plane, their reconstructions from one number each, which lie on a line, "
        "and a thin stroke from each point to its reconstruction.",
    )
    axes = picture.subplots()
    strokes = np.stack([points, rebuilt, np.full_like(points, np.nan, dtype=float)], axis=1)
    axes.plot(*strokes.reshape(-1, 2).T, color=GREY, lw=1.2, zorder=1)
    _scatter(axes, points, label="point")
    _scatter(axes, rebuilt, color=VERMILLION, marker="s", markersize=5, label="from one number")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set_title(title)
    return picture


@styled
def plot_angle(points: np.ndarray, angle: float) -> Picture:
    """Variance along a direction of the plane and along its perpendicular.

    Parameters
    ----------
    points : ndarray of shape (N, 2)
        With mean zero.
    angle : float
        Of the direction, in degrees.
    """
    picture = new_picture(
        f"Left: points in the plane and their shadows on a line at {angle:g} degrees. Right: the "
        f"variance along the direction and along its perpendicular against the angle, marked at "
        f"{angle:g} degrees; the two add up to the same at every angle.",
        height=4.2,
        layout=None,
    )
    left, right = (
        picture.add_axes((0.05, 0.1, 0.4, 0.84)),
        picture.add_axes((0.57, 0.17, 0.3, 0.71)),
    )
    direction = _unit(angle)
    shadows = np.outer(points @ direction, direction)
    reach = 1.25 * np.abs(points).max()
    strokes = np.stack([points, shadows, np.full_like(shadows, np.nan)], axis=1).reshape(-1, 2)
    left.plot(*strokes.T, color=GREY, lw=1, zorder=1)
    left.plot(*np.outer(direction, [-9, 9]), color=VERMILLION, lw=2, ls="-", zorder=1)
    left.plot(*points.T, color=BLUE, ls="", marker="o")
    left.plot(*shadows.T, color=VERMILLION, ls="", marker="s", markersize=5)
    left.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")

    angles = np.linspace(0, 180, 181)
    for turn, color, line, name in ((0, VERMILLION, "-", "along"), (90, GREEN, "--", "across")):
        curve = variances_along(points, _unit(angles + turn))
        here = variances_along(points, _unit(angle + turn))
        right.plot(angles, curve, color=color, ls=line)
        right.plot(angle, here, color=color, marker="o" if turn == 0 else "s", markersize=11)
        top = (angles[np.argmax(curve)], np.max(curve) + 0.1)
        right.text(*top, name, color=color, ha="center", va="bottom", weight="bold")
    right.set_ylim(0, 1.15 * right.dataLim.y1)
    along = variances_along(points, direction)
    right.set(xlim=(0, 180), xticks=[0, 45, 90, 135, 180], xlabel="angle, degrees")
    right.set_title(f"variance along {angle:g}°: {along:.2f}")
    return picture


def _unit(degrees: float | np.ndarray) -> np.ndarray:
    """Directions of the plane at these angles, shape (2,) or (2, n)."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


@styled
def plot_uncentred(
    points: np.ndarray, mean: np.ndarray, raw: np.ndarray, centred: np.ndarray
) -> Picture:
    """The first direction of the SVD with and without centring.

    Parameters
    ----------
    points : ndarray of shape (N, 2)
    mean : ndarray of shape (2,)
        Of the points.
    raw, centred : ndarray of shape (2,)
        First right singular vector of the points as they are, and of the centred points.
    """
    picture = new_picture(
        "Points in the plane. Without centring, the first singular vector starts at the origin "
        "and is pulled towards the mean; with centring, it starts at the mean and lies along the cloud.",
        height=4.2,
    )
    axes = picture.subplots()
    _scatter(axes, points, markersize=11)
    axes.plot(*mean, color=BLACK, marker="X", markersize=12, zorder=4)
    axes.plot(0, 0, color=BLACK, marker="+", markersize=16, markeredgewidth=3, zorder=4)
    _arrow(axes, (0, 0), 2 * raw, "not centred: pulled to the mean", VERMILLION)
    _arrow(axes, mean, 2 * centred, "centred: along the cloud", GREEN)
    axes.text(*mean, "  mean", va="top")
    axes.text(0, 0, "origin  ", va="top", ha="right")
    axes.margins(0.25)
    return picture


@styled
def plot_spectrum(
    variances: np.ndarray, shares: Sequence[float] = (0.8, 0.9, 0.95, 0.99)
) -> Picture:
    """The variance along each component, and how many reach a share of the whole.

    Parameters
    ----------
    variances : ndarray of shape (D,)
        All explained variances, falling.
    shares : sequence of float
        Marked on the cumulative curve.
    """
    picture = new_picture(
        "Left: variance along each component, on logarithmic axes, falling by orders of "
        "magnitude. Right: the share of the variance that the first k components have together, "
        "with the number of components that reach "
        + ", ".join(f"{share:.0%}" for share in shares)
        + " marked.",
        height=4.2,
    )
    left, right = picture.subplots(1, 2)
    numbers = np.arange(1, len(variances) + 1)
    left.loglog(numbers, variances, color=BLUE)
    left.set(title="variance of each", xlabel="component")
    right.semilogx(numbers, cumulative_shares(variances), color=BLUE)
    for share in shares:
        k = components_for_share(variances, share)
        right.plot(k, share, color=VERMILLION, marker="o", markersize=9)
        right.annotate(
            f"{share:.0%}: {k}",
            (k, share),
            (9, -13),
            textcoords="offset points",
            color=VERMILLION,
            weight="bold",
            fontsize=12,
        )
    right.set(title="share of the first k together", xlabel="k", ylim=(0.25, 1.02), xlim=(1, 2500))
    return picture


@styled
def plot_errors(train: np.ndarray, test: np.ndarray, discarded: np.ndarray) -> Picture:
    """Error of reconstruction on training and test samples, and the variance left out.

    Parameters
    ----------
    train, test, discarded : ndarray of shape (K + 1,)
        Mean squared error per feature from 0 … K components; variance left out, per feature.
    """
    picture = new_picture(
        "Left: error against the number of components. The training error lies on the discarded "
        "variance; the test error lies a little below it at first, then above. Right: test error "
        "divided by training error, which starts near one and grows with the number of components.",
        height=4.2,
    )
    left, right = picture.subplots(1, 2)
    numbers = np.arange(len(train))
    rings = {
        "ls": "",
        "marker": "o",
        "markersize": 12,
        "mfc": "none",
        "mew": 2.5,
        "markevery": 0.08,
    }
    left.plot(
        numbers[1:], discarded[1:], color=VIOLET, label="variance left out, per pixel", **rings
    )
    left.plot(numbers[1:], train[1:], color=BLUE, ls="-", label="training error")
    left.plot(numbers[1:], test[1:], color=VERMILLION, ls="--", label="test error")
    left.set(xscale="log", yscale="log", xlabel="k", title="error (MSE)", ylim=(1e-4, 0.1))
    left.legend(loc="lower left", frameon=False)
    kept = train > 1e-3 * train[0]  # beyond, both are rounding
    right.plot(numbers[kept], (test / np.where(kept, train, 1))[kept], color=VERMILLION)
    right.axhline(1, color=GREY, lw=1.5)
    right.set(xlabel="k", title="test error ÷ training error")
    return picture


@styled
def plot_walk(
    pca: PrincipalComponents,
    scores: np.ndarray,
    middles: Mapping[str, np.ndarray],
    shape: tuple[int, int],
    first: float,
    second: float,
) -> Picture:
    """A walk from the mean image along the first two components.

    Parameters
    ----------
    scores : ndarray of shape (N, k)
        Coordinates of the images, k ≥ 2.
    middles : mapping from class name to ndarray of shape (2,)
        The mean of the coordinates of each class, where its name stands.
    first, second : float
        How far to go, in standard deviations of each component.
    """
    picture = new_picture(
        f"Left: images as points by their first two coordinates, the classes named near their means, "
        f"a cross at {first:g} and {second:g} standard deviations. Right: the image there.",
        height=4.4,
        layout=None,
    )
    left, right = (
        picture.add_axes((0.09, 0.14, 0.5, 0.8)),
        picture.add_axes((0.63, 0.05, 0.36, 0.82)),
    )
    deviations = np.sqrt(pca.explained_variance[:2])
    left.plot(
        *(scores[:, :2] / deviations).T, color=BLUE, ls="", marker=".", markersize=3, alpha=0.4
    )
    places = labels_apart(np.array(list(middles.values())) / deviations, np.array([0.94, 0.3]))
    for (x, y), name in zip(places, middles, strict=True):
        left.text(x, y, name, ha="center", va="center", weight="bold", fontsize=12)
    left.plot(first, second, color=VERMILLION, marker="X", markersize=17, markeredgecolor="white")
    left.set(xlabel="component 1, its standard deviations", ylabel="component 2, its deviations")
    left.set(xlim=(-3, 3), ylim=(-3, 3))
    image = reconstruct(pca, (np.array([first, second]) * deviations)[None]).reshape(shape)
    title = f"mean {first:+g} and {second:+g} deviations"
    show_image(right, image.clip(0, 1), title, vmin=0, vmax=1)
    return picture


@styled
def plot_solver_times(solvers: Sequence[dict]) -> Picture:
    """Seconds that each way to do PCA takes, in single and double precision.

    Parameters
    ----------
    solvers : sequence of dict
        With "name", "float32" and "float64" (seconds).
    """
    picture = new_picture(
        "Seconds on a logarithmic axis for each solver, in single and in double precision: "
        + "; ".join(f"{s['name']} {s['float32']:.2g} and {s['float64']:.2g}" for s in solvers)
        + ".",
        height=3.6,
    )
    axes = picture.subplots()
    rows = np.arange(len(solvers))[::-1]
    for key, color, marker in (("float32", BLUE, "o"), ("float64", VERMILLION, "s")):
        seconds = [solver[key] for solver in solvers]
        axes.plot(seconds, rows, color=color, ls="", marker=marker, markersize=12, label=key)
    for row, solver in zip(rows, solvers, strict=True):
        axes.plot([solver["float32"], solver["float64"]], [row, row], color=GREY, lw=1, ls="-")
    axes.set(xscale="log", xlabel="seconds", ylim=(-0.6, len(solvers) - 0.4))
    axes.set_yticks(rows, [solver["name"] for solver in solvers])
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return picture


@styled
def plot_loadings(
    panels: Sequence[tuple[str, PrincipalComponents]], names: Sequence[str]
) -> Picture:
    """What the first component of the same data is made of, in different units.

    Parameters
    ----------
    panels : sequence of (title, PCA)
    names : sequence of str
        Names of the D features.
    """
    shown = [pca.components[0].round(2) + 0 for _, pca in panels]  # + 0: no "-0.00"
    entries = [[f"{x:.2f}" for x in row] for row in shown]
    described = (
        f"{title}: " + ", ".join(f"{n} {x}" for n, x in zip(names, row, strict=True))
        for (title, _), row in zip(panels, entries, strict=True)
    )
    picture = new_picture(
        "Entries of the first principal component for the same data in different units. "
        + "; ".join(described)
        + ".",
        height=3.1,
    )
    rows = picture.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    lowest = -1.35 if np.min(shown) < 0 else 0  # an entry that rounds to 0 needs no room
    for axes, (title, pca), labels in zip(rows, panels, entries, strict=True):
        bars = axes.barh(names, [float(label) for label in labels], color=BLUE)
        axes.bar_label(bars, labels, padding=4)
        axes.set_title(
            f"{title}\n{pca.explained_variance_ratio[0]:.1%} of the variance", fontsize=14
        )
        axes.set(xlim=(lowest, 1.35), xlabel="entry of component 1")
        axes.axvline(0, color=BLACK, lw=1)
        axes.grid(False)
    return picture


@styled
def plot_two_classes(
    points: np.ndarray, labels: np.ndarray, pca: PrincipalComponents, scores: np.ndarray
) -> Picture:
    """Two classes, and how they lie along the first and along the second component.

    Parameters
    ----------
    points, scores : ndarray of shape (N, 2)
    labels : ndarray of shape (N,)
        0 or 1.
    """
    picture = new_picture(
        "Left: two long clouds of points side by side, with arrows along the two components. "
        "Right: along the first component the histograms of the two classes lie on each other; "
        "along the second they are apart.",
        height=4.2,
    )
    grid = picture.add_gridspec(2, 2)
    left = picture.add_subplot(grid[:, 0])
    for c, (color, marker) in enumerate(((BLUE, "o"), (BROWN, "s"))):
        of_class = points[labels == c]
        _scatter(left, of_class, color=color, marker=marker, markersize=4, label=f"class {c}")
    _components(left, pca)
    left.legend(loc="lower right", frameon=False, markerscale=2)
    bins = np.linspace(scores.min(), scores.max(), 61)
    for i, name in enumerate(("first", "second")):
        axes = picture.add_subplot(grid[i, 1])
        for c, (color, hatch) in enumerate(((BLUE, ""), (BROWN, "///"))):
            axes.hist(
                scores[labels == c, i], bins, color=color, alpha=0.6, hatch=hatch, edgecolor=GREY
            )
        share = pca.explained_variance_ratio[i]
        axes.set_title(f"along the {name}: {share:.0%} of the variance")
        axes.set_yticks([])
    return picture
