"""The full runs of chapter 2: a grid of fits, ways to fit biases, and the same fit by Spark."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import scipy.stats

from helpers import spark_als
from helpers.als import fit_als, fit_joint_als, search_als
from helpers.factorization import random_init
from helpers.generated_ratings import generate_ratings
from helpers.rating_models import fit_biases, predict, principal_axes, rmse
from helpers.ratings import MORE_THAN, Ratings, hold_out, prune, user_with

GRID_KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
GRID_PENALTIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)

SEEDS = range(5)
FITS = {"fixed": fit_als, "joint": fit_joint_als}  # biases before the factors, or with them
STRENGTHS = {  # λ to choose from, for each weighting of the penalty
    False: (4, 5, 6, 7, 8),
    "root": (0.7, 0.9, 1.1, 1.3, 1.5),
    True: (0.12, 0.15, 0.18, 0.21, 0.25),
}


def ratings_grid() -> dict:
    """ALS on generated ratings for each number of factors and penalty, with the errors of each."""
    ratings, _ = generate_ratings(np.random.default_rng(0))
    train, validation, _ = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    return {
        "configuration": {"seed": 0, "more_than": MORE_THAN, "ratings": len(ratings.stars)},
        "data": {"stars": hashlib.sha256(ratings.stars.tobytes()).hexdigest()},
        "results": grid_of_fits(train, validation, GRID_KS, GRID_PENALTIES),
    }


def grid_of_fits(
    train: Ratings,
    validation: Ratings,
    ks: Sequence[int],
    penalties: Sequence[float],
) -> list[dict]:
    """What chapter 2's sliders show of each fit: errors, spectrum and one user's predictions.

    Returns
    -------
    list of dict
        ``k``, ``penalty``, RMSE of ``training`` and ``validation`` ratings,
        ``singular_values`` of Q Pᵀ, and ``predicted`` stars of the user whom
        :func:`helpers.ratings.user_with` finds: first of the training ratings, then of
        the validation ratings.
    """
    baseline = fit_biases(train)
    user = user_with(train)
    shown = [part.users == user for part in (train, validation)]
    items = np.concatenate([train.items[shown[0]], validation.items[shown[1]]])
    records = []
    for k, penalty, model in search_als(train, baseline, ks, penalties):
        errors = (rmse(model, part) for part in (train, validation))
        predicted = predict(model, np.full(len(items), user), items)
        records.append(
            {"k": k, "penalty": penalty}
            | dict(zip(("training", "validation"), errors, strict=True))
            | {"singular_values": principal_axes(model)[1].round(2).tolist()}
            | {"predicted": predicted.round(3).tolist()}
        )
    return records


def ratings_joint() -> dict:
    """Biases fixed or fitted together with two factors, and three penalties: five sets of ratings."""
    fits = []
    for seed in SEEDS:
        ratings, _ = generate_ratings(np.random.default_rng(seed))
        parts = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(seed))
        fits += [{"seed": seed} | record for record in chosen_fits(*parts, seed=seed)]
    return {
        "configuration": {"seeds": len(SEEDS), "more_than": MORE_THAN, "k": 2},
        "results": {"fits": fits, "gains": paired_gains(fits)},
    }


def chosen_fits(
    train: Ratings,
    validation: Ratings,
    test: Ratings,
    *,
    k: int = 2,
    seed: int = 0,
    strengths: dict[bool | str, Sequence[float]] = STRENGTHS,
) -> list[dict]:
    """Of each way to fit biases and each weighting, the λ with the lowest validation RMSE.

    Returns
    -------
    list of dict
        ``biases`` and ``weighted`` name the way; ``penalty`` is the chosen λ; ``validation`` and
        ``test`` are RMSE in stars.
    """
    baseline = fit_biases(train)
    init = random_init(train.shape, k, np.random.default_rng(seed))
    records = []
    for biases, fit_by in FITS.items():
        for weighted, penalties in strengths.items():
            options = {"weighted": weighted, "validation": validation}
            models = {
                p: fit_by(train, baseline, init, penalty=p, **options).model for p in penalties
            }
            errors = {p: rmse(model, validation) for p, model in models.items()}
            best = min(errors, key=errors.get)
            record = {"biases": biases, "weighted": weighted, "penalty": best}
            errors = {"validation": errors[best], "test": rmse(models[best], test)}
            records.append(record | errors)
    return records


def paired_gains(fits: Sequence[dict]) -> list[dict]:
    """Test RMSE of each way minus that of fixed biases and the weighted penalty, seed by seed.

    Returns
    -------
    list of dict
        ``biases`` and ``weighted`` name the way; ``differences`` in stars, one a seed (negative:
        better), their ``mean`` and its 95 % ``interval`` by Student's t. Joint biases are also
        compared with fixed ones of the same weighting: ``against``.
    """
    by_way: dict[tuple, list[float]] = {}
    for fit in fits:
        by_way.setdefault((fit["biases"], fit["weighted"]), []).append(fit["test"])
    ways = [(way, ("fixed", True)) for way in by_way if way != ("fixed", True)]
    ways += [(way, ("fixed", way[1])) for way in by_way if way[0] == "joint" and way[1] is not True]
    gains = []
    for way, against in ways:
        differences = np.subtract(by_way[way], by_way[against])
        interval = scipy.stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        gains.append(
            dict(zip(("biases", "weighted"), way, strict=True))
            | {"against": list(against), "differences": differences.round(5).tolist()}
            | {"mean": round(differences.mean(), 5), "interval": np.round(interval, 5).tolist()}
        )
    return gains


EXPERIMENTS: dict[str, Callable[[], dict]] = {
    "ratings-grid": ratings_grid,
    "ratings-joint": ratings_joint,
    "yelp-spark": spark_als.compare,
}
