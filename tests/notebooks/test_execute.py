"""Saving notebooks, and comparing what is saved, on a small notebook of each kind of output."""

import json

import nbformat
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.plots.style import new_picture, to_png
from tests.notebooks import execute
from tests.notebooks.pictures import difference

SMALL = """
from helpers.explore import explore
from helpers.plots.style import new_picture, styled
from helpers.display import show_source

@styled
def plot(k=3):
    picture = new_picture(f"A line up to {k}.", height=2)
    picture.subplots().plot(range(k))
    return picture

print("text")
show_source(explore)
explore(plot, k=range(1, 9))
plot()
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(SMALL)]), path)
    return path


def test_second_run_changes_no_byte(small, capsys):
    execute.main([small])
    first = small.read_bytes()
    execute.main([small])
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
        execute.main([small])
    assert small.read_bytes() == before


def output(level, height=2, kind="image/png"):
    import base64

    picture = new_picture("A grey area.", height=height, layout=None)
    picture.add_axes((0, 0, 1, 1)).imshow(np.full((4, 4), level), cmap="gray", vmin=0, vmax=1)
    png = base64.b64encode(to_png(picture)).decode()
    data = png if kind == "image/png" else f'<img src="data:image/png;base64,{png}">'
    return new_output("display_data", {kind: data})


@pytest.mark.parametrize("kind", ["image/png", "text/html"])
def test_pictures_are_compared(kind):
    assert difference([output(0.5, kind=kind)], [output(0.501, kind=kind)]) == ""
    assert "differ by" in difference([output(0.5, kind=kind)], [output(0.9, kind=kind)])
    assert "pixels" in difference([output(0.5, kind=kind)], [output(0.5, 3, kind=kind)])
    assert "1 pictures are saved, 0" in difference([output(0.5, kind=kind)], [])
