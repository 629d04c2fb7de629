"""Every notebook under other instruction sets and other numbers of threads: ``make portable``.

One machine can't see what differs on another. Here the libraries are told, by environment
variables, to compute as an older processor would, or on other numbers of threads: sums are taken in
another order, and the last digits change. What a notebook shows must not. A setting counts only if
some output's bytes differ under it; the table says how far each picture moved, of the tolerance
that :mod:`tests.notebooks.pictures` allows.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from helpers.notebooks import course_notebooks
from helpers.storage import ROOT
from tests.notebooks.pictures import LOCAL_TOLERANCE

SHOWN = 5  # pictures named for each setting
PATIENCE = 3600  # seconds for a cell: an old processor is slow, and that is no fault


def threads(count: int) -> dict[str, str]:
    """So many threads in every library."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    return {f"{library}_NUM_THREADS": str(count) for library in libraries}


ONE = threads(1)
REFERENCE = "one thread"
SETTINGS: dict[str, dict[str, str]] = {  # with one thread two can run side by side
    REFERENCE: ONE,
    "as many threads as there are cores": {},
    "four threads": threads(4),
    "torch without AVX": ONE | {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "torch with AVX2": ONE | {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "OpenBLAS and NumPy of 2010": ONE
    | {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": " ".join(
            np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
        ),
    },
    "MKL and Numba for any processor": ONE
    | {"MKL_CBWR": "COMPATIBLE", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}


def outputs_under(setting: str, notebooks: list[Path], folder: Path) -> dict[str, dict]:
    """Run notebooks under a setting; returns a record of each cell, by its name in pytest.

    If ``folder`` has the record of a whole run under that setting, it is taken as it is.
    """
    record = folder / f"{list(SETTINGS).index(setting)}.jsonl"
    command = [sys.executable, "-m", "pytest", "-p", "tests.notebooks.pictures", "-q"]
    command += ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    command += [f"--nbval-cell-timeout={PATIENCE}", f"--outputs={record}", *map(str, notebooks)]
    said = record.with_suffix(".txt")
    if not said.exists():
        record.unlink(missing_ok=True)
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | SETTINGS[setting], capture_output=True, text=True
        )
        if not record.exists():
            raise SystemExit(f"{setting}: no notebook ran\n{done.stdout}{done.stderr}")
        said.write_text(done.stdout + done.stderr)
    print(f"{setting}: {said.read_text().splitlines()[-1]}", flush=True)
    rows = map(json.loads, record.read_text().splitlines())
    return {row.pop("cell"): row for row in rows}


def run_all(chosen: list[str], notebooks: list[Path], folder: Path) -> dict[str, dict]:
    """Outputs under each setting: those of one thread two at a time, the others alone."""
    narrow = [s for s in chosen if SETTINGS[s].items() >= ONE.items()]
    found = {s: outputs_under(s, notebooks, folder) for s in chosen if s not in narrow}
    with ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(lambda s: outputs_under(s, notebooks, folder), narrow)
        return found | dict(zip(narrow, outcomes, strict=True))


def report(found: Mapping[str, Mapping[str, dict]]) -> bool:
    """Print what moved under each setting; returns whether all notebooks passed."""
    reference = found[REFERENCE]
    for setting, cells in found.items():
        failed = [name for name, cell in cells.items() if cell["failed"]]
        print(f"\n{setting}: {'RED' if failed else 'green'}, {len(cells)} cells", end="")
        moved = sum(cell["bytes"] != reference[name]["bytes"] for name, cell in cells.items())
        if setting != REFERENCE:
            counts = "" if moved else "; does not count on this processor"
            print(f", {moved} with other bytes than under “{REFERENCE}”{counts}", end="")
        print()
        farthest = {n: max(cell["deviations"], default=0.0) for n, cell in cells.items()}
        for name in sorted(cells, key=farthest.get, reverse=True)[:SHOWN]:
            compared = "" if cells[name]["compared"] else " (not compared)"
            print(f"  {farthest[name]:6.2f} of {LOCAL_TOLERANCE} grey levels: {name}{compared}")
        for name in failed:
            print(f"  FAILED {name}: {cells[name]['failed']}")
    return not any(cell["failed"] for cells in found.values() for cell in cells.values())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks.portable")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, metavar="NAME")
    parser.add_argument(
        "--keep", type=Path, help="folder for what was found; what it has is not run again"
    )
    arguments = parser.parse_args()
    chosen = [s for s in SETTINGS if s in {REFERENCE, *(arguments.settings or SETTINGS)}]
    print(platform.processor() or platform.machine(), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = run_all(chosen, arguments.notebooks or course_notebooks(), folder)
    if not report(found):
        raise SystemExit("Some notebook shows something else under another setting.")


if __name__ == "__main__":
    main()
