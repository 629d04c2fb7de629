"""Chapter 6's full runs: their images, their networks, and what they record."""

import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from helpers.autoencoder import encode_images
from helpers.configurations import ShapeConfiguration, plain_values
from helpers.experiments import degrees_of_freedom as runs_of_degrees
from helpers.experiments.irmae import SMALL_2, judge_shapes
from helpers.experiments.registry import NETWORKS, load_network
from helpers.generation import vae_loss
from helpers.irmae import shape_tensor
from helpers.probes import probe_scores
from helpers.shapes import (
    DEGREES,
    SHAPE_PARTS,
    images_of_degrees,
    shape_factors,
    shape_images,
)


def test_each_truth_has_two_networks_and_two_seeds():
    assert runs_of_degrees.NETWORKS.items() <= NETWORKS.items()
    mine = {n: s for n, s in runs_of_degrees.NETWORKS.items() if n.startswith("degrees-")}
    assert len(mine) == 4 * len(DEGREES)
    for name, spec in mine.items():
        degrees, model = name.split("-", 2)[1:]
        assert spec.data["degrees"] == int(degrees)
        assert spec.network["linear_layers"] == (0 if model.startswith("ae") else 2)
        assert spec.network["seed"] == spec.training.seed == name.endswith("-again")
        small = spec.network.get("init_gain", 1) == SMALL_2.init_gain
        assert small == model.startswith("irmae")
        assert (spec.epochs, spec.save_weights) == (20, False)
    assert len({str(spec.configuration) for spec in mine.values()}) == len(mine)


@pytest.mark.parametrize(
    ("start", "variance"), [("large", 4e-2), ("medium", 4e-4), ("small", 4e-6)]
)
def test_a_start_is_the_same_variance_of_the_code_for_each_depth(start, variance):
    images = shape_images("corner", "validation", 500)
    chapter_5 = {"large": "-early", "medium": "-start-0.32", "small": "-small"}[start]
    names = [name for name in NETWORKS if re.fullmatch(rf"layers-\d-{start}", name)]
    names += [f"shapes-corner-irmae-2{chapter_5}"]
    names += ["shapes-corner-irmae-4-small"] * (start == "small")
    found = {NETWORKS[name].network["linear_layers"]: NETWORKS[name] for name in names}
    assert sorted(found) == [1, 2, 4, 8]
    for spec in found.values():
        judged = judge_shapes(spec.untrained().eval(), images)
        assert judged["code_variance"] == pytest.approx(variance, rel=0.15)
        assert spec.epochs >= runs_of_degrees.SHAPES_EARLY


def test_runs_with_weight_decay_differ_in_nothing_else():
    for again, seed in runs_of_degrees.SEEDS.items():
        without = deepcopy(NETWORKS["shapes-corner-irmae-2-early"])
        without.network["seed"] = seed
        for decay in runs_of_degrees.DECAYS:
            spec = NETWORKS[f"weight-decay-{decay:g}{again}"]
            assert spec.training == replace(without.training, weight_decay=decay, seed=seed)
            assert (spec.network, spec.data) == (without.network, without.data)


@pytest.fixture
def few_images(monkeypatch):
    for part, count in {"train": 40, "validation": 30, "test": 20}.items():
        monkeypatch.setitem(SHAPE_PARTS, part, count)


# scores and ZCA need thousands of images: tests/test_preprocessing.py
@pytest.mark.parametrize(
    "name", [n for n in runs_of_degrees.VARIANTS if n not in ("scores", "zca")]
)
def test_a_variant_is_judged_on_plain_images(name, few_images):
    spec, ways = NETWORKS[f"variant-{name}"], runs_of_degrees.VARIANTS[name]
    prepared, model = spec.prepare(), spec.untrained().eval()
    row, results = prepared.train["evaluate"](model), prepared.results(model)
    plain = shape_images("corner", "validation")
    changed = (prepared.images.numpy() != shape_images("corner", "train")).any(axis=(1, 2, 3))
    assert ("preprocessing" in ways or "augmentation" in ways) == changed.any()
    assert row == results["validation"]
    assert ("error" in row) == ("halfway" in results) == (name != "zero-mean-wrong")
    assert ("share" in row) == ("preprocessing" in ways)
    if "preprocessing" not in ways:
        assert row == judge_shapes(model, plain)
    if name == "zero-mean":  # from a small start: the mean image, whatever is shown
        mean = shape_images("corner", "train").mean(axis=0)
        assert row["error"] == pytest.approx(np.square(plain - mean).mean(), rel=0.02)
        assert row["share"] == pytest.approx(1, abs=0.1)


def test_variants_differ_from_the_small_start_in_what_they_say():
    small = NETWORKS[runs_of_degrees.CONTINUED]
    assert small.network["init_gain"] != ShapeConfiguration().init_gain
    seeds = dict.fromkeys(runs_of_degrees.VARIANTS, runs_of_degrees.SEEDS)
    seeds |= {name: {"": 0} for name in runs_of_degrees.OTHER_STARTS}
    for name, options in (runs_of_degrees.VARIANTS | runs_of_degrees.OTHER_STARTS).items():
        for again, seed in seeds[name].items():
            spec = NETWORKS[f"variant-{name}{again}"]
            changed = {n: v for n, v in options.items() if n in ("output", "init_gain")}
            expected = ShapeConfiguration(
                **{n: v for n, v in small.network.items() if n != "seed"} | changed
            )
            assert spec.data == small.data | {n: v for n, v in options.items() if n not in changed}
            assert spec.network == plain_values(expected, "linear_layers") | {"seed": seed}
            assert spec.training == replace(small.training, seed=seed)


def test_a_continued_run_begins_as_the_saved_network():
    begun = NETWORKS["variant-continued"].untrained().state_dict()
    for name, values in load_network(runs_of_degrees.CONTINUED).state_dict().items():
        assert begun[name].equal(values)


def test_networks_are_judged_beside_the_mean_image(few_images):
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


def test_probes_read_codes_of_images_that_they_were_not_fitted_to(monkeypatch, few_images):
    monkeypatch.setattr(runs_of_degrees, "SHAPES_JUDGED", 30)
    spec, small = NETWORKS["probes"], NETWORKS[runs_of_degrees.CONTINUED]
    assert (spec.network, spec.training) == (small.network, small.training)
    prepared, model = spec.prepare(), spec.untrained().eval()
    row = prepared.train["evaluate"](model)
    images, factors = shape_images("corner", "validation"), shape_factors("validation")
    wanted = probe_scores(encode_images(model, shape_tensor(images)), factors, 15)
    assert row.pop("probes") == pytest.approx(wanted, rel=1e-3)
    assert row == judge_shapes(model, images)
    np.testing.assert_array_equal(prepared.images, shape_images("corner", "train"))


@pytest.mark.parametrize("name", ["vae", "vae-0.1", "vae-0.01"])
def test_the_vae_has_the_layers_of_the_plain_network_and_a_loss_of_its_own(
    few_images, monkeypatch, name
):
    spec, plain = NETWORKS[name], NETWORKS["shapes-corner-ae"]
    weights, others = (s.untrained().state_dict() for s in (spec, plain))
    more = weights.keys() - others.keys()
    assert more == {"log_variance.weight", "log_variance.bias", "draws"}
    assert all(weights[name].shape == value.shape for name, value in others.items())
    monkeypatch.setattr(runs_of_degrees, "VAE_DRAWN", 20)
    prepared = spec.prepare()
    batch = shape_tensor(shape_images("corner", "train", 4))
    loss, model = prepared.train["loss"], spec.untrained()
    model.draws.zero_()
    wanted = vae_loss(**spec.loss)(spec.untrained(), batch)
    assert loss(model, batch).item() == wanted.item()
    results = prepared.results(spec.untrained().eval())
    assert {"validation", "test", "halfway", "drawn"} == results.keys()
    assert results["drawn"]["low"] < results["drawn"]["distance"] < results["drawn"]["high"]
    assert spec.epochs == spec.training.schedule_epochs
