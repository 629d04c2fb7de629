"""``make benchmark``: how fast the course is, against a peer in the same run.

Prints a table and writes data/benchmarks.json, from which notebooks and pages take their timings.
``python -m tests.benchmarks pca`` measures one part and leaves the others as they are.
"""

import argparse
import importlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path

from helpers.storage import BENCHMARKS as RESULTS
from helpers.storage import StorageError, read_json, write_json

PARTS = ("course", "pca", "ratings", "autoencoder", "irmae")
PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "ipywidgets", "torch")


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of packages, once it is clear that all are there."""
    try:
        return {name: importlib.metadata.version(name) for name in names}
    except importlib.metadata.PackageNotFoundError as error:
        raise SystemExit(
            f"make benchmark: {error.name} is missing; "
            "`.venv/bin/pip install --editable '.[benchmark]'` installs the peers."
        ) from None


def measure(part: str) -> dict:
    """Run the comparisons of a part and print them, then measure its tables."""
    module = importlib.import_module(f"tests.benchmarks.{part}")
    packages = versions([*PACKAGES, *getattr(module, "PACKAGES", ())])
    results = []
    for benchmark in module.COMPARISONS:
        result = benchmark()
        results.append(asdict(result))
        verdict = "met" if result.met else "MISSED"
        print(
            f"{result.name:46}{result.ours:8.3f}s{result.peer:8.3f}s{result.ratio:7.2f}  "
            f"{result.target}: {verdict} (peer: {result.peer_name})"
        )
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": packages,
        "results": results,
    } | {name: table() for name, table in module.TABLES.items()}


def main(arguments: list[str] | None = None) -> None:
    """Measure the parts named, or all, and save each as soon as it is done."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {PARTS}; all by default")
    parts = parser.parse_args(arguments).parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {sorted(unknown)}; there are {PARTS}")
    print(f"{'':46}{'ours':>9}{'peer':>9}{'ratio':>7}  target")
    for part in parts:
        try:
            measured = measure(part)
        except StorageError as error:
            raise SystemExit(f"make benchmark: {error}") from None
        record = read_json(RESULTS, "") if RESULTS.exists() else {}
        write_json(RESULTS, record | {part: measured})


if __name__ == "__main__":
    main()
