"""Ratings and models that the tests of chapter 2's files share."""

from dataclasses import replace
from functools import cache

import numpy as np

from helpers.generated_ratings import generate_ratings
from helpers.rating_models import RatingModel, fit_mean
from helpers.ratings import Ratings, hold_out, prune


def make_ratings(observed, rng):
    """Random stars where a matrix of booleans says so."""
    users, items = np.nonzero(observed)
    stars = rng.integers(1, 6, len(users)).astype(np.float32)
    ids = (np.arange(n) for n in observed.shape)
    return Ratings(users.astype(np.int32), items.astype(np.int32), stars, *ids)


def some_ratings(users=30, items=20, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    observed = rng.random((users, items)) < share
    observed[0] = observed[:, 0] = False  # a user and an item without ratings
    observed[1, :] = observed[:, 1] = False
    observed[1, 1] = True  # and a pair that have only each other
    return make_ratings(observed, rng)


@cache
def generated_parts() -> tuple[Ratings, Ratings, Ratings]:
    """Generated ratings, pruned and split."""
    ratings, _ = generate_ratings(np.random.default_rng(0), 20_000, 400)
    return hold_out(prune(ratings, 10)[0], np.random.default_rng(1))


def random_model(ratings: Ratings, k: int = 3, seed: int = 0) -> RatingModel:
    rng = np.random.default_rng(seed)
    users, items = ratings.shape
    return replace(
        fit_mean(ratings),
        user_bias=rng.normal(0, 0.3, users),
        item_bias=rng.normal(0, 0.3, items),
        user_factors=rng.normal(0, 1, (users, k)),
        item_factors=rng.normal(0, 1, (items, k)),
    )
