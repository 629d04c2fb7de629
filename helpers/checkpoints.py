"""Tensors as files: with a record of what they belong to, checked when they are read, never unpickled."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.storage import StorageError, read_verified, write_whole

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

MEND_STATE = "Remove it to start the run anew."
HEADER = "checksum and record"
MEND = "`git checkout -- data` restores what ships with the course."


def write_tensors(path: Path, tensors: Mapping[str, "Tensor"], record: Mapping) -> str:
    """Write tensors and a record in one step, as safetensors.

    Parameters
    ----------
    tensors : mapping from name to tensor
        Of any device and memory layout.
    record : mapping
        Whatever JSON can hold; goes into the file's header, with a checksum of all of it.

    Returns
    -------
    str
        SHA-256 of the file. The same tensors and record give the same file.
    """
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(record, sort_keys=True)
    # one entry: safetensors writes several in any order
    content = save(plain, {HEADER: f"{_checksum(plain, text)} {text}"})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_tensors(
    path: Path, mend: str = MEND, sha256: str | None = None
) -> tuple[dict[str, "Tensor"], dict]:
    """The tensors and the record that :func:`write_tensors` wrote.

    Parameters
    ----------
    mend : str
        What the reader can do about a bad file; ends the error message.
    sha256 : str, optional
        Of the whole file, if it is known from elsewhere.

    Raises
    ------
    StorageError
        If the file is missing, cut short, damaged, or not one of ours.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if sha256 is not None:
        content = read_verified(path, sha256, mend)
    elif path.exists():
        content = path.read_bytes()
    else:
        raise StorageError(f"{path.name} is not in {path.parent}.\n{mend}")
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        expected, _, text = header["__metadata__"][HEADER].partition(" ")
        record = json.loads(text)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise StorageError(f"{path} is damaged, or not of this course: {error}\n{mend}") from error
    if _checksum(tensors, text) != expected:
        raise StorageError(f"{path} is damaged: its content doesn't match its checksum.\n{mend}")
    return tensors, record


def _checksum(tensors: Mapping[str, "Tensor"], text: str) -> str:
    """SHA-256 of a record and of all tensors with their names, types and shapes."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def save_checkpoint(
    path: Path, model: "Module", configuration: Mapping, *, half_precision: bool = False
) -> str:
    """Write a network's weights with the configuration that made them; returns the file's SHA-256.

    Parameters
    ----------
    half_precision : bool
        Store floating-point numbers in 16 bits: half the size, three digits.
    """
    weights = {
        name: value.half() if half_precision and value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    return write_tensors(path, weights, {"configuration": configuration})


def load_checkpoint(path: Path, model: "Module", configuration: Mapping, sha256: str) -> None:
    """Put the weights of a checkpoint into a network, once all of it has been checked.

    Parameters
    ----------
    configuration : mapping
        What the checkpoint must have been made with.
    sha256 : str
        Of the file; the manifest of its run has it.

    Raises
    ------
    StorageError
        If the file is missing, damaged, of another configuration or of another network.
    """
    tensors, record = read_tensors(path, MEND, sha256)
    require_same_configuration(path, record.get("configuration"), configuration, MEND)
    fill_model(path, model, tensors, MEND)


def require_same_configuration(path: Path, found: Mapping | None, wanted: Mapping, mend: str):
    """Check that a file was made with the configuration that is wanted.

    Raises
    ------
    StorageError
        If not; it names each option that differs, with both values, and ends with ``mend``.
    """
    found, wanted = found or {}, json.loads(json.dumps(wanted))
    differing = sorted(
        key for key in {*found, *wanted} if found.get(key, ...) != wanted.get(key, ...)
    )
    if differing:
        told = "; ".join(
            f"{key} is {found.get(key, 'missing')}, expected {wanted.get(key, 'none')}"
            for key in differing
        )
        raise StorageError(f"{path} was made with another configuration: {told}.\n{mend}")


def fill_model(path: Path, model: "Module", tensors: Mapping[str, "Tensor"], mend: str) -> None:
    """Copy tensors into a network, in place.

    Raises
    ------
    StorageError
        If their names or shapes are not the network's; it names them and ends with ``mend``.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if found != expected:
        wrong = sorted(
            name for name in {*found, *expected} if found.get(name) != expected.get(name)
        )
        raise StorageError(
            f"{path} holds the weights of another network: {', '.join(wrong[:4])} "
            f"{'differ' if len(wrong) > 1 else 'differs'}.\n{mend}"
        )
    model.load_state_dict(tensors)
