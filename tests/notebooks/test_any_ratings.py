"""Chapter 2 runs from top to bottom on ratings that are not the generated ones."""

import copy

import numpy as np
import pytest

from helpers.notebooks import run
from helpers.ratings import rating_scale
from helpers.storage import ROOT
from tests.notebooks.guards import read

CHAPTER = ROOT / "notebooks" / "02_yelp_matrix_factorization.ipynb"


def made_ratings(users: int, items: int, share: float, values: np.ndarray) -> np.ndarray:
    """Rows of user, item and rating, from one planted trait: the values of a scale."""
    rng = np.random.default_rng(0)
    liking = np.add.outer(rng.normal(size=users), rng.normal(size=items)) / 2
    liking += np.outer(rng.normal(size=users), rng.normal(size=items)) + rng.normal(
        size=(users, items)
    )
    ranks = liking.argsort(axis=None).argsort().reshape(liking.shape) / liking.size
    observed = np.nonzero(rng.random(liking.shape) < share)
    return np.column_stack([*observed, values[(ranks[observed] * len(values)).astype(int)]])


DATA = {
    "a class, 60 × 40 in half stars": (60, 40, 0.3, np.arange(1, 11) / 2),
    "300 × 150 from 0 to 10": (300, 150, 0.1, np.arange(11.0)),
    "all equal": (200, 80, 0.2, np.array([4.0])),
}


@pytest.mark.parametrize("name", DATA)
def test_made_ratings_are_of_their_scale(name):
    rows, values = made_ratings(*DATA[name]), DATA[name][-1]
    assert rating_scale(rows[:, 2])[:2] == (values[0], values[-1])
    assert len(np.unique(rows[:, :2], axis=0)) == len(rows)


@pytest.mark.thorough
@pytest.mark.parametrize("name", DATA)
def test_chapter_runs_on(name, tmp_path):
    file = tmp_path / "own.npy"
    np.save(file, made_ratings(*DATA[name]))
    notebook = copy.deepcopy(read(CHAPTER))
    run(notebook, CHAPTER.parent, ratings=str(file))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    assert "ratings from own.npy" in printed
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert ("nothing to factorise" in printed) == (name == "all equal")
