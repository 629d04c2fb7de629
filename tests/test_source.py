import functools

import pytest

from helpers import source as source_module
from helpers.source import show_source, source_without_docstring


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


def test_shown_as_highlighted_markdown_and_as_text(monkeypatch):
    shown = []
    monkeypatch.setattr(source_module, "display", lambda data, raw: shown.append(data))
    show_source(documented, bare)
    (data,) = shown
    assert data["text/markdown"] == f"```python\n{data['text/plain']}\n```"
    assert "def documented" in data["text/plain"]
    assert "def bare" in data["text/plain"]


def test_what_has_no_source_is_refused():
    with pytest.raises(TypeError):
        show_source(len)
