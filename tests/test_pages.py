"""What stands on the pages; tests/browser/test_pages.py makes them and opens each."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers import pages
from helpers.storage import ROOT


def notebook():
    cells = [
        new_markdown_cell("# 1 · Title\n\n![A cover.](covers/01.png) [x](solutions/01.ipynb)"),
        new_code_cell("# your code here\nx = 1", metadata={"tags": ["solution"]}),
        new_code_cell("assert x"),
    ]
    return new_notebook(cells=cells)


def test_a_page_links_to_its_notebook_and_to_exercises_that_hide_solutions():
    page = pages.page_of(notebook(), "notebooks/01.ipynb")
    assert 'href="notebooks/01.ipynb" download' in page.cells[1].source
    assert "(exercises/01.ipynb)" in page.cells[0].source


def test_no_page_leads_to_binder_while_the_address_is_empty(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text("[project]\n", encoding="utf-8")
    assert pages.public_address(project) == ""
    source = pages.page_of(notebook(), "notebooks/01.ipynb", "").cells[1].source
    assert source.count("<a ") == 1


def test_the_address_leads_every_page_to_binder(tmp_path):
    project = tmp_path / "pyproject.toml"
    text = '[project]\nurls.Repository = "https://github.com/someone/course.git"\n'
    project.write_text(text, encoding="utf-8")
    address = pages.public_address(project)
    for folder, up in (("notebooks", ""), ("notebooks/exercises", "../")):
        source = pages.page_of(notebook(), f"{up}{folder}/01.ipynb", address).cells[1].source
        start = "https://mybinder.org/v2/gh/someone/course/main?urlpath=lab/tree/"
        assert f'href="{start}{folder}/01.ipynb"' in source


def test_solutions_are_folded_and_checks_are_not():
    tags = [cell.metadata.get("tags", []) for cell in pages.fold_solutions(notebook()).cells]
    assert tags == [[], ["solution", "hide-input"], []]


def test_a_cover_is_named_and_described(tmp_path):
    nbformat.write(notebook(), tmp_path / "01.ipynb")
    assert pages.cover_link(tmp_path / "01.ipynb") == (
        "**[1 · Title](01)**\n\n![A cover.](covers/01.png)"
    )


def test_the_source_has_all_chapters_exercises_and_functions(tmp_path):
    pages.write_source(ROOT / "notebooks", tmp_path / "source")
    index = (tmp_path / "source" / "index.md").read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"\n{path.stem}\n" in index
        assert (tmp_path / "source" / path.name).exists()
    for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb"):
        assert f"\nexercises/{path.stem}\n" in index
    for name in ("helpers.pca", "helpers.explore"):
        assert f"\nfunctions/{name}\n" in index
        text = (tmp_path / "source" / "functions" / f"{name}.md").read_text(encoding="utf-8")
        assert f"automodule:: {name}" in text


def test_downloads_have_no_solutions(tmp_path):
    pages.copy_downloads(ROOT / "notebooks", tmp_path)
    assert (tmp_path / "01_pca_svd.ipynb").exists()
    assert (tmp_path / "exercises" / "01_pca_svd.ipynb").exists()
    assert not (tmp_path / "solutions").exists()


class Translator:
    def __init__(self):
        self.body = []


@pytest.mark.parametrize("visit", [pages._visit_math, pages._visit_math_block])
def test_formulas_become_mathml(visit):
    nodes = pytest.importorskip("docutils.nodes", reason="needs the extra: pip install '.[site]'")
    pytest.importorskip("latex2mathml", reason="needs the extra: pip install '.[site]'")
    translator = Translator()
    with pytest.raises(nodes.SkipNode):
        visit(translator, nodes.math("x^2", "x^2"))
    assert "<msup>" in translator.body[0]
