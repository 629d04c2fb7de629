"""Chapter 6's full runs: their images, their networks, and what they record."""

import numpy as np
import pytest

from helpers.experiments import degrees_of_freedom as runs_of_degrees
from helpers.experiments.irmae import SMALL_2, judge_shapes
from helpers.experiments.registry import NETWORKS
from helpers.shapes import DEGREES, SHAPE_PARTS, images_of_degrees


def test_each_truth_has_two_networks_and_two_seeds():
    mine = runs_of_degrees.NETWORKS
    assert len(mine) == 4 * len(DEGREES)
    assert mine.items() <= NETWORKS.items()
    for name, spec in mine.items():
        degrees, model = name.split("-", 2)[1:]
        assert spec.data["degrees"] == int(degrees)
        assert spec.network["linear_layers"] == (0 if model.startswith("ae") else 2)
        assert spec.network["seed"] == spec.training.seed == name.endswith("-again")
        small = spec.network.get("init_gain", 1) == SMALL_2.init_gain
        assert small == model.startswith("irmae")
        assert (spec.epochs, spec.save_weights) == (20, False)
    assert len({str(spec.configuration) for spec in mine.values()}) == len(mine)


def test_networks_are_judged_beside_the_mean_image(monkeypatch):
    for part, count in {"train": 40, "validation": 30, "test": 20}.items():
        monkeypatch.setitem(SHAPE_PARTS, part, count)
    spec = NETWORKS["degrees-12-irmae-2"]
    prepared, model = spec.prepare(), spec.build(**spec.network).eval()
    results = prepared.results(model)
    images = {part: images_of_degrees(12, part) for part in SHAPE_PARTS}
    np.testing.assert_array_equal(prepared.images, images["train"])
    expected = np.square(images["test"] - images["train"].mean(axis=0)).mean()
    assert results["mean_image"] == pytest.approx(expected, rel=1e-5)
    for part in ("validation", "test"):
        assert results[part]["error"] == judge_shapes(model, images[part])["error"]
    assert prepared.train["evaluate"](model)["error"] == results["validation"]["error"]
