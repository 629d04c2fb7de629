"""The three forms of a slider: live, on a page, and as a picture."""

import base64
import html
import io
import json
import re

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from helpers import explore as explore_module
from helpers.explore import (
    FRAMES_SEVERAL_CONTROLS,
    explore,
    initial_indices,
    labelled_values,
    live_view,
    static_indices,
    static_view,
)
from helpers.picture import new_picture, styled


@styled
def bar(height=1, colour="red", pair=(0, 0)):
    """A bar whose height, colour and place tell which values were asked for."""
    picture = new_picture(f"A {colour} bar of height {height} at {pair}.", height=2, layout=None)
    axes = picture.add_axes((0, 0, 1, 1))
    axes.bar([pair[0]], [height], color=colour)
    axes.set(xlim=(-2, 10), ylim=(0, 100))
    return picture


@pytest.fixture
def displayed(monkeypatch):
    """What reaches the notebook: a mapping from MIME type to content."""
    seen = []
    monkeypatch.setattr(explore_module, "display", lambda data, raw: seen.append(data))
    return seen


def frames(page: str) -> list:
    return json.loads(re.search(r"frames = (\[.*\]);", page).group(1))


def pixels(url: str) -> np.ndarray:
    png = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_one_output_in_three_forms_with_a_description(displayed):
    explore(bar, height=range(0, 101, 10), initial={"height": 30})
    (data,) = displayed
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert data["text/plain"] == "A red bar of height 30 at (0, 0)."
    assert data["text/html"].startswith('<div>\n<img src="data:image/png;base64,')
    assert f'alt="{data["text/plain"]}"' in data["text/html"]


def test_the_same_call_gives_the_same_page(displayed):
    for _ in range(2):
        explore(bar, height=[1, 2], colour=["red", "blue"])
    first, second = displayed
    assert first["text/html"] == second["text/html"]


def test_live_slider_redraws_the_picture():
    options = {"height": labelled_values("height", [10, 50, 90])}
    slider, words, image, _ = live_view(bar, options, [1]).children
    assert isinstance(slider, ipywidgets.SelectionSlider)
    assert slider.label == "50"
    before = image.value
    slider.index = 2
    assert image.value != before
    assert "height 90" in words.value
    slider.index = 1
    assert image.value == before


def test_live_menu_passes_values_not_labels():
    pairs = {"near": (0, 1), "far": (8, 9)}
    options = {"pair": labelled_values("pair", pairs), "height": labelled_values("h", [1, 2])}
    menu, slider, words, *_ = live_view(bar, options, [0, 0]).children
    assert isinstance(menu, ipywidgets.Dropdown)
    menu.label = "far"
    slider.label = "2"
    assert "height 2 at (8, 9)" in words.value


def test_error_while_a_slider_moves_is_shown_instead_of_the_picture():
    def fragile(height):
        if height == 2:
            raise ValueError("height <2> is unlucky")
        return bar(height)

    options = {"height": labelled_values("height", [1, 2, 3])}
    slider, words, image, _ = live_view(fragile, options, [0]).children
    slider.label = "2"
    assert "ValueError: height &lt;2&gt; is unlucky" in words.value
    assert image.layout.visibility == "hidden"
    slider.label = "3"
    assert "ValueError" not in words.value
    assert image.layout.visibility == "visible"


def test_error_while_frames_are_drawn_reaches_the_cell(displayed):
    with pytest.raises(ZeroDivisionError):
        explore(lambda height: bar(1 // height), height=[0, 1])
    assert displayed == []


def test_a_control_with_a_single_frame_is_words_not_a_slider():
    options = {name: labelled_values(name, [1, 2, 3]) for name in "abcdefg"}

    def sum_of(**values):
        return bar(height=sum(values.values()))

    page, _ = static_view(sum_of, options, [1] * 7)
    kept = static_indices([3] * 7, [1] * 7)
    fixed = [name for name, indices in zip("abcdefg", kept, strict=True) if len(indices) == 1]
    assert 0 < len(fixed) < 7
    assert page.count('type="range"') == 7 - len(fixed)
    for name in fixed:
        assert f">{name} 2</span>" in page


def test_page_has_a_frame_for_every_combination_in_order():
    options = {
        "height": labelled_values("height", [10, 50, 90]),
        "colour": labelled_values("colour", ["red", "blue"]),
    }
    page, alt = static_view(bar, options, [1, 0])
    assert alt == "A red bar of height 50 at (0, 0)."
    alts = [frame and frame["alt"] for frame in frames(page)]
    assert alts == [
        "A red bar of height 10 at (0, 0).",
        "A blue bar of height 10 at (0, 0).",
        None,  # the start, which the page shows as its plain image
        "A blue bar of height 50 at (0, 0).",
        "A red bar of height 90 at (0, 0).",
        "A blue bar of height 90 at (0, 0).",
    ]
    assert "frames[2] = {src: image.src" in page
    blue_90 = pixels(frames(page)[5]["src"])
    assert blue_90[100, 133].tolist() == pytest.approx([0, 0, 255], abs=40)


def test_labels_are_escaped():
    heights = [("'<i>'", 1), ("'<i>", 2)]
    for pairs in ({"<b>": (0, 0)}, {"<b>": (0, 0), "b": (1, 0)}):
        options = {"pair": labelled_values("pair", pairs), "height": heights}
        page, _ = static_view(bar, options, [0, 0])
        assert_nothing_is_markup(page)


def assert_nothing_is_markup(page):
    assert "<b>" not in page
    assert "<i>" not in page
    assert '"["' not in page


def test_words_that_would_end_the_script_do_not():
    def sneaky(height):
        picture = bar(height)
        picture.alt = "</script><b>"
        return picture

    page, _ = static_view(sneaky, {"height": labelled_values("height", [1, 2])}, [0])
    assert page.count("</script>") == 1
    assert frames(page)[1]["alt"] == "</script><b>"


def test_arrays_can_be_chosen():
    def plot(image):
        return bar(height=image.sum())

    options = {"image": labelled_values("image", {"light": np.ones(3), "dark": np.ones(9)})}
    assert initial_indices(options, {"image": np.ones(9)}) == [1]
    menu, words, *_ = live_view(plot, options, [0]).children
    menu.label = "dark"
    assert "height 9.0" in words.value
    assert len(labelled_values("image", [np.ones(3), np.ones(9)])) == 2


def test_labels_of_numbers_are_short():
    assert labelled_values("t", np.linspace(0, 1, 11))[3] == ("0.3", pytest.approx(0.3))
    assert labelled_values("k", np.arange(3)) == [("0", 0), ("1", 1), ("2", 2)]
    assert isinstance(labelled_values("k", np.arange(3))[0][1], int)


@pytest.mark.parametrize(
    "values", [np.linspace(10_000, 10_010, 11), 1 + np.arange(4) / 1e9, [0.1, np.nextafter(0.1, 1)]]
)
def test_labels_of_numbers_never_repeat(values):
    labels = [label for label, _ in labelled_values("t", values)]
    assert len(set(labels)) == len(labels)
    assert [label for label, _ in labelled_values("t", [0.5, 0.5, 2])] == ["0.5", "0.5", "2"]


def test_a_slider_tells_its_label_and_is_as_wide_as_the_live_one():
    options = {"angle": labelled_values("angle", [0, 10, 20])}
    page, _ = static_view(lambda angle: bar(height=angle), options, [2])
    assert 'aria-label="angle" aria-valuetext="20"' in page
    slider, *_, spoken = live_view(lambda angle: bar(height=angle), options, [2]).children
    assert f"width:{slider.layout.width};" in page
    told = re.search('data-labels="(.*?)"', spoken.value).group(1)
    assert json.loads(html.unescape(told)) == [["angle", ["0", "10", "20"]]]


def ordinary(k, titles=("left", "right"), suptitle=""):
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2)
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title)
    figure.suptitle(suptitle)
    return figure


@pytest.mark.parametrize(
    ("titles", "suptitle", "words"),
    [
        (("a", "b"), "", "a; b (k = 2)"),
        (("a", ""), "Both", "Both; a (k = 2)"),
        (("", ""), "", "A figure without a title (k = 2)"),
    ],
)
def test_an_ordinary_figure_is_described_by_its_titles_and_not_shown_twice(titles, suptitle, words):
    from matplotlib import pyplot as plt

    options = {"k": labelled_values("k", [1, 2])}

    def figure(k):
        return ordinary(k, titles, suptitle)

    page, alt = static_view(figure, options, [1])
    assert alt == words
    assert f'alt="{words}"' in page
    assert words in live_view(figure, options, [1]).children[1].value
    assert plt.get_fignums() == []


@pytest.mark.parametrize("wrong", [None, "axes"])
def test_what_is_no_figure_is_said(displayed, wrong):
    def forgetful(k):
        return bar().axes[0] if wrong else None

    with pytest.raises(TypeError, match=r"forgetful must return a matplotlib figure.* for k = 0"):
        explore(forgetful, k=[0], initial={"k": 0})
    assert displayed == []


@pytest.mark.parametrize(
    ("sizes", "at"),
    [
        ([5], [2]),
        ([101], [37]),
        ([300, 300], [0, 299]),
        ([2, 100], [1, 50]),
        ([9, 9, 9], [4, 4, 4]),
        ([9, 9, 9, 9], [4, 4, 4, 4]),
        ([3] * 6, [1] * 6),
    ],
)
def test_frames_stay_within_the_limit_and_include_ends_and_start(sizes, at):
    shown = static_indices(sizes, at)
    total = int(np.prod([len(s) for s in shown]))
    assert total <= (20 if len(sizes) == 1 else FRAMES_SEVERAL_CONTROLS)
    for size, index, kept in zip(sizes, at, shown, strict=True):
        assert kept == sorted(set(kept))
        assert index in kept
        assert len(sizes) > 3 or {0, size - 1} <= set(kept)
    assert static_indices([5], [2]) == [[0, 1, 2, 3, 4]]


def test_bad_controls_are_named(displayed):
    with pytest.raises(ValueError, match="at least one control"):
        explore(bar)
    with pytest.raises(ValueError, match="'height' has no values"):
        explore(bar, height=[])
    for wrong in (5, "abc"):
        with pytest.raises(TypeError, match=r"'height' must be a sequence of values, e\.g\. range"):
            explore(bar, height=wrong)
    with pytest.raises(ValueError, match=r"initial names \['k'\]"):
        explore(bar, height=[1], initial={"k": 1})
    with pytest.raises(TypeError, match="initial must map controls to values"):
        explore(bar, height=[1], initial=[1])
    with pytest.raises(ValueError, match="initial of control 'height' is 7"):
        explore(bar, height=[1], initial={"height": 7})
    assert displayed == []


def test_start_is_the_middle_unless_said():
    options = {"a": [("0", 0), ("1", 1), ("2", 2)], "b": [("x", "x"), ("y", "y")]}
    assert initial_indices(options, {}) == [1, 1]
    assert initial_indices(options, {"a": 0}) == [0, 1]
    assert initial_indices({"t": labelled_values("t", np.linspace(0, 1, 11))}, {"t": 0.3}) == [3]
