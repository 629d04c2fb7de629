"""The full run of chapter 4: matrices completed by products of several depths."""

from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from helpers.deep_factorization import gaussian_factors, gradient_descent
from helpers.nuclear_norm import nuclear_norm_completion
from helpers.planted_matrices import planted_matrix, sample_entries
from helpers.recovery import unseen_error
from helpers.spectrum import effective_rank

COMPLETION = {"n": 40, "rank": 3, "seen": [320, 400, 480, 640, 800, 1120], "matrices": 10}
COMPLETION_DESCENT = {"tolerance": 1e-6, "max_steps": 50_000}
COMPLETION_DEPTHS, COMPLETION_SCALE = (2, 3, 4), 1e-3


def completion(depth: int | None, seen: int, seed: int) -> dict[str, float]:
    """One planted matrix completed by a product of this depth, or by minimum nuclear norm (None)."""
    rng = np.random.default_rng(seed)
    truth = planted_matrix(rng, COMPLETION["n"], COMPLETION["rank"])
    observed = sample_entries(rng, truth, seen)
    if depth is None:
        product, loss = nuclear_norm_completion(observed).product, 0.0
    else:
        sizes = [COMPLETION["n"]] * (depth + 1)
        start = gaussian_factors(rng, sizes, COMPLETION_SCALE)
        descent = gradient_descent(start, observed, **COMPLETION_DESCENT)
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
    """Completion by depths 2 to 4 and by minimum nuclear norm, from few to many entries seen."""
    methods = {"minimum nuclear norm": None} | {f"depth {n}": n for n in COMPLETION_DEPTHS}
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


EXPERIMENTS: dict[str, Callable[[], dict]] = {"depth-completion": depth_completion}
