import copy

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.saving import LIVE_VIEW, drop_live_views, on_save


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
