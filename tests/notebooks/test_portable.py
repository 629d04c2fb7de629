"""The command that runs notebooks under other settings tells a picture that moved from one that didn't."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.notebooks import executed
from tests.notebooks import portable

DRAWN = """
import os

from helpers.picture import new_picture

def draw(last):
    picture = new_picture("A line whose last point depends on what the machine is told.", height=2)
    axes = picture.subplots()
    axes.set_ylim(0, 5)
    axes.plot([0, 1, 2, last])
    return picture

draw(3{moved})
"""


@pytest.mark.parametrize(
    ("moved", "green", "words"),
    [
        (" + (os.environ['OMP_NUM_THREADS'] == '4')", False, "four threads: RED, 1 cells, 1 with"),
        ("", True, "does not count on this processor"),
    ],
)
def test_a_picture_that_moves_too_far_makes_a_setting_red(
    tmp_path, monkeypatch, capsys, moved, green, words
):
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(DRAWN.format(moved=moved))]), path)
    for name, value in portable.ONE.items():
        monkeypatch.setenv(name, value)
    path.write_text(executed(path), encoding="utf-8")
    found = portable.run_all([portable.REFERENCE, "four threads"], [path], tmp_path)
    assert portable.report(found) is green
    assert words in capsys.readouterr().out
