"""Where the course keeps its data, and how a file gets there: whole and checked, or not at all."""

import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
BENCHMARKS = DATA / "benchmarks.json"


class StorageError(Exception):
    """A file that is missing, damaged or cannot be written; the message says how to mend it."""


def read_verified(path: Path, sha256: str, mend: str) -> bytes:
    """Content of a file, unpacked if it ends in ``.gz``, once its checksum has been confirmed.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        SHA-256 expected of the *content*, after unpacking: two gzip files of the same
        content may differ in their headers.
    mend : str
        What the reader can do when the file is missing or damaged; ends the error message.

    Raises
    ------
    StorageError
        If the file is missing, can't be read or unpacked, or holds something else.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise StorageError(f"{path.name} is not in {path.parent}.\n{mend}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise StorageError(f"{path} can't be read: {error}\n{mend}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StorageError(
            f"{path} is not the file that the course expects: its content has {len(content):,} "
            f"bytes and SHA-256 {found[:12]}…, expected {sha256[:12]}…\n{mend}"
        )
    return content


@contextmanager
def incoming(folder: Path):
    """A temporary folder inside ``folder``, gone afterwards whatever happens.

    Being on the same disk, a file in it can be moved into place in one step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=folder) as temporary:
        yield Path(temporary)


def install_files(source: Path, target: Path, sha256: Mapping[str, str]) -> None:
    """Copy files to a folder: all verified after they have arrived, then each moved in one step.

    Parameters
    ----------
    source, target : Path
        Folders.
    sha256 : mapping from file name to the SHA-256 of its content

    Raises
    ------
    StorageError
        If a file is missing, or what arrived is not what was expected. ``target`` is then as it
        was before.
    """
    with incoming(target) as folder:
        for name, digest in sha256.items():
            if not (source / name).exists():
                raise StorageError(f"{source / name} is not there")
            shutil.copyfile(source / name, folder / name)
            read_verified(
                folder / name, digest, f"It came from {source}; {target} was not touched."
            )
        for name in sha256:
            os.replace(folder / name, target / name)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: whatever happens, the old one is there or the new one."""
    with incoming(path.parent) as folder:
        arrived = folder / path.name
        with arrived.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else the name may reach the disk before the content
        os.replace(arrived, path)


def write_array(path: Path, array: np.ndarray) -> str:
    """Write an array of numbers as .npy in one step; returns the file's SHA-256."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_whole(path, content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


def read_array(path: Path, sha256: str) -> np.ndarray:
    """An array that :func:`write_array` wrote, once its checksum has been confirmed.

    Raises
    ------
    StorageError
        If the file is missing or holds something else.
    """
    content = read_verified(path, sha256, "`git checkout -- data` restores it.")
    return np.load(io.BytesIO(content), allow_pickle=False)


def write_json(path: Path, record: dict) -> None:
    """Write a record for people and programs to read, in one step."""
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_whole(path, f"{text}\n".encode())


def read_json(path: Path, mend: str) -> dict:
    """A record that :func:`write_json` wrote.

    Raises
    ------
    StorageError
        If the file is missing or is not JSON; ``mend`` ends the message.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StorageError(f"{path.name} is not in {path.parent}.\n{mend}") from None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}\n{mend}") from error
