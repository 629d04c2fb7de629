"""Runs the notebooks and saves them with their outputs: the author's command, ``make run``.

What is saved depends on the notebook and on what it computes, not on when or where it ran:
a second run changes no byte.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 600  # seconds


def course_notebooks() -> list[Path]:
    """All notebooks of the course, in reading order."""
    return sorted(
        path
        for path in (ROOT / "notebooks").rglob("*.ipynb")
        if not any(part.startswith(".") for part in path.parts)
    )


def executed(path: Path) -> str:
    """Text of a notebook after a fresh run of all its cells.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the file is left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return nbformat.writes(tidy(notebook)) + "\n"


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what changes from run to run or belongs to one machine."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # a live view is worth nothing without its kernel
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def main(paths: list[Path]) -> None:
    """Run and save the notebooks named, or all."""
    for path in paths or course_notebooks():
        started = time.monotonic()
        print(f"{path.relative_to(ROOT)} … ", end="", flush=True)
        text = executed(path)
        changed = text != path.read_text(encoding="utf-8")
        if changed:
            path.write_text(text, encoding="utf-8")
        print(f"{time.monotonic() - started:.0f} s, {'saved' if changed else 'unchanged'}")


if __name__ == "__main__":
    main([Path(name).resolve() for name in sys.argv[1:]])
