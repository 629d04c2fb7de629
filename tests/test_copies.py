"""Copies for the reader: what was edited stays, whatever the course does; the rest follows it."""

import platform
import subprocess

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers import copies
from helpers.copies import GIVEN, digest, update_copies
from helpers.storage import ROOT, StorageError


def write(path, *sources, printed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    if printed:
        cells[0].outputs = [new_output("stream", name="stdout", text=printed)]
    nbformat.write(new_notebook(cells=cells), path)


def assert_same(copy, source):
    """A copy is what the course has, but for the kernel and the Python that run it."""
    if source.suffix != ".ipynb":
        assert copy.read_bytes() == source.read_bytes()
        return
    ours, theirs = (nbformat.read(path, as_version=4) for path in (copy, source))
    assert ours.cells == theirs.cells
    assert ours.metadata.language_info.version == platform.python_version()
    assert ours.metadata.kernelspec.name == "python3"


@pytest.fixture
def course(tmp_path):
    """A course of two notebooks and a picture, and the reader's folder beside it."""
    notebooks = tmp_path / "notebooks"
    write(notebooks / "01_é.ipynb", "1 + 1")
    write(notebooks / "exercises" / "01_é.ipynb", "# your code here")
    (notebooks / "covers").mkdir()
    (notebooks / "covers" / "01.png").write_bytes(b"\x89PNG")
    return notebooks, tmp_path / "work"


def test_copies_are_made_once_and_are_the_course_s(course):
    notebooks, work = course
    assert update_copies(notebooks, work) == []
    names = {p.relative_to(work).as_posix() for p in work.rglob("*.*")} - {GIVEN}
    assert names == {"01_é.ipynb", "exercises/01_é.ipynb", "covers/01.png"}
    for name in names:
        assert_same(work / name, notebooks / name)
    before = (work / "01_é.ipynb").stat().st_mtime_ns
    assert update_copies(notebooks, work) == []
    assert (work / "01_é.ipynb").stat().st_mtime_ns == before


def test_an_edited_copy_stays_through_updates(course):
    notebooks, work = course
    update_copies(notebooks, work)
    write(work / "exercises" / "01_é.ipynb", "x = 42")
    mine = (work / "exercises" / "01_é.ipynb").read_bytes()
    assert update_copies(notebooks, work) == []  # nothing new: nothing to say
    write(notebooks / "exercises" / "01_é.ipynb", "# your code here: x = …")
    for _ in range(2):
        assert update_copies(notebooks, work) == ["exercises/01_é.ipynb"]
        assert (work / "exercises" / "01_é.ipynb").read_bytes() == mine


def test_a_copy_that_was_only_run_follows_the_course(course):
    notebooks, work = course
    update_copies(notebooks, work)
    write(work / "01_é.ipynb", "1 + 1", printed="2")
    write(notebooks / "01_é.ipynb", "1 + 2")
    (notebooks / "covers" / "01.png").write_bytes(b"\x89PNG 2")
    assert update_copies(notebooks, work) == []
    for name in ("01_é.ipynb", "covers/01.png"):
        assert_same(work / name, notebooks / name)


def test_new_outputs_of_the_course_arrive_too(course):
    notebooks, work = course
    update_copies(notebooks, work)
    write(notebooks / "01_é.ipynb", "1 + 1", printed="2")
    update_copies(notebooks, work)
    assert_same(work / "01_é.ipynb", notebooks / "01_é.ipynb")


def test_a_deleted_copy_comes_back_and_a_lost_record_loses_no_edit(course):
    notebooks, work = course
    update_copies(notebooks, work)
    (work / "01_é.ipynb").unlink()
    write(work / "exercises" / "01_é.ipynb", "x = 42")
    (work / GIVEN).unlink()
    assert update_copies(notebooks, work) == ["exercises/01_é.ipynb"]
    assert (work / "01_é.ipynb").exists()
    (work / GIVEN).write_text("half")
    with pytest.raises(StorageError, match="copies that you edited stay"):
        update_copies(notebooks, work)


@pytest.mark.parametrize("content", [b"", b"no notebook", b"{}", b"\xff\xfe", b"[1]"])
def test_what_is_no_notebook_any_more_counts_as_edited(course, content):
    notebooks, work = course
    update_copies(notebooks, work)
    (work / "01_é.ipynb").write_bytes(content)
    write(notebooks / "01_é.ipynb", "new")
    assert update_copies(notebooks, work) == ["01_é.ipynb"]
    assert (work / "01_é.ipynb").read_bytes() == content


def test_digest_sees_sources_and_kinds_and_no_outputs(tmp_path):
    write(tmp_path / "a.ipynb", "x", "y")
    write(tmp_path / "b.ipynb", "x", "y", printed="something")
    write(tmp_path / "c.ipynb", "xy")
    assert digest(tmp_path / "a.ipynb") == digest(tmp_path / "b.ipynb")
    assert digest(tmp_path / "a.ipynb") != digest(tmp_path / "c.ipynb")


def test_command_says_what_stays(course, monkeypatch, capsys):
    notebooks, work = course
    monkeypatch.setattr(copies, "ROOT", notebooks.parent)
    copies.main()
    write(work / "01_é.ipynb", "mine")
    write(notebooks / "01_é.ipynb", "new")
    copies.main()
    assert "work/01_é.ipynb stays as you edited it" in capsys.readouterr().err


def test_git_ignores_the_copies():
    done = subprocess.run(["git", "check-ignore", "-q", "work/01.ipynb"], cwd=ROOT)
    assert done.returncode == 0
