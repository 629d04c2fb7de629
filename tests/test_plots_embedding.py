"""Figures of maps over the values that their sliders take."""

import numpy as np
import pytest

from helpers.picture import to_png
from helpers.plots.embedding import (
    plot_kernels,
    plot_maps,
    plot_perplexity,
    plot_thumbnails,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.random((6, 5, 4))  # drawn before the points, which depend on it
NAMES = tuple("abcdefghij")
LABELS = np.arange(60) % 10
POINTS = RNG.normal(size=(60, 2))


def test_maps_show_every_point_with_the_look_of_its_class():
    picture = plot_maps({"one": POINTS, "two": -POINTS}, LABELS, NAMES, "Two maps.")
    for axes, sign in zip(picture.axes, (1, -1), strict=True):
        lines = axes.get_lines()
        assert len({(line.get_color(), line.get_marker()) for line in lines[:10]}) == 10
        shown = np.concatenate([np.column_stack(line.get_data()) for line in lines[:10]])
        expected = sign * POINTS[np.argsort(LABELS, kind="stable")]
        np.testing.assert_allclose(shown, expected)
        assert sorted(text.get_text() for text in axes.texts) == list(NAMES)


def test_names_stand_beside_their_class_with_a_line_to_it():
    points = RNG.normal(size=(90, 2)) + np.repeat([[0, 0], [30, 0], [60, 0]], 30, axis=0)
    labels = np.repeat([0, 1, 2], 30)
    (axes,) = plot_maps({"one": points}, labels, ["A", "B", ""], "Three clouds.").axes
    assert [text.get_text() for text in axes.texts] == ["A", "B"]
    for c, (text, line) in enumerate(zip(axes.texts, axes.get_lines()[3:], strict=True)):
        place = np.array(text.get_position())
        middles = [np.median(points[labels == other], axis=0) for other in range(3)]
        assert np.linalg.norm(middles - place, axis=1).argmin() == c
        assert np.abs(points - place).max(axis=1).min() > 0.5  # hides no point
        np.testing.assert_allclose(np.column_stack(line.get_data()), [middles[c], place])


def test_ten_classes_have_ten_looks():
    from helpers.plots.embedding import CLASS_COLORS, CLASS_MARKERS

    assert len(set(CLASS_MARKERS)) == 10
    assert len(CLASS_COLORS) == 10


def test_arrows_join_the_same_similarity_on_both_curves():
    levels = [0.5, 0.1]
    picture = plot_kernels(levels)
    for level, arrow in zip(levels, picture.axes[0].texts[::2], strict=False):
        start, end = arrow.xyann[0], arrow.xy[0]
        assert np.exp(-(start**2) / 2) == pytest.approx(level)
        assert 1 / (1 + end**2) == pytest.approx(level)
    assert "1.2 becomes 1.0, 2.1 becomes 3.0" in picture.alt


def test_flat_maps_make_a_flat_picture():
    square, flat = (
        plot_maps({"one": POINTS * [1, share], "two": POINTS * [1, share]}, LABELS, NAMES, "Maps.")
        for share in (1, 0.1)
    )
    assert flat.get_figheight() < 0.7 * square.get_figheight()


def test_thumbnails_show_one_image_of_each_cell():
    images = np.arange(1, 61)[:, None, None] * np.ones((60, 28, 28))
    picture = plot_thumbnails(POINTS, images)
    sheet = picture.axes[0].get_images()[0].get_array()
    shown = set(np.unique(sheet)) - {0}
    assert len(shown) == int(picture.alt.split()[0])
    assert 10 < len(shown) < 60
    assert (sheet > 0).sum() == len(shown) * 28 * 28


def test_thumbnails_stand_where_the_map_has_them():
    points = np.array([[0.0, 0], [1, 0], [0, 1]])
    images = np.array([0.2, 0.5, 1])[:, None, None] * np.ones((3, 4, 4))
    sheet = plot_thumbnails(points, images).axes[0].get_images()[0].get_array()
    assert (sheet[-1, 0], sheet[-1, -1], sheet[0, 0]) == (0.2, 0.5, 1)
    assert sheet[0, -1] == 0


@pytest.mark.parametrize("perplexity", [5, 300])
def test_perplexity_shows_its_map_and_marks_its_measures(perplexity):
    names = ("KNN", "KNC", "CPD", "accuracy")
    measures = {p: {name: 0.1 * i + p / 1000 for i, name in enumerate(names)} for p in (5, 30, 300)}
    maps = {p: POINTS * p for p in measures}
    picture = plot_perplexity(maps, measures, LABELS, NAMES, perplexity)
    left, right = picture.axes
    np.testing.assert_allclose(left.get_lines()[0].get_xdata(), POINTS[LABELS == 0, 0] * perplexity)
    marks = [line for line in right.get_lines() if len(line.get_xdata()) == 1]
    assert {(line.get_xdata()[0], round(line.get_ydata()[0], 6)) for line in marks} == {
        (perplexity, round(value, 6)) for value in measures[perplexity].values()
    }
    assert f"perplexity {perplexity}" in picture.alt
    assert to_png(picture)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_maps({"one": POINTS}, LABELS, NAMES, "A map of points."),
        lambda: plot_thumbnails(POINTS, np.ones((60, 4, 4))),
    ],
)
def test_pictures_can_be_drawn_alike_twice(draw):
    assert to_png(draw()) == to_png(draw())
