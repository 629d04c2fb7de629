"""Executing and saving notebooks, on small ones with each kind of output."""

import copy
import json

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers import notebooks
from helpers.notebooks import LIVE_VIEW, drop_live_views, on_save

SMALL = """
import time

from helpers.explore import explore
from helpers.picture import new_picture, styled
from helpers.display import show_source

@styled
def plot(k=3):
    picture = new_picture(f"A line up to {k}.", height=2)
    picture.subplots().plot(range(k))
    return picture

print("text", flush=True)
time.sleep(0.5)
print("more")
show_source(explore)
explore(plot, k=range(1, 9))
plot()
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(SMALL)]), path)
    return path


def test_second_run_changes_no_byte(small, capsys):
    notebooks.main([small])
    first = small.read_bytes()
    notebooks.main([small])
    assert small.read_bytes() == first
    outputs = json.loads(first)["cells"][0]["outputs"]
    assert [output["output_type"] for output in outputs] == [
        "stream",
        "display_data",
        "display_data",
        "execute_result",
    ]
    assert b"widget-view" not in first
    said = capsys.readouterr().out
    assert "saved" in said
    assert "unchanged" in said


def test_failing_notebook_is_left_as_it_was(small):
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), small)
    before = small.read_bytes()
    with pytest.raises(CellExecutionError):
        notebooks.main([small])
    assert small.read_bytes() == before


# ---- what is left out


@pytest.fixture
def notebook():
    explorer = {LIVE_VIEW: {"model_id": "1"}, "text/html": "<img>", "text/plain": "A curve."}
    bare = {LIVE_VIEW: {"model_id": "2"}, "text/plain": "IntSlider()"}
    outputs = [new_output("display_data", data) for data in (explorer, bare)]
    outputs.append(new_output("stream", text="text"))
    return new_notebook(cells=[new_markdown_cell("# Title"), new_code_cell("1", outputs=outputs)])


def test_live_view_goes_and_everything_else_stays(notebook):
    before = copy.deepcopy(notebook)
    drop_live_views(notebook)
    explorer, bare, stream = notebook.cells[1].outputs
    assert explorer.data == {"text/html": "<img>", "text/plain": "A curve."}
    assert [bare, stream] == before.cells[1].outputs[1:]
    assert notebook.cells[0] == before.cells[0]


def test_jupyter_drops_live_views_when_it_saves(notebook, tmp_path):
    manager = FileContentsManager(root_dir=str(tmp_path))
    manager.register_pre_save_hook(on_save)
    manager.save({"type": "notebook", "content": notebook}, "a.ipynb")
    saved = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    assert LIVE_VIEW not in saved.cells[1].outputs[0].data
    manager.save({"type": "file", "format": "text", "content": "words"}, "a.txt")
    assert (tmp_path / "a.txt").read_text() == "words"
