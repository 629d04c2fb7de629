"""Chapter 2's full runs: the grid of fits again, and its form."""

import hashlib

import numpy as np
import pytest

from helpers.als import fit_als, fit_joint_als
from helpers.experiments.ratings import chosen_fits, grid_of_fits, paired_gains
from helpers.factorization import random_init
from helpers.generated_ratings import generate_ratings
from helpers.manifests import load_manifest
from helpers.rating_models import fit_biases, rmse
from helpers.ratings import MORE_THAN, hold_out, prune, user_with


def test_recorded_grid_is_of_the_generated_ratings_and_can_be_repeated():
    manifest = load_manifest("ratings-grid")
    ratings, _ = generate_ratings(np.random.default_rng(manifest["configuration"]["seed"]))
    assert manifest["data"]["stars"] == hashlib.sha256(ratings.stars.tobytes()).hexdigest()
    parts = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    (again,) = grid_of_fits(*parts[:2], [2], [0.15])
    (recorded,) = (r for r in manifest["results"] if (r["k"], r["penalty"]) == (2, 0.15))
    for name in ("training", "validation"):
        assert again[name] == pytest.approx(recorded[name], abs=1e-4)
    assert again["predicted"] == pytest.approx(recorded["predicted"], abs=0.01)
    assert again["singular_values"] == pytest.approx(recorded["singular_values"], rel=1e-3)


def test_grid_has_a_record_for_each_fit():
    ratings, _ = generate_ratings(np.random.default_rng(0), 3_000, 100)
    train, validation, _ = hold_out(prune(ratings, 5)[0], np.random.default_rng(0))
    records = grid_of_fits(train, validation, [1, 3], [0.1, 0.5])
    assert [(r["k"], r["penalty"]) for r in records] == [(1, 0.1), (1, 0.5), (3, 0.1), (3, 0.5)]
    user = user_with(train)
    for record in records:
        assert len(record["singular_values"]) == record["k"]
        assert len(record["predicted"]) == np.sum(train.users == user) + np.sum(
            validation.users == user
        )
    init = random_init(train.shape, 3, np.random.default_rng(0))
    model = fit_als(train, fit_biases(train), init, penalty=0.5, epochs=40).model
    assert records[-1]["validation"] == pytest.approx(rmse(model, validation))
    assert records[-1]["training"] > records[-2]["training"]


def test_recorded_fits_can_be_repeated_and_joint_biases_are_never_worse_with_a_weighted_penalty():
    results = load_manifest("ratings-joint")["results"]
    ratings, _ = generate_ratings(np.random.default_rng(0))
    train, _, test = parts = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    (recorded,) = (
        fit
        for fit in results["fits"]
        if (fit["seed"], fit["biases"], fit["weighted"]) == (0, "joint", "root")
    )
    init = random_init(train.shape, 2, np.random.default_rng(0))
    options = {"penalty": recorded["penalty"], "weighted": "root", "validation": parts[1]}
    model = fit_joint_als(train, fit_biases(train), init, **options).model
    assert rmse(model, test) == pytest.approx(recorded["test"], abs=1e-4)
    assert results["gains"] == paired_gains(results["fits"])
    gains = {(g["biases"], g["weighted"], *g["against"]): g for g in results["gains"]}
    sure = [
        ("joint", True, "fixed", True),
        ("joint", "root", "fixed", "root"),
        ("fixed", "root", "fixed", True),
        ("joint", "root", "fixed", True),
    ]  # with the plain penalty, joint biases gain in four of five
    for way in sure:
        assert len(gains[way]["differences"]) == 5
        assert max(gains[way]["differences"]) < 0
        assert gains[way]["interval"][1] < 0


def test_each_way_to_fit_is_chosen_on_validation_ratings_and_compared_in_pairs():
    ratings, _ = generate_ratings(np.random.default_rng(0), 3_000, 100)
    train, validation, test = hold_out(prune(ratings, 5)[0], np.random.default_rng(0))
    records = chosen_fits(train, validation, test, strengths={True: (0.2, 50.0), "root": (1.0,)})
    ways = [(r["biases"], r["weighted"], r["penalty"]) for r in records]
    biases = fit_biases(train)
    init = random_init(train.shape, 2, np.random.default_rng(0))
    fits = {p: fit_als(train, biases, init, penalty=p, validation=validation) for p in (0.2, 50.0)}
    best = min(fits, key=lambda p: rmse(fits[p].model, validation))
    assert ways[:2] == [("fixed", True, best), ("fixed", "root", 1.0)]
    assert records[0]["test"] == rmse(fits[best].model, test)
    fits = [
        {"biases": b, "weighted": True, "test": error}
        for b, errors in (("fixed", (1.0, 1.1, 1.2)), ("joint", (0.9, 0.8, 1.1)))
        for error in errors
    ]
    (gain,) = paired_gains(fits)
    assert gain["differences"] == [-0.1, -0.3, -0.1]
    half = 4.302653 * np.std(gain["differences"], ddof=1) / np.sqrt(3)
    assert gain["interval"] == pytest.approx([-1 / 6 - half, -1 / 6 + half], abs=1e-5)
