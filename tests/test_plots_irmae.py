"""Figure functions of chapter 5 over the values that their sliders take."""

import numpy as np
import pytest

from helpers.picture import to_png
from helpers.plots.irmae import (
    LOOKS,
    for_display,
    plot_between,
    plot_cut,
    plot_doses,
    plot_falling,
    plot_folding,
    plot_hue,
    plot_quality,
    plot_readings,
    plot_spectra,
    plot_starts,
    plot_threshold,
    plot_where_read,
    plot_widening,
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


def test_falling_draws_ranks_on_the_left_and_errors_on_the_right():
    ranks, errors = {"AE": [3, 5], "l = 2": [3, 4]}, {"AE": [0.02, 0.01], "l = 2": [0.03, 0.02]}
    left, right = plot_falling([100, 200], ranks, errors).axes
    assert list(drawn(left, "l = 2")) == [3, 4]
    assert list(drawn(right, "AE")) == [0.02, 0.01]


def test_starts_draw_signals_on_the_left_and_errors_on_the_right():
    sizes = {"one": np.geomspace(1, 1e-6, 10), "other": np.ones(10)}
    curves = {"one": {"AE": [0.008, 0.005]}, "other": {"AE": [0.004, 0.001], "l = 2": [0.005]}}
    picture = plot_starts(sizes, curves, grey=0.004)
    left, right = picture.axes
    np.testing.assert_allclose(left.get_lines()[0].get_ydata(), np.linspace(0, -6, 10))
    np.testing.assert_allclose(drawn(right, "AE, other"), np.log10([0.004, 0.001]))
    assert any(np.allclose(line.get_ydata(), np.log10(0.004)) for line in right.get_lines()[3:])
    assert [text.get_text() for text in left.texts] == ["one", "other", "code"]
    assert to_png(picture)


def test_hue_has_a_line_for_each_network_and_one_for_none():
    curves = {"one": [0.004, 0.004], "other": [0.004, 0.001]}
    (axes,) = plot_hue(curves, hue=0.0041).axes
    for name, values in curves.items():
        assert list(drawn(axes, name)) == values
    assert list(axes.get_lines()[-1].get_ydata()) == [0.0041, 0.0041]


def test_spectra_are_shares_of_the_largest_with_the_published_values_beside_them():
    picture = plot_spectra({"one": SPECTRA, "two": SPECTRA}, {"l = 2": {4: 0.083, 7: 0.01}})
    for axes in picture.axes:
        for name in MODELS:
            np.testing.assert_allclose(drawn(axes, name), SPECTRA[name] / SPECTRA[name].max())
        hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "none"]
        assert [list(line.get_data()[1]) for line in hollow] == [[0.083, 0.01], []]  # and its name
        assert any(list(line.get_xdata()) == [6.5, 6.5] for line in axes.get_lines())
    assert "hollow: the paper" in [t.get_text() for t in axes.get_legend().get_texts()]
    assert "hollow" in picture.alt
    assert "hollow" not in plot_spectra({"one": SPECTRA}).alt


def test_widening_has_a_line_for_each_number_of_epochs():
    spectra = {1: SPECTRA["AE"], 20: SPECTRA["l = 4"]}
    picture = plot_widening({"AE": spectra, "l = 2": spectra})
    for axes in picture.axes:
        np.testing.assert_allclose(drawn(axes, "20"), np.log10(np.maximum(SPECTRA["l = 4"], 1e-30)))
    assert picture.axes[0].get_yticklabels()[-1].get_text() == "1"
    assert to_png(picture)


def test_doses_are_shares_of_the_largest_and_tell_each_other_apart():
    doses = {"large": SPECTRA["AE"], "small": SPECTRA["l = 4"] * 1e-3}
    picture = plot_doses(doses)
    (axes,) = picture.axes
    for dose, spectrum in doses.items():
        shares = np.maximum(spectrum / spectrum.max(), 1e-7)
        np.testing.assert_allclose(drawn(axes, dose), np.log10(shares))
        assert dose in picture.alt
    first, second = axes.get_lines()[:2]
    assert first.get_alpha() < second.get_alpha()
    assert first.get_marker() != second.get_marker()
    assert to_png(picture)


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


def test_where_read_has_before_and_after_beside_the_plain_autoencoder():
    before, after, plain = (SPECTRA[name] for name in ("AE + L1", "l = 2", "AE"))
    picture = plot_where_read({"l = 2": (before, after), "l = 4": (after, before)}, plain)
    first, second = picture.axes
    np.testing.assert_allclose(drawn(first, "before"), drawn(second, "after"))
    np.testing.assert_allclose(drawn(first, "AE"), drawn(second, "AE"))
    assert drawn(first, "after")[10] > drawn(first, "before")[10]


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


def test_quality_draws_means_within_their_intervals():
    mean = np.linspace(0.1, 0.2, 5)
    curves = {"AE": (mean, mean - 0.01, mean + 0.01), "pixels": (2 * mean, mean, 3 * mean)}
    picture = plot_quality({"distance": curves, "energy": curves}, np.linspace(0, 1, 5))
    for axes in picture.axes:
        np.testing.assert_allclose(drawn(axes, "pixels"), 2 * mean)
        band = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert (band.min(), band.max()) == (pytest.approx(0.09), pytest.approx(0.21))
    assert to_png(picture)


def test_no_two_models_look_alike():
    for key in ("color", "marker"):
        assert len({look[key] for look in LOOKS.values()}) == len(LOOKS)
