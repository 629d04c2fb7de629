"""Predictions and their errors against what is written out, baselines against a library."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from helpers.factorization import fit_als, random_init
from helpers.rating_models import (
    fit_biases,
    fit_mean,
    fit_user_means,
    fit_users,
    fold_in,
    nearest_items,
    predict,
    predict_new,
    principal_axes,
    residuals,
    rmse,
    rmse_by_activity,
    rmse_intervals,
    user_with,
)
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
    expected = np.sqrt(np.mean((ratings.stars - dense[pairs]) ** 2))
    assert rmse(model, ratings, clip=False) == pytest.approx(expected)
    assert rmse(model, ratings) < expected


def test_ratings_of_another_split_are_refused(parts):
    model = fit_mean(some_ratings())
    with pytest.raises(ValueError, match="the model knows 30 users and 20 items"):
        rmse(model, parts[0])
    with pytest.raises(ValueError, match="they must come from one split"):
        residuals(parts[0], model)


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


def test_folding_in_a_known_user_gives_what_training_gave(parts):
    train, _, _ = parts
    baseline = fit_biases(train)
    fit = fit_als(
        train, baseline, random_init(train.shape, 2, np.random.default_rng(0)), penalty=0.2
    )
    model = fit.model
    user = 7
    own = train.users == user
    bias, factors = fold_in(model, train.items[own], train.stars[own], penalty=0.2, weighted=True)
    assert bias == pytest.approx(model.user_bias[user], abs=1e-3)
    np.testing.assert_allclose(factors, model.user_factors[user], atol=0.02)
    everything = np.arange(train.shape[1])
    found = predict_new(model, bias, factors)
    np.testing.assert_allclose(
        found, predict(model, np.full(len(everything), user), everything), atol=0.03
    )


def test_who_has_rated_nothing_is_predicted_by_the_items_alone():
    model = random_model(some_ratings())
    bias, factors = fold_in(model, [], [], penalty=0.1, weighted=False)
    assert bias == 0
    np.testing.assert_array_equal(factors, 0)
    np.testing.assert_allclose(
        predict_new(model, bias, factors), (model.mean + model.item_bias).clip(1, 5)
    )


@pytest.mark.parametrize(
    ("items", "stars", "message"),
    [([1, 2], [3], "one rating for each item"), ([1], [6], "between 1 and 5")],
)
def test_ratings_that_make_no_sense_are_named(items, stars, message):
    with pytest.raises(ValueError, match=message):
        fold_in(random_model(some_ratings()), items, stars, penalty=0.1, weighted=True)


def test_nearest_items_dont_depend_on_how_the_factors_are_turned():
    model = random_model(some_ratings())
    mix = np.array([[2.0, 1, 0], [0, 1, 3], [1, 0, 1]])
    turned = replace(
        model,
        user_factors=model.user_factors @ mix,
        item_factors=model.item_factors @ np.linalg.inv(mix).T,
    )
    near = nearest_items(model, 4, 6)
    np.testing.assert_array_equal(near, nearest_items(turned, 4, 6))
    product = model.user_factors @ model.item_factors.T  # an item is a column of predictions
    distances = np.linalg.norm(product - product[:, [4]], axis=0)
    np.testing.assert_array_equal(near, np.argsort(distances)[1:7])
    among = np.array([2, 4, 9, 11])
    np.testing.assert_array_equal(
        nearest_items(model, 4, 2, among), [i for i in np.argsort(distances)[1:] if i in among][:2]
    )


def test_user_with_so_many_ratings_or_about():
    ratings = some_ratings(share=0.5)
    counts = np.bincount(ratings.users, minlength=30)
    assert counts[user_with(ratings, 8)] == counts[np.abs(counts - 8).argmin()]
    assert user_with(ratings, 10**6) == counts.argmax()
