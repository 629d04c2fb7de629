"""Comparing the pictures of saved notebooks."""

import base64

import numpy as np
import pytest
from nbformat.v4 import new_output

from helpers.picture import new_picture, to_png
from tests.notebooks.pictures import difference


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
