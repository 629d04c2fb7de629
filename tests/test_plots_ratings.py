"""Figure functions over the values that their sliders take."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from helpers.factorization import Fit, random_init
from helpers.generated_ratings import generate_ratings
from helpers.picture import to_png
from helpers.plots.ratings import (
    item_places,
    plot_by_seconds,
    plot_choice,
    plot_costs,
    plot_errors,
    plot_fits,
    plot_grid,
    plot_item_map,
    plot_pruning,
    plot_recommendations,
    plot_tails,
)
from helpers.rating_models import fit_mean, principal_axes


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
            "test": 1.01,
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
    picture = plot_tails(ratings, "generated ratings")
    left, right = picture.axes
    for line, who in zip(left.get_lines(), (ratings.users, ratings.items), strict=True):
        counts = np.sort(np.bincount(who))[::-1]
        assert line.get_ydata()[0] == counts[0]
        assert line.get_ydata()[-1] == counts[-1]
    heights = [bar.get_height() for bar in right.patches]
    np.testing.assert_allclose(
        heights, np.bincount(ratings.stars.astype(int))[1:] / len(ratings.stars)
    )
    assert left.get_title(loc="left") == "generated ratings"
    assert f"{counts[0]:,}" in picture.alt


def test_pruning_shows_shares_of_the_start():
    picture = plot_pruning([(100, 20, 500), (40, 15, 300), (30, 10, 200)], more_than=10)
    (axes,) = picture.axes
    for line, end in zip(axes.get_lines(), (0.3, 0.5, 0.4), strict=True):
        assert line.get_ydata()[0] == 1
        assert line.get_ydata()[-1] == pytest.approx(end)
    assert "users, 30% left" in words(picture)
    assert "takes 2 rounds" in picture.alt


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
    picture = plot_choice(records, given, 1.05, k, penalty)
    (here,) = (r for r in records if (r["k"], r["penalty"]) == (k, penalty))
    upper, lower, middle, right = picture.axes
    shown = zip((upper, upper, lower), (0, 1, 0), ("validation", "test", "training"), strict=True)
    for axes, line, name in shown:
        expected = [r[name] for r in records if r["penalty"] == penalty]
        np.testing.assert_allclose(axes.get_lines()[line].get_ydata(), expected)
        assert f"{name} {here[name]:.3f}" in words(picture)
    for axes, line in ((upper, 2), (lower, 1)):
        assert axes.get_lines()[line].get_xdata()[0] == KS.index(k)
    heights = [bar.get_height() for bar in middle.patches]
    np.testing.assert_allclose(heights, here["singular_values"][:8])
    known, held_out = (line.get_xydata() for line in right.get_lines()[1:4:2])
    np.testing.assert_allclose(known[:, 1], here["predicted"][:5])
    np.testing.assert_allclose(np.round(held_out[:, 0]), given[1])
    assert f"k = {k}, λ = {penalty:g}" in picture.alt
    assert to_png(picture)


def test_item_map_names_the_groups_in_their_order_around_the_middle():
    angles = np.repeat([0.1, 2.2, 4.1], 5)
    places = np.column_stack([np.cos(angles), np.sin(angles)])
    group = np.repeat([0, 2, 1], 5)
    picture = plot_item_map({"map": places, "mirrored": places * [1, -1]}, group, "ABC")
    assert len(picture.axes) == 2
    assert "map: A, C, B" in picture.alt
    assert "mirrored: A, B, C" in picture.alt
    first = picture.axes[0].collections[2]  # group 2
    np.testing.assert_allclose(first.get_offsets(), places[group == 2])


def test_item_map_draws_larger_and_counts_more_what_has_more_ratings():
    places = np.array([[1.0, 0], [3, 0], [0, 2], [0, 4]])
    counts = np.array([1, 9, 5, 5])
    picture = plot_item_map({"map": places}, np.array([0, 0, 1, 1]), "AB", counts)
    (axes,) = picture.axes
    small, large = axes.collections[0].get_sizes()
    assert small < large
    np.testing.assert_allclose(axes.texts[0].get_position(), [1.15 * 2.8, 0])


def test_item_places_hold_what_the_first_two_axes_hold(model):
    users, s, items = principal_axes(model)
    places = item_places(model)
    product = (users[:, :2] * np.sqrt(s[:2])) @ places.T
    np.testing.assert_allclose(product, (users[:, :2] * s[:2]) @ items[:, :2].T)


def test_recommendations_leave_out_what_was_rated_and_who_is_no_candidate(model, ratings):
    labels = [f"Burgers $$ · {i}" for i in range(ratings.shape[1])]
    factors = np.array([0.5, -1, 0.2])
    score = model.item_bias + model.item_factors @ factors
    candidates = np.arange(5, 40)
    favourite = candidates[score[candidates].argmax()]
    picture = plot_recommendations(
        model, item_places(model), labels, {favourite: 5, 7: 0}, factors, candidates, count=4
    )
    _, right = picture.axes
    shown = [t.get_text() for t in right.get_yticklabels()]
    expected = [i for i in np.argsort(-score) if i in candidates and i != favourite][:4]
    assert shown == [labels[i] for i in expected]
    ends = [bar.get_x() + bar.get_width() for bar in right.patches[4:]]
    np.testing.assert_allclose(ends, score[expected])
    assert "Burgers $$  5★" in words(picture)
    assert arrows(picture) == 1
    assert to_png(picture)


def test_without_ratings_there_is_no_taste_to_show(model, ratings):
    labels = [str(i) for i in range(ratings.shape[1])]
    picture = plot_recommendations(
        model, item_places(model), labels, {3: 0}, np.zeros(3), np.arange(40), count=2
    )
    assert arrows(picture) == 0
    assert [t.get_text() for t in picture.axes[1].get_yticklabels()] == ["39", "38"]
    assert "Given: nothing" in picture.alt


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
    assert "SGD comes to 0.970 in 0.2 seconds" in picture.alt
