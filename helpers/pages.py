"""The course as a folder of pages, made of the saved notebooks: `make pages`. Nothing is executed.

Sphinx makes the pages. They open from a disk and ask no server for anything.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from helpers.formulas import to_mathml
from helpers.storage import ROOT
from helpers.terminal import show_unknown_letters

ASSETS = Path(__file__).parent / "assets"
FOLDER = ROOT / "build" / "pages"
TITLE = "How many numbers do you need?"
SETTINGS = {
    "project": TITLE,
    "html_title": TITLE,
    "language": "en",
    "extensions": ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "helpers.pages"],
    "html_theme": "sphinx_book_theme",
    "html_context": {"default_mode": "auto"},  # light or dark, as the reader's system
    "html_theme_options": {
        "use_download_button": False,  # each page has a link to its notebook
        "use_fullscreen_button": False,
        "home_page_in_toc": True,
        "show_toc_level": 2,
    },
    "html_static_path": [str(ASSETS / "static")],
    "html_css_files": ["pages.css"],
    "html_math_renderer": "mathml",
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_show_copyright": False,
    "nb_execution_mode": "off",
    "nb_render_markdown_format": "gfm",  # tables in outputs, too
    "nb_ipywidgets_js": {},  # would be asked of a server
    "nb_code_prompt_show": "Show the solution",
    "nb_code_prompt_hide": "Hide the solution",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "autodoc_member_order": "bysource",
    "autodoc_typehints": "none",  # docstrings give shapes
    "autodoc_mock_imports": ["pyspark"],
}
INDEX = """# {title}

A hands-on course on dimensionality reduction. These are its pages: sliders move, exercises hide their
solutions, and each page has a link to its notebook, to be run with `make lab`.

{covers}

```{{toctree}}
:caption: Chapters
:maxdepth: 1

{chapters}
```

```{{toctree}}
:caption: Exercises
:maxdepth: 1

{exercises}
```

```{{toctree}}
:caption: Functions
:maxdepth: 1

{modules}
```
"""

MODULE = """# {title}

```{{eval-rst}}
.. automodule:: {name}
   :members:
   :exclude-members: set
```
"""


def build(notebooks: Path = ROOT / "notebooks", folder: Path = FOLDER) -> Path:
    """Write all pages.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    ModuleNotFoundError
        If the extra "site" is not installed.
    RuntimeError
        If Sphinx fails.
    """
    from sphinx.application import Sphinx  # of the extra "site"
    from sphinx.util.docutils import docutils_namespace

    work = folder.with_name(f"{folder.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    write_source(notebooks, work / "source")
    with docutils_namespace():
        app = Sphinx(
            str(work / "source"),
            None,
            str(work / "pages"),
            str(work / "doctrees"),
            "html",
            confoverrides=SETTINGS,
            status=None,
        )
        app.build()
    if app.statuscode:
        raise RuntimeError("Sphinx could not make the pages; it says above why")
    copy_downloads(notebooks, work / "pages" / "notebooks")
    # empty: the notebooks stand beside the pages
    shutil.rmtree(work / "pages" / "_sources", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    (work / "pages").rename(folder)
    shutil.rmtree(work)
    return folder / "index.html"


def write_source(notebooks: Path, source: Path) -> None:
    """What Sphinx reads: chapters, exercises, a page for each file of functions, and the first page."""
    (source / "exercises").mkdir(parents=True)
    (source / "functions").mkdir()
    chapters = sorted(notebooks.glob("*.ipynb"))
    address = public_address()
    shutil.copytree(notebooks / "covers", source / "covers")
    for path in chapters:
        download = f"notebooks/{path.name}"
        _write(source / path.name, page_of(nbformat.read(path, as_version=4), download, address))
    solutions = sorted((notebooks / "solutions").glob("*.ipynb"))
    for path in solutions:
        download = f"../notebooks/exercises/{path.name}"
        page = page_of(fold_solutions(nbformat.read(path, as_version=4)), download, address)
        _write(source / "exercises" / path.name, page)
    modules = module_names()
    for name in modules:
        title = name.removeprefix("helpers.").replace(".", "/") + ".py"
        text = MODULE.format(title=title, name=name)
        (source / "functions" / f"{name}.md").write_text(text, encoding="utf-8")
    index = INDEX.format(
        title=TITLE,
        covers="\n\n".join(map(cover_link, chapters)),
        chapters="\n".join(path.stem for path in chapters),
        exercises="\n".join(f"exercises/{path.stem}" for path in solutions),
        modules="\n".join(f"functions/{name}" for name in modules),
    )
    (source / "index.md").write_text(index, encoding="utf-8")


def page_of(notebook: NotebookNode, download: str, address: str = "") -> NotebookNode:
    """A notebook with links to its file and to where it runs; solutions led to the exercises that hide them."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\(solutions/", "](exercises/", cell.source)
    link = f'<a href="{download}" download>Download this notebook</a>'
    if binder := binder_address(download, address):
        link += f' · <a href="{binder}">Run on Binder</a>'
    notebook.cells.insert(1, new_markdown_cell(f"<p>{link}</p>", id="download"))
    return notebook


def public_address(project: Path = ROOT / "pyproject.toml") -> str:
    """Where the course stands on GitHub, from [project.urls]; empty while that names nothing."""
    settings = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    return settings.get("urls", {}).get("Repository", "").rstrip("/").removesuffix(".git")


def binder_address(download: str, address: str) -> str:
    """Where a notebook opens on Binder; empty without an address on GitHub."""
    host, _, name = address.partition("github.com/")
    if host != "https://" or not name:
        return ""
    file = download.removeprefix("../")
    return f"https://mybinder.org/v2/gh/{name}/main?urlpath=lab/tree/{file}"


def fold_solutions(solutions: NotebookNode) -> NotebookNode:
    """Exercises whose solutions show when a reader asks for them."""
    for cell in solutions.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata.tags += ["hide-input"]
    return solutions


def cover_link(chapter: Path) -> str:
    """The picture of a chapter, as a link; its first line says what it is about."""
    first = nbformat.read(chapter, as_version=4).cells[0].source
    title = first.splitlines()[0].removeprefix("# ")
    alt = re.search(r"!\[([^\]]*)\]", first)
    words = alt.group(1) if alt else title
    return f"**[{title}]({chapter.stem})**\n\n![{words}](covers/{chapter.stem}.png)"


def module_names() -> list[str]:
    """All files of functions, as Python imports them."""
    paths = sorted((ROOT / "helpers").rglob("*.py"))
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name for name in dotted if not name.endswith(("__init__", "__main__"))]


def copy_downloads(notebooks: Path, folder: Path) -> None:
    """The notebooks that pages link to: chapters, and exercises without their solutions."""
    for kind in (".", "exercises"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for path in (notebooks / kind).glob("*.ipynb"):
            shutil.copy(path, folder / kind)


def _write(path: Path, notebook: NotebookNode) -> None:
    path.write_text(nbformat.writes(notebook), encoding="utf-8")


def setup(app) -> dict:
    """Sphinx's hook for extensions: formulas become MathML."""
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math_block, None))
    return {"parallel_read_safe": True}


def _visit_math(translator, node) -> None:
    translator.body.append(to_mathml(node.astext()))
    _skip()


def _visit_math_block(translator, node) -> None:
    translator.body.append(f'<div class="math">{to_mathml(node.astext(), block=True)}</div>')
    _skip()


def _skip() -> None:
    from docutils.nodes import SkipNode

    raise SkipNode


if __name__ == "__main__":
    show_unknown_letters()
    print(build(*map(Path, sys.argv[1:])))
