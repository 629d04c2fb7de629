"""Gradients against differences, fits against each other and a planted structure, and who has no ratings."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.optimize import check_grad

from helpers.als import als_iterates, fit_als, fit_joint_als, search_als
from helpers.factorization import gradients, objective, random_init, svd_init
from helpers.rating_models import fit_biases, fit_mean, predict, residuals, rmse
from helpers.ratings import hold_out
from helpers.sgd import fit_sgd, sgd_iterates
from tests.made_ratings import generated_parts, make_ratings, some_ratings


@pytest.fixture(scope="module")
def parts():
    return generated_parts()


# ---- objective and gradients


@pytest.mark.parametrize("weighted", [False, "root", True])
def test_objective_is_the_sum_written_out(weighted):
    ratings = some_ratings()
    matrix = residuals(ratings, fit_biases(ratings))
    Q, P = random_init(ratings.shape, 3, np.random.default_rng(2), 0.5)
    expected = 0.0
    power = {False: 0, "root": 0.5, True: 1}[weighted]
    for factors, axis in ((Q, 1), (P, 0)):
        counts = (matrix.toarray() != 0).sum(axis=axis)
        expected += sum(0.2 * n**power * (v @ v) for n, v in zip(counts, factors, strict=True))
    for u, i in zip(*matrix.nonzero(), strict=True):
        expected += (matrix[u, i] - Q[u] @ P[i]) ** 2
    found = objective(matrix, Q, P, penalty=0.2, weighted=weighted)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, "root", True])
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


# ---- fits


@pytest.mark.parametrize("method", [fit_als, fit_sgd])
def test_fit_returns_the_best_epoch_not_the_last(parts, method):
    train, validation, _ = parts
    init = random_init(train.shape, 30, np.random.default_rng(0))
    options = {"rng": np.random.default_rng(0)} if method is fit_sgd else {}
    fit = method(
        train, fit_biases(train), init, penalty=0.01, validation=validation, patience=4, **options
    )
    curve = fit.history["validation"]
    assert fit.best == np.argmin(curve) == len(curve) - 1 - 4
    assert rmse(fit.model, validation) == curve[fit.best] < curve[-1]


@pytest.mark.parametrize("method", ["als", "sgd"])
def test_fits_judge_the_iterates_which_later_ones_leave_as_they_are(parts, method):
    train, validation, _ = parts
    baseline = fit_biases(train)
    matrix, init = residuals(train, baseline), random_init(train.shape, 2, np.random.default_rng(0))
    iterates_of, fit_by = {"als": (als_iterates, fit_als), "sgd": (sgd_iterates, fit_sgd)}[method]
    options = [
        {"penalty": 0.1} | ({"rng": np.random.default_rng(1)} if method == "sgd" else {})
        for _ in range(2)
    ]
    fit = fit_by(train, baseline, init, **options[0], epochs=4, validation=validation)
    found = list(islice(iterates_of(matrix, init, **options[1]), 5))
    for n, (Q, P) in enumerate(found):
        model = replace(baseline, user_factors=Q, item_factors=P)
        judged = objective(matrix, Q, P, penalty=0.1, weighted=True)
        assert fit.history["objective"][n] == judged
        assert fit.history["training"][n] == rmse(model, train)
        assert fit.history["validation"][n] == rmse(model, validation)
    np.testing.assert_array_equal(fit.model.item_factors, found[fit.best][1])


def test_the_initialisation_is_not_changed():
    ratings = some_ratings()
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    copies = [factors.copy() for factors in init]
    fit_sgd(ratings, fit_mean(ratings), init, penalty=0.1, rng=np.random.default_rng(0), epochs=2)
    fit_als(ratings, fit_mean(ratings), init, penalty=0.1, epochs=2)
    np.testing.assert_array_equal(init[0], copies[0])
    np.testing.assert_array_equal(init[1], copies[1])


def test_factors_find_a_planted_structure_that_biases_miss():
    rng = np.random.default_rng(0)
    observed = rng.random((200, 80)) < 0.4
    ratings = make_ratings(observed, rng)
    taste = np.outer(rng.choice([-1, 1], 200), rng.choice([-1, 1], 80))
    ratings = replace(ratings, stars=(3 + taste[ratings.users, ratings.items]).astype(np.float32))
    train, validation, test = hold_out(ratings, rng)
    biases = fit_biases(train)
    fit = fit_als(
        train, biases, random_init(train.shape, 1, rng), penalty=0.02, validation=validation
    )
    assert rmse(biases, test) > 0.95
    assert rmse(fit.model, test) < 0.25


def test_search_tries_all_and_has_one_initialisation():
    ratings = some_ratings(share=0.5)
    baseline = fit_biases(ratings)
    found = list(
        search_als(ratings, baseline, [1, 2], [0.1, 0.4], weighted=False, epochs=5, seed=3)
    )
    assert [pair[:2] for pair in found] == [(1, 0.1), (1, 0.4), (2, 0.1), (2, 0.4)]
    init = random_init(ratings.shape, 2, np.random.default_rng(3))
    model = fit_als(ratings, baseline, init, penalty=0.4, weighted=False, epochs=5).model
    np.testing.assert_allclose(found[-1][2].item_factors, model.item_factors)


def test_users_and_items_without_training_ratings_get_the_bias_model():
    ratings = some_ratings()
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    baseline = fit_biases(ratings)
    fit = fit_als(ratings, baseline, init, penalty=0.1, epochs=3)
    pairs = np.array([0, 0, 5]), np.array([0, 5, 0])
    np.testing.assert_array_equal(predict(fit.model, *pairs), predict(baseline, *pairs))
    assert np.isfinite(predict(fit.model, *pairs)).all()


def test_a_single_rating_is_enough():
    ratings = make_ratings(np.ones((1, 1), bool), np.random.default_rng(0))
    init = random_init((1, 1), 2, np.random.default_rng(0))
    for fit in (
        fit_als(ratings, fit_biases(ratings), init, penalty=0.1),
        fit_sgd(
            ratings, fit_biases(ratings), init, penalty=0.1, rng=np.random.default_rng(0), epochs=3
        ),
    ):
        assert rmse(fit.model, ratings) < 0.1


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (fit_als, {"penalty": 0}, "penalty must be positive, got 0"),
        (fit_als, {"penalty": 1, "weighted": "sqrt"}, "False, True or 'root', got 'sqrt'"),
        (fit_als, {"penalty": 1, "cg_steps": 0}, "cg_steps must be positive, got 0"),
        (fit_joint_als, {"penalty": 0}, "penalty must be positive, got 0"),
        (fit_joint_als, {"penalty": 1, "bias_penalties": (0, 8)}, "user_penalty must be positive"),
        (fit_joint_als, {"penalty": 1, "bias_penalties": (9, 0)}, "item_penalty must be positive"),
        (fit_sgd, {"penalty": -1}, "penalty must be positive, got -1"),
        (fit_sgd, {"penalty": 1, "learning_rate": 0}, "learning_rate must be positive"),
    ],
)
def test_bad_options_are_named(method, options, message):
    ratings = some_ratings()
    if method is fit_sgd:
        options = {**options, "rng": np.random.default_rng(0)}
    init = random_init(ratings.shape, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        method(ratings, fit_mean(ratings), init, **options)


@pytest.mark.parametrize("shape", [(20, 30), (30, 19)])
def test_an_init_of_another_shape_is_refused(shape):
    ratings = some_ratings()
    init = random_init(shape, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"it needs \(\(30, 2\), \(20, 2\)\)"):
        fit_als(ratings, fit_mean(ratings), init, penalty=1)
    with pytest.raises(ValueError, match="k must be positive, got 0"):
        random_init((30, 20), 0, np.random.default_rng(0))


def test_svd_init_is_the_truncated_svd_with_zeros_for_what_is_missing():
    matrix = residuals(some_ratings(), fit_mean(some_ratings()))
    Q, P = svd_init(matrix, 4)
    U, s, Vt = np.linalg.svd(matrix.toarray())
    np.testing.assert_allclose(Q @ P.T, (U[:, :4] * s[:4]) @ Vt[:4], atol=1e-10)
    np.testing.assert_allclose(P.T @ P, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(Q, axis=0), s[:4])
    with pytest.raises(ValueError, match="less than 20, got 20"):
        svd_init(matrix, 20)


def test_where_nothing_is_left_the_svd_gives_factors_that_add_nothing():
    ratings = replace(some_ratings(), stars=np.full_like(some_ratings().stars, 4))
    baseline = fit_mean(ratings)
    Q, P = svd_init(residuals(ratings, baseline), 4)
    assert (Q == 0).all()
    np.testing.assert_array_equal(P.T @ P, np.eye(4))
    fit = fit_als(ratings, baseline, (Q, P), penalty=0.1, epochs=3)
    np.testing.assert_array_equal(fit.model.item_factors, 0)
    assert fit.history["training"] == [0, 0, 0, 0]
