"""The look of every picture, and its description."""

import base64
import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from helpers.picture import COLORS, GREY, LINES, MARKERS, image_html, new_picture, styled, to_png


@styled
def wave():
    picture = new_picture("A wave.", height=3)
    axes = picture.subplots()
    for i in range(3):
        axes.plot(np.sin(np.linspace(0, 6, 50) + i))
    axes.set_title("waves")
    return picture


def test_png_of_the_same_figure_has_the_same_bytes_and_names_who_drew_it():
    first, second = to_png(wave()), to_png(wave())
    assert first == second
    image = Image.open(io.BytesIO(first))
    assert image.size == (1000, 300)
    assert image.info == {"Software": f"matplotlib {matplotlib.__version__}"}


def test_small_png_is_a_quarter_of_the_size_and_looks_alike():
    full, small = to_png(wave()), to_png(wave(), small=True)
    assert len(small) < len(full) / 2
    a, b = (
        np.asarray(Image.open(io.BytesIO(p)).convert("L").resize((200, 60))) for p in (full, small)
    )
    assert np.abs(a.astype(int) - b).mean() < 4


def test_style_does_not_depend_on_what_the_reader_has_set_nor_change_it():
    expected = to_png(wave())
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert to_png(wave()) == expected
        assert matplotlib.rcParams["font.size"] == 30


def test_lines_differ_in_colour_and_line_style_and_have_no_markers_unless_asked():
    lines = wave().axes[0].get_lines()
    assert {line.get_marker() for line in lines} == {"None"}
    for get in ("get_color", "get_linestyle"):
        assert len({getattr(line, get)() for line in lines}) == 3
    assert len(COLORS) == len(LINES) == len(set(MARKERS))


def linear(rgb):
    """Light in proportion to power, from sRGB."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def seen_by_the_colour_blind(rgb, matrix):
    """Linear RGB as a dichromat sees it (Viénot, Brettel and Mollon 1999)."""
    return linear(rgb) @ np.array(matrix).T


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],  # protanopia
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],  # deuteranopia
    ],
)
def test_palette_is_told_apart_by_colour_blind_readers(matrix):
    rgb = np.array([matplotlib.colors.to_rgb(c) for c in COLORS])
    seen = seen_by_the_colour_blind(rgb, matrix)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=2) + np.eye(len(COLORS))
    assert distances.min() > 0.1


def test_lines_and_letters_stand_out_on_white():
    for color in (*COLORS, GREY):
        rgb = np.array(matplotlib.colors.to_rgb(color))
        luminance = linear(rgb) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 3, color


def test_notebook_gets_the_picture_and_its_description():
    data = wave()._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/plain"] == "A wave."
    assert 'alt="A wave."' in data["text/html"]
    assert base64.b64decode(data["text/html"].split('"')[1].split(",")[1]) == to_png(wave())
    assert 'alt="&lt;a&gt; &quot;b&quot;"' in image_html(b"", '<a> "b"')


def test_picture_without_description_is_refused():
    with pytest.raises(ValueError, match="alt is empty"):
        new_picture(" ")


@pytest.mark.parametrize(("channels", "least", "most"), [(3, 60, 128), (1, 2, 32)])
def test_small_pictures_keep_more_colours_of_images_in_colour(channels, least, most):
    picture = new_picture("A ramp of colours.", height=3)
    ramp = np.linspace(0, 1, 30)
    image = np.stack([*np.meshgrid(ramp, ramp), np.full((30, 30), 0.5)], axis=-1)[..., :channels]
    picture.subplots().imshow(image.squeeze())
    kept = Image.open(io.BytesIO(to_png(picture, small=True))).convert("RGB").getcolors()
    assert least <= len(kept) <= most
