import hashlib
import sys

import numpy as np
import pytest

from helpers import experiments
from helpers.experiments import (
    EXPERIMENTS,
    completion,
    depth_completion,
    grid_of_fits,
    load_manifest,
    main,
    manifest_path,
    run,
)
from helpers.factorization import fit_als, fit_biases, random_start, rmse, user_with
from helpers.fashion_mnist import FETCHED, FOLDER, load_fashion_mnist
from helpers.pca import compression_table, pca_from_covariance
from helpers.ratings import generate_ratings, hold_out, prune
from helpers.storage import StorageError

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
    monkeypatch.setattr(experiments, "MANIFESTS", tmp_path)


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


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_experiment_has_its_manifest(name):
    assert load_manifest(name)["experiment"] == name


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
    monkeypatch.setattr(experiments, "MANIFESTS", tmp_path)
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
    start = random_start(train.shape, 3, np.random.default_rng(0))
    model = fit_als(train, fit_biases(train), start, penalty=0.5, passes=40).model
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
