"""Gradients against differences, fits against each other and a planted structure, and who has no ratings."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize

from helpers.factorization import (
    als_iterates,
    fit_als,
    fit_joint_als,
    fit_sgd,
    gradients,
    joint_als_iterates,
    objective,
    random_init,
    search_als,
    sgd_epoch,
    sgd_iterates,
    svd_init,
)
from helpers.rating_models import fit_biases, fit_mean, predict, residuals, rmse
from helpers.ratings import coordinates, hold_out
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


@pytest.mark.parametrize("weighted", [False, "root", True])
def test_als_never_raises_its_objective_and_ends_where_the_gradient_is_flat(weighted):
    ratings = some_ratings(share=0.5)
    baseline = fit_biases(ratings)
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    options = {"penalty": {False: 2.0, "root": 1.0, True: 0.5}[weighted], "weighted": weighted}
    fit = fit_als(ratings, baseline, init, **options, epochs=300)
    assert (np.diff(fit.history["objective"]) <= 1e-9).all()
    assert len(fit.history["objective"]) == 301
    factors = fit.model.user_factors, fit.model.item_factors
    matrix = residuals(ratings, baseline)
    at_start = np.linalg.norm(gradients(matrix, *init, **options)[0])
    assert max(np.abs(g).max() for g in gradients(matrix, *factors, **options)) < 1e-3 * at_start


def test_the_other_penalty_leads_elsewhere():
    ratings = some_ratings(share=0.5)
    init = random_init(ratings.shape, 2, np.random.default_rng(0))
    matrix = residuals(ratings, fit_mean(ratings))
    fits = [
        fit_als(ratings, fit_mean(ratings), init, penalty=0.5, weighted=w, epochs=100).model
        for w in (True, False)
    ]
    values = [
        objective(matrix, m.user_factors, m.item_factors, penalty=0.5, weighted=True) for m in fits
    ]
    assert values[0] < values[1]


@pytest.mark.parametrize("weighted", [False, "root", True])
def test_conjugate_gradients_go_down_to_where_exact_solutions_end(weighted):
    ratings = some_ratings(share=0.5)
    init = random_init(ratings.shape, 8, np.random.default_rng(0), 0.5)
    options = {
        "penalty": {False: 2.0, "root": 0.6, True: 0.2}[weighted],
        "weighted": weighted,
        "epochs": 200,
    }
    exact = fit_als(ratings, fit_biases(ratings), init, **options).history["objective"]
    steps = fit_als(ratings, fit_biases(ratings), init, **options, cg_steps=2).history["objective"]
    assert (np.diff(steps) <= 1e-5 * steps[0]).all()
    assert steps[1] > 1.01 * exact[1]  # they are not exact
    assert steps[-1] == pytest.approx(exact[-1], rel=5e-3)


# ---- biases and factors together


def joint_problem(ratings, baseline, k, *, penalty, weighted, bias_penalties):
    """The joint objective and its gradient by one long vector, written out for a dense matrix."""
    users, items = ratings.shape
    seen, stars = np.zeros((users, items)), np.zeros((users, items))
    seen[ratings.users, ratings.items], stars[ratings.users, ratings.items] = 1, ratings.stars
    power = {False: 0, "root": 0.5, True: 1}[weighted]
    costs = [seen.sum(axis=axis) ** power for axis in (1, 0)]

    def value_and_slope(x):
        b, c, Q, P = np.split(x, np.cumsum([users, items, users * k]))
        Q, P = Q.reshape(users, k), P.reshape(items, k)
        left = seen * (stars - baseline.mean - b[:, None] - c - Q @ P.T)
        of_Q, of_P = (penalty * cost[:, None] for cost in costs)
        value = np.sum(left**2) + np.sum(of_Q * Q**2) + np.sum(of_P * P**2)
        value += bias_penalties[0] * b @ b + bias_penalties[1] * c @ c
        slope = [
            -left.sum(axis=1) + bias_penalties[0] * b,
            -left.sum(axis=0) + bias_penalties[1] * c,
            (-left @ P + of_Q * Q).ravel(),
            (-left.T @ Q + of_P * P).ravel(),
        ]
        return value, 2 * np.concatenate(slope)

    return value_and_slope


def as_vector(model):
    parts = model.user_bias, model.item_bias, model.user_factors, model.item_factors
    return np.concatenate([part.ravel() for part in parts])


@pytest.mark.parametrize("weighted", [False, "root", True])
def test_joint_fit_ends_where_an_independent_solver_of_the_same_objective_does(weighted):
    ratings = some_ratings(share=0.5)
    baseline = fit_biases(ratings)
    init = random_init(ratings.shape, 2, np.random.default_rng(0), 0.5)
    options = {
        "penalty": {False: 3.0, "root": 1.0, True: 0.3}[weighted],
        "weighted": weighted,
        "bias_penalties": (3, 2),
    }
    fit = fit_joint_als(ratings, baseline, init, **options, epochs=1000)
    problem = joint_problem(ratings, baseline, 2, **options)
    start = as_vector(replace(baseline, user_factors=init[0], item_factors=init[1]))
    assert fit.history["objective"][0] == pytest.approx(problem(start)[0])
    value, slope = problem(as_vector(fit.model))
    assert fit.history["objective"][-1] == pytest.approx(value)
    assert np.abs(slope).max() < 1e-3 * np.abs(problem(start)[1]).max()
    solved = minimize(problem, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000})
    assert value == pytest.approx(solved.fun, rel=1e-4)
    assert (np.diff(fit.history["objective"]) <= 1e-9).all()


def test_joint_fit_goes_lower_than_factors_of_what_fixed_biases_leave():
    ratings = some_ratings(share=0.5)
    baseline = fit_biases(ratings)
    init = random_init(ratings.shape, 2, np.random.default_rng(0), 0.5)
    options = {"penalty": 0.3, "weighted": True}
    joint = fit_joint_als(ratings, baseline, init, **options, epochs=300).model
    fixed = fit_als(ratings, baseline, init, **options, epochs=300).model
    problem = joint_problem(ratings, baseline, 2, **options, bias_penalties=(10, 8))
    assert problem(as_vector(joint))[0] < 0.999 * problem(as_vector(fixed))[0]


def test_joint_models_are_judged_and_the_best_is_kept(parts):
    train, validation, _ = parts
    init = random_init(train.shape, 30, np.random.default_rng(0))
    fit = fit_joint_als(
        train, fit_biases(train), init, penalty=0.01, validation=validation, patience=4
    )
    curve = fit.history["validation"]
    assert fit.best == np.argmin(curve) == len(curve) - 1 - 4
    models = joint_als_iterates(train, fit_biases(train), init, penalty=0.01)
    for n, model in enumerate(islice(models, len(curve))):
        assert curve[n] == rmse(model, validation)
        assert fit.history["training"][n] == pytest.approx(rmse(model, train))


# ---- SGD


def test_sgd_that_diverges_names_its_learning_rate():
    ratings = some_ratings(share=0.5)
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    with pytest.raises(FloatingPointError, match="lower the learning rate, now 2"):
        fit_sgd(
            ratings,
            fit_mean(ratings),
            init,
            penalty=0.1,
            rng=np.random.default_rng(0),
            learning_rate=2,
        )


def test_sgd_epoch_takes_the_steps_written_out():
    ratings = some_ratings()
    matrix = residuals(ratings, fit_mean(ratings))
    users, items, targets = coordinates(matrix)
    init = random_init(ratings.shape, 3, np.random.default_rng(0), 0.5)
    order = np.random.default_rng(1).permutation(len(users))
    Q, P = (factors.copy() for factors in init)
    for n in order:
        u, i = users[n], items[n]
        error = targets[n] - Q[u] @ P[i]
        Q[u], P[i] = (
            Q[u] + 0.02 * (error * P[i] - 0.1 * Q[u]),
            P[i] + 0.02 * (error * Q[u] - 0.1 * P[i]),
        )
    for run in (sgd_epoch, sgd_epoch.py_func):
        found = [factors.copy() for factors in init]
        run(users[order], items[order], targets[order], *found, 0.02, 0.1)
        np.testing.assert_allclose(found[0], Q)
        np.testing.assert_allclose(found[1], P)


def test_sgd_minimises_the_weighted_objective():
    ratings = some_ratings(share=0.5)
    init = random_init(ratings.shape, 3, np.random.default_rng(0))
    options = {"penalty": 0.5}
    als = fit_als(ratings, fit_mean(ratings), init, **options, epochs=300)
    rng = np.random.default_rng(0)
    sgd = fit_sgd(
        ratings, fit_mean(ratings), init, **options, rng=rng, learning_rate=3e-3, epochs=2000
    )
    reached = [fit.history["objective"][-1] for fit in (als, sgd)]
    assert reached[1] == pytest.approx(reached[0], rel=5e-3)


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
