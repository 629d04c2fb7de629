"""Pictures of chapter 6: over the values of their sliders, and what they say."""

import numpy as np
import pytest

from helpers.picture import to_png
from helpers.plots import degrees_of_freedom as plots
from helpers.plots.parts import mosaic
from helpers.shapes import FACTORS

rng = np.random.default_rng(0)
TRUTHS = (1, 2, 3, 4, 5, 7, 12)
MODELS = ("AE", "l = 2, small start")
SIZES = (4, 8, 16, 32)


def spectrum(rank):
    return np.r_[np.linspace(1, 0.02, rank), np.geomspace(1e-3, 1e-8, 32 - rank)]


def axes_of(picture):
    to_png(picture)
    return picture.axes


@pytest.mark.parametrize("degrees", TRUTHS)
def test_degrees_counts_what_lies_above_one_percent(degrees):
    images = {d: rng.random((15, 3, 32, 32)) for d in TRUTHS}
    spectra = {d: {m: [spectrum(d + 1), spectrum(d + 2)] for m in MODELS} for d in TRUTHS}
    picture = plots.plot_degrees(images, spectra, degrees)
    assert f"AE: {degrees + 1} and {degrees + 2};" in picture.alt
    _, right = axes_of(picture)
    assert any(f": {degrees + 1} and" in text.get_text() for text in right.texts)
    assert right.lines[4].get_xdata()[0] == degrees - 0.5


@pytest.mark.parametrize(("threshold", "told"), [(0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %")])
def test_marks_stand_at_the_values_and_are_hollow_while_the_count_rises(threshold, told):
    counts = {m: {t: [t + i, t + i + 1] for t in TRUTHS} for i, m in enumerate(MODELS)}
    rising = {m: {t: [t == 5, False] for t in TRUTHS} for m in MODELS}
    picture = plots.plot_against_truth(counts, counts, rising, threshold, "after 20 epochs")
    assert "AE: 1 → 2, 2 → 3" in picture.alt
    left, right = axes_of(picture)
    assert left.get_title("left") == f"values above {told}"
    marks = [line for line in left.lines if line.get_linestyle() == "None"]
    assert [float(mark.get_ydata()[0]) for mark in marks[:2]] == [1, 2]
    hollow = [mark.get_xdata()[0] for mark in marks if mark.get_mfc() == "white"]
    assert hollow == pytest.approx([5 - 0.12] * 2)
    assert all(line.get_mfc() != "white" for line in right.lines if line.get_marker() != "None")


@pytest.mark.parametrize("size", SIZES)
def test_local_ranks_of_a_size_stand_beside_those_of_all(size):
    curves = {t: np.minimum(np.array(SIZES) - 1.0, t + 1) for t in TRUTHS}
    curves[1][2:] = np.nan
    picture = plots.plot_local_ranks(SIZES, curves, {t: t + 3 for t in TRUTHS}, size)
    _, right = axes_of(picture)
    everywhere, local = right.lines[:2]
    assert list(everywhere.get_ydata()) == [t + 3 for t in TRUTHS]
    at = SIZES.index(size)
    np.testing.assert_array_equal(
        local.get_ydata(), [c[at] for c in curves.values() if np.isfinite(c[at])]
    )
    assert ("1 → " in picture.alt.split(": ")[-1].split(",")[0]) == (size < 16)


@pytest.mark.parametrize(("direction", "amount"), [(1, -2), (2, 0), (3, 2)])
def test_a_walk_shows_its_direction_and_the_amount_beside(direction, amount):
    amounts = np.linspace(-2, 2, 5)
    images = rng.random((3, 3, 5, 3, 32, 32))
    picture = plots.plot_directions(images, (1, 0.5, 0.01), amounts, direction, amount)
    left, right = axes_of(picture)
    at = list(amounts).index(amount)
    expected = mosaic(np.moveaxis(images[direction - 1, :, at], 1, -1), 1, gap=2, between=0.35)
    np.testing.assert_array_equal(left.images[0].get_array(), expected)
    (chosen,) = [text.get_text() for text in right.texts if text.get_weight() == "bold"]
    assert float(chosen) == amount


@pytest.mark.parametrize("epoch", [1, 10, 20])
def test_the_film_stands_at_its_epoch(epoch):
    scores = {name: np.linspace(0, 0.9 - 0.1 * i, 20) for i, name in enumerate(FACTORS)}
    errors = np.geomspace(0.01, 0.001, 20)
    picture = plots.plot_probes(errors, [spectrum(4)] * 20, scores, epoch)
    assert f"After {epoch} epochs, held-out error {errors[epoch - 1]:.4f}" in picture.alt
    _, right = axes_of(picture)
    marks = [line for line in right.lines if line.get_linestyle() == "None"]
    assert [m.get_ydata()[0] for m in marks] == [values[epoch - 1] for values in scores.values()]
    assert {text.get_text() for text in right.texts} == set(FACTORS)


def test_the_tables_of_depth_and_start_hold_each_number():
    counts, errors = np.arange(12).reshape(3, 4), np.linspace(6e-4, 9e-4, 12).reshape(3, 4)
    picture = plots.plot_depth_and_start(counts, errors, (1, 2, 4, 8), ("a", "b", "c"))
    left, right = axes_of(picture)
    assert [text.get_text() for text in left.texts] == [str(n) for n in range(12)]
    assert [text.get_text() for text in right.texts] == [f"{e * 1e4:.1f}" for e in errors.flat]
    assert "b: 4, 5, 6, 7" in picture.alt


def test_counts_over_training_are_drawn_epoch_by_epoch():
    tracks = {m: {t: [t, t + 1, t + 2] for t in TRUTHS} for m in MODELS}
    picture = plots.plot_over_training(tracks)
    assert "panels: AE; l = 2, small start." in picture.alt
    for axes in axes_of(picture):
        assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
        assert [list(line.get_ydata()) for line in axes.lines] == [
            [t, t + 1, t + 2] for t in TRUTHS
        ]
        assert [text.get_text() for text in axes.texts] == [str(t) for t in TRUTHS]
