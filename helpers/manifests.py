"""Manifests: what each full run was run on, with which versions, and what came out."""

from pathlib import Path

from helpers.storage import DATA, StorageError, read_json, write_json

MANIFESTS = DATA / "experiments"


def manifest_path(name: str) -> Path:
    """Where the manifest of an experiment is kept."""
    return MANIFESTS / f"{name}.json"


def write_manifest(name: str, manifest: dict) -> None:
    """Write the manifest of an experiment in one step."""
    write_json(manifest_path(name), manifest)


def load_manifest(name: str) -> dict:
    """What an experiment left.

    Raises
    ------
    StorageError
        If there is no manifest of that name, or it is damaged.
    """
    mend = f"`python -m helpers.experiments {name}` makes it, `git checkout -- data` restores it."
    if not manifest_path(name).exists():
        there = ", ".join(sorted(path.stem for path in MANIFESTS.glob("*.json"))) or "none"
        raise StorageError(f"{name}.json is not in {MANIFESTS}; there are: {there}.\n{mend}")
    return read_json(manifest_path(name), mend)
