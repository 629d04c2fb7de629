"""The data that ship, and the fetching of the rest from sources that misbehave."""

import contextlib
import errno
import gzip
import hashlib
import http.server
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torchvision

from helpers import fashion_mnist
from helpers.fashion_mnist import (
    CLASS_NAMES,
    DEBIAN_FOLDER,
    FETCHED,
    FOLDER,
    SHA256,
    decode_idx,
    encode_idx,
    fetch,
    load_fashion_mnist,
    main,
    make_shipped_files,
    subset_indices,
)
from helpers.storage import StorageError

needs_debian = pytest.mark.skipif(
    not DEBIAN_FOLDER.exists(), reason="Debian's package dataset-fashion-mnist is not installed"
)


# ---- what ships


@pytest.mark.parametrize("split", ["train", "test"])
def test_shipped_images_are_complete_and_balanced(split):
    images, labels = load_fashion_mnist(split)
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 1
    assert labels.dtype == np.int64
    assert np.bincount(labels).tolist() == [1_000] * len(CLASS_NAMES)


def test_grey_levels_are_divided_by_255():
    images, _ = load_fashion_mnist("test")
    packed = gzip.decompress((FOLDER / "t10k-images-idx3-ubyte.gz").read_bytes())
    levels = decode_idx(packed)
    np.testing.assert_array_equal(np.rint(images * 255).astype(np.uint8), levels)


def test_shipped_files_take_at_most_ten_megabytes():
    shipped = [FOLDER / name for name in SHA256 if name not in FETCHED]
    assert len(shipped) == 4
    assert sum(path.stat().st_size for path in shipped) <= 10_000_000


def test_class_names_agree_with_torchvision():
    theirs = [name.replace("T-shirt/top", "T-shirt") for name in torchvision_class().classes]
    assert list(CLASS_NAMES) == theirs


def test_unknown_split_is_named():
    with pytest.raises(ValueError, match="'validation'"):
        load_fashion_mnist("validation")


def test_missing_and_damaged_files_say_how_to_mend_them(tmp_path):
    with pytest.raises(StorageError, match="make data"):
        load_fashion_mnist("train", full=True, folder=tmp_path)
    (tmp_path / "subset-images-idx3-ubyte.gz").write_bytes(b"half a file")
    with pytest.raises(StorageError, match="git checkout"):
        load_fashion_mnist("train", folder=tmp_path)


@pytest.mark.parametrize("place", ["", "raw", "FashionMNIST/raw"])
@pytest.mark.parametrize(
    "ending", ["-idx{}-ubyte.gz", "-idx{}-ubyte", ".idx{}-ubyte.gz", ".idx{}-ubyte"]
)
def test_files_are_found_under_each_of_their_names(tmp_path, place, ending):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for kind, rank in (("images", 3), ("labels", 1)):
        content = (FOLDER / f"t10k-{kind}-idx{rank}-ubyte.gz").read_bytes()
        name = f"t10k-{kind}" + ending.format(rank)
        (folder / name).write_bytes(content if name.endswith(".gz") else gzip.decompress(content))
    images, labels = load_fashion_mnist("test", folder=str(tmp_path))  # a folder given as text
    assert (len(images), len(labels)) == (10_000, 10_000)


def test_a_file_under_another_name_is_checked_too(tmp_path):
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(encode_idx(np.zeros((2, 28, 28))))
    with pytest.raises(StorageError, match=r"t10k-images.idx3-ubyte is not the file"):
        load_fashion_mnist("test", folder=tmp_path)


def test_idx_round_trip():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(decode_idx(encode_idx(array)), array)


def test_subset_takes_the_same_number_of_each_class_and_follows_the_seed():
    labels = np.repeat([0, 1, 2], [5, 9, 30])
    chosen = subset_indices(labels, 4, np.random.default_rng(1))
    assert np.bincount(labels[chosen]).tolist() == [4, 4, 4]
    assert len(set(chosen)) == 12
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, subset_indices(labels, 4, np.random.default_rng(1)))
    assert (chosen != subset_indices(labels, 4, np.random.default_rng(2))).any()


@needs_debian
def test_shipped_files_can_be_made_again(tmp_path):
    make_shipped_files(DEBIAN_FOLDER, tmp_path)
    for split in ("train", "test"):
        for shipped, again in zip(
            load_fashion_mnist(split), load_fashion_mnist(split, folder=tmp_path), strict=True
        ):
            np.testing.assert_array_equal(shipped, again)


# ---- fetching, on a small stand-in for the real archives


def torchvision_class():
    return torchvision.datasets.FashionMNIST


@pytest.fixture
def archives(monkeypatch):
    """Small archives of the official names; the course and torchvision expect just these."""
    rng = np.random.default_rng(0)
    content = {}
    for stem, count in (("train", 40), ("t10k", 10)):
        content[f"{stem}-images-idx3-ubyte.gz"] = rng.integers(0, 256, (count, 28, 28))
        content[f"{stem}-labels-idx1-ubyte.gz"] = rng.integers(0, 10, count)
    packed = {name: gzip.compress(encode_idx(array)) for name, array in content.items()}
    for name in FETCHED:
        digest = hashlib.sha256(gzip.decompress(packed[name])).hexdigest()
        monkeypatch.setitem(SHA256, name, digest)
    md5 = [(name, hashlib.md5(data).hexdigest()) for name, data in packed.items()]
    monkeypatch.setattr(torchvision_class(), "resources", md5)
    return packed


@contextlib.contextmanager
def server(monkeypatch, archives, misbehaviour=None):
    """A local mirror that serves the archives, or does not; torchvision is pointed at it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            data = archives[Path(self.path).name]
            if misbehaviour == "404":
                return self.send_error(404)
            if misbehaviour == "html":
                data = b"<html>Please sign in to the network</html>"
            if misbehaviour == "wrong bytes":
                data = gzip.compress(b"something else")
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body and misbehaviour == "truncated":
                data = data[: len(data) // 2]
            if body and misbehaviour == "stalls":
                self.wfile.write(data[:100])
                self.wfile.flush()
                stop.wait(20)
            elif body:
                self.wfile.write(data)
            return None

        def log_message(self, *_):
            pass

    stop = threading.Event()
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.handle_error = lambda *_: None
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{listening.server_port}/"
    monkeypatch.setattr(torchvision_class(), "mirrors", [url])
    try:
        yield url
    finally:
        stop.set()
        listening.shutdown()
        listening.server_close()


def test_fetch_downloads_when_nothing_else_is_there(tmp_path, monkeypatch, archives):
    with server(monkeypatch, archives):
        assert fetch(tmp_path, tmp_path / "no debian") == "torchvision's download"
    images, labels = load_fashion_mnist("train", full=True, folder=tmp_path)
    assert images.shape == (40, 28, 28)
    assert labels.shape == (40,)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FETCHED)


def test_fetch_prefers_debian_and_then_what_is_there(tmp_path, archives):
    debian, folder = tmp_path / "debian", tmp_path / "data"
    debian.mkdir()
    for name, data in archives.items():
        (debian / name).write_bytes(data)
    assert fetch(folder, debian) == "Debian's package dataset-fashion-mnist"
    shutil.rmtree(debian)
    assert fetch(folder, debian) == "data/ itself"


def test_fetch_replaces_a_damaged_file(tmp_path, monkeypatch, archives):
    (tmp_path / FETCHED[0]).write_bytes(b"half")
    with server(monkeypatch, archives):
        fetch(tmp_path, tmp_path / "no debian")
    assert (tmp_path / FETCHED[0]).read_bytes() == archives[FETCHED[0]]


@pytest.mark.parametrize("misbehaviour", ["404", "html", "truncated", "wrong bytes", "stalls"])
def test_fetch_survives_a_server_that_misbehaves(tmp_path, monkeypatch, archives, misbehaviour):
    (tmp_path / FETCHED[0]).write_bytes(b"what was there before")
    no_patience = fashion_mnist._network_timeout(0.5)
    monkeypatch.setattr(fashion_mnist, "_network_timeout", lambda _: no_patience)
    with server(monkeypatch, archives, misbehaviour), pytest.raises(StorageError) as caught:
        fetch(tmp_path, tmp_path / "no debian")
    assert_clear(caught.value)
    assert_untouched(tmp_path)


def test_fetch_offline(tmp_path, monkeypatch, archives):
    (tmp_path / FETCHED[0]).write_bytes(b"what was there before")
    with server(monkeypatch, archives) as url:
        pass  # and gone again
    monkeypatch.setattr(torchvision_class(), "mirrors", [url])
    with pytest.raises(StorageError, match=r"refused|Error downloading") as caught:
        fetch(tmp_path, tmp_path / "no debian")
    assert_clear(caught.value)
    assert_untouched(tmp_path)


def assert_clear(error: StorageError):
    """The message names the files, what was expected, each source tried and the ways to mend it."""
    message = str(error)
    for name in FETCHED:
        assert name in message
        assert SHA256[name] in message
    for words in ("Debian's package", "torchvision's download", "make data", "apt-get", "by hand"):
        assert words in message


def assert_untouched(folder: Path):
    assert [path.name for path in folder.iterdir()] == [FETCHED[0]]
    assert (folder / FETCHED[0]).read_bytes() == b"what was there before"


def test_disk_that_fills_up_while_a_file_arrives(tmp_path, monkeypatch, archives):
    debian, folder = tmp_path / "debian", tmp_path / "data"
    debian.mkdir()
    folder.mkdir()
    (folder / FETCHED[0]).write_bytes(b"what was there before")
    for name, data in archives.items():
        (debian / name).write_bytes(data)

    def write_half_then_fail(source, target):
        target.write_bytes(source.read_bytes()[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(shutil, "copyfile", write_half_then_fail)
    with server(monkeypatch, archives), pytest.raises(StorageError, match="No space left"):
        fetch(folder, debian)
    assert_untouched(folder)


def test_disk_with_too_little_room_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000))
    with pytest.raises(StorageError, match=r"1 MB left.*200 MB"):
        fetch(tmp_path, tmp_path)


def test_nothing_needs_room_when_the_data_are_there(tmp_path, monkeypatch, archives):
    for name in FETCHED:
        (tmp_path / name).write_bytes(archives[name])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000))
    assert fetch(tmp_path, tmp_path / "no debian") == "data/ itself"


def test_torchvision_that_does_not_import_is_one_of_the_reasons(tmp_path, monkeypatch, archives):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(
        StorageError, match="torchvision's download: import of torchvision"
    ) as caught:
        fetch(tmp_path, tmp_path / "no debian")
    assert_clear(caught.value)


def test_read_only_folder(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path))

    if os.geteuid() == 0:  # root may write anywhere
        monkeypatch.setattr("tempfile.mkdtemp", refuse)
    else:
        tmp_path.chmod(0o555)
    with pytest.raises(StorageError, match=r"can't be written.*Permission denied"):
        fetch(tmp_path, tmp_path)
    tmp_path.chmod(0o755)
    assert list(tmp_path.iterdir()) == []


FETCH_FROM_SLOW_SERVER = """
import signal
import sys
from pathlib import Path
from torchvision.datasets import FashionMNIST
from helpers import fashion_mnist
FashionMNIST.mirrors = [sys.argv[1]]
fashion_mnist.FOLDER = Path(sys.argv[2])
fashion_mnist.fetch.__defaults__ = (fashion_mnist.FOLDER, Path(sys.argv[2]) / "no debian")
sys.argv[1:] = ["fetch"]
# as in a terminal: a shell lets what it starts in the background ignore the signal
signal.signal(signal.SIGINT, signal.default_int_handler)
fashion_mnist.main()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_download_leaves_what_was_there(tmp_path, monkeypatch, archives, how):
    (tmp_path / FETCHED[0]).write_bytes(b"what was there before")
    with server(monkeypatch, archives, "stalls") as url:
        process = subprocess.Popen(
            [sys.executable, "-c", FETCH_FROM_SLOW_SERVER, url, str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob(".incoming-*/FashionMNIST/raw/*.gz")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(how)
        _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    left = [path for path in tmp_path.iterdir() if not path.name.startswith(".incoming-")]
    assert left == [tmp_path / FETCHED[0]]
    assert left[0].read_bytes() == b"what was there before"
    if how == signal.SIGINT:
        assert "fetch: interrupted" in errors
        assert "Traceback" not in errors
    with server(monkeypatch, archives):  # and the next attempt works
        fetch(tmp_path, tmp_path / "no debian")


def test_command_says_what_failed_without_a_traceback(monkeypatch, capsys):
    def fail():
        raise StorageError("the disk is gone")

    with monkeypatch.context() as no_debian:
        no_debian.setattr(sys, "argv", ["fashion_mnist", "make-shipped-files"])
        no_debian.setattr(make_shipped_files, "__defaults__", (Path("nowhere"), Path("nowhere")))
        with pytest.raises(SystemExit, match=r"make-shipped-files: .* is not there"):
            main()
        Path("nowhere").rmdir()
    monkeypatch.setattr(sys, "argv", ["fashion_mnist", "fetch"])
    monkeypatch.setattr(fashion_mnist, "fetch", fail)
    with pytest.raises(SystemExit, match="fetch: the disk is gone"):
        main()
    monkeypatch.setattr(fashion_mnist, "fetch", lambda: "a test")
    main()
    assert "from: a test" in capsys.readouterr().out


# ---- and on the real archives


@needs_debian
def test_real_download_call_accepts_the_official_archives(tmp_path, monkeypatch):
    """Debian packs the official archives without the name and date that their headers hold."""
    dates = {"train": 1504176606, "t10k": 1504176627}
    official = {}
    for name, _ in torchvision_class().resources:
        packed = (DEBIAN_FOLDER / name).read_bytes()
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", dates[name.split("-")[0]]) + b"\x00\x03"
        official[name] = header + name.removesuffix(".gz").encode() + b"\x00" + packed[10:]
    with server(monkeypatch, official):
        assert fetch(tmp_path, tmp_path / "no debian") == "torchvision's download"
    images, labels = load_fashion_mnist("train", full=True, folder=tmp_path)
    assert images.shape == (60_000, 28, 28)
    assert np.bincount(labels).tolist() == [6_000] * 10


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x02\0\0\0\1",
        b"\0\0\x08\x01\0\0\0\3ab",
        b"\0\0\x08\x01\0\0\0\1ab",
        b"\0\0\x0d\x01\0\0\0\1abcd",
        b"\x1f\x8b\x08\0",
        b"<html>not found</html>",
        b"\0\0\x08\xff" + b"\xff" * 1100,
    ],
)
def test_what_is_no_idx_file_is_one_clear_error(content):
    with pytest.raises(StorageError, match="MNIST's format"):
        decode_idx(content)


@pytest.mark.parametrize(
    "array",
    [[256], [-1], [1.5], [np.nan], [np.inf], np.array([3], object), ["a"]],
    ids=str,
)
def test_values_that_idx_would_change_are_refused(array):
    with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
        encode_idx(np.asarray(array))
