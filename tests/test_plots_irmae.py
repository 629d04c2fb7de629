"""Figure functions of chapter 5 over the values that their sliders take."""

import numpy as np
import pytest

from helpers.picture import to_png
from helpers.plots.irmae import (
    LOOKS,
    for_display,
    plot_between,
    plot_cut,
    plot_folding,
    plot_readings,
    plot_rising,
    plot_signals,
    plot_spectra,
    plot_start,
    plot_threshold,
)

MODELS = ("AE", "AE + L1", "AE + L2", "l = 2", "l = 4")
SPECTRA = {name: 3 * 9.0 ** (-np.arange(32) / (i + 2)) for i, name in enumerate(MODELS)}


def pictures(*shape):
    return np.random.default_rng(0).uniform(-0.2, 1.1, (*shape, 3, 32, 32))


def drawn(axes, name):
    """The values of a model's line."""
    (line,) = (line for line in axes.get_lines() if line.get_label() == name)
    return line.get_ydata()


def test_images_are_cut_off_and_have_their_channels_last():
    images = pictures(2)
    shown = for_display(images)
    assert shown.shape == (2, 32, 32, 3)
    assert (shown.min(), shown.max()) == (0, 1)
    assert shown[1, 4, 5, 2] == np.clip(images[1, 2, 4, 5], 0, 1)


@pytest.mark.parametrize("layers", [1, 2, 4, 6])
def test_folding_names_every_layer_and_their_product_in_order(layers):
    picture = plot_folding(layers)
    words = [text.get_text() for text in picture.axes[0].texts]
    for i in range(layers):
        assert f"$W_{i + 1}$" in words
    assert "$W = " + "".join(f"W_{i}" for i in range(layers, 0, -1)) + "$" in words
    assert words.count("encoder") == words.count("decoder") == words.count("code") == 2
    assert str(layers) in picture.alt
    assert to_png(picture)


def test_readings_mark_the_place_in_each_panel():
    picture = plot_readings({"one": pictures(), "two": pictures()}, x=9, y=20)
    for axes in picture.axes:
        (x,), (y,) = axes.get_lines()[-1].get_data()
        assert (x, y) == (9, 20)
    assert "x = 9 and y = 20" in picture.alt


def test_rising_has_a_line_for_each_of_nine_directions_and_numbers_where_there_is_room():
    together = np.geomspace(1, 0.5, 32)
    apart = np.geomspace(1, 1e-12, 32)
    values = {"AE, one": np.stack([apart, together]), "l = 2, other": np.stack([together, apart])}
    picture = plot_rising([0, 50], values)
    for axes, of in zip(picture.axes, values.values(), strict=True):
        ends = sorted((line.get_ydata()[-1] for line in axes.get_lines()), reverse=True)
        np.testing.assert_allclose(ends, np.maximum(np.log10(of[-1, :9]), -9))
        assert [line.get_xdata().tolist() for line in axes.get_lines()] == [[0, 50]] * 9
    numbers = [[text.get_text() for text in axes.texts] for axes in picture.axes]
    assert numbers == [["1"], ["1", "2", "3", "4", "5"][: len(numbers[1])]]
    assert all(name in picture.alt for name in values)
    assert to_png(picture)


@pytest.mark.parametrize(("start", "epoch"), [(1, 1), (0.1, 2)])
def test_start_draws_the_chosen_network_strong_and_tells_its_count(start, epoch):
    spectra = {1: np.stack([SPECTRA["AE"]] * 2), 0.1: np.stack([SPECTRA["AE"], SPECTRA["l = 4"]])}
    tracks = {1: ([0.004, 0.002], [9, 12]), 0.1: ([0.005, 0.001], [8, 4])}
    picture = plot_start(spectra, tracks, start, epoch)
    left, right = picture.axes
    strong = [line for line in left.get_lines() if line.get_linewidth() == 3.5]
    assert len(strong) == 1
    spectrum = spectra[start][epoch - 1]
    wanted = np.log10(np.maximum(spectrum / spectrum.max(), 1e-7))
    np.testing.assert_allclose(strong[0].get_ydata(), wanted)
    track, mark = (line for line in right.get_lines() if line.get_linewidth() == 3.5)
    np.testing.assert_allclose(track.get_xdata(), np.log10(tracks[start][0]))
    assert np.squeeze(mark.get_ydata()) == tracks[start][1][epoch - 1]
    assert f"has {tracks[start][1][epoch - 1]}." in picture.alt
    assert [text.get_text() for text in right.texts] == ["× 1 → 12", "× 0.1 → 4"]
    assert to_png(picture)


def test_starts_draw_signals_on_the_left_and_errors_on_the_right():
    sizes = {"one": np.geomspace(1, 1e-6, 10), "other": np.ones(10)}
    curves = {"one": {"AE": [0.008, 0.005]}, "other": {"AE": [0.004, 0.001], "l = 2": [0.005]}}
    picture = plot_signals(sizes, curves, grey=0.004)
    left, right = picture.axes
    np.testing.assert_allclose(left.get_lines()[0].get_ydata(), np.linspace(0, -6, 10))
    np.testing.assert_allclose(drawn(right, "AE, other"), np.log10([0.004, 0.001]))
    assert any(np.allclose(line.get_ydata(), np.log10(0.004)) for line in right.get_lines()[3:])
    assert [text.get_text() for text in left.texts] == ["one", "other", "code"]
    assert to_png(picture)


def test_spectra_are_shares_of_the_largest_with_published_values_in_their_own_panel_only():
    published = {"l = 2": {4: 0.083, 7: 0.01}}
    picture = plot_spectra({"one": SPECTRA, "two": SPECTRA}, published, marked="one")
    hollow = []
    for axes in picture.axes:
        for name in MODELS:
            np.testing.assert_allclose(drawn(axes, name), SPECTRA[name] / SPECTRA[name].max())
        marks = [line for line in axes.get_lines() if line.get_markerfacecolor() == "none"]
        hollow.append([list(line.get_data()[1]) for line in marks])
        assert any(list(line.get_xdata()) == [6.5, 6.5] for line in axes.get_lines())
    assert hollow == [[[0.083, 0.01], []], []]  # and their name in the legend
    told = [[t.get_text() for t in axes.get_legend().get_texts()] for axes in picture.axes]
    assert "hollow: the paper" in told[0]
    assert "hollow: the paper" not in told[1]
    assert "hollow" in picture.alt


@pytest.mark.parametrize("threshold", [0.1, 0.01, 1e-4, 3e-5])
def test_threshold_counts_what_lies_above_its_line(threshold):
    picture = plot_threshold(SPECTRA, threshold)
    left, right = picture.axes
    counts = [int(np.sum(SPECTRA[name] > threshold * SPECTRA[name].max())) for name in MODELS]
    assert [bar.get_width() for bar in right.patches] == counts
    for name, count in zip(MODELS, counts, strict=True):
        assert f"{name} {count}" in picture.alt
        above = left.get_lines()[MODELS.index(name)].get_ydata() > np.log10(threshold)
        assert above.sum() == count
    assert any(np.allclose(line.get_ydata(), np.log10(threshold)) for line in left.get_lines())
    assert to_png(picture)


@pytest.mark.parametrize("k", [0, 2, 4])
def test_cut_shows_the_images_and_the_error_of_its_k(k):
    ks = (0, 2, 4)
    rows = {name: pictures(3, 6).clip(0, 1) + i / 100 for i, name in enumerate(("AE", "l = 2"))}
    errors = {"AE": np.array([0.05, 0.01, 0.004]), "l = 2": np.array([0.05, 0.02, 0.003])}
    picture = plot_cut(pictures(6), rows, errors, ks, k)
    left, right = picture.axes
    sheet = left.get_images()[0].get_array()
    wanted = for_display(rows["l = 2"][ks.index(k), 5])
    np.testing.assert_allclose(sheet[68 : 68 + 32, 170 : 170 + 32], wanted)
    np.testing.assert_allclose(right.get_lines()[1].get_ydata(), np.log10(errors["l = 2"]))
    assert list(right.get_lines()[2].get_xdata()) == [k, k]
    assert f"k = {k} " in picture.alt
    assert to_png(picture)


@pytest.mark.parametrize("at", [0, 3, 6])
def test_between_enlarges_the_images_at_t_and_marks_the_distances(at):
    shares = np.linspace(0, 1, 7)
    names = [*MODELS, "pixels"]
    paths = {name: pictures(7).clip(0, 1) * (i + 1) / 6 for i, name in enumerate(names)}
    distances = {name: np.linspace(0.1, 0.4, 7) * (i + 1) for i, name in enumerate(names)}
    picture = plot_between(paths, distances, shares, float(shares[at]))
    left, right = picture.axes
    sheet = left.get_images()[0].get_array()
    np.testing.assert_allclose(sheet[42:74, 84:116, :3], for_display(paths["pixels"][at]))
    marks = [line for line in right.get_lines() if len(np.atleast_1d(line.get_xdata())) == 1]
    assert [float(np.squeeze(line.get_ydata())) for line in marks] == [
        pytest.approx(distances[name][at]) for name in names
    ]
    assert f"t = {shares[at]:.2f}" in picture.alt
    assert to_png(picture)


def test_no_two_models_look_alike():
    for key in ("color", "marker"):
        assert len({look[key] for look in LOOKS.values()}) == len(LOOKS)
