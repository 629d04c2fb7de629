"""Chapter 4's full run: single completions again, and the form of their table."""

import numpy as np
import pytest

from helpers.experiments import deep_factorization
from helpers.experiments.deep_factorization import completion, depth_completion
from helpers.manifests import load_manifest


@pytest.mark.parametrize(
    ("method", "depth", "seen"),
    [("minimum nuclear norm", None, 1120), ("depth 2", 2, 800), ("depth 3", 3, 800)],
)
def test_recorded_completions_come_out_again(method, depth, seen):
    recorded = load_manifest("depth-completion")
    column = recorded["configuration"]["seen"].index(seen)
    for name, value in completion(depth, seen, seed=0).items():
        expected = recorded["results"][method][name][column][0]
        assert value == pytest.approx(expected, rel=1e-3, abs=1e-4), name


def test_completions_are_tabled_by_method_entries_seen_and_matrix(monkeypatch):
    small = {"n": 6, "rank": 1, "seen": [20, 30], "matrices": 3}
    monkeypatch.setattr(deep_factorization, "COMPLETION", small)
    monkeypatch.setattr(deep_factorization, "COMPLETION_DEPTHS", (2,))
    outcome = depth_completion()
    assert set(outcome["results"]) == {"minimum nuclear norm", "depth 2"}
    table = outcome["results"]["depth 2"]
    assert np.shape(table["error"]) == np.shape(table["nuclear_norm"]) == (2, 3)
    assert table["effective_rank"][1][2] == completion(2, 30, seed=2)["effective_rank"]
    assert outcome["configuration"]["seen"] == [20, 30]
