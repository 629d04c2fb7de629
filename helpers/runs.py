"""The full run of a network: described by plain values, resumable, with a manifest and a checkpoint."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.checkpoints import MEND_STATE, load_checkpoint, read_tensors, save_checkpoint
from helpers.configurations import TrainingOptions, plain_values
from helpers.manifests import load_manifest
from helpers.storage import DATA, StorageError, read_array, write_array

if TYPE_CHECKING:
    import numpy as np
    from torch.nn import Module

    from helpers.training import Progress

CHECKPOINTS = DATA / "checkpoints"
CODES = DATA / "codes"
RUNS = DATA / "runs"


@dataclass(frozen=True)
class NetworkRun:
    """The full run of a network: what is built, what it is shown, how it is trained.

    Attributes
    ----------
    summary : str
        A line for ``--list``.
    network : mapping
        Options of the network. With ``training`` and ``data`` they are the configuration of the run:
        plain values that JSON can hold.
    training : TrainingOptions
    epochs : int
        No part of the configuration: a run whose ``epochs`` are raised goes on.
    data : mapping from file name to SHA-256, or from option to value for data that are generated
    build : callable
        Takes ``network`` as keyword arguments, returns the network before training.
    prepare : callable
        Loads or generates the data; returns a :class:`Prepared`.
    loss : mapping
        What the loss adds to the error of reconstruction, if anything; part of the configuration.
    half_precision : bool
        Store the weights in 16 bits.
    save_weights : bool
        Whether the weights become a checkpoint, or only the manifest stays.
    """

    summary: str
    network: Mapping[str, Any]
    training: TrainingOptions
    epochs: int
    data: Mapping[str, Any]
    build: Callable[..., "Module"]
    prepare: Callable[[], "Prepared"]
    loss: Mapping[str, Any] = field(default_factory=dict)
    half_precision: bool = False
    save_weights: bool = True

    def untrained(self) -> "Module":
        """The network before the first step: the same weights each time."""
        return self.build(**self.network)

    @property
    def configuration(self) -> dict:
        """What tells this run from another."""
        return {
            "network": dict(self.network),
            "training": plain_values(self.training, "seed"),
            "data": dict(self.data),
        } | ({"loss": dict(self.loss)} if self.loss else {})


@dataclass(frozen=True)
class Prepared:
    """What a run needs besides its configuration.

    Attributes
    ----------
    images : Tensor of shape (N, …)
        Training data.
    train : mapping
        More arguments of :func:`helpers.training.train`: "loss", "evaluate".
    results : callable
        Takes the finished network in evaluation mode; what it returns goes into the manifest.
    codes : callable, optional
        Takes the same; returns codes (N, latent), which are kept in 16 bits.
    """

    images: Any
    train: Mapping[str, Any]
    results: Callable[["Module"], dict]
    codes: Callable[["Module"], "np.ndarray"] | None = None


def checkpoint_path(name: str) -> Path:
    """Where the weights of a network are kept once its run is over."""
    return CHECKPOINTS / f"{name}.safetensors"


def codes_path(name: str) -> Path:
    """Where a run keeps codes of its network, if it does."""
    return CODES / f"{name}.npy"


def state_path(name: str) -> Path:
    """Where a run that is not over keeps its state."""
    return RUNS / f"{name}.safetensors"


def run_network(
    name: str,
    spec: NetworkRun,
    *,
    device: str = "cpu",
    progress: Callable[[str, int], "Progress"] | None = None,
) -> dict:
    """Train a network from where its state stands, store its weights, and judge what was stored.

    Parameters
    ----------
    device : str
        As in :func:`helpers.training.train`.
    progress : callable, optional
        Takes the name and the number of epochs; returns what :func:`helpers.training.train` calls,
        as :func:`print_progress` does.

    Returns
    -------
    dict
        What the run's manifest says of it.

    Raises
    ------
    FloatingPointError
        If the loss is not finite any more.
    StorageError
        If the run's state is damaged, of another configuration, or has gone further than its epochs.
    """
    from helpers.training import evaluated, train

    prepared, model = spec.prepare(), spec.untrained()
    done = train(
        model,
        prepared.images,
        spec.training,
        epochs=spec.epochs,
        **prepared.train,
        device=device,
        state=state_path(name),
        configuration=spec.configuration,
        progress=progress and progress(name, spec.epochs),
    )
    judged, stored = _stored(name, spec, model) if spec.save_weights else (model, {})
    if prepared.codes is not None:
        path, codes = codes_path(name), evaluated(judged, prepared.codes)
        stored["codes"] = {"file": path.name, "sha256": write_array(path, codes.astype("float16"))}
    untrained = spec.untrained().to(device)
    return {
        "configuration": spec.configuration,
        "epochs": spec.epochs,
        "untrained": evaluated(untrained, prepared.train.get("evaluate")),
        "history": columns(done.history),
        "results": evaluated(judged, prepared.results),
        **stored,
        "seconds": round(sum(row["seconds"] for row in done.timing), 1),
        "seconds_per_epoch": [row["seconds"] for row in done.timing],
        "device": sorted({row["device"] for row in done.timing}),
        "threads": sorted({row["threads"] for row in done.timing}),
    }


def _stored(name: str, spec: NetworkRun, model: "Module") -> tuple["Module", dict]:
    """The network as its saved weights give it back, and what the manifest says of them."""
    path = checkpoint_path(name)
    sha256 = save_checkpoint(path, model, spec.configuration, half_precision=spec.half_precision)
    judged = spec.untrained()
    load_checkpoint(path, judged, spec.configuration, sha256)
    size = path.stat().st_size
    return judged, {"checkpoint": {"file": path.name, "sha256": sha256, "bytes": size}}


def trained_network(name: str, spec: NetworkRun) -> "Module":
    """The network that a full run left, ready to be used: in evaluation mode.

    Raises
    ------
    StorageError
        If its manifest or its weights are missing, damaged, or don't belong together.
    """
    manifest, model = load_manifest(name), spec.untrained()
    if "checkpoint" not in manifest:
        raise StorageError(f"The weights of {name} were not kept; there is only its manifest.")
    sha256 = manifest["checkpoint"]["sha256"]
    load_checkpoint(checkpoint_path(name), model, spec.configuration, sha256)
    return model.eval()


def trained_codes(name: str) -> "np.ndarray":
    """The codes (N, latent) that a full run kept of its network, float32.

    Raises
    ------
    StorageError
        If its manifest or its codes are missing, damaged, or don't belong together.
    """
    manifest = load_manifest(name)
    if "codes" not in manifest:
        raise StorageError(f"The codes of {name} were not kept.")
    return read_array(codes_path(name), manifest["codes"]["sha256"]).astype("float32")


def epochs_behind(name: str) -> int:
    """How many epochs of a run its state has; 0 if there is none."""
    if not state_path(name).exists():
        return 0
    return len(read_tensors(state_path(name), MEND_STATE)[1]["history"])


def columns(rows: Sequence[Mapping]) -> dict[str, list]:
    """A table given row by row, column by column; None where a row lacks what another has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def print_progress(name: str, epochs: int) -> "Progress":
    """Callback of a run: a line with a bar on a terminal, else a line for each epoch."""

    def progress(done: int, share: float, losses: Mapping) -> None:
        told = ", ".join(f"{k} {v:.5f}" for k, v in losses.items() if isinstance(v, float))
        if sys.stderr.isatty():
            filled = round(20 * (done + share) / epochs)
            bar = "█" * filled + "·" * (20 - filled)
            print(f"\r{name} {bar} {done}/{epochs} epochs, {told}  ", end="", file=sys.stderr)
        elif share == 0:
            print(f"{name} {done}/{epochs} epochs, {told}", file=sys.stderr, flush=True)

    return progress
