"""All full runs by name: each is one command and leaves a manifest that the notebooks read."""

import platform
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from helpers.experiments import (
    autoencoder,
    deep_factorization,
    degrees_of_freedom,
    irmae,
    pca,
    ratings,
)
from helpers.manifests import load_manifest, manifest_path, write_manifest
from helpers.runs import NetworkRun, epochs_behind, run_network, trained_network

if TYPE_CHECKING:
    from torch.nn import Module

EXPERIMENTS: dict[str, Callable[[], dict]] = {
    **pca.EXPERIMENTS,
    **ratings.EXPERIMENTS,
    **autoencoder.EXPERIMENTS,
    **deep_factorization.EXPERIMENTS,
    **irmae.EXPERIMENTS,
}
NETWORKS: dict[str, NetworkRun] = {
    **autoencoder.NETWORKS,
    **irmae.NETWORKS,
    **degrees_of_freedom.NETWORKS,
}


def names() -> list[str]:
    """All experiments."""
    return sorted({*EXPERIMENTS, *NETWORKS})


def run(name: str, *, epochs: int | None = None, **options) -> dict:
    """Run an experiment, or go on with it, and write its manifest in one step.

    Parameters
    ----------
    epochs : int, optional
        Where a network's run stops; it can go on at another time. All that it has by default.
    options
        ``device`` and ``progress`` of :func:`helpers.runs.run_network`, for networks.

    Raises
    ------
    KeyError
        If there is no such experiment.
    StorageError
        If data are missing, or the state of a network's run can't be gone on with.
    """
    started = time.monotonic()
    packages = ["numpy", "scipy", "scikit-learn"]
    if name in NETWORKS:
        spec = NETWORKS[name]
        spec = spec if epochs is None else replace(spec, epochs=epochs)
        outcome = run_network(name, spec, **options)
        packages += ["torch", "safetensors"]
    else:
        outcome = EXPERIMENTS[name]()
    manifest = {
        "experiment": name,
        **outcome,
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages}
        | outcome.get("versions", {}),
    }
    manifest.setdefault("seconds", round(time.monotonic() - started, 1))
    write_manifest(name, manifest)
    return manifest


def load_network(name: str) -> "Module":
    """The network that a full run left, ready to be used: in evaluation mode.

    Raises
    ------
    ValueError
        If no network's run has that name.
    StorageError
        If its manifest or its weights are missing, damaged, or don't belong together.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; there are {sorted(NETWORKS)}")
    return trained_network(name, NETWORKS[name])


def describe(name: str) -> str:
    """A line that says what an experiment is and how far it has got."""
    width = max(map(len, names())) + 2
    done = "run" if manifest_path(name).exists() else "not run"
    if name not in NETWORKS:
        return f"{name:{width}}{done:20}{EXPERIMENTS[name].__doc__.splitlines()[0]}"
    epochs, behind = NETWORKS[name].epochs, epochs_behind(name)
    if 0 < behind < epochs:
        done = f"{behind} of {epochs} epochs"
    elif manifest_path(name).exists():
        done = f"run, {load_manifest(name)['epochs']} epochs"
    return f"{name:{width}}{done:20}{NETWORKS[name].summary}"
