"""Pictures of ratings and of what predicts them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from helpers.factorization import Fit
from helpers.picture import (
    BLACK,
    BLUE,
    COLORS,
    GREY,
    MARKERS,
    ORANGE,
    SKY,
    VERMILLION,
    Picture,
    new_picture,
    styled,
)
from helpers.rating_models import RatingModel
from helpers.ratings import Scale

USERS, ITEMS = BLUE, VERMILLION


@styled
def plot_tails(
    counts: tuple[np.ndarray, np.ndarray], stars: np.ndarray, shares: np.ndarray, source: str
) -> Picture:
    """How many ratings users and restaurants have, from the most to the fewest, and the stars.

    Parameters
    ----------
    counts : (of each user, of each restaurant)
        Of :func:`helpers.ratings.activity`.
    stars, shares : ndarray of shape (values,)
        Of :func:`helpers.ratings.star_shares`.
    source : str
        Where the ratings are from.
    """
    each = ", ".join(f"{star:g}: {share:.0%}" for star, share in zip(stars, shares, strict=True))
    picture = new_picture(
        f"{source.capitalize()}. Number of ratings against rank, both logarithmic: users fall from "
        f"{counts[0].max():,} to {counts[0].min():,}; restaurants fall from {counts[1].max():,} to "
        f"{counts[1].min():,}. Beside it the share of the ratings with so many stars: {each}.",
        height=4,
    )
    left, right = picture.subplots(1, 2, width_ratios=(1.6, 1))
    for name, count, color, line, place in (
        ("users", counts[0], USERS, "-", (-6, -20)),
        ("restaurants", counts[1], ITEMS, "--", (6, 8)),
    ):
        ordered = np.sort(count[count > 0])[::-1]
        ranks = np.unique(np.geomspace(1, len(ordered), 300).astype(int))
        left.plot(ranks, ordered[ranks - 1], color=color, linestyle=line)
        at = ranks[len(ranks) // 5]
        left.annotate(name, (at, ordered[at - 1]), place, textcoords="offset points", color=color)
    left.set(xscale="log", yscale="log", xlabel="rank", ylabel="number of ratings", title=source)
    places = range(len(stars))
    bars = right.bar(places, shares, color=SKY, edgecolor=BLACK)
    right.bar_label(
        bars, [f"{share:.0%}" for share in shares], fontsize=14 if len(stars) < 6 else 11
    )
    right.set_xticks(places, [f"{star:g}" for star in stars])
    right.set(xlabel="stars", title="share of the ratings", yticks=[])
    right.grid(False)
    right.spines["left"].set_visible(False)
    return picture


@styled
def plot_errors(
    names: Sequence[str],
    intervals: np.ndarray,
    points: Sequence[float],
    best: float | None = None,
    part: str = "test",
) -> Picture:
    """RMSE of models on held-out ratings, with intervals; dashed where nothing can be better.

    Parameters
    ----------
    intervals : ndarray of shape (models, 2)
    best : float, optional
        RMSE of the best possible prediction, where it is known.
    part : str
        Which ratings these are.
    """
    described = "; ".join(
        f"{name} {point:.2f}" for name, point in zip(names, points, strict=True)
    ) + (f"; the best possible {best:.2f}." if best else ".")
    picture = new_picture(
        f"RMSE of the {part} ratings, in stars, with intervals: {described}", 1.6 + 0.5 * len(names)
    )
    axes = picture.subplots()
    for row, (point, (low, high)) in enumerate(zip(points, intervals, strict=True)):
        color, marker = COLORS[row % len(COLORS)], MARKERS[row % len(MARKERS)]
        axes.plot([low, high], [row, row], color=color, linestyle="-", marker="|", markersize=14)
        axes.plot(point, row, color=color, marker=marker, markersize=10)
        axes.text(high, row, f"   {point:.3f}", va="center", color=color)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    if best:
        axes.axvline(best, color=GREY, linestyle="--")
        axes.text(best, -0.72, "  best possible", color=GREY)
    axes.set(xlabel=f"{part} RMSE, in stars", ylim=(len(names) - 0.5, -0.95))
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.12 * (high - low))
    return picture


@styled
def plot_fits(
    fits: Mapping[str, Fit], baseline: tuple[str, float], title: str = "", top: float | None = None
) -> Picture:
    """Training and validation RMSE of fits, epoch by epoch, and a baseline's.

    Parameters
    ----------
    baseline : (name, validation RMSE)
    top : float, optional
        Upper end of the axis; a start may lie far above.
    """
    reached = "; ".join(  # not in which epoch: where the curve is flat, that depends on the machine
        f"{name} is best at a validation RMSE of {fit.history['validation'][fit.best]:.2f}"
        for name, fit in fits.items()
    )
    picture = new_picture(
        f"RMSE of training and validation ratings by epoch. {reached}; {baseline[0]} has "
        f"{baseline[1]:.2f}."
    )
    panels = picture.subplots(1, len(fits), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, fit) in zip(panels, fits.items(), strict=True):
        _curve(axes, fit)
        axes.axhline(baseline[1], color=GREY, linestyle="--")
        axes.text(0.98, baseline[1], baseline[0], transform=axes.get_yaxis_transform(), color=GREY)
        axes.texts[-1].set(ha="right", va="bottom")
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels[0].set_ylabel("RMSE, in stars")
    if top:
        panels[0].set_ylim(top=top)
    if title:
        picture.suptitle(title, x=0.02, ha="left", fontsize=16)
    return picture


def _curve(axes: Axes, fit: Fit) -> None:
    for name, color, line in (("training", BLUE, "-"), ("validation", VERMILLION, (0, (3, 1)))):
        values = fit.history[name]
        axes.plot(values, color=color, linestyle=line, linewidth=3)
        axes.annotate(name, (len(values) - 1, values[-1]), (0, 10), textcoords="offset points")
        axes.texts[-1].set(color=color, ha="right")
    best = fit.history["validation"][fit.best]
    axes.plot(fit.best, best, color=BLACK, marker="o", markersize=11, fillstyle="none")


@styled
def plot_grid(records: Sequence[dict]) -> Picture:
    """Validation RMSE for each number of factors and each penalty, the best one framed."""
    ks, penalties, errors = _table(records, "validation")
    row, column = np.unravel_index(errors.argmin(), errors.shape)
    weakest = errors[0].argmax()
    picture = new_picture(
        f"Validation RMSE for {len(ks)} numbers of factors and {len(penalties)} penalties, from "
        f"{errors.min():.2f} to {errors.max():.2f}. It is lowest at k = {ks[column]} and λ = "
        f"{penalties[row]:g}; with the weakest penalty it is highest at k = {ks[weakest]}.",
        height=4.2,
    )
    axes = picture.subplots()
    axes.imshow(errors, cmap="cividis_r", aspect="auto")
    middle = (errors.min() + errors.max()) / 2
    for r, c in np.ndindex(errors.shape):
        color = "white" if errors[r, c] > middle else "black"
        axes.text(c, r, f"{errors[r, c]:.3f}", ha="center", va="center", color=color)
    frame = {"fill": False, "edgecolor": VERMILLION, "linewidth": 4}
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
    axes.set_xticks(range(len(ks)), ks)
    axes.set_yticks(range(len(penalties)), [f"{p:g}" for p in penalties])
    axes.set(xlabel="factors, k", ylabel="penalty λ", title="validation RMSE, in stars")
    axes.grid(False)
    return picture


def _table(records: Sequence[dict], name: str) -> tuple[list[int], list[float], np.ndarray]:
    ks = sorted({record["k"] for record in records})
    penalties = sorted({record["penalty"] for record in records})
    of = {(record["penalty"], record["k"]): record[name] for record in records}
    return ks, penalties, np.array([[of[penalty, k] for k in ks] for penalty in penalties])


@styled
def plot_choice(
    records: Sequence[dict],
    given: tuple[np.ndarray, np.ndarray],
    baseline: float,
    scale: Scale,
    k: int,
    penalty: float,
) -> Picture:
    """Errors against the number of factors, the spectrum, and one user's ratings, at one choice.

    Parameters
    ----------
    records : sequence of dict
        What :func:`helpers.experiments.ratings.grid_of_fits` returns.
    given : (training stars, validation stars)
        Of the user whose predictions are in the records.
    baseline : float
        Validation RMSE of the bias model.
    scale : Scale
        Of the ratings.
    """
    of_penalty = [r for r in records if r["penalty"] == penalty]
    (here,) = (r for r in of_penalty if r["k"] == k)
    picture = new_picture(
        f"k = {k}, λ = {penalty:g}: RMSE of training {here['training']:.2f} and validation ratings "
        f"{here['validation']:.2f}, against "
        f"{baseline:.2f} of the bias model; the {k} singular values of Q Pᵀ; and the predicted "
        "against the given stars of one user, in training and held out.",
        height=4.4,
        layout=None,
    )
    held_out = picture.add_axes((0.07, 0.50, 0.36, 0.40))
    training = picture.add_axes((0.07, 0.15, 0.36, 0.30))
    _errors_by_k(held_out, training, of_penalty, here, baseline)
    middle = picture.add_axes((0.49, 0.15, 0.17, 0.75))
    values = here["singular_values"][:8]
    middle.bar(range(1, len(values) + 1), values, color=SKY, edgecolor=BLACK, linewidth=0.5)
    highest = max(record["singular_values"][0] for record in records)
    middle.set(title="spectrum of QPᵀ", xlabel="factor", xlim=(0.3, 8.7))
    middle.set(yticks=[], xticks=(1, 2, 4, 8), ylim=(0, highest * 1.05 or 1))
    if k > 8:
        middle.text(8.6, highest, f"first 8 of {k}", ha="right", va="top", color=GREY)
    user = picture.add_axes((0.76, 0.15, 0.23, 0.75))
    _user(user, given, np.array(here["predicted"]), scale)
    return picture


def _errors_by_k(held_out, training, of_penalty, here, baseline) -> None:
    places = np.arange(len(of_penalty))
    panels = {
        "validation": (held_out, VERMILLION, "--", "s"),
        "training": (training, BLUE, "-", "o"),
    }
    for name, (axes, color, line, marker) in panels.items():
        curve = [record[name] for record in of_penalty]
        axes.plot(places, curve, color=color, linestyle=line, marker=marker)
        words = f"{name} {here[name]:.3f}"
        axes.text(0.99, 0.97, words, color=color, transform=axes.transAxes, ha="right", va="top")
        low, high = min(curve), max(*curve, baseline if axes is held_out else 0)
        room = max(high - low, 0.04)
        axes.set(ylim=(low - 0.1 * room, high + 0.5 * room), xlim=(-0.4, places[-1] + 0.4))
        axes.axvline(of_penalty.index(here), color=BLACK, linestyle="-", linewidth=1)
    held_out.axhline(baseline, color=GREY, linestyle="--", linewidth=1.5)
    held_out.set_xticks([])
    training.set_xticks(places, [str(record["k"]) for record in of_penalty])
    training.set_xlabel("factors, k")
    held_out.set_title(f"RMSE at λ = {here['penalty']:.3g}; grey: biases")


def _user(axes, given, predicted, scale) -> None:
    known, unit, (low, high, _) = len(given[0]), scale.unit, scale
    jitter = unit * np.random.default_rng(0).uniform(-0.18, 0.18, len(predicted))
    stars = np.concatenate(given)
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1)
    for part, color, marker, label in (
        (slice(known), BLUE, "o", "training"),
        (slice(known, None), VERMILLION, "s", "held out"),
    ):
        places = stars[part] + jitter[part]
        look = {"color": color, "marker": marker, "linestyle": "", "markersize": 5}
        axes.plot(places, predicted[part], alpha=0.8, **look)
        height = high + unit * (0.35 if marker == "o" else 0.05)
        axes.plot(low - 0.15 * unit, height, **look)
        axes.text(low, height, label, color=color, va="center")
    axes.set(title="one user", xlabel="given stars")
    axes.set(xlim=(low - 0.4 * unit, high + 0.4 * unit), ylim=(low - 0.2 * unit, high + 0.6 * unit))
    ticks = sorted({low, (low + high) / 2, high})
    axes.set(xticks=ticks, yticks=ticks)
    axes.set_ylabel("predicted", labelpad=2)


@styled
def plot_item_map(
    panels: Mapping[str, np.ndarray],
    group: np.ndarray,
    names: Sequence[str],
    counts: np.ndarray,
) -> Picture:
    """Items in the plane, marked by a group that they belong to; a panel for each set of places.

    Parameters
    ----------
    panels : mapping from title to (places of shape (items, 2), middles of shape (groups, 2))
        The middles carry the names of the groups.
    group : ndarray of shape (items,), int
        Position in ``names``, of which there are at most 8.
    counts : ndarray of shape (items,)
        Ratings of each item: what has more is drawn larger.
    """
    picture = new_picture("Restaurants in the plane.", height=5.2)
    picture.get_layout_engine().set(h_pad=0.1)
    colors, markers = _group_looks(len(names))
    described = []
    for axes, (title, (places, centres)) in zip(
        picture.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        sizes = 3 + 40 * np.sqrt(counts / counts.max())
        for g, (name, color, marker) in enumerate(zip(names, colors, markers, strict=True)):
            look = {
                "color": color,
                "marker": marker,
                "s": sizes[group == g],
                "alpha": 0.5,
                "linewidths": 0,
            }
            axes.scatter(*places[group == g].T, **look)
            box = {"facecolor": "white", "edgecolor": color, "linewidth": 2.5, "pad": 3}
            axes.text(*(1.15 * centres[g]), name, ha="center", va="center", color=BLACK, bbox=box)
        limit = np.quantile(np.abs(places), 0.995) * 1.1
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
        axes.set_title(title)
        angles = np.arctan2(*np.transpose(centres)[::-1])
        around = ", ".join(names[g] for g in np.argsort((angles - angles[0]) % (2 * np.pi)))
        described.append(f"{title}: {around}")
    picture.alt = "Restaurants in the plane; the middles of the groups (each restaurant counts as often as it was rated), counter-clockwise. "
    picture.alt += "; ".join(described) + "."
    return picture


def _group_looks(count: int) -> tuple[list, list]:
    return [*COLORS, GREY][:count], [*MARKERS, "*"][:count]


@styled
def plot_recommendations(
    model: RatingModel,
    places: np.ndarray,
    labels: Sequence[str],
    shown: Sequence[int],
    given: Mapping[int, float],
    mine: np.ndarray,
    order: np.ndarray,
    taste: np.ndarray,
) -> Picture:
    """Where a new user stands on the map, and what is recommended for which reason.

    Parameters
    ----------
    places : ndarray of shape (items, 2)
        Of :func:`helpers.recommendation.item_places`.
    labels : sequence of str
        A name for each item.
    shown : sequence of int
        The items that carry their names on the map.
    given : mapping from item to stars
        What the user has rated of them.
    mine : ndarray of shape (2,)
        The user's place, of :func:`helpers.recommendation.user_place`.
    order : ndarray of shape (n,), int
        What is recommended, best first; n may be 0.
    taste : ndarray of shape (items,)
        What the user's factors add to each item's rating.
    """
    words = ", ".join(f"{labels[i]}: {star:g}" for i, star in given.items())
    picture = new_picture(
        f"Given: {words or 'nothing'}. Recommended: {', '.join(labels[i] for i in order)}.",
        height=4.6,
        layout=None,
    )
    left = picture.add_axes((0.01, 0.03, 0.40, 0.87))
    some = places[:: max(1, len(places) // 150)]
    left.plot(*some.T, color="#BBBBBB", linestyle="", marker=".", markersize=3)
    farthest = np.abs([*places[[*shown]], mine]).max()
    limit = 1.5 * max(np.quantile(np.abs(places), 0.98), farthest) or 1
    middle = (model.scale.lowest + model.scale.highest) / 2
    for item in shown:
        star = given.get(item)
        color = GREY if star is None else VERMILLION if star < middle else BLUE
        text = labels[item].split(" · ")[0] + ("" if star is None else f"  {star:g}★")
        left.plot(*places[item], color=color, marker="o", markersize=9, linestyle="")
        offset = (0, 16 if places[item][1] > 0 else -16)
        note = left.annotate(text, places[item], offset, textcoords="offset points")
        note.set(color=color, parse_math=False, ha="center", va="center")  # prices are $ signs
    if np.linalg.norm(mine) > 1e-9 * limit:
        arrow = {"arrowstyle": "-|>", "color": BLACK, "lw": 3, "mutation_scale": 18}
        left.annotate("", mine, (0, 0), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0})
    left.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
    left.set_title("the arrow ends at your place")
    _reasons(picture.add_axes((0.63, 0.14, 0.35, 0.76)), model, labels, order, taste)
    return picture


def _reasons(axes, model, labels, order, taste) -> None:
    rows, unit = np.arange(len(order)), model.scale.unit
    by_all, by_you = model.item_bias[order], taste[order]
    bars = {"edgecolor": BLACK, "height": 0.75}
    # thinner and on top: where it is negative, the other bar covers it
    above = bars | {"height": 0.35, "zorder": 3}
    axes.barh(rows, by_all, color=SKY, label="liked by all", **above)
    axes.barh(rows, by_you, left=by_all, color=ORANGE, hatch="//", label="by you", **bars)
    axes.set_yticks(rows, [labels[i] for i in order], parse_math=False)
    axes.set_ylim(max(len(order), 1) - 0.4, -2)
    axes.legend(loc="upper left", ncols=2, frameon=False, borderaxespad=0, columnspacing=1)
    axes.set(xlim=(-0.5 * unit, 1.5 * unit), title="recommended")
    ticks = np.arange(3) * float(f"{unit / 2:.0e}")  # of one digit, or two
    axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    axes.set_xlabel("stars above the mean")
    axes.grid(axis="y", visible=False)


@styled
def plot_costs(tables: Mapping[str, tuple[str, Sequence[dict]]]) -> Picture:
    """Seconds of an epoch against what makes it longer, both logarithmic.

    Parameters
    ----------
    tables : mapping from title to (label of the axis, records)
        A record has a value under the label, and seconds under "als", "sgd" or both.
    """
    words = []
    picture = new_picture("Seconds of an epoch.", height=4.2)
    panels = picture.subplots(1, len(tables), sharey=True)
    looks = (("als", "ALS", BLUE, "-", "o"), ("sgd", "SGD", VERMILLION, "--", "s"))
    for axes, (title, (label, records)) in zip(panels, tables.items(), strict=True):
        values = [record[label] for record in records]
        for name, text, color, line, marker in looks:
            if name not in records[0]:
                continue
            seconds = [record[name] for record in records]
            axes.plot(values, seconds, color=color, linestyle=line, marker=marker)
            axes.annotate(text, (values[-1], seconds[-1]), (8, 0), textcoords="offset points")
            axes.texts[-1].set(color=color, va="center")
            growth = seconds[-1] / seconds[0]
            words.append(f"{text} from {values[0]:g} to {values[-1]:g} {label}: × {growth:.2g}")
        axes.set(xscale="log", yscale="log", xlabel=label, title=title)
        axes.set_xlim(right=values[-1] * (values[-1] / values[0]) ** 0.25)  # room for the names
        axes.minorticks_off()
        axes.set_xticks(values, [f"{v:,.3g}" if v < 1e4 else f"{v / 1e3:,.0f}k" for v in values])
    panels[0].set_ylabel("seconds an epoch")
    picture.alt = "Seconds of an epoch of ALS and SGD, logarithmic. " + "; ".join(words) + "."
    return picture


@styled
def plot_by_seconds(
    curves: Mapping[str, Sequence[tuple[float, float]]], baseline: float
) -> Picture:
    """Validation RMSE of fits against the seconds that their epochs took.

    Parameters
    ----------
    curves : mapping from name to a sequence of (seconds, RMSE)
    """
    bests = {name: min(error for _, error in curve) for name, curve in curves.items()}
    near = {n: next(s for s, error in curves[n] if error < bests[n] + 0.002) for n in curves}
    ends = "; ".join(
        f"{name} is within 0.002 of its best, {bests[name]:.3f}, after {near[name]:.2f} seconds"
        for name in curves
    )
    picture = new_picture(f"Validation RMSE against seconds. {ends}.", height=3.8)
    axes = picture.subplots()
    looks = zip((BLUE, VERMILLION), ("-", "--"), MARKERS, (1 / 12, 1 / 2), strict=False)
    for (name, curve), (color, line, marker, share) in zip(curves.items(), looks, strict=True):
        seconds, errors = zip(*curve, strict=True)
        axes.plot(seconds, errors, color=color, linestyle=line, marker=marker, markersize=4)
        at = int(share * len(curve))  # where the curves are apart
        axes.annotate(name, (seconds[at], errors[at]), (4, 8), textcoords="offset points")
        axes.texts[-1].set(color=color, size=15)
    axes.axhline(baseline, color=GREY, linestyle="--")
    axes.text(0.99, baseline, "bias model", transform=axes.get_yaxis_transform(), color=GREY)
    axes.texts[-1].set(ha="right", va="bottom")
    axes.set(xlabel="seconds, epochs only", ylabel="validation RMSE", xlim=(0, None))
    return picture
