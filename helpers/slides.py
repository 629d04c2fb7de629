"""Decks for a lecture, made of the saved notebooks: `make slides`. Nothing is executed.

A deck opens from a disk and asks no server for anything. How much fits on a slide is measured by the
browser that shows it (assets/slides.js): what is too tall goes to a slide below.
"""

import html
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import mistune
import nbformat
from mistune.plugins.math import math
from mistune.plugins.table import table
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from helpers.formulas import to_mathml
from helpers.picture import png_url
from helpers.storage import ROOT
from helpers.terminal import show_unknown_letters

ASSETS = Path(__file__).parent / "assets"
FOLDER = ROOT / "build" / "slides"
MAX_LINES = 6  # of code in view; more is folded, and so is what draws a picture or a table
REVEAL_FILES = ("reset.css", "reveal.css", "reveal.js")


def build(notebooks: Path = ROOT / "notebooks", folder: Path = FOLDER) -> list[Path]:
    """Write a deck for each chapter, with all that it needs beside it.

    Raises
    ------
    ModuleNotFoundError
        If the extra "site" is not installed.
    """
    copy_assets(folder)
    decks = []
    for path in sorted(notebooks.glob("*.ipynb")):
        decks.append(folder / f"{path.stem}.html")
        notebook = nbformat.read(path, as_version=4)
        decks[-1].write_text(deck(notebook, notebooks), encoding="utf-8")
    return decks


def copy_assets(folder: Path) -> None:
    """Bring reveal.js, from the package that ships it, and the deck's own look.

    Raises
    ------
    ModuleNotFoundError
        If that package isn't installed.
    """
    spec = find_spec("sphinx_revealjs")
    if spec is None:
        raise ModuleNotFoundError("reveal.js is missing: pip install --editable '.[site]'")
    reveal = Path(spec.origin).parent / "_static" / "revealjs"
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    for name in REVEAL_FILES:
        shutil.copy(reveal / "dist" / name, folder / "assets")
    shutil.copy(reveal / "LICENSE", folder / "assets" / "reveal-LICENSE")
    for name in ("slides.css", "slides.js"):
        shutil.copy(ASSETS / name, folder / "assets")
    colours = HtmlFormatter(style="xcode").get_style_defs("pre")
    (folder / "assets" / "code.css").write_text(colours, encoding="utf-8")


def deck(notebook: NotebookNode, folder: Path) -> str:
    """A notebook as one page of slides.

    Parameters
    ----------
    folder : Path
        Where the notebook lies: its images are put into the page.
    """
    sections, title = [], "Slides"
    for cells in slides(notebook):
        blocks = "\n".join(cell_html(cell, folder) for cell in cells)
        sections.append(f"<section><section>\n{blocks}\n</section></section>")
    if notebook.cells and notebook.cells[0].source.startswith("# "):
        title = notebook.cells[0].source.splitlines()[0][2:]
    return PAGE.format(title=html.escape(title), sections="\n".join(sections))


def slides(notebook: NotebookNode) -> Iterator[list[NotebookNode]]:
    """The cells of each slide; those that a lecture leaves out are in none."""
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if "if-time" in cell.metadata.get("tags", []) or kind in ("skip", "notes"):
            continue
        if cell.cell_type == "code" and only_imports(cell.source):
            continue
        if kind in ("slide", "subslide") and cells:
            yield cells
            cells = []
        cells.append(cell)
    if cells:
        yield cells


def only_imports(source: str) -> bool:
    """Whether a cell has nothing that a listener wants to see."""
    lines = filter(None, source.splitlines())
    return all(line.startswith(("import ", "from ", " ", ")", "#")) for line in lines)


def cell_html(cell: NotebookNode, folder: Path) -> str:
    """A cell as blocks, one after the other: the browser puts them on slides."""
    if cell.cell_type == "markdown":
        blocks = [markdown_html(cell.source, folder)]
    else:
        shown = any({"text/html", "text/markdown"} & set(o.get("data", {})) for o in cell.outputs)
        blocks = [code_html(cell.source, 0 if shown else MAX_LINES)]
        blocks += [output_html(output, folder) for output in cell.outputs]
    later = cell.metadata.get("slideshow", {}).get("slide_type") == "fragment"
    inside = "\n".join(filter(None, blocks))
    return f'<div class="cell{" later" if later else ""}">\n{inside}\n</div>'


def markdown_html(source: str, folder: Path) -> str:
    """Markdown with its formulas as MathML, its images inside and its code folded where it is long."""
    return mistune.Markdown(_Slides(folder), plugins=[table, math])(source)


class _Slides(mistune.HTMLRenderer):
    """Markdown for slides: formulas as MathML, images inside the file, no links to files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(escape=False)
        self.folder = folder

    def inline_math(self, text: str) -> str:
        return to_mathml(text)

    def block_math(self, text: str) -> str:
        return f"<div>{to_mathml(text, block=True)}</div>\n"

    def block_code(self, code: str, info: str | None = None) -> str:
        return code_html(code.rstrip())

    def link(self, text: str, url: str, title: str | None = None) -> str:
        # a deck may be carried away from the course: links to its files would lead nowhere
        return super().link(text, url, title) if "://" in url else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        data = png_url((self.folder / url).read_bytes())
        return f'<img src="{data}" alt="{text}">'  # escaped already


def code_html(source: str, most: int = MAX_LINES) -> str:
    """Code in colours; folded if it has more lines than ``most``."""
    count = len(source.splitlines())
    coloured = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    if count <= most:
        return f'<pre class="code">{coloured}</pre>'
    pre = f'<pre class="code" tabindex="0">{coloured}</pre>'  # it may scroll
    lines = "1 line" if count == 1 else f"{count} lines"
    return f"<details><summary>Code, {lines}</summary>{pre}</details>"


def output_html(output: NotebookNode, folder: Path) -> str:
    """The form of an output that says most: HTML, Markdown, or text."""
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="picture">{data["text/html"]}</div>'
    if "text/markdown" in data:
        return markdown_html(data["text/markdown"], folder)
    text = output.get("text", data.get("text/plain", ""))
    return f'<pre class="output">{html.escape(text.rstrip())}</pre>' if text else ""


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/reset.css">
<link rel="stylesheet" href="assets/reveal.css">
<link rel="stylesheet" href="assets/code.css">
<link rel="stylesheet" href="assets/slides.css">
</head>
<body>
<div class="reveal"><div class="slides">
{sections}
</div></div>
<script src="assets/reveal.js"></script>
<script src="assets/slides.js"></script>
</body>
</html>
"""


if __name__ == "__main__":
    show_unknown_letters()
    for written in build(*map(Path, sys.argv[1:])):
        print(written)
