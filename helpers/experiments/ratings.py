"""The full runs of chapter 2: a grid of fits, and the same fit by Spark."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from helpers import spark_als
from helpers.factorization import search_als
from helpers.generated_ratings import generate_ratings
from helpers.rating_models import fit_biases, predict, principal_axes, rmse
from helpers.ratings import MORE_THAN, Ratings, hold_out, prune, user_with

GRID_KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
GRID_PENALTIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


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
        :func:`helpers.ratings.user_with` finds: first of the training ratings, then of
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


EXPERIMENTS: dict[str, Callable[[], dict]] = {
    "ratings-grid": ratings_grid,
    "yelp-spark": spark_als.compare,
}
