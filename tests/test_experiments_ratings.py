"""Chapter 2's full runs: the grid of fits again, and its form."""

import hashlib

import numpy as np
import pytest

from helpers.experiments.ratings import grid_of_fits
from helpers.factorization import fit_als, random_init
from helpers.generated_ratings import generate_ratings
from helpers.manifests import load_manifest
from helpers.rating_models import fit_biases, rmse
from helpers.ratings import MORE_THAN, hold_out, prune, user_with


def test_recorded_grid_is_of_the_generated_ratings_and_can_be_repeated():
    manifest = load_manifest("ratings-grid")
    ratings, _ = generate_ratings(np.random.default_rng(manifest["configuration"]["seed"]))
    assert manifest["data"]["stars"] == hashlib.sha256(ratings.stars.tobytes()).hexdigest()
    parts = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    (again,) = grid_of_fits(*parts, [2], [0.15])
    (recorded,) = (r for r in manifest["results"] if (r["k"], r["penalty"]) == (2, 0.15))
    for name in ("training", "validation", "test"):
        assert again[name] == pytest.approx(recorded[name], abs=1e-4)
    assert again["predicted"] == pytest.approx(recorded["predicted"], abs=0.01)
    assert again["singular_values"] == pytest.approx(recorded["singular_values"], rel=1e-3)


def test_grid_has_a_record_for_each_fit():
    ratings, _ = generate_ratings(np.random.default_rng(0), 3_000, 100)
    train, validation, test = hold_out(prune(ratings, 5)[0], np.random.default_rng(0))
    records = grid_of_fits(train, validation, test, [1, 3], [0.1, 0.5])
    assert [(r["k"], r["penalty"]) for r in records] == [(1, 0.1), (1, 0.5), (3, 0.1), (3, 0.5)]
    user = user_with(train)
    for record in records:
        assert len(record["singular_values"]) == record["k"]
        assert len(record["predicted"]) == np.sum(train.users == user) + np.sum(
            validation.users == user
        )
    init = random_init(train.shape, 3, np.random.default_rng(0))
    model = fit_als(train, fit_biases(train), init, penalty=0.5, epochs=40).model
    assert records[-1]["test"] == pytest.approx(rmse(model, test))
    assert records[-1]["training"] > records[-2]["training"]
