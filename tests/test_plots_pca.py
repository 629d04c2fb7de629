"""Figure functions over the values that their sliders take."""

import numpy as np
import pytest

from helpers.pca import error_curve, pca_from_covariance, project
from helpers.picture import to_png
from helpers.plots.pca import (
    plot_angle,
    plot_components,
    plot_directions,
    plot_errors,
    plot_loadings,
    plot_pruned,
    plot_reconstructions,
    plot_solver_times,
    plot_spectrum,
    plot_two_classes,
    plot_uncentred,
    plot_walk,
)


@pytest.fixture(scope="module")
def fitted():
    images = np.random.default_rng(0).random((60, 5, 4))
    flat = images.reshape(60, -1)
    pca = pca_from_covariance(flat)
    return pca, images[:3], error_curve(pca, flat)


@pytest.mark.parametrize("k", [0, 1, 10, 20])
def test_reconstructions_show_the_images_of_k_components_and_the_point(fitted, k):
    pca, images, curve = fitted
    picture = plot_reconstructions(pca, images, curve, k)
    left, right = picture.axes
    sheet = left.get_images()[0].get_array()
    assert sheet.shape == (3 * 6 - 1, 3 * 5 - 1)
    np.testing.assert_allclose(sheet[:5, :4], images[0])
    scores = (images[0].ravel() - pca.mean) @ pca.components[:k].T
    rebuilt = (pca.mean + scores @ pca.components[:k]).reshape(5, 4)
    np.testing.assert_allclose(sheet[6:11, :4], rebuilt.clip(0, 1), atol=1e-12)
    np.testing.assert_allclose(sheet[12:17, :4], np.abs(rebuilt - images[0]), atol=1e-12)
    point = right.get_lines()[1]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (k, curve[k])
    assert f"{curve[k]:.4f}" in right.get_title(loc="left")
    assert str(k) in picture.alt
    assert to_png(picture)


def test_pictures_differ_between_values_of_the_slider(fitted):
    assert to_png(plot_reconstructions(*fitted, 3)) != to_png(plot_reconstructions(*fitted, 4))


def test_components_are_shown_as_images_with_their_share(fitted):
    picture = plot_components(fitted[0], (5, 4), count=3)
    assert len(picture.axes) == 4
    np.testing.assert_allclose(
        picture.axes[1].get_images()[0].get_array(), fitted[0].components[0].reshape(5, 4)
    )
    low, high = picture.axes[1].get_images()[0].get_clim()
    assert low == -high  # white is zero
    assert picture.axes[1].get_xlabel() == f"{fitted[0].explained_variance_ratio[0]:.0%}"


# ---- the plane

POINTS = np.random.default_rng(1).normal(size=(40, 2)) @ [[2, 1], [0, 0.5]]
POINTS -= POINTS.mean(axis=0)


@pytest.mark.parametrize("angle", [0, 45, 90, 175])
def test_angle_shows_shadows_and_variances(angle):
    picture = plot_angle(POINTS, angle)
    left, right = picture.axes
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    shadows = np.column_stack(left.get_lines()[3].get_data())
    np.testing.assert_allclose(shadows, np.outer(POINTS @ direction, direction), atol=1e-12)
    curves = right.get_lines()
    along, across = np.var(POINTS @ direction), np.var(POINTS @ [-direction[1], direction[0]])
    assert curves[1].get_data() == ([angle], [pytest.approx(along)])
    assert curves[3].get_data() == ([angle], [pytest.approx(across)])
    assert along + across == pytest.approx(np.trace(np.cov(POINTS.T, bias=True)))
    both = curves[0].get_ydata() + curves[2].get_ydata()
    np.testing.assert_allclose(both, along + across)
    assert f"{along:.2f}" in right.get_title(loc="left")


def test_largest_variance_is_at_the_first_component():
    angles, variances = plot_angle(POINTS, 0).axes[1].get_lines()[0].get_data()
    x, y = pca_from_covariance(POINTS).components[0]
    assert angles[np.argmax(variances)] == pytest.approx(np.degrees(np.arctan2(y, x)) % 180, abs=1)


def arrows_of(axes):
    return [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]


def test_arrows_are_one_standard_deviation_long():
    pca = pca_from_covariance(POINTS)
    left = plot_directions(POINTS, pca, project(pca, POINTS)).axes[0]
    lengths = [np.linalg.norm(np.subtract(arrow.xy, arrow.xyann)) for arrow in arrows_of(left)]
    np.testing.assert_allclose(lengths, np.sqrt(pca.explained_variance))


def test_pruned_joins_each_point_to_what_is_left_of_it():
    strokes, points, rebuilt = plot_pruned(POINTS, POINTS * [1, 0]).axes[0].get_lines()
    np.testing.assert_allclose(np.column_stack(points.get_data()), POINTS)
    np.testing.assert_allclose(rebuilt.get_ydata(), 0)
    assert strokes.get_ydata()[:2].tolist() == [POINTS[0, 1], 0]


def test_uncentred_arrow_starts_at_the_origin_and_centred_one_at_the_mean():
    points = POINTS + np.array([3, 4])
    raw, centred = np.array([0.6, 0.8]), np.array([1.0, 0.0])
    axes = plot_uncentred(points, points.mean(axis=0), raw, centred).axes[0]
    starts = [arrow.xyann for arrow in arrows_of(axes)]
    np.testing.assert_allclose(starts, [(0, 0), points.mean(axis=0)])


# ---- spectra, errors, walks


def test_spectrum_marks_where_each_share_is_reached():
    variances = np.array([8, 4, 2, 1, 1.0])
    right = plot_spectrum(variances, (0.5, 0.8)).axes[1]
    marks = [line.get_data() for line in right.get_lines()[1:]]
    assert marks == [([1], [0.5]), ([3], [0.8])]
    assert [text.get_text() for text in right.texts] == ["50%: 1", "80%: 3"]


def test_errors_show_their_ratio_where_there_is_any_error():
    train, test = np.array([1, 0.5, 0.1, 0]), np.array([1, 0.6, 0.2, 0])
    left, right = plot_errors(train, test, train).axes
    assert len(left.get_lines()) == 3
    np.testing.assert_allclose(right.get_lines()[0].get_ydata(), [1, 1.2, 2])


@pytest.mark.parametrize("first", [-2.4, 0, 2.4])
@pytest.mark.parametrize("second", [-2.4, 0, 2.4])
def test_walk_shows_the_image_at_the_cross(fitted, first, second):
    pca = fitted[0]
    scores = project(pca, np.random.default_rng(2).random((30, 20)))
    middles = {n: scores[i::3, :2].mean(axis=0) for i, n in enumerate("abc")}
    picture = plot_walk(pca, scores, middles, (5, 4), first, second)
    left, right = picture.axes
    step = np.array([first, second]) * np.sqrt(pca.explained_variance[:2])
    np.testing.assert_allclose(np.ravel(left.get_lines()[1].get_data()), [first, second])
    dots = np.transpose(left.get_lines()[0].get_data())  # in the slider's unit: one a deviation
    np.testing.assert_allclose(dots * np.sqrt(pca.explained_variance[:2]), scores[:, :2])
    expected = (pca.mean + step @ pca.components[:2]).clip(0, 1).reshape(5, 4)
    np.testing.assert_allclose(right.get_images()[0].get_array(), expected)
    low, high = left.get_xlim()
    assert low < first < high
    assert [text.get_text() for text in left.texts] == ["a", "b", "c"]


# ---- solvers and failures


def test_solver_times_show_both_precisions():
    solvers = [
        {"name": "a", "float32": 0.1, "float64": 0.3},
        {"name": "b", "float32": 2, "float64": 3},
    ]
    picture = plot_solver_times(solvers)
    single, double = picture.axes[0].get_lines()[:2]
    assert list(single.get_xdata()) == [0.1, 2]
    assert list(double.get_xdata()) == [0.3, 3]
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["a", "b"]
    assert "a 0.1 and 0.3" in picture.alt


def test_loadings_show_the_entries_of_the_first_component():
    pca = pca_from_covariance(POINTS)
    picture = plot_loadings([("as they are", pca), ("again", pca)], ["width", "height"])
    bars = picture.axes[0].patches
    widths = [bar.get_width() for bar in bars]
    np.testing.assert_allclose(widths, pca.components[0], atol=0.005)  # as the labels say
    assert f"width {pca.components[0, 0]:.2f}" in picture.alt
    assert picture.axes[0].get_xlim()[0] == 0
    opposed = pca_from_covariance(POINTS * [1, -1])
    low, _ = plot_loadings([("", opposed)], ["width", "height"]).axes[0].get_xlim()
    assert low < opposed.components[0].min() < 0
    along = pca_from_covariance(np.array([[-1.0, 0.001], [0, 0], [1, -0.001]]))
    assert "y -0.00" not in plot_loadings([("", along)], ["x", "y"]).alt


def test_two_classes_are_counted_along_each_component():
    labels = np.arange(40) % 2
    pca = pca_from_covariance(POINTS)
    picture = plot_two_classes(POINTS, labels, pca, project(pca, POINTS))
    for axes in picture.axes[1:]:
        assert sum(bar.get_height() for bar in axes.patches) == 40


@pytest.mark.parametrize(
    "draw",
    [
        lambda pca: plot_directions(POINTS, pca, project(pca, POINTS)),
        lambda pca: plot_pruned(POINTS, POINTS),
        lambda pca: plot_spectrum(pca.explained_variance),
        lambda pca: plot_loadings([("a", pca)], ["x", "y"]),
        lambda pca: plot_two_classes(POINTS, np.arange(40) % 2, pca, POINTS),
    ],
)
def test_pictures_can_be_drawn_and_say_what_they_show(draw):
    picture = draw(pca_from_covariance(POINTS))
    assert to_png(picture) == to_png(draw(pca_from_covariance(POINTS)))
    assert len(picture.alt) > 60
