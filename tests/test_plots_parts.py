"""Parts of figures, by cases made by hand."""

import numpy as np
import pytest

from helpers.picture import new_picture
from helpers.plots.parts import labels_apart, mosaic, places_beside, show_rows


def test_mosaic_places_every_image():
    images = np.arange(5)[:, None, None] + np.ones((5, 2, 3))
    sheet = mosaic(images, columns=3)
    assert sheet.shape == (5, 11)
    assert sheet[0, [0, 4, 8]].tolist() == [1, 2, 3]
    assert sheet[3, [0, 4, 8]].tolist() == [4, 5, 0]
    assert sheet[2].tolist() == [0] * 11
    assert mosaic(np.ones((4, 2, 2, 3)), 2, gap=0).shape == (4, 4, 3)
    lines = mosaic(images, 3, between=7)
    assert (lines[2] == 7).all()
    assert (lines[:, [3, 7]] == 7).all()
    assert lines[:2, :3].tolist() == sheet[:2, :3].tolist()


@pytest.mark.parametrize(
    ("images", "line"), [(np.ones((2, 4, 4)), 0), (np.ones((2, 4, 4, 3)), 0.35)]
)
def test_rows_of_colour_images_have_lines_between_them(images, line):
    axes = new_picture("Two rows.").subplots()
    show_rows(axes, {"one": images, "two": images}, 2)
    sheet = np.asarray(axes.get_images()[0].get_array())
    assert (sheet[4] == line).all()
    assert (sheet[:, 4] == line).all()
    assert (sheet == line).sum() == sheet.size - images.size * 2


def test_labels_that_would_overlap_are_moved_apart():
    places = np.array([[0, 0], [0.1, 0.1], [5, 0], [0, 3]], dtype=float)
    moved = labels_apart(places, np.array([1, 0.5]))
    np.testing.assert_allclose(moved, [[0, 0], [0.1, 0.5], [5, 0], [0, 3]])


@pytest.mark.parametrize(
    ("heights", "apart"),
    [([0.1, 0.12, 0.5], [0.1, 0.2, 0.5]), ([0.5, 0.0, 0.01], [0.5, 0, 0.1])],
)
def test_labels_at_the_ends_of_curves_keep_their_distance(heights, apart):
    places = np.column_stack([np.ones(3), heights])
    np.testing.assert_allclose(labels_apart(places, (1, 0.1)), np.column_stack([np.ones(3), apart]))


def test_labels_hide_neither_points_nor_each_other():
    rng = np.random.default_rng(0)
    points, wanted = rng.normal(size=(200, 2)), rng.normal(size=(6, 2)) / 2
    sizes = np.array([[0.8, 0.3]] * 3 + [[1.2, 0.3]] * 3)
    places = places_beside(points, wanted, sizes, np.array([-6.0, -5]), np.array([6.0, 5]))
    for i, (place, size) in enumerate(zip(places, sizes, strict=True)):
        assert not (np.abs(points - place) < size / 2).all(axis=1).any()
        for j in range(i):
            assert (np.abs(places[j] - place) >= (size + sizes[j]) / 2 - 1e-9).any()


def test_a_label_stays_where_it_belongs_if_nothing_is_free():
    corner = np.array([1.0, 1.0])
    places = places_beside(corner[None] / 2, corner[None] / 3, corner[None], 0 * corner, corner)
    assert places.tolist() == [[1 / 3, 1 / 3]]
