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
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    SKY,
    VERMILLION,
    Picture,
    new_picture,
    styled,
)
from helpers.rating_models import RatingModel, principal_axes
from helpers.ratings import Ratings

USERS, ITEMS = BLUE, VERMILLION


@styled
def plot_tails(ratings: Ratings, source: str) -> Picture:
    """How many ratings users and restaurants have, from the most to the fewest, and the stars."""
    counts = [np.bincount(who) for who in (ratings.users, ratings.items)]
    shares = np.bincount(ratings.stars.round().astype(int), minlength=6)[1:6] / len(ratings.stars)
    single = np.mean(counts[0][counts[0] > 0] == 1)
    picture = new_picture(
        f"{source.capitalize()}. Number of ratings against rank, both logarithmic: users fall from "
        f"{counts[0].max():,} to 1, {single:.0%} of them having one rating; restaurants fall from "
        f"{counts[1].max():,}. Beside it the shares of 1 to 5 stars: "
        + ", ".join(f"{share:.0%}" for share in shares)
        + ".",
        height=4,
    )
    left, right = picture.subplots(1, 2, width_ratios=(1.6, 1))
    for name, who, count, color, line in (
        ("users", ratings.users, counts[0], USERS, "-"),
        ("restaurants", ratings.items, counts[1], ITEMS, "--"),
    ):
        ordered = np.sort(count)[::-1]
        ranks = np.unique(np.geomspace(1, len(ordered), 300).astype(int))
        left.plot(ranks, ordered[ranks - 1], color=color, linestyle=line)
        at = ranks[len(ranks) // 5]
        place = (6, 8) if who is ratings.items else (-6, -20)
        left.annotate(name, (at, ordered[at - 1]), place, textcoords="offset points", color=color)
    left.set(xscale="log", yscale="log", xlabel="rank", ylabel="number of ratings", title=source)
    bars = right.bar(range(1, 6), shares, color=SKY, edgecolor=BLACK)
    right.bar_label(bars, [f"{share:.0%}" for share in shares])
    right.set(xlabel="stars", title="share of the ratings", yticks=[])
    right.grid(False)
    right.spines["left"].set_visible(False)
    return picture


@styled
def plot_pruning(rounds: Sequence[tuple[int, int, int]], more_than: int) -> Picture:
    """What is left after each round of recursive pruning, as shares of the start."""
    table = np.array(rounds, dtype=float)
    shares = table / table[0]
    names = ("users", "restaurants", "ratings")
    ends = ", ".join(
        f"{name} {start:,.0f} to {end:,.0f}"
        for name, start, end in zip(names, table[0], table[-1], strict=True)
    )
    picture = new_picture(
        f"Pruning to more than {more_than} ratings each takes {len(rounds) - 1} rounds, most of it "
        f"the first: {ends}.",
        height=3.6,
    )
    axes = picture.subplots()
    for name, share, color, line, marker in zip(
        names, shares.T, (USERS, ITEMS, GREEN), ("-", "--", "-."), MARKERS, strict=False
    ):
        axes.plot(share, color=color, linestyle=line, marker=marker)
        axes.annotate(
            f"{name}, {share[-1]:.0%} left",
            (len(share) - 1, share[-1]),
            (10, 0),
            textcoords="offset points",
            color=color,
            va="center",
        )
    axes.set(xlabel="round", ylabel="share left", ylim=(0, 1.05), xlim=(-0.1, len(rounds) * 1.25))
    axes.set_xticks(range(len(rounds)))
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
    """Training and validation RMSE of fits, pass by pass, and a baseline's.

    Parameters
    ----------
    baseline : (name, validation RMSE)
    top : float, optional
        Upper end of the axis; a start may lie far above.
    """
    reached = "; ".join(  # not in which pass: where the curve is flat, that depends on the machine
        f"{name} is best at a validation RMSE of {fit.history['validation'][fit.best]:.2f}"
        for name, fit in fits.items()
    )
    picture = new_picture(
        f"RMSE of training and validation ratings by pass. {reached}; {baseline[0]} has "
        f"{baseline[1]:.2f}."
    )
    panels = picture.subplots(1, len(fits), sharey=True, squeeze=False)[0]
    for axes, (name, fit) in zip(panels, fits.items(), strict=True):
        _curve(axes, fit)
        axes.axhline(baseline[1], color=GREY, linestyle="--")
        axes.text(0.98, baseline[1], baseline[0], transform=axes.get_yaxis_transform(), color=GREY)
        axes.texts[-1].set(ha="right", va="bottom")
        axes.set(xlabel="pass", title=name)
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
    """
    of_penalty = [r for r in records if r["penalty"] == penalty]
    (here,) = (r for r in of_penalty if r["k"] == k)
    picture = new_picture(
        f"k = {k}, λ = {penalty:g}: RMSE of training {here['training']:.2f}, validation "
        f"{here['validation']:.2f} and test ratings {here['test']:.2f}, against "
        f"{baseline:.2f} of the bias model; the {k} singular values of Q Pᵀ; and the predicted "
        "against the given stars of one user, in training and held out.",
        height=4.4,
        layout=None,
    )
    held_out = picture.add_axes((0.07, 0.50, 0.36, 0.40))
    training = picture.add_axes((0.07, 0.15, 0.36, 0.30))
    _errors_by_k(held_out, training, of_penalty, here, baseline)
    middle = picture.add_axes((0.50, 0.15, 0.17, 0.75))
    values = here["singular_values"][:8]
    middle.bar(range(1, len(values) + 1), values, color=SKY, edgecolor=BLACK, linewidth=0.5)
    highest = max(record["singular_values"][0] for record in records)
    middle.set(title="spectrum of QPᵀ", xlabel="factor", xlim=(0.3, 8.7))
    middle.set(yticks=[], xticks=(1, 2, 4, 8), ylim=(0, highest * 1.05))
    if k > 8:
        middle.text(8.6, highest, f"first 8 of {k}", ha="right", va="top", color=GREY)
    _user(picture.add_axes((0.75, 0.15, 0.24, 0.75)), given, np.array(here["predicted"]))
    return picture


def _errors_by_k(held_out, training, of_penalty, here, baseline) -> None:
    places = np.arange(len(of_penalty))
    panels = (
        (held_out, ("validation", VERMILLION, "--", "s"), ("test", GREEN, ":", "^")),
        (training, ("training", BLUE, "-", "o")),
    )
    for axes, *curves in panels:
        for row, (name, color, line, marker) in enumerate(curves):
            curve = [record[name] for record in of_penalty]
            axes.plot(places, curve, color=color, linestyle=line, marker=marker)
            at, words = 0.97 - 0.17 * row, f"{name} {here[name]:.3f}"
            axes.text(0.99, at, words, color=color, transform=axes.transAxes, ha="right", va="top")
        shown = [record[name] for record in of_penalty for name, *_ in curves]
        low, high = min(shown), max(*shown, baseline if axes is held_out else 0)
        room = max(high - low, 0.04)
        axes.set(ylim=(low - 0.1 * room, high + 0.5 * room), xlim=(-0.4, places[-1] + 0.4))
        axes.axvline(of_penalty.index(here), color=BLACK, linestyle="-", linewidth=1)
    held_out.axhline(baseline, color=GREY, linestyle="--", linewidth=1.5)
    held_out.set_xticks([])
    training.set_xticks(places, [str(record["k"]) for record in of_penalty])
    training.set_xlabel("factors, k")
    held_out.set_title(f"RMSE at λ = {here['penalty']:g}; dashed: biases")


def _user(axes, given, predicted) -> None:
    known = len(given[0])
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, len(predicted))
    stars = np.concatenate(given)
    axes.plot([1, 5], [1, 5], color=GREY, linestyle="--", linewidth=1)
    for part, color, marker, label in (
        (slice(known), BLUE, "o", "training"),
        (slice(known, None), VERMILLION, "s", "held out"),
    ):
        places = stars[part] + jitter[part]
        look = {"color": color, "marker": marker, "linestyle": "", "markersize": 5}
        axes.plot(places, predicted[part], alpha=0.8, **look)
        height = 5.35 if marker == "o" else 5.05
        axes.plot(0.85, height, **look)
        axes.text(1, height, label, color=color, va="center")
    axes.set(title="one user", xlabel="given stars", xlim=(0.6, 5.4), ylim=(0.8, 5.6))
    axes.set(xticks=(1, 3, 5), yticks=(1, 3, 5))
    axes.text(0.02, 0.02, "upwards: predicted", transform=axes.transAxes, color=GREY, size=12)


@styled
def plot_item_map(
    panels: Mapping[str, np.ndarray],
    group: np.ndarray,
    names: Sequence[str],
    counts: np.ndarray | None = None,
) -> Picture:
    """Items in the plane, marked by a group that they belong to; a panel for each set of places.

    Parameters
    ----------
    panels : mapping from title to an ndarray of shape (items, 2)
    group : ndarray of shape (items,), int
        Position in ``names``, of which there are at most 8.
    counts : ndarray of shape (items,), optional
        Ratings of each item: what has more is drawn larger.
    """
    counts = np.ones(len(group)) if counts is None else counts
    picture = new_picture("Restaurants in the plane.", height=5.2)
    picture.get_layout_engine().set(h_pad=0.1)
    colors, markers = _group_looks(len(names))
    described = []
    for axes, (title, places) in zip(
        picture.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        centres = []
        for g, (name, color, marker) in enumerate(zip(names, colors, markers, strict=True)):
            members, weights = places[group == g], counts[group == g]
            sizes = 3 + 40 * np.sqrt(weights / counts.max())
            axes.scatter(*members.T, color=color, marker=marker, s=sizes, alpha=0.4)
            centres.append(np.average(members, axis=0, weights=weights))
            box = {"facecolor": "white", "edgecolor": color, "alpha": 0.9, "pad": 2}
            axes.text(*(1.15 * centres[-1]), name, ha="center", va="center", color=color, bbox=box)
        limit = np.quantile(np.abs(places), 0.995) * 1.1
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
        axes.set_title(title)
        angles = np.arctan2(*np.transpose(centres)[::-1])
        around = ", ".join(names[g] for g in np.argsort((angles - angles[0]) % (2 * np.pi)))
        described.append(f"{title}: {around}")
    picture.alt = "Restaurants in the plane; the middles of the groups, counter-clockwise. "
    picture.alt += "; ".join(described) + "."
    return picture


def _group_looks(count: int) -> tuple[list, list]:
    return [*COLORS, GREY][:count], [*MARKERS, "*"][:count]


def item_places(model: RatingModel) -> np.ndarray:
    """Items on the first two principal axes of the factors, shape (items, 2)."""
    _, s, items = principal_axes(model)
    return items[:, :2] * np.sqrt(s[:2])


@styled
def plot_recommendations(
    model: RatingModel,
    places: np.ndarray,
    labels: Sequence[str],
    given: Mapping[int, int],
    factors: np.ndarray,
    candidates: np.ndarray,
    count: int = 8,
) -> Picture:
    """Where a new user's ratings point on the map, and what is recommended for which reason.

    Parameters
    ----------
    places : ndarray of shape (items, 2)
        Of :func:`item_places`.
    labels : sequence of str
        A name for each item.
    given : mapping from item to stars
        0 stands for "not rated".
    factors : ndarray of shape (k,)
        Of :func:`helpers.rating_models.fold_in`.
    candidates : ndarray of int
        The items that may be recommended.
    """
    taste = model.item_factors @ factors
    score = model.item_bias + taste
    ranked = candidates[np.argsort(-score[candidates], kind="stable")]
    order = [i for i in ranked if not given.get(i)][:count]
    words = ", ".join(f"{labels[i]}: {star}" for i, star in given.items() if star)
    picture = new_picture(
        f"Given: {words or 'nothing'}. Recommended: {', '.join(labels[i] for i in order)}.",
        height=4.6,
        layout=None,
    )
    left = picture.add_axes((0.01, 0.03, 0.40, 0.87))
    left.plot(*places[::8].T, color="#BBBBBB", linestyle="", marker=".", markersize=3)
    limit = 1.5 * max(np.quantile(np.abs(places), 0.98), np.abs(places[[*given]]).max())
    for item, star in given.items():
        color = GREY if not star else (VERMILLION if star < 3 else BLUE)
        text = labels[item].split(" · ")[0] + (f"  {star}★" if star else "")
        left.plot(*places[item], color=color, marker="o", markersize=9, linestyle="")
        offset = (0, 16 if places[item][1] > 0 else -16)
        note = left.annotate(text, places[item], offset, textcoords="offset points")
        note.set(color=color, parse_math=False, ha="center", va="center")  # prices are $ signs
    towards = np.linalg.lstsq(places, taste, rcond=None)[0]
    if np.linalg.norm(towards) > 1e-9:
        arrow = {"arrowstyle": "-|>", "color": BLACK, "lw": 3, "mutation_scale": 18}
        left.annotate("", 3 * towards, (0, 0), arrowprops=arrow)
    left.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
    left.set_title("arrow: your taste among them")
    right = picture.add_axes((0.63, 0.14, 0.35, 0.76))
    rows = np.arange(len(order))
    bars = {"edgecolor": BLACK, "height": 0.75}
    right.barh(rows, model.item_bias[order], color=SKY, label="liked by all", **bars)
    right.barh(
        rows,
        taste[order],
        left=model.item_bias[order],
        color=ORANGE,
        hatch="//",
        label="by you",
        **bars,
    )
    right.set_yticks(rows, [labels[i] for i in order], parse_math=False)
    right.set_ylim(len(order) - 0.4, -2)
    right.legend(loc="upper left", ncols=2, frameon=False, borderaxespad=0, columnspacing=1)
    right.set(xlim=(-0.5, 1.5), xticks=(0, 0.5, 1), title="recommended")
    right.set_xlabel("stars above the mean")
    right.grid(axis="y", visible=False)
    return picture


@styled
def plot_costs(tables: Mapping[str, tuple[str, Sequence[dict]]]) -> Picture:
    """Seconds of a pass against what makes it longer, both logarithmic.

    Parameters
    ----------
    tables : mapping from title to (label of the axis, records)
        A record has a value under the label, and seconds under "als", "sgd" or both.
    """
    words = []
    picture = new_picture("Seconds of a pass.", height=4.2)
    panels = picture.subplots(1, len(tables), sharey=True)
    looks = (("als", "ALS", BLUE, "-", "o"), ("sgd", "SGD", VERMILLION, "--", "s"))
    for axes, (title, (label, records)) in zip(panels, tables.items(), strict=True):
        values = [record[label] for record in records]
        for name, text, color, line, marker in looks:
            if name not in records[0]:
                continue
            seconds = [record[name] for record in records]
            axes.plot(values, seconds, color=color, linestyle=line, marker=marker)
            axes.annotate(text, (values[-1], seconds[-1]), (-6, 8), textcoords="offset points")
            axes.texts[-1].set(color=color, ha="right")
            growth = seconds[-1] / seconds[0]
            words.append(f"{text} from {values[0]:g} to {values[-1]:g} {label}: × {growth:.2g}")
        axes.set(xscale="log", yscale="log", xlabel=label, title=title)
        axes.minorticks_off()
        axes.set_xticks(values, [f"{v:,.3g}" if v < 1e4 else f"{v / 1e3:,.0f}k" for v in values])
    panels[0].set_ylabel("seconds a pass")
    picture.alt = "Seconds of a pass of ALS and SGD, logarithmic. " + "; ".join(words) + "."
    return picture


@styled
def plot_by_seconds(
    curves: Mapping[str, Sequence[tuple[float, float]]], baseline: float
) -> Picture:
    """Validation RMSE of fits against the seconds that their passes took.

    Parameters
    ----------
    curves : mapping from name to a sequence of (seconds, RMSE)
    """
    ends = "; ".join(
        f"{name} comes to {min(e for _, e in curve):.3f} in {curve[-1][0]:.1f} seconds"
        for name, curve in curves.items()
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
    axes.set(xlabel="seconds, passes only", ylabel="validation RMSE", xlim=(0, None))
    return picture
