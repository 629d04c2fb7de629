"""Pytest plugin: nbval compares text and skips pictures; this compares the pictures too.

Pictures may differ a little between machines and versions of matplotlib, so pixels are compared,
not bytes, and a small mean difference passes.
"""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

TOLERANCE = 1.5  # mean difference of grey levels, of 255


def pictures(outputs: list) -> list[np.ndarray]:
    """All pictures in a cell's outputs, PNG outputs and those inside HTML, as grey levels."""
    encoded = []
    for output in outputs:
        data = output.get("data", {})
        encoded += [data["image/png"]] if "image/png" in data else []
        encoded += re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", data.get("text/html", ""))
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("L"), float)
        for png in encoded
    ]


def difference(saved: list, fresh: list) -> str:
    """In words, how the pictures of two lists of outputs differ; empty if they do not."""
    before, after = pictures(saved), pictures(fresh)
    if len(before) != len(after):
        return f"{len(before)} pictures are saved, {len(after)} were drawn"
    for i, (a, b) in enumerate(zip(before, after, strict=True)):
        if a.shape != b.shape:
            return f"picture {i}: saved with {a.shape} pixels, drawn with {b.shape}"
        if (mean := np.abs(a - b).mean()) > TOLERANCE:
            return f"picture {i}: pixels differ by {mean:.1f} grey levels, allowed are {TOLERANCE}"
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """After nbval has run a cell and compared its text, compare its pictures."""
    result = yield
    fresh = getattr(item, "test_outputs", None)
    if fresh and item.options["check"] and (words := difference(item.cell.outputs, fresh)):
        pytest.fail(f"{words}. `make run` saves the new ones", pytrace=False)
    return result
