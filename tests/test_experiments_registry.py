"""All full runs: their manifests, the networks that ship, and nothing besides."""

import re

import numpy as np
import pytest

from helpers import manifests, runs
from helpers.autoencoder import image_errors, to_tensor
from helpers.experiments import irmae as irmae_runs
from helpers.experiments import registry
from helpers.experiments.registry import NETWORKS, load_network, names, run
from helpers.fashion_mnist import load_fashion_mnist
from helpers.irmae import code_spectrum, halfway_quality
from helpers.manifests import load_manifest, manifest_path
from helpers.runs import checkpoint_path
from helpers.shapes import shape_images

KEEP_CODES = sorted(n for n in NETWORKS if n.startswith("degrees-"))
SHIPPED = sorted(n for n in NETWORKS if NETWORKS[n].save_weights)


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """An experiment that takes no time, and an empty folder for its manifest."""

    def experiment():
        """A toy."""
        return {"configuration": {"size": 1}, "results": {"error": 0.5}}

    monkeypatch.setattr(registry, "EXPERIMENTS", {"toy": experiment})
    monkeypatch.setattr(registry, "NETWORKS", {})
    monkeypatch.setattr(manifests, "MANIFESTS", tmp_path)


def test_manifest_says_what_was_run_with_what_and_what_came_out(toy):
    manifest = run("toy")
    assert load_manifest("toy") == manifest
    assert manifest["experiment"] == "toy"
    assert manifest["results"] == {"error": 0.5}
    assert manifest["seconds"] >= 0
    assert set(manifest["versions"]) >= {"python", "numpy"}


def test_lines_of_the_list_keep_names_and_progress_apart():
    for name in names():
        assert re.match(rf"{re.escape(name)}  +(not run|run|\d+ of \d+)", registry.describe(name))


@pytest.mark.parametrize("name", names())
def test_every_experiment_has_its_manifest(name):
    assert load_manifest(name)["experiment"] == name


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_manifest_of_a_network_is_of_the_run_as_it_is_now(name):
    manifest, spec = load_manifest(name), NETWORKS[name]
    assert manifest["configuration"] == spec.configuration
    assert manifest["epochs"] == len(manifest["history"]["epoch"])
    if name.startswith("shapes-"):  # what may go on to 100 ships earlier
        assert 20 <= manifest["epochs"] <= spec.epochs
    else:
        assert manifest["epochs"] == spec.epochs
    assert ("checkpoint" in manifest) is spec.save_weights
    assert ("codes" in manifest) is name.startswith("degrees-")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_network_does_on_all_test_images_what_its_manifest_says(name):
    manifest, spec = load_manifest(name), NETWORKS[name]
    model = load_network(name)
    if "square" in spec.data:
        assert_judged_alike(model, spec.data["square"], manifest["results"])
    else:
        test = to_tensor(load_fashion_mnist("test")[0])
        error = image_errors(model, test).mean().item()
        # the same arithmetic in another order: processors differ in the last of float32's digits
        assert error == pytest.approx(manifest["results"]["test"], rel=1e-4)


def assert_judged_alike(model, square, recorded):
    """On the test images, a network of shapes does what is recorded of it."""
    images = shape_images(square, "test")
    found = halfway_quality(model, images[: 2 * irmae_runs.SHAPE_PAIRS], square)
    halfway, recorded = recorded["halfway"], recorded["test"]
    np.testing.assert_allclose(halfway["distance"], found.distance, rtol=1e-3)
    np.testing.assert_allclose(halfway["energy"], found.energy, rtol=1e-3)
    # of two shapes as near as each other, another processor may find the other
    assert np.isclose(halfway["hue"], found.hue, rtol=1e-3, atol=1e-4).mean() > 0.95
    assert len(images) == 10_000
    found = irmae_runs.judge_shapes(model, images)
    # manifests of runs that began before more was recorded have these alone
    oldest = {"error", "spectrum"} | ({"spectrum_before"} if len(model.linear) else set())
    assert oldest <= set(recorded) <= set(found)
    for name, values in recorded.items():
        # manifests round to four digits; what is a millionth of the largest is float32's rounding
        least = 1e-6 * np.max(values)
        np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=least, err_msg=name)
    assert found["error"] == pytest.approx(recorded["error"], rel=1e-4)


@pytest.mark.parametrize("name", KEEP_CODES)
def test_kept_codes_have_the_spectrum_that_was_recorded(name):
    recorded = np.array(load_manifest(name)["history"]["spectrum"][-1])
    found = code_spectrum(runs.trained_codes(name))
    # codes of 16 bits, spectra of four digits; a GPU has computed both, by its own order of sums
    np.testing.assert_allclose(found, recorded, atol=1e-3 * recorded[0])


def test_no_stray_checkpoint_or_manifest_ships():
    kept = {path.name for path in runs.CODES.iterdir()}
    assert kept == {runs.codes_path(name).name for name in KEEP_CODES}
    checkpoints = {path.name for path in runs.CHECKPOINTS.iterdir()}
    assert checkpoints == {checkpoint_path(name).name for name in SHIPPED}
    found = {path.name for path in manifests.MANIFESTS.iterdir()}
    expected = {manifest_path(name).name for name in names()}
    assert found == expected
