"""Each solve against a library, the whole against a dense reference, and who has no ratings."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import check_grad
from sklearn.linear_model import Ridge

from helpers.factorization import (
    fast_ridge_rows,
    fit_als,
    fit_biases,
    fit_mean,
    fit_sgd,
    fit_user_means,
    fit_users,
    fold_in,
    gradients,
    nearest_items,
    objective,
    penalties,
    predict,
    predict_new,
    principal_axes,
    random_start,
    residuals,
    ridge_rows,
    rmse,
    rmse_intervals,
    search_als,
    sgd_pass,
    svd_start,
    user_with,
)
from helpers.ratings import Ratings, generate_ratings, hold_out, prune


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


@pytest.fixture(scope="module")
def parts():
    """Generated ratings, pruned and split."""
    ratings, _ = generate_ratings(np.random.default_rng(0), 20_000, 400)
    return hold_out(prune(ratings, 10)[0], np.random.default_rng(1))


def random_model(ratings, k=3, seed=0):
    rng = np.random.default_rng(seed)
    biases = (rng.normal(0, 0.3, n) for n in ratings.shape)
    return replace(
        fit_mean(ratings),
        **dict(zip(("user_bias", "item_bias"), biases, strict=True)),
        **dict(
            zip(
                ("user_factors", "item_factors"),
                random_start(ratings.shape, k, rng, 1),
                strict=True,
            )
        ),
    )


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
    np.testing.assert_allclose(predict(model, *pairs, cut_off=False), dense[pairs])
    np.testing.assert_allclose(predict(model, *pairs), dense.clip(1, 5)[pairs])
    expected = np.sqrt(np.mean((ratings.stars - dense[pairs]) ** 2))
    assert rmse(model, ratings, cut_off=False) == pytest.approx(expected)
    assert rmse(model, ratings) < expected


def test_ratings_of_another_split_are_refused(parts):
    model = fit_mean(some_ratings())
    with pytest.raises(ValueError, match="the model knows 30 users and 20 items"):
        rmse(model, parts[0])
    with pytest.raises(ValueError, match="they must come from one split"):
        residuals(parts[0], model)


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
    model = fit_biases(ratings, user_penalty=6, item_penalty=2, passes=200)
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
    found = predict(model, np.full(20, 5), np.arange(20), cut_off=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_rows_at_all_are_solved_too():
    empty = scipy.sparse.csr_array((0, 4))
    assert fast_ridge_rows(empty, np.ones((4, 2)), np.ones(0)).shape == (0, 2)


# ---- objective and gradients


@pytest.mark.parametrize("weighted", [False, True])
def test_objective_is_the_sum_written_out(weighted):
    ratings = some_ratings()
    matrix = residuals(ratings, fit_biases(ratings))
    Q, P = random_start(ratings.shape, 3, np.random.default_rng(2), 0.5)
    expected = 0.0
    for u, i in zip(*matrix.nonzero(), strict=True):
        expected += (matrix[u, i] - Q[u] @ P[i]) ** 2
        if weighted:
            expected += 0.2 * (Q[u] @ Q[u] + P[i] @ P[i])
    if not weighted:
        expected += 0.2 * (np.sum(Q**2) + np.sum(P**2))
    found = objective(matrix, Q, P, penalty=0.2, weighted=weighted)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_the_objective(weighted):
    ratings = some_ratings(8, 6)
    matrix = residuals(ratings, fit_mean(ratings))
    shapes = (8, 2), (6, 2)
    options = {"penalty": 0.3, "weighted": weighted}

    def split(x):
        return x[:16].reshape(shapes[0]), x[16:].reshape(shapes[1])

    def slope(x):
        return np.concatenate([g.ravel() for g in gradients(matrix, *split(x), **options)])

    x = np.random.default_rng(1).normal(size=28)
    error = check_grad(lambda x: objective(matrix, *split(x), **options), slope, x)
    assert error < 1e-5 * np.linalg.norm(slope(x))


def test_an_observed_zero_is_kept():
    ratings = make_ratings(np.ones((2, 2), bool), np.random.default_rng(0))
    ratings = replace(ratings, stars=np.full(4, 3, np.float32))
    assert residuals(ratings, fit_mean(ratings)).nnz == 4


# ---- ridge regressions


@pytest.mark.parametrize("solve", [ridge_rows, fast_ridge_rows])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_each_row_is_a_ridge_regression(solve, k):
    """Against scikit-learn; rows are shorter and longer than k."""
    ratings = some_ratings(share=0.4)
    matrix = residuals(ratings, fit_mean(ratings))
    _, factors = random_start(ratings.shape, k, np.random.default_rng(0), 1)
    weights, _ = penalties(matrix, penalty=0.3, weighted=True)
    solved = solve(matrix, factors, weights)
    for row in range(matrix.shape[0]):
        rated = ratings.items[ratings.users == row]
        if len(rated) == 0:
            np.testing.assert_array_equal(solved[row], 0)
            continue
        ridge = Ridge(alpha=0.3 * len(rated), fit_intercept=False, tol=1e-12)
        ridge.fit(factors[rated], matrix[[row]].data)
        np.testing.assert_allclose(solved[row], ridge.coef_, atol=1e-8)


@given(
    observed=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    k=st.integers(1, 6),
    weighted=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_fast_rows_are_the_readable_ones_whatever_is_observed(observed, k, weighted):
    rng = np.random.default_rng(0)
    values = rng.normal(size=observed.shape) * observed
    matrix = scipy.sparse.csr_array(values)
    factors = rng.normal(size=(observed.shape[1], k))
    weights, _ = penalties(matrix, penalty=0.5, weighted=weighted)
    np.testing.assert_allclose(
        fast_ridge_rows(matrix, factors, weights), ridge_rows(matrix, factors, weights), atol=1e-9
    )


# ---- fits


@pytest.mark.parametrize("weighted", [False, True])
def test_als_never_raises_its_objective_and_ends_where_the_gradient_is_flat(weighted):
    ratings = some_ratings(share=0.5)
    baseline = fit_biases(ratings)
    start = random_start(ratings.shape, 3, np.random.default_rng(0))
    options = {"penalty": 0.5 if weighted else 2.0, "weighted": weighted}
    fit = fit_als(ratings, baseline, start, **options, passes=300)
    assert (np.diff(fit.history["objective"]) <= 1e-9).all()
    assert len(fit.history["objective"]) == 301
    factors = fit.model.user_factors, fit.model.item_factors
    matrix = residuals(ratings, baseline)
    at_start = np.linalg.norm(gradients(matrix, *start, **options)[0])
    assert max(np.abs(g).max() for g in gradients(matrix, *factors, **options)) < 1e-3 * at_start


def test_the_other_penalty_leads_elsewhere():
    ratings = some_ratings(share=0.5)
    start = random_start(ratings.shape, 2, np.random.default_rng(0))
    matrix = residuals(ratings, fit_mean(ratings))
    fits = [
        fit_als(ratings, fit_mean(ratings), start, penalty=0.5, weighted=w, passes=100).model
        for w in (True, False)
    ]
    values = [
        objective(matrix, m.user_factors, m.item_factors, penalty=0.5, weighted=True) for m in fits
    ]
    assert values[0] < values[1]


def test_sgd_pass_takes_the_steps_written_out():
    ratings = some_ratings()
    matrix = residuals(ratings, fit_mean(ratings))
    users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    start = random_start(ratings.shape, 3, np.random.default_rng(0), 0.5)
    order = np.random.default_rng(1).permutation(len(users))
    Q, P = (factors.copy() for factors in start)
    for n in order:
        u, i = users[n], matrix.indices[n]
        error = matrix.data[n] - Q[u] @ P[i]
        Q[u], P[i] = (
            Q[u] + 0.02 * (error * P[i] - 0.1 * Q[u]),
            P[i] + 0.02 * (error * Q[u] - 0.1 * P[i]),
        )
    for run in (sgd_pass, sgd_pass.py_func):
        found = [factors.copy() for factors in start]
        run(users[order], matrix.indices[order], matrix.data[order], *found, 0.02, 0.1)
        np.testing.assert_allclose(found[0], Q)
        np.testing.assert_allclose(found[1], P)


def test_sgd_minimises_the_weighted_objective():
    ratings = some_ratings(share=0.5)
    start = random_start(ratings.shape, 3, np.random.default_rng(0))
    options = {"penalty": 0.5}
    als = fit_als(ratings, fit_mean(ratings), start, **options, passes=300)
    rng = np.random.default_rng(0)
    sgd = fit_sgd(ratings, fit_mean(ratings), start, **options, rng=rng, rate=3e-3, passes=2000)
    reached = [fit.history["objective"][-1] for fit in (als, sgd)]
    assert reached[1] == pytest.approx(reached[0], rel=5e-3)


@pytest.mark.parametrize("method", [fit_als, fit_sgd])
def test_fit_returns_the_best_pass_not_the_last(parts, method):
    train, validation, _ = parts
    start = random_start(train.shape, 30, np.random.default_rng(0))
    options = {"rng": np.random.default_rng(0)} if method is fit_sgd else {}
    fit = method(
        train, fit_biases(train), start, penalty=0.01, validation=validation, patience=4, **options
    )
    curve = fit.history["validation"]
    assert fit.best == np.argmin(curve) == len(curve) - 1 - 4
    assert rmse(fit.model, validation) == curve[fit.best] < curve[-1]


def test_the_start_is_not_changed():
    ratings = some_ratings()
    start = random_start(ratings.shape, 3, np.random.default_rng(0))
    copies = [factors.copy() for factors in start]
    fit_sgd(ratings, fit_mean(ratings), start, penalty=0.1, rng=np.random.default_rng(0), passes=2)
    fit_als(ratings, fit_mean(ratings), start, penalty=0.1, passes=2)
    np.testing.assert_array_equal(start[0], copies[0])
    np.testing.assert_array_equal(start[1], copies[1])


def test_factors_find_a_planted_structure_that_biases_miss():
    rng = np.random.default_rng(0)
    observed = rng.random((200, 80)) < 0.4
    ratings = make_ratings(observed, rng)
    taste = np.outer(rng.choice([-1, 1], 200), rng.choice([-1, 1], 80))
    ratings = replace(ratings, stars=(3 + taste[ratings.users, ratings.items]).astype(np.float32))
    train, validation, test = hold_out(ratings, rng)
    biases = fit_biases(train)
    fit = fit_als(
        train, biases, random_start(train.shape, 1, rng), penalty=0.02, validation=validation
    )
    assert rmse(biases, test) > 0.95
    assert rmse(fit.model, test) < 0.25


def test_search_tries_all_and_begins_at_the_same_place():
    ratings = some_ratings(share=0.5)
    baseline = fit_biases(ratings)
    found = list(
        search_als(ratings, baseline, [1, 2], [0.1, 0.4], weighted=False, passes=5, seed=3)
    )
    assert [pair[:2] for pair in found] == [(1, 0.1), (1, 0.4), (2, 0.1), (2, 0.4)]
    start = random_start(ratings.shape, 2, np.random.default_rng(3))
    model = fit_als(ratings, baseline, start, penalty=0.4, weighted=False, passes=5).model
    np.testing.assert_allclose(found[-1][2].item_factors, model.item_factors)


def test_user_with_so_many_ratings_or_about():
    ratings = some_ratings(share=0.5)
    counts = np.bincount(ratings.users, minlength=30)
    assert counts[user_with(ratings, 8)] == counts[np.abs(counts - 8).argmin()]
    assert user_with(ratings, 10**6) == counts.argmax()


def test_users_and_items_without_training_ratings_get_the_bias_model():
    ratings = some_ratings()
    start = random_start(ratings.shape, 3, np.random.default_rng(0))
    baseline = fit_biases(ratings)
    fit = fit_als(ratings, baseline, start, penalty=0.1, passes=3)
    pairs = np.array([0, 0, 5]), np.array([0, 5, 0])
    np.testing.assert_array_equal(predict(fit.model, *pairs), predict(baseline, *pairs))
    assert np.isfinite(predict(fit.model, *pairs)).all()


def test_a_single_rating_is_enough():
    ratings = make_ratings(np.ones((1, 1), bool), np.random.default_rng(0))
    start = random_start((1, 1), 2, np.random.default_rng(0))
    for fit in (
        fit_als(ratings, fit_biases(ratings), start, penalty=0.1),
        fit_sgd(
            ratings, fit_biases(ratings), start, penalty=0.1, rng=np.random.default_rng(0), passes=3
        ),
    ):
        assert rmse(fit.model, ratings) < 0.1


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (fit_als, {"penalty": 0}, "penalty must be positive, got 0"),
        (fit_sgd, {"penalty": -1}, "penalty must be positive, got -1"),
        (fit_sgd, {"penalty": 1, "rate": 0}, "rate must be positive"),
    ],
)
def test_bad_options_are_named(method, options, message):
    ratings = some_ratings()
    if method is fit_sgd:
        options = {**options, "rng": np.random.default_rng(0)}
    start = random_start(ratings.shape, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        method(ratings, fit_mean(ratings), start, **options)


@pytest.mark.parametrize("shape", [(20, 30), (30, 19)])
def test_a_start_of_another_shape_is_refused(shape):
    ratings = some_ratings()
    start = random_start(shape, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"it needs \(\(30, 2\), \(20, 2\)\)"):
        fit_als(ratings, fit_mean(ratings), start, penalty=1)
    with pytest.raises(ValueError, match="k must be positive, got 0"):
        random_start((30, 20), 0, np.random.default_rng(0))


def test_svd_start_is_the_truncated_svd_with_zeros_for_what_is_missing():
    matrix = residuals(some_ratings(), fit_mean(some_ratings()))
    Q, P = svd_start(matrix, 4)
    U, s, Vt = np.linalg.svd(matrix.toarray())
    np.testing.assert_allclose(Q @ P.T, (U[:, :4] * s[:4]) @ Vt[:4], atol=1e-10)
    np.testing.assert_allclose(P.T @ P, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(Q, axis=0), s[:4])
    with pytest.raises(ValueError, match="less than 20, got 20"):
        svd_start(matrix, 20)


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
        train, baseline, random_start(train.shape, 2, np.random.default_rng(0)), penalty=0.2
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
