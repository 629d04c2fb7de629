"""Chapter 5's full runs: their settings, what they record, and that they go on."""

import numpy as np
import pytest
from torch import nn

from helpers import manifests, runs
from helpers.autoencoder import parameter_count
from helpers.experiments import irmae as irmae_runs
from helpers.experiments import registry
from helpers.experiments.registry import NETWORKS, run
from helpers.irmae import (
    halfway_quality,
    penalised_loss,
    shape_tensor,
)
from helpers.manifests import load_manifest
from helpers.shapes import SHAPE_PARTS, shape_images

EARLY = ("-early", "-again", "-orthogonal", "-narrow", "-0.56", "-0.32", "-0.18")
EARLY += ("corner-ae-small", "centre-irmae-2-small")
KEPT = (
    "ae",
    "irmae-2",
    "irmae-4",
    "ae-authors",
    "irmae-2-authors",
    "irmae-4-authors",
    "irmae-2-small",
    "irmae-4-small",
)


def test_runs_of_shapes_are_the_paper_s():
    shapes = {name: run for name, run in NETWORKS.items() if name.startswith("shapes-")}
    assert {run.network["linear_layers"] for run in shapes.values()} == {0, 2, 4}
    for name, spec in shapes.items():
        assert (spec.training.batch_size, spec.training.learning_rate) == (32, 1e-4)
        assert spec.training.weight_decay == 0
        assert spec.epochs == (20 if name.endswith(EARLY) else 100)
        assert (spec.data["train"], spec.data["test"]) == (50_000, 10_000)
        assert spec.data["square"] == name.split("-")[1]
        assert spec.network["seed"] == spec.training.seed == name.endswith("-again")
        model = spec.build(**spec.network)
        assert len(model.linear) == spec.network["linear_layers"]
        as_written, authors = name.endswith("-as-written"), name.endswith("-authors")
        assert isinstance(model.convolutions[-2], nn.ReLU) == as_written
        assert spec.network.get("he_init", False) != (as_written or authors)
        small = sum(
            layer.kernel_size == (2, 2) for layer in model.modules() if is_convolution(layer)
        )
        assert small == 2 * authors
        missing = 32 - spec.network.get("latent", 32)  # each a kernel into the code and one out
        bias = 32 * spec.network.get("bias", False)
        count = 1_642_467 - missing * (2 * 256 * 4**2 + 1) + (32**2 + bias) * len(model.linear)
        assert parameter_count(model) == count - authors * 2 * 32 * 256 * (4**2 - 2**2)
        assert spec.configuration.get("loss", {}) == spec.loss
    kept = {name for name, run in shapes.items() if run.save_weights}
    assert kept == {f"shapes-corner-{model}" for model in KEPT}


def is_convolution(layer):
    return isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)


def test_small_starts_have_codes_of_one_variance():
    variances = {}
    for name in (
        "irmae-2-small",
        "irmae-4-small",
        "irmae-4-small-orthogonal",
        "ae-small",
        "irmae-2",
    ):
        spec = NETWORKS[f"shapes-corner-{name}"]
        judged = irmae_runs.judge_shapes(
            spec.build(**spec.network), shape_images("corner", "validation", 2000)
        )
        variances[name] = judged["code_variance"]
    large = variances.pop("irmae-2")
    assert large > 1000 * max(variances.values())
    assert max(variances.values()) < 1.1 * min(variances.values())


@pytest.fixture
def few_shapes(monkeypatch):
    """Parts so small that a run takes a second."""
    parts = {"train": 40, "validation": 30, "test": 20}
    for part, count in parts.items():
        monkeypatch.setitem(SHAPE_PARTS, part, count)
    monkeypatch.setattr(irmae_runs, "SHAPES_JUDGED", 10)
    return parts


@pytest.mark.parametrize("layers", [0, 2])
def test_networks_of_shapes_are_judged_by_error_and_spectra(few_shapes, layers):
    prepared = irmae_runs.prepare_shapes("corner", {})
    model = irmae_runs.build_shape_autoencoder(seed=0, linear_layers=layers).eval()
    judged = prepared.results(model)
    assert len(prepared.images) == 40
    halfway = halfway_quality(model, shape_images("corner", "test"))
    for name, found in judged.pop("halfway").items():
        values = getattr(halfway, name)
        np.testing.assert_allclose(found, values, rtol=1e-3)
        assert len(found) == 10
    images = {part: shape_images("corner", part) for part in ("validation", "test")}
    judged["epoch"], images["epoch"] = prepared.train["evaluate"](model), images["validation"][:10]
    for part, found in judged.items():
        batch = shape_tensor(images[part])
        before = model.convolutions(batch)
        expected = {"spectrum": model.linear(before)}
        if layers:
            expected["spectrum_before"] = before
            product = (model.linear[1].weight @ model.linear[0].weight).detach()
            values = np.linalg.svd(product.double(), compute_uv=False)
            np.testing.assert_allclose(found.pop("layers"), values, rtol=1e-3, atol=1e-6)
        assert set(found) == {"error", "hue", "code_variance", *expected}
        off = (model(batch) - batch).detach()
        assert found["error"] == pytest.approx(off.square().mean().item(), rel=1e-5)
        hue = (off - off.mean(dim=1, keepdim=True)).square().mean().item()
        assert found["hue"] == pytest.approx(hue, rel=1e-3)
        variance = model.linear(before).var(dim=0, correction=0).sum().item()
        assert found["code_variance"] == pytest.approx(variance, rel=1e-3)
        for name, codes in expected.items():
            values = np.linalg.eigvalsh(np.cov(codes.detach().T, bias=True))[::-1]
            np.testing.assert_allclose(found[name], values, rtol=2e-3, atol=1e-5 * values[0])


def test_penalty_of_a_run_is_in_its_training_and_its_configuration(few_shapes):
    penalty = {"norm": "L1", "weight": 0.5}
    spec = irmae_runs.shape_run("corner", 2, penalty)
    assert spec.configuration["loss"] == penalty
    assert "L1 penalty" in spec.summary
    prepared = spec.prepare()
    model, batch = spec.build(**spec.network), prepared.images[:8]
    found = prepared.train["loss"](model, batch).item()
    assert found == penalised_loss("L1", 0.5)(model, batch).item()
    assert found > penalised_loss()(model, batch).item()


def test_a_run_of_shapes_goes_on_to_the_same_bits(few_shapes, monkeypatch, tmp_path):
    spec = irmae_runs.shape_run("corner", 2, {"norm": "L2", "weight": 1e-3}, save_weights=True)
    monkeypatch.setattr(registry, "NETWORKS", {"few": spec})
    found = {}
    for folder, stops in (("stopped", [1, 3]), ("straight", [3])):
        monkeypatch.setattr(manifests, "MANIFESTS", tmp_path / folder)
        for name in ("CHECKPOINTS", "RUNS"):
            monkeypatch.setattr(runs, name, tmp_path / folder / name)
        for epochs in stops:
            found[folder] = run("few", epochs=epochs)
    for part in ("history", "results", "checkpoint", "configuration"):
        assert found["stopped"][part] == found["straight"][part]


def test_penalties_on_codes_have_the_weights_that_the_sweep_chose():
    table = load_manifest("shapes-penalties")["results"]
    most = irmae_runs.PENALTY_COST * table["error"][table["norm"].index(None)]
    for model, norm in (("ae-l1", "L1"), ("ae-l2", "L2")):
        rows = zip(table["norm"], table["weight"], table["error"], strict=True)
        allowed = [weight for found, weight, error in rows if found == norm and error <= most]
        loss = {"norm": norm, "weight": max(allowed)}
        assert NETWORKS[f"shapes-corner-{model}"].loss == loss
        assert table["chosen"][norm] == max(allowed)
