"""Figure functions over the values that their sliders take."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from helpers.factorization import Fit, random_init
from helpers.generated_ratings import generate_ratings
from helpers.picture import to_png
from helpers.plots.ratings import (
    plot_by_seconds,
    plot_choice,
    plot_costs,
    plot_errors,
    plot_fits,
    plot_grid,
    plot_item_map,
    plot_recommendations,
    plot_tails,
)
from helpers.rating_models import fit_mean
from helpers.ratings import STARS, Scale, activity, star_shares
from helpers.recommendation import group_centres, item_places


@pytest.fixture(scope="module")
def ratings():
    return generate_ratings(np.random.default_rng(0), 300, 40)[0]


@pytest.fixture(scope="module")
def model(ratings):
    Q, P = random_init(ratings.shape, 3, np.random.default_rng(1), 0.5)
    bias = np.linspace(-0.5, 0.5, ratings.shape[1])
    return replace(fit_mean(ratings), item_bias=bias, user_factors=Q, item_factors=P)


KS, PENALTIES = (1, 2, 12), (0.1, 0.3)


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(2)
    return [
        {
            "k": k,
            "penalty": penalty,
            "training": 0.9 - 0.02 * k,
            "validation": 1 + 0.01 * k * (0.3 - penalty) - 0.05 * (k == 2),
            "singular_values": np.sort(rng.random(k))[::-1].tolist(),
            "predicted": rng.uniform(3, 5, 7).tolist(),
        }
        for k, penalty in product(KS, PENALTIES)
    ]


def arrows(picture):
    texts = [text for axes in picture.axes for text in axes.texts]
    return sum(getattr(text, "arrow_patch", None) is not None for text in texts)


def words(picture):
    return [text.get_text() for axes in picture.axes for text in axes.texts]


def test_tails_start_at_the_largest_count_and_end_at_the_smallest(ratings):
    counts = activity(ratings)
    picture = plot_tails(counts, *star_shares(ratings), "generated ratings")
    left, right = picture.axes
    for line, count in zip(left.get_lines(), counts, strict=True):
        assert line.get_ydata()[0] == count.max()
        assert line.get_ydata()[-1] == count[count > 0].min()
    heights = [bar.get_height() for bar in right.patches]
    np.testing.assert_allclose(
        heights, np.bincount(ratings.stars.astype(int))[1:] / len(ratings.stars)
    )
    assert left.get_title(loc="left") == "generated ratings"
    assert f"{counts[0].max():,}" in picture.alt


def test_half_stars_have_bars_of_their_own():
    counts = np.array([3, 1]), np.array([2, 2])
    picture = plot_tails(counts, np.array([0.5, 1, 1.5]), np.array([0.2, 0.3, 0.5]), "a class")
    labels = [label.get_text() for label in picture.axes[1].get_xticklabels()]
    assert labels == ["0.5", "1", "1.5"]
    assert "0.5: 20%, 1: 30%, 1.5: 50%" in picture.alt
    assert to_png(plot_tails(counts, np.array([3.0]), np.array([1.0]), "all equal"))


@pytest.mark.parametrize("best", [None, 0.8])
def test_errors_show_points_intervals_and_what_is_possible(best):
    picture = plot_errors(["a", "b"], np.array([[0.9, 1.1], [0.85, 0.95]]), [1.0, 0.9], best)
    (axes,) = picture.axes
    assert len(axes.get_lines()) == 4 + (best is not None)
    assert list(axes.get_lines()[0].get_xdata()) == [0.9, 1.1]
    assert axes.get_lines()[1].get_xdata()[0] == 1.0
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]
    assert ("best possible" in picture.alt) == (best is not None)


def test_fits_mark_the_best_pass(model):
    history = {"training": [1, 0.9, 0.8], "validation": [1, 0.95, 0.97], "objective": [3, 2, 1]}
    picture = plot_fits({"ALS": Fit(model, 1, history)}, ("bias model", 1.02), "a title", top=1.5)
    (axes,) = picture.axes
    circle = axes.get_lines()[2]
    assert (circle.get_xdata()[0], circle.get_ydata()[0]) == (1, 0.95)
    assert axes.get_ylim()[1] == 1.5
    assert "ALS is best at a validation RMSE of 0.95" in picture.alt


def test_fits_are_drawn_over_the_same_epochs(model):
    short = {name: [1, 0.9] for name in ("training", "validation")}
    long = {name: [1, 0.95, 0.9, 0.88] for name in ("training", "validation")}
    picture = plot_fits({"A": Fit(model, 1, short), "B": Fit(model, 3, long)}, ("biases", 1.0))
    assert len({axes.get_xlim() for axes in picture.axes}) == 1


def test_models_without_error_are_drawn_too():
    assert to_png(plot_errors(["a", "b"], np.zeros((2, 2)), [0.0, 0.0]))


def test_grid_frames_the_lowest_error(records):
    picture = plot_grid(records)
    (axes,) = picture.axes
    (frame,) = axes.patches
    assert frame.get_xy() == (0.5, 0.5)  # k = 2 is the second column, 0.3 the second row
    assert axes.get_images()[0].get_array()[1, 1] == pytest.approx(0.95)
    assert "lowest at k = 2 and λ = 0.3" in picture.alt
    assert f"{0.95:.3f}" in words(picture)


@pytest.mark.parametrize(("k", "penalty"), list(product(KS, PENALTIES)))
def test_choice_shows_the_curves_the_spectrum_and_the_user_of_that_choice(records, k, penalty):
    given = np.array([5, 4, 1, 3, 5]), np.array([2, 4])
    picture = plot_choice(records, given, 1.05, STARS, k, penalty)
    (here,) = (r for r in records if (r["k"], r["penalty"]) == (k, penalty))
    upper, lower, middle, right = picture.axes
    for axes, name in ((upper, "validation"), (lower, "training")):
        expected = [r[name] for r in records if r["penalty"] == penalty]
        np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), expected)
        assert f"{name} {here[name]:.3f}" in words(picture)
        assert axes.get_lines()[1].get_xdata()[0] == KS.index(k)
    assert "test" not in f"{words(picture)} {picture.alt}"  # one chooses by this picture
    heights = [bar.get_height() for bar in middle.patches]
    np.testing.assert_allclose(heights, here["singular_values"][:8])
    known, held_out = (line.get_xydata() for line in right.get_lines()[1:4:2])
    np.testing.assert_allclose(known[:, 1], here["predicted"][:5])
    np.testing.assert_allclose(np.round(held_out[:, 0]), given[1])
    assert f"k = {k}, λ = {penalty:g}" in picture.alt
    assert to_png(picture)


@pytest.mark.parametrize("scale", [Scale(0.5, 5, 0.5), Scale(0, 10, 1), Scale(3, 3, 0)])
def test_choice_has_axes_of_the_scale(records, scale):
    flat = [r | {"singular_values": [0.0] * r["k"]} for r in records]
    given = np.full(5, scale.highest), np.full(2, scale.lowest)
    picture = plot_choice(flat, given, 1.05, scale, 2, 0.1)
    user = picture.axes[3]
    low, high = user.get_xlim()
    assert low < scale.lowest <= scale.highest < high
    assert set(user.get_xticks()) >= {scale.lowest, scale.highest}
    assert to_png(picture)


def test_item_map_names_the_groups_in_their_order_around_the_middle():
    angles = np.repeat([0.1, 2.2, 4.1], 5)
    places = np.column_stack([np.cos(angles), np.sin(angles)])
    group, counts = np.repeat([0, 2, 1], 5), np.arange(15) + 1
    mirrored = places * [1, -1]
    panels = {
        title: (each, group_centres(each, group, counts, 3))
        for title, each in (("map", places), ("mirrored", mirrored))
    }
    picture = plot_item_map(panels, group, "ABC", counts)
    assert len(picture.axes) == 2
    assert "map: A, C, B" in picture.alt
    assert "mirrored: A, B, C" in picture.alt
    axes = picture.axes[0]
    np.testing.assert_allclose(axes.collections[2].get_offsets(), places[group == 2])
    assert (np.diff(axes.collections[2].get_sizes()) > 0).all()  # larger: more ratings
    np.testing.assert_allclose(axes.texts[0].get_position(), 1.15 * panels["map"][1][0])


def recommendation(model, given, mine=(0.3, -0.2), order=(4, 9, 2)):
    labels = [f"Burgers $$ · {i}" for i in range(len(model.item_bias))]
    taste = np.linspace(-0.5, 0.5, len(labels))
    order = np.array(order, int)
    places = item_places(model)
    return plot_recommendations(
        model, places, labels, [3, 7, 8], given, np.array(mine), order, taste
    )


def test_recommendations_are_shown_with_their_reasons(model):
    picture = recommendation(model, {7: 5, 8: 1})
    right = picture.axes[1]
    assert [t.get_text() for t in right.get_yticklabels()] == [
        f"Burgers $$ · {i}" for i in (4, 9, 2)
    ]
    by_all, by_you = right.patches[:3], right.patches[3:6]
    taste = np.linspace(-0.5, 0.5, len(model.item_bias))
    for bar, other, item in zip(by_all, by_you, (4, 9, 2), strict=True):
        assert bar.get_width() == pytest.approx(model.item_bias[item])
        assert other.get_x() + other.get_width() == pytest.approx(
            model.item_bias[item] + taste[item]
        )
    assert {"Burgers $$  5★", "Burgers $$  1★", "Burgers $$"} <= set(words(picture))
    assert picture.alt.startswith("Given: Burgers $$ · 7: 5, Burgers $$ · 8: 1. Recommended: ")
    assert to_png(picture)


def test_the_arrow_ends_at_the_user_s_place(model):
    (arrow,) = (t for t in recommendation(model, {7: 5}).axes[0].texts if t.get_text() == "")
    assert (tuple(arrow.xyann), tuple(arrow.xy)) == ((0, 0), (0.3, -0.2))


def test_without_ratings_there_is_no_taste_to_show(model):
    picture = recommendation(model, {}, mine=(0, 0))
    assert arrows(picture) == 0
    assert "Given: nothing" in picture.alt


def test_a_zero_is_a_rating_where_the_scale_has_one(model):
    tenths = replace(model, scale=Scale(0, 10, 1))
    picture = recommendation(tenths, {7: 0})
    assert "Burgers $$  0★" in words(picture)
    assert picture.axes[1].get_xlim() == (-1.25, 3.75)


def test_nothing_to_recommend_is_drawn_too(model):
    nowhere = replace(model, item_factors=0 * model.item_factors)
    assert to_png(recommendation(nowhere, {7: 5}, mine=(0, 0), order=()))


def test_costs_show_a_curve_for_each_method():
    growth = [{"als": 0.1, "sgd": 0.02}, {"als": 0.4, "sgd": 0.04}]
    tables = {
        title: (
            label,
            [{label: value, **record} for value, record in zip(values, growth, strict=True)],
        )
        for title, label, values in (("more", "ratings", (1e4, 1e5)), ("cores", "cores", (1, 2)))
    }
    picture = plot_costs(tables)
    assert len(picture.axes) == 2
    np.testing.assert_allclose(
        picture.axes[0].get_lines()[0].get_xydata(), [[1e4, 0.1], [1e5, 0.4]]
    )
    assert "ALS from 1 to 2 cores: × 4" in picture.alt
    assert to_png(picture)


def test_curves_by_seconds_end_where_the_fit_ended():
    curves = {"ALS": [(0.0, 1.01), (0.5, 0.98)], "SGD": [(0.0, 1.01), (0.2, 0.97)]}
    picture = plot_by_seconds(curves, 1.0)
    np.testing.assert_allclose(picture.axes[0].get_lines()[1].get_xydata(), curves["SGD"])
    assert "SGD is within 0.002 of its best, 0.970, after 0.20 seconds" in picture.alt
