"""The path of 45 minutes of each chapter runs by itself, from top to bottom."""

import copy

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from helpers.notebooks import course_notebooks, run
from tests.notebooks.guards import read
from tests.notebooks.paths import on_path

CHAPTERS = [p for p in course_notebooks() if p.parent.name == "notebooks"]


@pytest.mark.thorough
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_path_runs(path):
    notebook = copy.deepcopy(read(path))
    notebook.cells = on_path(notebook)
    run(notebook, path.parent)


def test_a_path_that_needs_more_fails():
    cells = [new_code_cell("x = 1", metadata={"tags": ["if-time"]}), new_code_cell("x")]
    notebook = new_notebook(cells=cells)
    notebook.cells = on_path(notebook)
    with pytest.raises(CellExecutionError, match="name 'x' is not defined"):
        run(notebook, CHAPTERS[0].parent)
