import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from torch import nn

from helpers import experiments, runs, spark_als
from helpers.autoencoder import parameter_count, reconstruction_errors, to_tensor
from helpers.experiments import (
    NETWORKS,
    completion,
    depth_completion,
    grid_of_fits,
    load_manifest,
    load_network,
    main,
    names,
    run,
)
from helpers.factorization import fit_als, random_init
from helpers.fashion_mnist import FETCHED, FOLDER, load_fashion_mnist
from helpers.generated_ratings import generate_ratings
from helpers.irmae import (
    decoded_shapes,
    halfway_quality,
    penalised_loss,
    shape_codes,
    shape_tensor,
)
from helpers.pca import compression_table, pca_from_covariance
from helpers.rating_models import fit_biases, rmse, user_with
from helpers.ratings import hold_out, prune
from helpers.runs import checkpoint_path, manifest_path
from helpers.shapes import draw_factors, draw_images, grey_and_hue_errors
from helpers.storage import StorageError
from helpers.training import train

full_data = pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in FETCHED), reason="`make data` was not run"
)


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """An experiment that takes no time, and an empty folder for its manifest."""

    def experiment():
        """A toy."""
        return {"configuration": {"size": 1}, "results": {"error": 0.5}}

    monkeypatch.setattr(experiments, "EXPERIMENTS", {"toy": experiment})
    monkeypatch.setattr(experiments, "NETWORKS", {})
    monkeypatch.setattr(runs, "MANIFESTS", tmp_path)


def test_manifest_says_what_was_run_with_what_and_what_came_out(toy):
    manifest = run("toy")
    assert load_manifest("toy") == manifest
    assert manifest["experiment"] == "toy"
    assert manifest["results"] == {"error": 0.5}
    assert manifest["seconds"] >= 0
    assert set(manifest["versions"]) >= {"python", "numpy"}


def test_missing_damaged_and_unknown_manifests_are_named(toy):
    with pytest.raises(StorageError, match=r"toy\.json is not in .*\n.*helpers.experiments toy"):
        load_manifest("toy")
    manifest_path("toy").write_text('{"experiment": "to')
    with pytest.raises(StorageError, match=r"toy\.json is damaged"):
        load_manifest("toy")
    with pytest.raises(ValueError, match="no experiment 'joke'"):
        load_manifest("joke")


def test_command_lists_runs_and_reports(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "--list"])
    main()
    assert "toy" in (listed := capsys.readouterr().out)
    assert "not run" in listed
    monkeypatch.setattr(sys, "argv", ["experiments", "toy"])
    main()
    assert "toy.json" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["experiments"])
    main()
    assert "not run" not in capsys.readouterr().out

    def fail():
        raise StorageError("the data are missing")

    monkeypatch.setattr(experiments, "EXPERIMENTS", {"toy": fail})
    monkeypatch.setattr(sys, "argv", ["experiments", "toy"])
    with pytest.raises(SystemExit, match="toy: the data are missing"):
        main()


def test_command_names_what_it_does_not_know(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "joke"])
    with pytest.raises(SystemExit):
        main()
    assert "no experiment ['joke']; there are ['toy']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], ["--threads", "1"]),
        (["--device", "cpu"], ["--threads", "1", "--device=cpu"]),
        (["--epochs", "7", "--threads", "2"], ["--threads", "2", "--epochs=7"]),
    ],
)
def test_runs_side_by_side_have_processes_of_their_own(monkeypatch, given, passed):
    commands = []

    def record(command):
        commands.append(command)
        return subprocess.CompletedProcess(command, "b" in command)

    monkeypatch.setattr(experiments.subprocess, "run", record)
    monkeypatch.setattr(experiments, "names", lambda: ["a", "b"])
    monkeypatch.setattr(sys, "argv", ["experiments", "a", "b", "--jobs", "2", *given])
    with pytest.raises(SystemExit, match="1 of 2 runs failed"):
        main()
    assert sorted(command[3] for command in commands) == ["a", "b"]
    assert [command[4:] for command in commands] == [passed] * 2


@pytest.mark.parametrize(("asked", "used"), [(None, "mps"), ("cpu", "cpu")])
def test_a_network_runs_on_the_fastest_device_unless_told(monkeypatch, asked, used):
    found = []
    monkeypatch.setattr("helpers.training.best_device", lambda: "mps")
    monkeypatch.setattr(
        experiments, "run", lambda name, **options: found.append(options) or {"seconds": 0}
    )
    experiments.run_here("fashion-mnist", None, asked, None)
    assert found[0]["device"] == used


def test_lines_of_the_list_keep_names_and_progress_apart():
    for name in names():
        assert re.match(
            rf"{re.escape(name)}  +(not run|run|\d+ of \d+)", experiments.describe(name)
        )


# ---- shapes


def test_no_shape_is_in_two_parts():
    counts = {"train": 50_000, "validation": 10_000, "test": 10_000}
    colours = {}
    for part, count in counts.items():
        images = experiments.shape_images("corner", part)
        assert images.shape == (count, 3, 32, 32)
        # images of different colours differ
        colours[part] = {tuple(colour) for colour in images.max(axis=(2, 3)).tolist()}
        assert len(colours[part]) == count
    assert len(set.union(*colours.values())) == sum(counts.values())


@pytest.mark.parametrize("square", ["corner", "centre"])
def test_shapes_are_the_same_each_time_and_the_first_of_them(square):
    images = experiments.shape_images(square, "test")
    first = experiments.shape_images(square, "test", 100)
    np.testing.assert_array_equal(first, images[:100])
    factors = draw_factors(np.random.default_rng([0, 2]), 10_000)
    assert np.array_equal(images, draw_images(factors, square))


EARLY = ("-early", "-again", "-orthogonal", "-narrow", "ae-small", "-0.56", "-0.32", "-0.18")


def test_runs_of_shapes_are_the_paper_s():
    shapes = {name: run for name, run in NETWORKS.items() if name.startswith("shapes-")}
    assert {run.network["linear_layers"] for run in shapes.values()} == {0, 2, 4}
    for name, spec in shapes.items():
        assert {"batch_size": 32, "learning_rate": 1e-4}.items() <= spec.training.items()
        assert "weight_decay" not in spec.training
        assert spec.epochs == (20 if name.endswith(EARLY) else 100)
        assert (spec.data["train"], spec.data["test"]) == (50_000, 10_000)
        assert spec.data["square"] == name.split("-")[1]
        assert spec.network["seed"] == spec.training["seed"] == name.endswith("-again")
        model = spec.build(**spec.network)
        assert len(model.linear) == spec.network["linear_layers"]
        as_written, authors = name.endswith("-as-written"), name.endswith("-authors")
        assert isinstance(model.convolutions[-2], nn.ReLU) == as_written
        assert spec.network.get("he_start", False) != (as_written or authors)
        small = sum(
            layer.kernel_size == (2, 2) for layer in model.modules() if is_convolution(layer)
        )
        assert small == 2 * authors
        missing = 32 - spec.network.get("latent", 32)  # each a kernel into the code and one out
        count = 1_642_467 - missing * (2 * 256 * 4**2 + 1) + 32**2 * len(model.linear)
        assert parameter_count(model) == count - authors * 2 * 32 * 256 * (4**2 - 2**2)
        assert spec.configuration.get("loss", {}) == spec.loss
    assert {name for name, run in shapes.items() if run.keep} == {
        f"shapes-{square}-{model}"
        for square in experiments.SQUARES
        for model in experiments.SHAPE_MODELS
    }


def is_convolution(layer):
    return isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)


def test_small_starts_have_codes_of_one_variance():
    variances = {}
    for name in ("irmae-2-small", "irmae-4-small", "ae-small", "irmae-2"):
        spec = NETWORKS[f"shapes-corner-{name}"]
        judged = experiments.judge_shapes(
            spec.build(**spec.network), experiments.shape_images("corner", "validation", 2000)
        )
        variances[name] = judged["code_variance"]
    large = variances.pop("irmae-2")
    assert large > 1000 * max(variances.values())
    assert max(variances.values()) < 1.1 * min(variances.values())


@pytest.fixture
def few_shapes(monkeypatch):
    """Parts so small that a run takes a second."""
    parts = {"train": 40, "validation": 30, "test": 20}
    monkeypatch.setattr(experiments, "SHAPE_PARTS", parts)
    monkeypatch.setattr(experiments, "SHAPES_JUDGED", 10)
    return parts


@pytest.mark.parametrize("layers", [0, 2])
def test_networks_of_shapes_are_judged_by_error_and_spectra(few_shapes, layers):
    prepared = experiments.prepare_shapes("corner", {})
    model = experiments.build_shape_autoencoder(seed=0, linear_layers=layers).eval()
    judged = prepared.results(model)
    assert len(prepared.images) == 40
    halfway = halfway_quality(model, experiments.shape_images("corner", "test"))
    for found, values in zip(judged.pop("halfway").values(), halfway, strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-3)
        assert len(found) == 10
    images = {part: experiments.shape_images("corner", part) for part in ("validation", "test")}
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
    spec = experiments.shape_run("corner", 2, penalty)
    assert spec.configuration["loss"] == penalty
    assert "L1 penalty" in spec.summary
    prepared = spec.prepare()
    model, batch = spec.build(**spec.network), prepared.images[:8]
    found = prepared.train["loss"](model, batch).item()
    assert found == penalised_loss("L1", 0.5)(model, batch).item()
    assert found > penalised_loss()(model, batch).item()


def test_a_run_of_shapes_goes_on_to_the_same_bits(few_shapes, monkeypatch, tmp_path):
    spec = experiments.shape_run("corner", 2, {"norm": "L2", "weight": 1e-3})
    monkeypatch.setattr(experiments, "NETWORKS", {"few": spec})
    manifests = {}
    for folder, stops in (("stopped", [1, 3]), ("straight", [3])):
        for name in ("MANIFESTS", "CHECKPOINTS", "RUNS"):
            monkeypatch.setattr(runs, name, tmp_path / folder / name)
        for epochs in stops:
            manifests[folder] = run("few", epochs=epochs)
    for part in ("history", "results", "checkpoint", "configuration"):
        assert manifests["stopped"][part] == manifests["straight"][part]


def test_starts_are_compared_by_the_parts_of_their_errors(few_shapes, monkeypatch):
    monkeypatch.setattr(experiments, "STARTS_IMAGES", 20)
    monkeypatch.setitem(experiments.STARTS_TRAINING, "epochs", 2)
    results = experiments.compare_starts()["results"]
    assert list(results) == list(experiments.STARTS)
    assert [rows["epoch"] for rows in results.values()] == [[0, 1]] * 5
    model = experiments.build_shape_autoencoder(seed=0, he_start=True, last_relu=False)
    images = shape_tensor(experiments.shape_images("corner", "train", 20))
    train(model, images, **experiments.STARTS_TRAINING)
    judged = experiments.shape_images("corner", "validation", 10)
    rebuilt = decoded_shapes(model, shape_codes(model, shape_tensor(judged)))
    wanted = grey_and_hue_errors(judged, rebuilt)
    found = results["He's start, no ReLU"]
    assert (found["grey"][-1], found["hue"][-1]) == pytest.approx(wanted, rel=1e-5)
    assert len({hue for rows in results.values() for hue in rows["hue"]}) == 10


# ---- what ships

SHIPPED = [name for name in NETWORKS if NETWORKS[name].keep]


# Runs that have not got far enough yet to leave a manifest.
UNDER_WAY = {
    f"shapes-corner-{name}"
    for name in (
        "ae-authors",
        "irmae-2-authors",
        "irmae-4-authors",
        "irmae-2-small",
        "irmae-4-small",
        "ae-small",
        "irmae-2-start-0.56",
        "irmae-2-start-0.32",
        "irmae-2-start-0.18",
    )
}


@pytest.mark.parametrize("name", names())
def test_every_experiment_has_its_manifest_unless_it_is_under_way(name):
    if name in UNDER_WAY:
        assert not runs.manifest_path(name).exists()
    else:
        assert load_manifest(name)["experiment"] == name


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - UNDER_WAY))
def test_manifest_of_a_network_is_of_the_run_as_it_is_now(name):
    manifest, spec = load_manifest(name), NETWORKS[name]
    assert manifest["configuration"] == spec.configuration
    assert manifest["epochs"] == len(manifest["history"]["epoch"])
    if name.startswith("shapes-"):  # what may go on to 100 ships earlier
        assert 20 <= manifest["epochs"] <= spec.epochs
    else:
        assert manifest["epochs"] == spec.epochs
    assert ("checkpoint" in manifest) is spec.keep


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_network_does_on_all_test_images_what_its_manifest_says(name):
    manifest, spec = load_manifest(name), NETWORKS[name]
    model = load_network(name)
    if name.startswith("shapes-"):
        assert_judged_alike(model, spec.data["square"], manifest["results"])
    else:
        test = to_tensor(load_fashion_mnist("test")[0])
        errors = reconstruction_errors(model, test, batch_size=1024)
        # the same arithmetic in another order: processors differ in the last of float32's digits
        assert errors["exact"] == pytest.approx(manifest["results"]["test"], rel=1e-4)


def assert_judged_alike(model, square, recorded):
    """On the test images, a network of shapes does what is recorded of it."""
    images = experiments.shape_images(square, "test")
    distances, energies, hues = halfway_quality(
        model, images[: 2 * experiments.SHAPE_PAIRS], square
    )
    halfway, recorded = recorded["halfway"], recorded["test"]
    np.testing.assert_allclose(halfway["distance"], distances, rtol=1e-3)
    np.testing.assert_allclose(halfway["energy"], energies, rtol=1e-3)
    # of two shapes as near as each other, another processor may find the other
    assert np.isclose(halfway["hue"], hues, rtol=1e-3, atol=1e-4).mean() > 0.95
    assert len(images) == 10_000
    found = experiments.judge_shapes(model, images)
    # manifests of runs that began before more was recorded have these alone
    oldest = {"error", "spectrum"} | ({"spectrum_before"} if len(model.linear) else set())
    assert oldest <= set(recorded) <= set(found)
    for name, values in recorded.items():
        # manifests round to four digits; what is a millionth of the largest is float32's rounding
        least = 1e-6 * np.max(values)
        np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=least, err_msg=name)
    assert found["error"] == pytest.approx(recorded["error"], rel=1e-4)


def test_maps_are_checked_and_named():
    maps = experiments.load_maps()
    assert {points.shape for points in maps.values()} == {(1_000, 2)}
    assert len(maps) == len(load_manifest("fashion-mnist-tsne")["configuration"]["maps"]) > 10
    assert all(np.isfinite(points).all() for points in maps.values())
    assert not np.array_equal(maps["pixels, perplexity 30"], maps["code of 32, perplexity 30"])


def test_mapped_images_are_a_thousand_different_ones_of_every_class():
    chosen = experiments.mapped_images()
    assert len(set(chosen)) == len(chosen) == 1_000
    assert (np.diff(chosen) > 0).all()
    _, counts = np.unique(load_fashion_mnist("test")[1][chosen], return_counts=True)
    assert counts.min() > 70


def test_made_up_clouds_have_the_shape_that_is_said_of_them():
    clouds = experiments.made_up_clouds()
    three = [clouds["three clouds"][i::3] for i in range(3)]
    centres = np.array([cloud[:, 0].mean() for cloud in three])
    np.testing.assert_allclose(np.diff(centres), [30, 150], atol=0.5)
    np.testing.assert_allclose([cloud[:, 1:].std() for cloud in three], [1, 3, 1], rtol=0.05)
    assert clouds["one cloud"].shape == (1_000, 2)
    np.testing.assert_allclose(np.cov(clouds["one cloud"].T), np.eye(2), atol=0.1)


def test_networks_were_chosen_by_what_was_held_out():
    table = load_manifest("fashion-mnist-choice")["results"]
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    for d in (8, 32):
        best = min((row for row in rows if row["d"] == d), key=lambda row: row["held_out"])
        chosen = NETWORKS[f"fashion-mnist-{d}"]
        for option in ("channels", "hidden", "plain"):
            assert best[option] == chosen.network[option]
        for option in ("batch_size", "learning_rate", "schedule", "seed"):
            assert best[option] == chosen.training[option]


def test_penalties_on_codes_have_the_weights_that_the_sweep_chose():
    table = load_manifest("shapes-penalties")["results"]
    most = experiments.PENALTY_COST * table["error"][table["norm"].index(None)]
    for model, norm in (("ae-l1", "L1"), ("ae-l2", "L2")):
        rows = zip(table["norm"], table["weight"], table["error"], strict=True)
        allowed = [weight for found, weight, error in rows if found == norm and error <= most]
        loss = {"norm": norm, "weight": max(allowed)}
        assert NETWORKS[f"shapes-corner-{model}"].loss == loss
        assert table["chosen"][norm] == max(allowed)


def test_no_stray_checkpoint_or_manifest_ships():
    checkpoints = {path.name for path in runs.CHECKPOINTS.iterdir()}
    assert checkpoints == {checkpoint_path(name).name for name in SHIPPED}
    manifests = {path.name for path in runs.MANIFESTS.iterdir()}
    expected = {manifest_path(name).name for name in {*names()} - UNDER_WAY}
    expected |= {spark_als.RECORD.name}
    assert manifests == expected


def test_recorded_pca_is_close_to_what_the_shipped_subset_gives():
    recorded = load_manifest("pca-fashion-mnist")["results"]["table"]
    train, test = (load_fashion_mnist(split)[0].reshape(10_000, -1) for split in ("train", "test"))
    live = compression_table(pca_from_covariance(train), test, recorded["k"])
    for column in ("explained", "error", "clipped"):
        assert live[column] == pytest.approx(recorded[column], rel=0.06)
    # six times the data leave less to accident
    assert all(a >= b for a, b in zip(live["error"], recorded["error"], strict=True))


@full_data
def test_recorded_pca_can_be_made_again(tmp_path, monkeypatch):
    recorded = load_manifest("pca-fashion-mnist")
    monkeypatch.setattr(runs, "MANIFESTS", tmp_path)
    again = run("pca-fashion-mnist")
    assert again["data"] == recorded["data"]
    assert again["configuration"] == recorded["configuration"]
    for column, values in recorded["results"]["table"].items():
        assert again["results"]["table"][column] == pytest.approx(values, rel=1e-4)
    shares = again["results"]["components_for_share"]
    for share, k in recorded["results"]["components_for_share"].items():
        assert abs(shares[share] - k) <= 1


def test_recorded_grid_is_of_the_generated_ratings_and_can_be_repeated():
    manifest = load_manifest("ratings-grid")
    ratings, _ = generate_ratings(np.random.default_rng(manifest["configuration"]["seed"]))
    assert manifest["data"]["stars"] == hashlib.sha256(ratings.stars.tobytes()).hexdigest()
    parts = hold_out(prune(ratings, experiments.MORE_THAN)[0], np.random.default_rng(0))
    (again,) = grid_of_fits(*parts, [2], [0.15])
    (recorded,) = (r for r in manifest["results"] if (r["k"], r["penalty"]) == (2, 0.15))
    for name in ("training", "validation", "test"):
        assert again[name] == pytest.approx(recorded[name], abs=1e-4)
    assert again["predicted"] == pytest.approx(recorded["predicted"], abs=0.01)
    assert again["singular_values"] == pytest.approx(recorded["singular_values"], rel=1e-3)


def test_grid_has_a_record_for_each_fit():
    ratings, _ = generate_ratings(np.random.default_rng(0), 3_000, 100)
    train, validation, test = hold_out(prune(ratings, 5)[0], np.random.default_rng(0))
    records = grid_of_fits(train, validation, test, [1, 3], [0.1, 0.5])
    assert [(r["k"], r["penalty"]) for r in records] == [(1, 0.1), (1, 0.5), (3, 0.1), (3, 0.5)]
    user = user_with(train)
    for record in records:
        assert len(record["singular_values"]) == record["k"]
        assert len(record["predicted"]) == np.sum(train.users == user) + np.sum(
            validation.users == user
        )
    init = random_init(train.shape, 3, np.random.default_rng(0))
    model = fit_als(train, fit_biases(train), init, penalty=0.5, epochs=40).model
    assert records[-1]["test"] == pytest.approx(rmse(model, test))
    assert records[-1]["training"] > records[-2]["training"]


@pytest.mark.parametrize(
    ("method", "depth", "seen"),
    [("least nuclear norm", None, 1120), ("depth 2", 2, 800), ("depth 3", 3, 800)],
)
def test_recorded_completions_come_out_again(method, depth, seen):
    recorded = load_manifest("depth-completion")
    column = recorded["configuration"]["seen"].index(seen)
    for name, value in completion(depth, seen, seed=0).items():
        expected = recorded["results"][method][name][column][0]
        assert value == pytest.approx(expected, rel=1e-3, abs=1e-4), name


def test_completions_are_tabled_by_method_entries_seen_and_matrix(monkeypatch):
    small = {"n": 6, "rank": 1, "seen": [20, 30], "matrices": 3}
    monkeypatch.setattr(experiments, "COMPLETION", small)
    monkeypatch.setattr(experiments, "COMPLETION_DEPTHS", (2,))
    outcome = depth_completion()
    assert set(outcome["results"]) == {"least nuclear norm", "depth 2"}
    table = outcome["results"]["depth 2"]
    assert np.shape(table["error"]) == np.shape(table["nuclear_norm"]) == (2, 3)
    assert table["effective_rank"][1][2] == completion(2, 30, seed=2)["effective_rank"]
    assert outcome["configuration"]["seen"] == [20, 30]
