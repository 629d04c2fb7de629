"""What stands in a deck; tests/browser/test_slides.py looks at how it fits."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

pytest.importorskip("latex2mathml", reason="needs the extra: pip install '.[site]'")
pytest.importorskip("sphinx_revealjs", reason="needs the extra: pip install '.[site]'")

from helpers import slides
from helpers.storage import ROOT


def cell(source, kind="-", tags=(), make=new_markdown_cell, **rest):
    metadata = {"slideshow": {"slide_type": kind}, "tags": list(tags)}
    return make(source, metadata=metadata, **rest)


def code(source, *data, **rest):
    outputs = [new_output("display_data", one) for one in data]
    return cell(source, make=new_code_cell, outputs=outputs, **rest)


def test_slides_leave_out_what_a_lecture_does():
    notebook = new_notebook(
        cells=[
            cell("# Title", "slide"),
            code("import numpy as np\nfrom helpers import (\n    pca,\n)"),
            cell("words"),
            cell("## Later", "slide", ["if-time"]),
            cell("aside", "notes"),
            cell("## Two", "slide"),
            code("x = 1"),
        ]
    )
    sources = [[c.source for c in cells] for cells in slides.slides(notebook)]
    assert sources == [["# Title", "words"], ["## Two", "x = 1"]]


def test_code_is_folded_if_it_is_long_or_draws():
    long = slides.cell_html(code("\n".join("abcdefg")), ROOT)
    assert "<details><summary>Code, 7 lines</summary>" in long
    assert "<details>" not in slides.cell_html(code("x = 1"), ROOT)
    drawn = slides.cell_html(code("plot()", {"text/html": '<img alt="a">'}), ROOT)
    assert "Code, 1 line<" in drawn
    assert '<div class="picture"><img alt="a"></div>' in drawn


def test_outputs_say_most():
    both = new_output("display_data", {"text/markdown": "| a |\n| --: |\n| 1 |", "text/plain": "a"})
    assert "<table>" in slides.output_html(both, ROOT)
    assert "&lt;b&gt;" in slides.output_html(new_output("stream", text="<b>"), ROOT)
    assert slides.output_html(new_output("stream", text=""), ROOT) == ""


def test_markdown_has_formulas_images_and_no_link_to_a_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    text = '$x$ and\n\n$$y$$\n\n![say "a"](a.png) [here](b.ipynb) [there](https://example.org)'
    page = slides.markdown_html(text, tmp_path)
    assert page.count("<math") == 2
    assert "$" not in page
    assert 'alt="say &quot;a&quot;"' in page
    assert "data:image/png;base64,cG5n" in page
    assert "b.ipynb" not in page
    assert 'href="https://example.org"' in page


def test_a_fragment_comes_later():
    assert 'class="cell later"' in slides.cell_html(cell("answer", "fragment"), ROOT)
    assert 'class="cell"' in slides.cell_html(cell("question"), ROOT)


def test_a_deck_for_each_chapter_and_nothing_from_elsewhere(tmp_path):
    decks = slides.build(folder=tmp_path)
    chapters = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [path.stem for path in decks] == chapters
    assert {path.name for path in (tmp_path / "assets").iterdir()} >= {"reveal.js", "slides.js"}
    text = decks[0].read_text(encoding="utf-8")
    assert 'src="http' not in text
    assert "<title>1 · PCA and SVD" in text


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"\.\[site\]"):
        slides.build(folder=tmp_path)
