"""Pytest plugin: nbval compares text and skips pictures; this compares the pictures too.

Pixels are compared, not bytes, as digits differ a little between machines. Drawn by the same version
of matplotlib, no part of a picture may differ; by another version, only the picture as a whole, since
letters move by a pixel.
"""

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LOCAL_TOLERANCE = 8.0  # mean difference of grey levels, of 255, over any block
BLOCK = 20  # pixels a side
GLOBAL_TOLERANCE = 1.5  # the same over the whole picture


def pictures(outputs: list) -> list[Image.Image]:
    """All pictures in a cell's outputs, PNG outputs and those inside HTML."""
    encoded = []
    for output in outputs:
        data = output.get("data", {})
        encoded += [data["image/png"]] if "image/png" in data else []
        encoded += re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", data.get("text/html", ""))
    return [Image.open(io.BytesIO(base64.b64decode(png))) for png in encoded]


def difference(saved: list, fresh: list) -> str:
    """In words, how the pictures of two lists of outputs differ; empty if they do not."""
    before, after = pictures(saved), pictures(fresh)
    if len(before) != len(after):
        return f"{len(before)} pictures are saved, {len(after)} were drawn"
    for i, (a, b) in enumerate(zip(before, after, strict=True)):
        if a.size != b.size:
            return f"picture {i}: saved with {a.size} pixels, drawn with {b.size}"
        measured, allowed = deviation(a, b)
        if measured > allowed:
            return (
                f"picture {i}: pixels differ by {measured:.1f} grey levels, allowed are {allowed}"
            )
    return ""


def deviation(saved: Image.Image, fresh: Image.Image) -> tuple[float, float]:
    """By how many grey levels two pictures of one size differ, and how many are allowed."""
    off = np.abs(np.asarray(saved.convert("L"), float) - np.asarray(fresh.convert("L"), float))
    if saved.info.get("Software") == fresh.info.get("Software"):
        return largest_block_mean(off), LOCAL_TOLERANCE
    return float(off.mean()), GLOBAL_TOLERANCE


def largest_block_mean(values: np.ndarray) -> float:
    """Largest mean over the blocks of BLOCK × BLOCK that an (H, W) array is cut into."""
    height, width = (-(-n // BLOCK) * BLOCK for n in values.shape)
    padded = np.zeros((height, width))
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return float(blocks.mean(axis=(1, 3)).max())


def pytest_addoption(parser):
    parser.addoption("--outputs", type=Path, help="file that gets a line of JSON for each cell")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """After nbval has run a cell and compared its text, compare its pictures."""
    try:
        result = yield
        fresh = getattr(item, "test_outputs", None)
        if fresh and item.options["check"] and (words := difference(item.cell.outputs, fresh)):
            pytest.fail(f"{words}. `make run` saves the new ones", pytrace=False)
    except BaseException as error:
        record(item, str(error) or type(error).__name__)
        raise
    record(item, "")
    return result


def record(item, failed: str) -> None:
    """Write what a cell gave, for :mod:`tests.notebooks.portable`, if that is asked for."""
    path, fresh = item.config.getoption("--outputs"), getattr(item, "test_outputs", None)
    if path is None or fresh is None:
        return
    pairs = zip(pictures(item.cell.outputs), pictures(fresh), strict=False)
    row = {
        "cell": f"{item.path.parent.name}/{item.parent.name}: {item.name}",
        "failed": failed,
        "compared": item.options["check"],
        "bytes": hashlib.sha256(repr(fresh).encode()).hexdigest(),
        "deviations": [round(deviation(a, b)[0], 3) for a, b in pairs if a.size == b.size],
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
