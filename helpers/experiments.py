"""The full runs: each is one command and leaves a manifest that the notebooks read.

``python -m helpers.experiments NAME`` runs one, ``--list`` shows what there is. A manifest says
what was run, on what, with which versions, and what came out.
"""

import argparse
import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from helpers.deep_factorization import (
    descend,
    gaussian_factors,
    hide,
    nuclear_norm_completion,
    planted_matrix,
    unseen_error,
)
from helpers.factorization import (
    fit_biases,
    predict,
    principal_axes,
    rmse,
    search_als,
    user_with,
)
from helpers.fashion_mnist import FETCHED, SHA256, load_fashion_mnist
from helpers.pca import compression_table, pca_from_covariance
from helpers.ratings import Ratings, generate_ratings, hold_out, prune
from helpers.spectrum import components_for_share, effective_rank
from helpers.storage import DATA, StorageError, read_json, write_json

MANIFESTS = DATA / "experiments"
PCA_KS = (0, 2, 8, 16, 32, 64, 128, 288)
PCA_SHARES = (0.8, 0.9, 0.95, 0.99)
MORE_THAN = 10  # ratings that users and restaurants of chapter 2 have
GRID_KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
GRID_PENALTIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
COMPLETION = {"n": 40, "rank": 3, "seen": [320, 400, 480, 640, 800, 1120], "matrices": 10}
COMPLETION_DESCENT = {"tolerance": 1e-6, "max_steps": 50_000}
COMPLETION_DEPTHS, COMPLETION_SCALE = (2, 3, 4), 1e-3


def pca_fashion_mnist() -> dict:
    """PCA of all 60,000 training images, judged on the 10,000 test images."""
    train, _ = load_fashion_mnist("train", full=True)
    test, _ = load_fashion_mnist("test")
    pca = pca_from_covariance(train.reshape(len(train), -1))
    shares = {
        f"{share:.0%}": components_for_share(pca.explained_variance, share) for share in PCA_SHARES
    }
    return {
        "configuration": {"train": len(train), "test": len(test), "precision": str(train.dtype)},
        "data": {name: SHA256[name] for name in (*FETCHED, "t10k-images-idx3-ubyte.gz")},
        "results": {
            "table": compression_table(pca, test.reshape(len(test), -1), PCA_KS),
            "components_for_share": shares,
        },
    }


def ratings_grid() -> dict:
    """ALS on generated ratings for each number of factors and penalty, with the errors of each."""
    ratings, _ = generate_ratings(np.random.default_rng(0))
    parts = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    return {
        "configuration": {"seed": 0, "more_than": MORE_THAN, "ratings": len(ratings.stars)},
        "data": {"stars": hashlib.sha256(ratings.stars.tobytes()).hexdigest()},
        "results": grid_of_fits(*parts, GRID_KS, GRID_PENALTIES),
    }


def grid_of_fits(
    train: Ratings,
    validation: Ratings,
    test: Ratings,
    ks: Sequence[int],
    penalties: Sequence[float],
) -> list[dict]:
    """What chapter 2's sliders show of each fit: errors, spectrum and one user's predictions.

    Returns
    -------
    list of dict
        ``k``, ``penalty``, RMSE of ``training``, ``validation`` and ``test`` ratings,
        ``singular_values`` of Q Pᵀ, and ``predicted`` stars of the user whom
        :func:`helpers.factorization.user_with` finds: first of the training ratings, then of
        the validation ratings.
    """
    baseline = fit_biases(train)
    user = user_with(train)
    shown = [part.users == user for part in (train, validation)]
    items = np.concatenate([train.items[shown[0]], validation.items[shown[1]]])
    records = []
    for k, penalty, model in search_als(train, baseline, ks, penalties):
        errors = (rmse(model, part) for part in (train, validation, test))
        predicted = predict(model, np.full(len(items), user), items)
        records.append(
            {"k": k, "penalty": penalty}
            | dict(zip(("training", "validation", "test"), errors, strict=True))
            | {"singular_values": principal_axes(model)[1].round(2).tolist()}
            | {"predicted": predicted.round(3).tolist()}
        )
    return records


def completion(depth: int | None, seen: int, seed: int) -> dict[str, float]:
    """One planted matrix completed by a product of this depth, or by least nuclear norm (None)."""
    rng = np.random.default_rng(seed)
    truth = planted_matrix(rng, COMPLETION["n"], COMPLETION["rank"])
    observed = hide(rng, truth, seen)
    if depth is None:
        product, loss = nuclear_norm_completion(observed).product, 0.0
    else:
        sizes = [COMPLETION["n"]] * (depth + 1)
        start = gaussian_factors(rng, sizes, COMPLETION_SCALE)
        descent = descend(start, observed, **COMPLETION_DESCENT)
        product, loss = descent.products[-1], descent.losses[-1]
    values = np.linalg.svd(product, compute_uv=False)
    found = {
        "error": unseen_error(product, truth, observed),
        "nuclear_norm": values.sum(),
        "effective_rank": effective_rank(values),
        "loss": loss,
    }
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def depth_completion() -> dict:
    """Completion by depths 2 to 4 and by least nuclear norm, from few to many entries seen."""
    methods = {"least nuclear norm": None} | {f"depth {n}": n for n in COMPLETION_DEPTHS}
    table = {
        name: [
            [completion(depth, seen, seed) for seed in range(COMPLETION["matrices"])]
            for seen in COMPLETION["seen"]
        ]
        for name, depth in methods.items()
    }
    return {
        "configuration": COMPLETION
        | COMPLETION_DESCENT
        | {
            "scale": COMPLETION_SCALE,
            "solver": f"cvxpy {version('cvxpy-base')}, SCS {version('scs')}",
        },
        "results": {
            name: {key: [[run[key] for run in runs] for runs in rows] for key in rows[0][0]}
            for name, rows in table.items()
        },
    }


EXPERIMENTS: dict[str, Callable[[], dict]] = {
    "depth-completion": depth_completion,
    "pca-fashion-mnist": pca_fashion_mnist,
    "ratings-grid": ratings_grid,
}


def manifest_path(name: str) -> Path:
    """Where the manifest of an experiment is kept."""
    return MANIFESTS / f"{name}.json"


def run(name: str) -> dict:
    """Run an experiment and write its manifest in one step."""
    started = time.monotonic()
    outcome = EXPERIMENTS[name]()
    manifest = {
        "experiment": name,
        **outcome,
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in ("numpy", "scipy", "scikit-learn")},
        "seconds": round(time.monotonic() - started, 1),
    }
    write_json(manifest_path(name), manifest)
    return manifest


def load_manifest(name: str) -> dict:
    """What an experiment left.

    Raises
    ------
    ValueError
        If there is no experiment of that name.
    StorageError
        If its manifest is missing or damaged.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}; there are {sorted(EXPERIMENTS)}")
    mend = f"`python -m helpers.experiments {name}` makes it, `git checkout -- data` restores it."
    return read_json(manifest_path(name), mend)


def describe(name: str) -> str:
    """A line that says what an experiment is and whether it has been run."""
    done = "run" if manifest_path(name).exists() else "not run"
    return f"{name:24}{done:10}{EXPERIMENTS[name].__doc__.splitlines()[0]}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments")
    parser.add_argument("name", nargs="?", choices=sorted(EXPERIMENTS))
    parser.add_argument("--list", action="store_true", help="show what there is")
    arguments = parser.parse_args()
    if arguments.list or arguments.name is None:
        print("\n".join(map(describe, sorted(EXPERIMENTS))))
        return
    try:
        manifest = run(arguments.name)
    except StorageError as error:
        raise SystemExit(f"{arguments.name}: {error}") from None
    print(f"{arguments.name}: {manifest['seconds']} s, {manifest_path(arguments.name)}")


if __name__ == "__main__":
    main()
