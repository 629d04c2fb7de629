"""Fashion-MNIST: 70,000 grey pictures of clothes, 28 × 28 pixels, in ten classes.

The course ships 10,000 of the 60,000 training images and the whole test set.
``make data`` (``python -m helpers.fashion_mnist fetch``) brings the other 50,000.

Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
machine learning algorithms", 2017. MIT licence, Zalando SE.
"""

import argparse
import gzip
import math
import os
import shutil
import socket
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import numpy as np

from helpers.storage import DATA, StorageError, incoming, install_files, read_verified
from helpers.terminal import show_unknown_letters

FOLDER = DATA / "fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SUBSET_SEED = 2017
SUBSET_PER_CLASS = 1_000

CLASS_NAMES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# SHA-256 of each file's content, once unpacked
SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "subset-images-idx3-ubyte.gz": "71d22c9f843234e39b3f4ae0339b36a27224affaa2f34539fb51d06482c2ae36",
    "subset-labels-idx1-ubyte.gz": "be2365acaf49a29e2e9e2f73f8905f1ed18e6ccc41928736bf3a1d46eae9ec51",
}
PLACES = ("", "raw", "FashionMNIST/raw")  # torchvision keeps the files in the last of these
FETCHED = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
MEND_FETCHED = "`make data` brings all 60,000 training images (`full=True` needs them)."
MEND_SHIPPED = "It ships with the course: `git checkout -- data` restores it."
MEND_WRITE = (
    "Make room there or mend its permissions, then `make data` once more; nothing was changed."
)
FETCH_BYTES = 200_000_000  # both archives, packed and unpacked, and room to move
MEND_FETCH = """What you can do:
  - with a network: `make data` once more;
  - on Debian or Ubuntu: `sudo apt-get install dataset-fashion-mnist`, then `make data`;
  - by hand: put the two files, from anywhere, packed or not, into data/fashion-mnist/; `make data` checks them.
Until then everything runs on the 10,000 training images that ship with the course."""


def load_fashion_mnist(
    split: str = "train", *, full: bool = False, folder: str | Path = FOLDER
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of Fashion-MNIST, read from ``data/`` and checked.

    Parameters
    ----------
    split : {"train", "test"}
        Training images, or the 10,000 images of the official test set.
    full : bool
        All 60,000 training images instead of the 10,000 (1,000 a class) that ship.
    folder : str or Path
        Where the files lie, packed or not, as :func:`find_file` looks for them.

    Returns
    -------
    images : ndarray of shape (N, 28, 28), float32
        Grey levels from 0 (background) to 1.
    labels : ndarray of shape (N,), int64
        Class of each image: its name is ``CLASS_NAMES[label]``.

    Raises
    ------
    ValueError
        If ``split`` is neither "train" nor "test".
    StorageError
        If a file is missing or damaged.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    stem = "t10k" if split == "test" else "train" if full else "subset"
    images = _read(folder, f"{stem}-images-idx3-ubyte.gz")
    labels = _read(folder, f"{stem}-labels-idx1-ubyte.gz")
    return np.divide(images, 255, dtype=np.float32), labels.astype(np.int64)


def find_file(folder: str | Path, name: str) -> Path:
    """Where one of the files named in ``SHA256`` lies: it is known under four names.

    Parameters
    ----------
    folder : str or Path
        It may lie there, or in ``raw`` or ``FashionMNIST/raw`` below.
    name : str
        Such as "train-images-idx3-ubyte.gz"; it may also be unpacked, or be called
        "train-images.idx3-ubyte".

    Returns
    -------
    Path
        The first that exists; else where the file should be.
    """
    unpacked = name.removesuffix(".gz")
    dotted = unpacked.replace("-idx", ".idx")
    names = (name, unpacked, f"{dotted}.gz", dotted)
    paths = [Path(folder) / place / other for place in PLACES for other in names]
    return next((path for path in paths if path.is_file()), paths[0])


def _read(folder: str | Path, name: str) -> np.ndarray:
    """Array held by one of the files named in ``SHA256``, as uint8."""
    mend = MEND_FETCHED if name in FETCHED else MEND_SHIPPED
    return decode_idx(read_verified(find_file(folder, name), SHA256[name], mend))


def decode_idx(content: bytes) -> np.ndarray:
    """Array in a file of MNIST's format: 0, 0, type (8: uint8), rank, sizes (>u4), values.

    Raises
    ------
    StorageError
        If the content is anything else: another type, cut short, or longer than its sizes say.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise StorageError(f"no file of MNIST's format: it begins with {content[:4]!r}")
    rank = content[3]
    shape = tuple(map(int, np.frombuffer(content, ">u4", count=rank, offset=4)))
    values = len(content) - 4 - 4 * rank
    if math.prod(shape) != values:
        raise StorageError(f"a file of MNIST's format says {shape}, but holds {values} values")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def encode_idx(array: np.ndarray) -> bytes:
    """Inverse of :func:`decode_idx`.

    Raises
    ------
    ValueError
        If a value is no whole number from 0 to 255.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiub" or not np.isin(array, np.arange(256)).all():
        raise ValueError("the format holds whole numbers from 0 to 255; others would be changed")
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def fetch(folder: Path = FOLDER, debian_folder: Path = DEBIAN_FOLDER) -> str:
    """Bring the 60,000 training images into ``folder`` from the first source that has them.

    The sources: ``folder`` itself, Debian's package, torchvision's download. A file counts
    only once its checksum has been confirmed; until then whatever was there stays.

    Returns
    -------
    str
        Where the files came from.

    Raises
    ------
    StorageError
        If no source works, or the folder can't be written; says why and what to do.
    """
    sources = {
        "data/ itself": lambda: _check_present(folder),
        "Debian's package dataset-fashion-mnist": lambda: _copy(debian_folder, folder),
        "torchvision's download": lambda: _download(folder),
    }
    reasons = []
    for name, bring in sources.items():
        if reasons:  # something must be written
            _check_writable(folder)
        try:
            bring()
            return name
        except (StorageError, OSError, HTTPException, RuntimeError, ImportError) as error:
            reasons.append(f"  - {name}: {_first_lines(error)}")
    expected = "\n".join(f"  {name}, SHA-256 of its content {SHA256[name]}" for name in FETCHED)
    raise StorageError(
        "The 60,000 training images could not be brought. Expected:\n"
        f"{expected}\nTried:\n" + "\n".join(reasons) + f"\n{MEND_FETCH}"
    )


def _first_lines(error: Exception) -> str:
    """The beginning of what an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__


def _check_writable(folder: Path) -> None:
    try:
        with incoming(folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError(f"{folder} can't be written: {error}.\n{MEND_WRITE}") from error
    if free < FETCH_BYTES:
        raise StorageError(
            f"The disk of {folder} has {free / 1e6:.0f} MB left; bringing the 60,000 training "
            f"images needs {FETCH_BYTES / 1e6:.0f} MB while it works.\n{MEND_WRITE}"
        )


def _check_present(folder: Path) -> None:
    for name in FETCHED:
        read_verified(find_file(folder, name), SHA256[name], "")


def _copy(source: Path, folder: Path) -> None:
    install_files(source, folder, {name: SHA256[name] for name in FETCHED})


def _download(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST  # slow to import, and seldom needed

    with incoming(folder) as temporary, _network_timeout(60):
        FashionMNIST(temporary, train=True, download=True)
        _copy(temporary / "FashionMNIST" / "raw", folder)


@contextmanager
def _network_timeout(seconds: float):
    """Give up on a server that says nothing for so long (torchvision sets no limit)."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def subset_indices(labels: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of ``per_class`` examples of each class, drawn without replacement, ascending.

    Parameters
    ----------
    labels : ndarray of shape (N,)

    Returns
    -------
    ndarray of shape (classes · per_class,)
    """
    drawn = [
        rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in np.unique(labels)
    ]
    return np.sort(np.concatenate(drawn))


def make_shipped_files(source: Path = DEBIAN_FOLDER, folder: Path = FOLDER) -> None:
    """Write the files that ship with the course from the four official ones: the author's command.

    The test set as it is; of the training set, ``SUBSET_PER_CLASS`` images of each class.
    """
    install_files(source, folder, {n: SHA256[n] for n in SHA256 if n.startswith("t10k")})
    images, labels = (_read(source, name) for name in FETCHED)
    chosen = subset_indices(labels, SUBSET_PER_CLASS, np.random.default_rng(SUBSET_SEED))
    with incoming(folder) as made:
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            packed = gzip.compress(encode_idx(array[chosen]), mtime=0)
            (made / f"subset-{kind}-ubyte.gz").write_bytes(packed)
        install_files(made, folder, {n: SHA256[n] for n in SHA256 if n.startswith("subset")})


def main() -> None:
    """Command line: ``python -m helpers.fashion_mnist fetch``."""
    parser = argparse.ArgumentParser(prog="python -m helpers.fashion_mnist")
    parser.add_argument(
        "command",
        choices=["fetch", "make-shipped-files"],
        help="fetch: bring all 60,000 training images; "
        "make-shipped-files: write what ships in data/ again, from Debian's package",
    )
    command = parser.parse_args().command
    try:
        if command == "make-shipped-files":
            make_shipped_files()
            return
        source = fetch()
    except StorageError as error:
        raise SystemExit(f"{command}: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(f"{command}: interrupted; no file in data/ is half written.") from None
    print(f"All 60,000 training images are in {os.path.relpath(FOLDER)} (from: {source}).")


if __name__ == "__main__":
    show_unknown_letters()
    main()
