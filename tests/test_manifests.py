"""Manifests: written whole, named when they are missing, and cheap to read."""

import subprocess
import sys

import pytest

from helpers import manifests
from helpers.manifests import load_manifest, manifest_path, write_manifest
from helpers.storage import StorageError

HEAVY = ("torch", "numba", "scipy", "sklearn", "matplotlib", "helpers.experiments")


def test_missing_damaged_and_unknown_manifests_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(manifests, "MANIFESTS", tmp_path)
    with pytest.raises(StorageError, match=r"toy\.json is not in .*\n.*helpers.experiments toy"):
        load_manifest("toy")
    manifest_path("toy").write_text('{"experiment": "to')
    with pytest.raises(StorageError, match=r"toy\.json is damaged"):
        load_manifest("toy")
    write_manifest("toy", {"experiment": "toy"})
    assert load_manifest("toy") == {"experiment": "toy"}
    with pytest.raises(StorageError, match=r"joke\.json is not in .*; there are: toy"):
        load_manifest("joke")


def test_reading_a_manifest_loads_nothing_heavy():
    code = (
        "import sys; from helpers.manifests import load_manifest; "
        f"load_manifest('pca-fashion-mnist'); print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
