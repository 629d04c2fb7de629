"""Predictions and their errors against what is written out, baselines against a library."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from helpers.rating_models import (
    compare,
    fit_biases,
    fit_mean,
    fit_user_means,
    fit_users,
    predict,
    principal_axes,
    residuals,
    rmse,
    rmse_by_activity,
    rmse_intervals,
)
from helpers.ratings import Scale
from tests.made_ratings import generated_parts, make_ratings, random_model, some_ratings


@pytest.fixture(scope="module")
def parts():
    return generated_parts()


# ---- predictions and their errors


def test_prediction_is_the_sum_of_its_parts():
    ratings = some_ratings()
    model = random_model(ratings)
    dense = (
        model.mean
        + model.user_bias[:, None]
        + model.item_bias
        + model.user_factors @ model.item_factors.T
    )
    pairs = ratings.users, ratings.items
    np.testing.assert_allclose(predict(model, *pairs, clip=False), dense[pairs])
    np.testing.assert_allclose(predict(model, *pairs), dense.clip(1, 5)[pairs])
    half = replace(model, scale=Scale(0.5, 4.5, 0.5))
    np.testing.assert_allclose(predict(half, *pairs), dense.clip(0.5, 4.5)[pairs])
    expected = np.sqrt(np.mean((ratings.stars - dense[pairs]) ** 2))
    assert rmse(model, ratings, clip=False) == pytest.approx(expected)
    assert rmse(model, ratings) < expected


def test_ratings_of_another_split_are_refused(parts):
    model = fit_mean(some_ratings())
    with pytest.raises(ValueError, match="the model knows 30 users and 20 items"):
        rmse(model, parts[0])
    with pytest.raises(ValueError, match="they must come from one split"):
        residuals(parts[0], model)


@pytest.mark.parametrize(
    ("users", "items", "words"),
    [
        ([0, -1], [0, 0], "knows the users 0 to 29, not -1"),
        ([0], [20], "knows the items 0 to 19, not 20"),
        ([0.0], [3], "users are known by position, whole numbers, not by float64"),
        ([1], ["a"], "items are known by position"),
    ],
)
def test_positions_that_the_model_does_not_know_are_named(users, items, words):
    with pytest.raises(ValueError, match=words):
        predict(fit_mean(some_ratings()), users, items)


def test_no_positions_are_no_predictions():
    assert predict(fit_mean(some_ratings()), [], []).shape == (0,)


@pytest.mark.parametrize("fit", [fit_mean, fit_user_means, fit_biases])
def test_models_keep_the_scale_of_their_ratings(fit):
    ratings = some_ratings()
    tenths = replace(ratings, stars=2 * ratings.stars, scale=Scale(0, 10, 1))
    assert fit(tenths).scale == (0, 10, 1)
    options = {"user_penalty": 1e-3, "item_penalty": 1e-3} if fit is fit_biases else {}
    pairs = ratings.users, ratings.items
    ours, theirs = (predict(fit(r, **options), *pairs, clip=False) for r in (ratings, tenths))
    np.testing.assert_allclose(2 * ours, theirs, rtol=1e-6)


def test_models_are_compared_on_the_same_ratings(parts):
    train, validation, _ = parts
    models = {"mean": fit_mean(train), "biases": fit_biases(train)}
    errors, of_rmse, of_difference = compare(models, validation, np.random.default_rng(0))
    assert errors == [rmse(model, validation) for model in models.values()]
    assert ((of_rmse[:, 0] < errors) & (errors < of_rmse[:, 1])).all()
    assert of_difference[1, 0] < errors[1] - errors[0] < of_difference[1, 1] < 0


def test_errors_by_activity_are_those_of_each_band_of_users(parts):
    train, validation, _ = parts
    model = fit_biases(train)
    counts = np.bincount(train.users, minlength=train.shape[0])
    found = rmse_by_activity(model, train, validation, [0, 12, 20, 10**6])
    for error, low, high in zip(found, (0, 12, 20), (12, 20, 10**6), strict=True):
        chosen = [low <= counts[user] < high for user in validation.users]
        of_band = {n: getattr(validation, n)[chosen] for n in ("users", "items", "stars")}
        assert error == pytest.approx(rmse(model, replace(validation, **of_band)))
    assert found[0] > found[2]
    assert np.isnan(rmse_by_activity(model, train, validation, [0, 1, 10**6])[0])  # nobody


def test_interval_over_users_has_the_width_that_theory_gives():
    rng = np.random.default_rng(5)
    observed = np.ones((400, 25), bool)
    ratings = make_ratings(observed, rng)
    # a user's errors are all alike: 400 independent values, not 10,000
    sizes = np.repeat(rng.gamma(4, 0.2, 400), 25)
    predictions = np.stack([ratings.stars - sizes, ratings.stars - sizes - 0.1])
    of_rmse, of_difference = rmse_intervals(ratings, predictions, rng)
    squares = sizes[::25] ** 2
    root = np.sqrt(squares.mean())
    standard_error = squares.std() / np.sqrt(400) / (2 * root)
    assert np.diff(of_rmse[0]) == pytest.approx(2 * 1.96 * standard_error, rel=0.1)
    assert of_rmse[0].mean() == pytest.approx(root, abs=0.3 * standard_error)
    np.testing.assert_array_equal(of_difference[0], 0)
    assert np.diff(of_difference[1]) < 0.2 * np.diff(of_rmse[1])  # paired
    assert of_difference[1, 0] < np.sqrt(np.mean((sizes + 0.1) ** 2)) - root < of_difference[1, 1]


def test_interval_at_a_lower_level_is_narrower(parts):
    test = parts[2]
    predictions = predict(fit_mean(parts[0]), test.users, test.items)[None]
    wide, narrow = (
        rmse_intervals(test, predictions, np.random.default_rng(0), level)[0]
        for level in (0.95, 0.5)
    )
    assert wide[0, 0] < narrow[0, 0] < narrow[0, 1] < wide[0, 1]


# ---- baselines


def test_means_are_means():
    ratings = some_ratings()
    model = fit_user_means(ratings)
    for user in range(ratings.shape[0]):
        own = ratings.stars[ratings.users == user]
        expected = own.mean() if len(own) else ratings.stars.mean()
        assert predict(model, np.array([user]), np.array([0])) == pytest.approx(expected)


def test_biases_minimise_their_objective():
    """A ridge regression on indicators; another penalty for items is another scale of theirs."""
    ratings = some_ratings(share=0.4)
    n, (users, items) = len(ratings.stars), ratings.shape
    design = np.zeros((n, users + items))
    design[np.arange(n), ratings.users] = 1
    design[np.arange(n), users + ratings.items] = 1
    scale = np.r_[np.ones(users), np.full(items, np.sqrt(6 / 2))]
    ridge = Ridge(alpha=6, fit_intercept=False, tol=1e-10)
    ridge.fit(design * scale, ratings.stars - ratings.stars.mean())
    model = fit_biases(ratings, user_penalty=6, item_penalty=2, epochs=200)
    np.testing.assert_allclose(
        np.r_[model.user_bias, model.item_bias], ridge.coef_ * scale, atol=1e-7
    )


def test_baselines_improve_in_their_order(parts):
    train, validation, _ = parts
    errors = [rmse(fit(train), validation) for fit in (fit_mean, fit_user_means, fit_biases)]
    assert errors[0] > errors[2]
    assert errors[1] > errors[2]


def test_who_knows_the_items_finds_each_user_by_a_ridge_regression():
    ratings = some_ratings(share=0.5)
    rng = np.random.default_rng(1)
    bias, traits = rng.normal(size=20), rng.normal(size=(20, 2))
    model = fit_users(ratings, bias, traits, penalty=3)
    slope, mean = np.polyfit(bias[ratings.items], ratings.stars, 1)
    own = ratings.users == 5
    items = ratings.items[own]
    ridge = Ridge(alpha=3, fit_intercept=False, tol=1e-12)
    features = np.column_stack([np.ones(20), traits])
    ridge.fit(features[items], ratings.stars[own] - mean - slope * bias[items])
    expected = mean + slope * bias + features @ ridge.coef_
    found = predict(model, np.full(20, 5), np.arange(20), clip=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_observed_zero_is_kept():
    ratings = make_ratings(np.ones((2, 2), bool), np.random.default_rng(0))
    ratings = replace(ratings, stars=np.full(4, 3, np.float32))
    assert residuals(ratings, fit_mean(ratings)).nnz == 4


# ---- use


def test_principal_axes_are_the_svd_of_the_product():
    model = random_model(some_ratings())
    U, s, V = principal_axes(model)
    np.testing.assert_allclose(U * s @ V.T, model.user_factors @ model.item_factors.T)
    np.testing.assert_allclose(U.T @ U, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(V.T @ V, np.eye(3), atol=1e-12)
    assert (np.diff(s) < 0).all()
