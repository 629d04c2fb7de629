"""ALS: down to where the gradient is flat, exactly or by conjugate gradients, with fixed or joint biases."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.optimize import minimize

from helpers.als import fit_als, fit_joint_als, joint_als_iterates
from helpers.factorization import gradients, objective, random_init
from helpers.rating_models import fit_biases, fit_mean, residuals, rmse
from tests.made_ratings import generated_parts, some_ratings


@pytest.fixture(scope="module")
def parts():
    return generated_parts()


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
