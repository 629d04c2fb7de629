"""Figure functions over the values that their sliders take."""

import numpy as np
import pytest

from helpers.picture import to_png
from helpers.plots.autoencoder import (
    plot_code_sizes,
    plot_histories,
    plot_paths,
    plot_rows,
    plot_scores,
    plot_transposed,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.random((6, 5, 4))


def test_rows_show_every_image_at_its_place():
    picture = plot_rows({"one": IMAGES, "two": 1 - IMAGES}, "Two rows.", under=list("uvwxyz"))
    (axes,) = picture.axes
    sheet = axes.get_images()[0].get_array()
    assert sheet.shape == (2 * 6 - 1, 6 * 5 - 1)
    np.testing.assert_allclose(sheet[:5, 5:9], IMAGES[1])
    np.testing.assert_allclose(sheet[6:11, 5:9], 1 - IMAGES[1])
    assert [text.get_text() for text in axes.texts] == ["one", "two", *"uvwxyz"]
    assert picture.alt == "Two rows."


def test_rows_of_colour_images_keep_their_colours():
    images = RNG.random((4, 5, 4, 3))
    picture = plot_rows({"one": images, "two": images[::-1]}, "Two rows in colour.")
    sheet = picture.axes[0].get_images()[0].get_array()
    assert sheet.shape == (2 * 6 - 1, 4 * 5 - 1, 3)
    np.testing.assert_allclose(sheet[6:11, 10:14], images[1])


def test_signed_rows_are_white_at_zero():
    picture = plot_rows({"one": IMAGES - 0.5, "two": 3 * IMAGES}, "Alt.", signed=True)
    image = picture.axes[0].get_images()[0]
    assert image.get_clim() == (-1, 1)
    assert np.abs(image.get_array()[:5]).max() == pytest.approx(1)  # each row for itself


def test_rows_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"different numbers of images: \[5, 6\]"):
        plot_rows({"one": IMAGES, "two": IMAGES[:5]}, "Alt.")


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_transposed_convolution_reaches_what_torch_says(size, kernel, stride, padding):
    import torch

    for extra in range(stride):
        layer = torch.nn.ConvTranspose1d(
            1, 1, kernel, stride, padding, output_padding=extra, bias=False
        )
        layer.weight.data.fill_(1)
        try:
            expected = layer(torch.ones(1, 1, size)).ravel().tolist()
        except RuntimeError:  # nothing is left: padding cuts all of it off
            continue
        axes = plot_transposed(size, kernel, stride, padding, extra).axes[0]
        counts = [text.get_text() for text in axes.texts if text.get_text().isdigit()]
        assert [float(count) for count in counts] == expected


@pytest.mark.parametrize("extra", [-1, 2])
def test_transposed_convolution_that_torch_refuses_is_refused(extra):
    with pytest.raises(ValueError, match=f"below the stride 2, got {extra}"):
        plot_transposed(3, 3, 2, 0, extra)


def test_histories_show_both_runs():
    ours = [0.04, 0.02, 0.015, 0.012, 0.011]
    picture = plot_histories(ours, {0: 0.05, 4: 0.01}, title="t", lines={"PCA": 0.002})
    lines = picture.axes[0].get_lines()
    assert list(lines[0].get_ydata()) == ours
    assert list(lines[1].get_xdata()) == [0, 4]
    assert lines[2].get_ydata()[0] == 0.002
    assert "from 0.040 to 0.011 in 5 epochs, beside 2 of the errors" in picture.alt


@pytest.mark.parametrize("d", [8, 64])
def test_code_sizes_show_images_and_points(d):
    by = {8: IMAGES * 0.5, 64: IMAGES * 2}
    errors = {"PCA": {2: 0.04, 8: 0.02, 64: 0.01}, "autoencoder": {8: 0.004, 64: 0.001}}
    picture = plot_code_sizes(IMAGES, by, by, errors | {"section 3.3": {288: 0.01}}, d)
    left, right = picture.axes
    sheet = left.get_images()[0].get_array()
    np.testing.assert_allclose(sheet[:5, :4], IMAGES[0])
    np.testing.assert_allclose(sheet[6:11, :4], by[d][0].clip(0, 1))
    marks = {line.get_color(): line for line in right.get_lines() if len(line.get_xdata()) == 1}
    at = [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks.values()]
    assert at == [(d, errors["PCA"][d]), (d, errors["autoencoder"][d]), (288, 0.01)]
    assert f"of {d} numbers each" in picture.alt
    assert f"{errors['PCA'][d]:.4f} for PCA" in picture.alt
    assert f"{errors['autoencoder'][d] / errors['PCA'][d]:.0%}" in right.get_title(loc="left")


@pytest.mark.parametrize("t", [0, 0.5, 1])
def test_paths_show_the_images_at_t(t):
    shares = np.linspace(0, 1, 5)
    paths = {n: np.linspace(IMAGES[0], IMAGES[i], 5) for i, n in enumerate("abc")}
    distances = {name: np.arange(5.0) + i for i, name in enumerate("abc")}
    picture = plot_paths(paths, distances, shares, t)
    left, right = picture.axes
    sheet, at = left.get_images()[0].get_array(), round(4 * t)
    for i, name in enumerate("abc"):
        x = (4 + 3) * (i + 1)
        np.testing.assert_allclose(sheet[:, x : x + 4], paths[name][at])
    np.testing.assert_allclose(sheet[:, :4], IMAGES[0])
    marks = [line for line in right.get_lines() if len(np.atleast_1d(line.get_xdata())) == 1]
    assert [line.get_ydata()[0] for line in marks] == [at, at + 1, at + 2]
    assert f"t = {t:.2f}" in picture.alt


def test_scores_show_shares_and_curves():
    scores = {"usual": RNG.random(200) + 0.1, "odd": RNG.random(50) + 1}
    curves = {"odd": (np.array([0, 0.1, 1]), np.array([0, 0.9, 1]), 0.925)}
    picture = plot_scores(scores, curves)
    left, right = picture.axes
    for patch in left.patches:
        assert patch.get_data().values.max() == 1
    assert list(right.get_lines()[0].get_ydata()) == [0, 0.9, 1]
    assert "odd 0.9" in picture.alt


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_rows({"one": IMAGES}, "Images in a row."),
        lambda: plot_transposed(3, 3, 2, 1, 1),
    ],
)
def test_pictures_can_be_drawn_alike_twice(draw):
    assert to_png(draw()) == to_png(draw())
