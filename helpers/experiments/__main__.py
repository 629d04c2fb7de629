"""The command line of the full runs.

``python -m helpers.experiments NAME`` runs one, ``--list`` shows what there is and how far each has
got. A manifest says what was run, on what, with which versions, and what came out. The run of a
network keeps its state in ``data/runs/`` after each epoch: killed at any moment, the same command goes
on from there. Its weights end in ``data/checkpoints/``.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from helpers.experiments import registry
from helpers.manifests import manifest_path
from helpers.runs import print_progress
from helpers.spark_als import SparkError
from helpers.storage import StorageError
from helpers.terminal import show_unknown_letters


def run_side_by_side(chosen: Sequence[str], jobs: int, options: Sequence[str]) -> int:
    """Run experiments in processes of their own, ``jobs`` at a time; returns how many failed."""

    def one(name: str) -> int:
        command = [sys.executable, "-m", "helpers.experiments", name, *options]
        return subprocess.run(command).returncode != 0

    with ThreadPoolExecutor(jobs) as pool:
        return sum(pool.map(one, chosen))


def run_here(name: str, epochs: int | None, device: str | None, threads: int | None) -> None:
    """Run one experiment in this process and say what came of it."""
    options = {}
    if name in registry.NETWORKS:
        import torch

        from helpers.training import best_device

        if threads:
            torch.set_num_threads(threads)
        device = device or best_device()
        options = {"epochs": epochs, "device": device, "progress": print_progress}
    try:
        manifest = registry.run(name, **options)
    except (StorageError, SparkError) as error:
        raise SystemExit(f"{name}: {error}") from None
    print(f"{name}: {manifest['seconds']} s, {manifest_path(name)}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(registry.names()))
    parser.add_argument("--list", action="store_true", help="show what there is")
    parser.add_argument("--jobs", type=int, default=1, help="networks trained side by side")
    parser.add_argument("--threads", type=int, help="threads for each of them")
    parser.add_argument("--epochs", type=int, help="stop a network there; go on at another time")
    parser.add_argument("--device", help="cpu, cuda or mps; the fastest there is by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(registry.names()):
        parser.error(f"there is no experiment {sorted(unknown)}; there are {registry.names()}")
    for option in ("jobs", "threads", "epochs"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            parser.error(f"--{option} must be ≥ 1, got {value}")
    if arguments.list or not arguments.names:
        print("\n".join(map(registry.describe, registry.names())))
    elif arguments.jobs == 1:
        for name in arguments.names:
            run_here(name, arguments.epochs, arguments.device, arguments.threads)
    else:
        threads = ["--threads", str(arguments.threads or 1)]
        given = {"--epochs": arguments.epochs, "--device": arguments.device}
        options = [*threads, *(f"{flag}={value}" for flag, value in given.items() if value)]
        if failed := run_side_by_side(arguments.names, arguments.jobs, options):
            raise SystemExit(f"{failed} of {len(arguments.names)} runs failed")


if __name__ == "__main__":
    show_unknown_letters()
    main()
