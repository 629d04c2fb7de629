import gzip
import hashlib

import numpy as np
import pytest

from helpers.storage import (
    StorageError,
    incoming,
    install_files,
    read_array,
    read_json,
    read_verified,
    write_array,
    write_json,
    write_whole,
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_reads_plain_and_packed_content_by_the_same_checksum(tmp_path):
    plain, packed = tmp_path / "a.bin", tmp_path / "a.gz"
    plain.write_bytes(b"four")
    packed.write_bytes(gzip.compress(b"four"))
    assert read_verified(plain, sha256(b"four"), "") == b"four"
    assert read_verified(packed, sha256(b"four"), "") == b"four"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "is not in"),
        (b"<html>Sign in</html>", "can't be read"),
        (gzip.compress(b"four", mtime=0)[:-4], "can't be read"),
        (gzip.compress(b"four", mtime=0)[:10] + b"\xff" * 20, "can't be read"),
        (gzip.compress(b"five", mtime=0), "is not the file that the course expects"),
    ],
    ids=["missing", "html", "truncated", "damaged", "other content"],
)
def test_refuses_what_is_not_the_expected_file(tmp_path, content, complaint):
    path = tmp_path / "a.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=complaint) as caught:
        read_verified(path, sha256(b"four"), "Here is how to mend it.")
    assert "a.gz" in str(caught.value)
    assert "Here is how to mend it." in str(caught.value)


def test_installs_a_file_only_when_it_arrived_whole(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "a.gz").write_bytes(gzip.compress(b"new"))
    install_files(source, target, {"a.gz": sha256(b"new")})
    assert gzip.decompress((target / "a.gz").read_bytes()) == b"new"
    (source / "a.gz").write_bytes(gzip.compress(b"wrong"))
    with pytest.raises(StorageError, match="not touched"):
        install_files(source, target, {"a.gz": sha256(b"new")})
    assert gzip.decompress((target / "a.gz").read_bytes()) == b"new"
    assert [path.name for path in target.iterdir()] == ["a.gz"]


def test_installs_all_files_or_none(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "a").write_bytes(b"a")
    with pytest.raises(StorageError, match="is not there"):
        install_files(source, target, {"a": sha256(b"a"), "b": sha256(b"b")})
    assert list(target.iterdir()) == []


def test_who_reads_while_a_file_is_replaced_reads_the_old_one_to_its_end(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "a").write_bytes(b"new")
    (target / "a").write_bytes(b"old content")
    with (target / "a").open("rb") as reader:
        install_files(source, target, {"a": sha256(b"new")})
        assert reader.read() == b"old content"
    assert (target / "a").read_bytes() == b"new"


def test_incoming_folder_goes_away_after_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), incoming(tmp_path) as folder:
        (folder / "missing").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_records_are_written_in_one_step_and_read_back(tmp_path):
    path = tmp_path / "folder" / "record.json"
    write_json(path, {"name": "é", "values": [1, 2.5]})
    assert read_json(path, "") == {"name": "é", "values": [1, 2.5]}
    with pytest.raises(TypeError):
        write_json(path, {"not": object()})
    assert read_json(path, "") == {"name": "é", "values": [1, 2.5]}
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


def test_missing_and_damaged_records_are_named(tmp_path):
    with pytest.raises(StorageError, match=r"record.json is not in .*\nRun it."):
        read_json(tmp_path / "record.json", "Run it.")
    (tmp_path / "record.json").write_text('{"half": ')
    with pytest.raises(StorageError, match=r"is damaged.*\nRun it."):
        read_json(tmp_path / "record.json", "Run it.")


def test_array_comes_back_or_is_refused(tmp_path):
    path, array = tmp_path / "maps" / "a.npy", np.arange(6, dtype=np.float32).reshape(2, 3)
    digest = write_array(path, array)
    assert write_array(path, array) == digest == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(read_array(path, digest), array)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match=r"a\.npy is not the file.*\n`git checkout"):
        read_array(path, digest)
    path.unlink()
    with pytest.raises(StorageError, match=r"a\.npy is not in"):
        read_array(path, digest)


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_array(tmp_path / "a.npy", np.array([{}]))
    assert not (tmp_path / "a.npy").exists()


def test_file_is_replaced_in_one_step_or_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("helpers.storage.os.fsync", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["file"]
