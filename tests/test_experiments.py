import sys

import pytest

from helpers import experiments
from helpers.experiments import EXPERIMENTS, load_manifest, main, manifest_path, run
from helpers.fashion_mnist import FETCHED, FOLDER, load_fashion_mnist
from helpers.pca import compression_table, pca_from_covariance
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
