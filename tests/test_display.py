import functools
import inspect

import pytest

from helpers import display as display_module
from helpers.display import show_source, show_table, source_without_docstring, training_bar
from helpers.notebooks import LIVE_VIEW


def documented(x):
    """A docstring
    of two lines.
    """
    # a comment that says why
    return x


def bare(x):
    return "not a docstring"


class Small:
    """Its docstring."""

    size = 1


@functools.wraps(documented)
def wrapper(*args):
    return documented(*args)


def test_docstring_goes_and_comments_stay():
    assert source_without_docstring(documented) == (
        "def documented(x):\n    # a comment that says why\n    return x"
    )


def test_function_without_docstring_is_whole():
    assert source_without_docstring(bare) == 'def bare(x):\n    return "not a docstring"'


def test_classes_and_decorated_functions():
    assert source_without_docstring(Small) == "class Small:\n\n    size = 1"
    assert source_without_docstring(wrapper).startswith("def documented(x):")


@pytest.fixture
def shown(monkeypatch):
    """What reaches the notebook."""
    seen = []
    monkeypatch.setattr(display_module, "display", lambda data, raw: seen.append(data))
    return seen


def test_shown_as_highlighted_markdown_and_as_text(shown):
    show_source(documented, bare)
    (data,) = shown
    assert data["text/markdown"] == f"```python\n{data['text/plain']}\n```"
    assert "def documented" in data["text/plain"]
    assert "def bare" in data["text/plain"]


def test_what_has_no_source_is_refused():
    with pytest.raises(TypeError):
        show_source(len)


def test_table_has_headings_and_formatted_rows(shown):
    rows = [{"k": 2, "error": 0.04614}, {"k": 16, "error": 0.02045}, {"k": None, "error": None}]
    show_table(rows, {"error": ".3f"})
    assert shown[0]["text/markdown"].splitlines() == [
        "| k | error |",
        "| --: | --: |",
        "| 2 | 0.046 |",
        "| 16 | 0.020 |",
        "| – | – |",
    ]


@pytest.mark.parametrize(
    ("rows", "formats", "message"),
    [
        ([], {}, "must have the same headings"),
        ([{"a": 1}, {"a": 1, "b": 2}], {}, r"got \[\['a'\], \['a', 'b'\]\]"),
        ([{"a": 1}], {"b": ".3f"}, r"formats names \['b'\]"),
    ],
)
def test_rows_that_make_no_table_are_named(shown, rows, formats, message):
    with pytest.raises(ValueError, match=message):
        show_table(rows, formats)
    assert shown == []


def test_bar_follows_a_training_and_leaves_a_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr("helpers.display.display", lambda data, raw: shown.append(data))
    progress = training_bar(4)
    (data,) = shown
    assert data["text/plain"] == "A network was trained here for 4 epochs."
    assert data["text/html"] == f"<p>{data['text/plain']}</p>"
    assert LIVE_VIEW in data
    held = inspect.getclosurevars(progress).nonlocals
    progress(2, 0.5, {"epoch": 1, "train_loss": 0.01234})
    assert held["bar"].value == 2.5
    assert held["words"].value == "2 of 4 epochs, train_loss 0.0123"
