"""Executing notebooks and saving them with their outputs: ``make run``, and Jupyter's hook on saving.

The picture of the cell tagged "cover" is saved too: it stands for its chapter in the README. From
a notebook in solutions/ the students' copy in exercises/ is made.

What is saved depends on the notebook and on what it computes, not on when or where it ran:
a second run changes no byte.
"""

import base64
import copy
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers.ratings_files import GENERATED, WHICH_RATINGS
from helpers.storage import ROOT
from helpers.terminal import show_unknown_letters

LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 600  # seconds
PNG_URL = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def course_notebooks() -> list[Path]:
    """All notebooks that are executed, in reading order: chapters, then solutions."""
    notebooks = ROOT / "notebooks"
    return sorted(notebooks.glob("*.ipynb")) + sorted((notebooks / "solutions").glob("*.ipynb"))


def exercise_path(path: Path) -> Path:
    """Where the students' copy of a notebook of solutions is kept."""
    return path.parents[1] / "exercises" / path.name


def student_copy(solutions: nbformat.NotebookNode) -> str:
    """Text of the notebook that students get: solutions cut to their first line, nothing run."""
    notebook = copy.deepcopy(solutions)
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell.source = cell.source.splitlines()[0]
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    return nbformat.writes(notebook) + "\n"


def executed(path: Path) -> str:
    """Text of a notebook after a fresh run of all its cells.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the file is left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    run(notebook, path.parent)
    return nbformat.writes(tidy(notebook)) + "\n"


def run(notebook: nbformat.NotebookNode, folder: Path, ratings: str = GENERATED) -> None:
    """Run all cells of a notebook in a fresh kernel that stands in ``folder``; outputs go into it.

    Parameters
    ----------
    ratings : str
        What chapter 2 reads: a file, or the generated ratings, wherever the reader's own lie.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # how print's lines are parted depends on the moment
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=os.environ | {WHICH_RATINGS: ratings})


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what changes from run to run or belongs to one machine."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    drop_live_views(notebook)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def drop_live_views(notebook: dict) -> None:
    """Remove live views from a notebook's outputs, in place; what else they show stays.

    A live view is worth nothing without the kernel that made it: a notebook saved with it and
    opened again shows an error where its picture was. A view that has no other form is kept.

    Parameters
    ----------
    notebook : dict
        A notebook in nbformat 4.
    """
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            forms = output.get("data", {})
            if set(forms) - {LIVE_VIEW, "text/plain"}:
                forms.pop(LIVE_VIEW, None)


def on_save(model: dict, **_) -> None:
    """Jupyter's hook before it writes a file: live views are dropped from notebooks."""
    if model["type"] == "notebook" and model.get("content", {}).get("nbformat") == 4:
        drop_live_views(model["content"])


def cover(notebook: nbformat.NotebookNode) -> bytes | None:
    """PNG of the cell tagged "cover", if there is one."""
    for cell in notebook.cells:
        if "cover" in cell.metadata.get("tags", []):
            return base64.b64decode(PNG_URL.search(cell.outputs[-1].data["text/html"]).group(1))
    return None


def cover_path(path: Path) -> Path:
    """Where the cover of a notebook is kept."""
    return path.parent / "covers" / f"{path.stem}.png"


def save(path: Path, content: bytes) -> bool:
    """Write a file unless it holds just that already; True if it was written."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return True


def main(paths: list[Path]) -> None:
    """Run and save the notebooks named, or all."""
    for path in paths or course_notebooks():
        started = time.monotonic()
        print(f"{path.relative_to(ROOT)} … ", end="", flush=True)
        text = executed(path)
        changed = save(path, text.encode())
        if (picture := cover(nbformat.reads(text, as_version=4))) is not None:
            changed |= save(cover_path(path), picture)
        if path.parent.name == "solutions":
            copied = student_copy(nbformat.reads(text, as_version=4))
            changed |= save(exercise_path(path), copied.encode())
        print(f"{time.monotonic() - started:.0f} s, {'saved' if changed else 'unchanged'}")


if __name__ == "__main__":
    show_unknown_letters()
    main([Path(name).resolve() for name in sys.argv[1:]])
