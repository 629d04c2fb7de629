"""What is wrong with a set-up, and how to mend it: `make check`.

It runs before anything is installed, so it imports nothing but the standard library at first.
"""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from helpers.terminal import show_unknown_letters

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (3, 11)
FREE_GB = 1.0  # for what running the course writes: caches, runs, pages
PACKAGES = ("numpy", "scipy", "numba", "sklearn", "matplotlib", "torch", "cv2", "ipywidgets")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")


def python_fits() -> str:
    """Whether this Python is new enough; a sentence if not, "" if so."""
    if sys.version_info >= PYTHON:
        return ""
    return f"Python {sys.version.split()[0]} is too old: make lab PYTHON=python3.12 names another."


def disk_has_room(folder: Path = ROOT) -> str:
    """Whether the course's disk has room for what running it writes."""
    free = shutil.disk_usage(folder).free / 1e9
    return (
        "" if free >= FREE_GB else f"The disk has {free:.1f} GB left: make room for {FREE_GB:.0f}."
    )


def packages_load(packages: tuple[str, ...] = PACKAGES) -> str:
    """Whether every package can be imported; OpenCV needs libraries of the system."""
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing = error.name or ""
            if name == "cv2" and missing != "cv2":
                return f"OpenCV: {error}. On Debian or Ubuntu: sudo apt-get install libgl1 libglib2.0-0"
            return f"{name} can't be imported: {error}. Set up again: make clean lab"
    return ""


def course_is_imported(folder: Path | None = None) -> str:
    """Whether `import helpers`, from a folder of notebooks, finds the course's package."""
    done = subprocess.run(
        [sys.executable, "-c", "import helpers; print(helpers.__file__)"],
        cwd=folder or ROOT / "notebooks",
        capture_output=True,
        text=True,
    )
    found = Path(done.stdout.strip() or ".").resolve()
    if found == ROOT / "helpers" / "__init__.py":
        return ""
    if done.returncode:
        return f"This Python lacks the course's package: {sys.executable} -m pip install --no-deps -e ."
    return f"`import helpers` finds {found}, which is not the course's: rename that file or folder."


def kernel_starts() -> str:
    """Whether a kernel of this environment runs a line of code."""
    try:
        from jupyter_client.manager import start_new_kernel

        manager, client = start_new_kernel(
            startup_timeout=60, kernel_name="python3", stderr=subprocess.DEVNULL
        )
    except Exception as error:
        return f"No kernel starts: {type(error).__name__}: {error}. Set up again: make clean lab"
    try:
        reply = client.execute_interactive("1 + 1", timeout=60, output_hook=lambda _: None)
        return "" if reply["content"]["status"] == "ok" else "The kernel can't compute 1 + 1."
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def folders_can_be_written(folders: list[Path] | None = None) -> str:
    """Whether the course's folder and the caches of Matplotlib and Numba can be written."""
    home = Path.home()
    for folder in folders or [ROOT, Path(os.environ.get("MPLCONFIGDIR", home / ".config"))]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            return (
                f"{folder} can't be written: {error.strerror}. Clone the course to a folder of your own, "
                "or let MPLCONFIGDIR and NUMBA_CACHE_DIR name folders that can be written."
            )
    return ""


def font_is_there() -> str:
    """Whether Matplotlib finds the font that every picture is drawn in."""
    from matplotlib import font_manager

    try:
        font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    except ValueError:
        return "Matplotlib's own font is missing. Set up again: make clean lab"
    return ""


def browser_is_there() -> str:
    """Whether there is a browser for the tests that move sliders; the course needs none of these."""
    if os.environ.get("CHROMIUM") or any(map(shutil.which, BROWSERS)) or sys.platform != "linux":
        return ""
    return "No Chromium: the tests of sliders are skipped. On Debian: sudo apt-get install chromium"


CHECKS: dict[str, Callable[[], str]] = {
    "Python": python_fits,
    "disk": disk_has_room,
    "packages": packages_load,
    "the course's package": course_is_imported,
    "folders": folders_can_be_written,
    "fonts": font_is_there,
    "kernel": kernel_starts,
}
OPTIONAL: dict[str, Callable[[], str]] = {"browser for the tests": browser_is_there}


def main() -> None:
    """Print a line for each check; exit with 1 if something stands in the way of the course."""
    wrong = 0
    for name, check in (CHECKS | OPTIONAL).items():
        try:
            fault = check()
        except ImportError as error:
            fault = f"{error}. Set up again: make clean lab"
        wrong += bool(fault) and name in CHECKS
        print(f"{'not ' if fault else ''}ok  {name}{': ' if fault else ''}{fault}", flush=True)
    raise SystemExit(wrong and 1)


if __name__ == "__main__":
    show_unknown_letters()
    main()
