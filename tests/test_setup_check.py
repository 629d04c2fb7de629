"""Each check of a set-up finds what it is for, says how to mend it, and passes where all is well."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from helpers import setup_check
from helpers.storage import ROOT


@pytest.mark.parametrize("check", setup_check.CHECKS.values(), ids=lambda c: c.__name__)
def test_this_environment_passes(check):
    assert check() == ""


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(setup_check, "PYTHON", (4, 0))
    assert "make lab PYTHON=" in setup_check.python_fits()


def test_a_full_disk_is_named(monkeypatch):
    Usage = namedtuple("Usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=2e8))
    assert setup_check.disk_has_room() == "The disk has 0.2 GB left: make room for 1."


def test_a_package_that_is_missing_or_lacks_a_library_is_named(monkeypatch, tmp_path):
    assert "no_such_package can't be imported" in setup_check.packages_load(("no_such_package",))
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    words = setup_check.packages_load(("cv2",))
    assert "libGL.so.1" in words
    assert "apt-get install libgl1" in words


def test_another_helpers_beside_the_notebooks_is_named(tmp_path):
    (tmp_path / "helpers.py").write_text("")
    words = setup_check.course_is_imported(tmp_path)
    assert f"finds {tmp_path / 'helpers.py'}, which is not the course's" in words


def test_a_python_without_the_course_is_named(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert f"{python} -m pip install --no-deps -e ." in setup_check.course_is_imported()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file" / "folder"
    (tmp_path / "file").write_text("")
    words = setup_check.folders_can_be_written([tmp_path, blocked])
    assert words.startswith(f"{blocked} can't be written")
    assert "NUMBA_CACHE_DIR" in words


def test_a_missing_font_is_named(monkeypatch):
    from matplotlib import font_manager

    def findfont(*_, **__):
        raise ValueError("no font")

    monkeypatch.setattr(font_manager, "findfont", findfont)
    assert "font is missing" in setup_check.font_is_there()


def test_a_kernel_that_does_not_start_is_named(monkeypatch):
    from jupyter_client import manager

    def start(*_, **__):
        raise RuntimeError("died")

    monkeypatch.setattr(manager, "start_new_kernel", start)
    assert "No kernel starts: RuntimeError: died" in setup_check.kernel_starts()


def test_a_missing_browser_is_told_and_stops_nothing(monkeypatch, capsys):
    monkeypatch.setattr(setup_check, "CHECKS", {"Python": lambda: ""})
    monkeypatch.setattr(setup_check, "OPTIONAL", {"browser": lambda: "No Chromium"})
    with pytest.raises(SystemExit) as ended:
        setup_check.main()
    assert not ended.value.code
    assert capsys.readouterr().out == "ok  Python\nnot ok  browser: No Chromium\n"


def test_what_stands_in_the_way_ends_with_one(monkeypatch, capsys):
    def broken():
        raise ImportError("No module named 'matplotlib'")

    monkeypatch.setattr(setup_check, "CHECKS", {"fonts": broken})
    monkeypatch.setattr(setup_check, "OPTIONAL", {})
    with pytest.raises(SystemExit) as ended:
        setup_check.main()
    assert ended.value.code == 1
    assert "not ok  fonts: No module named 'matplotlib'. Set up again" in capsys.readouterr().out


def test_it_runs_where_nothing_is_installed():
    """A bare Python, without site-packages: told what is missing, no traceback."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-m", "helpers.setup_check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "not ok  packages: numpy can't be imported" in done.stdout
    assert "Traceback" not in done.stderr


def test_browsers_are_those_of_the_browser_tests():
    from tests.browser.conftest import BROWSERS

    assert setup_check.BROWSERS == BROWSERS
    assert Path(ROOT) == setup_check.ROOT
