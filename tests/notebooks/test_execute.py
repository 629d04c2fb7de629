"""Saving notebooks, and comparing what is saved, on a small notebook of each kind of output."""

import base64
import json

import nbformat
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.picture import new_picture, to_png
from tests.notebooks import execute
from tests.notebooks.pictures import difference

SMALL = """
import time

from helpers.explore import explore
from helpers.picture import (new_picture, styled)
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


def output(shift=0.0, height=2, kind="image/png", dot=True):
    picture = new_picture("A wave with a dot.", height=height)
    axes = picture.subplots()
    axes.plot(np.sin(np.linspace(0, 6, 50) + shift), marker="")
    if dot:
        axes.plot(25, 0, "ro", markersize=10)
    png = base64.b64encode(to_png(picture)).decode()
    data = png if kind == "image/png" else f'<img src="data:image/png;base64,{png}">'
    return new_output("display_data", {kind: data})


@pytest.mark.parametrize("kind", ["image/png", "text/html"])
def test_pictures_are_compared(kind):
    assert difference([output(kind=kind)], [output(1e-6, kind=kind)]) == ""
    assert "differ by" in difference([output(kind=kind)], [output(0.5, kind=kind)])
    assert "differ by" in difference([output(kind=kind)], [output(kind=kind, dot=False)])
    assert "drawn with" in difference([output(kind=kind)], [output(height=3, kind=kind)])
    assert "1 pictures are saved, 0" in difference([output(kind=kind)], [])


def test_letters_may_move_between_versions_of_matplotlib(monkeypatch):
    saved = [output()]
    monkeypatch.setattr("matplotlib.__version__", "another")
    assert difference(saved, [output(dot=False)]) == ""
    assert "differ by" in difference(saved, [output(2.0)])
