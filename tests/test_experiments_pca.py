"""Chapter 1's full run against what ships."""

import pytest

from helpers import manifests
from helpers.experiments.registry import run
from helpers.fashion_mnist import FETCHED, FOLDER, load_fashion_mnist
from helpers.manifests import load_manifest
from helpers.pca import compression_table, pca_from_covariance

full_data = pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in FETCHED), reason="`make data` was not run"
)


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
    monkeypatch.setattr(manifests, "MANIFESTS", tmp_path)
    again = run("pca-fashion-mnist")
    assert again["data"] == recorded["data"]
    assert again["configuration"] == recorded["configuration"]
    for column, values in recorded["results"]["table"].items():
        assert again["results"]["table"][column] == pytest.approx(values, rel=1e-4)
    shares = again["results"]["components_for_share"]
    for share, k in recorded["results"]["components_for_share"].items():
        assert abs(shares[share] - k) <= 1
