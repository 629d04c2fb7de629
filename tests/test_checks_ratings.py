"""Checks of chapter 2's exercises: right answers of different kinds pass, wrong ones are told apart."""

from functools import partial

import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.linear_model import Ridge

from helpers.als import als_iterates
from helpers.checks.parts import WrongAnswer
from helpers.checks.ratings import (
    AT_THE_BEST_OF_TWO,
    EACH_AT_ITS_BEST,
    check_als_epoch,
    check_avalanche,
    check_bias_epoch,
    check_dual,
    check_item_means,
    check_newcomers,
    check_third_factor,
)
from helpers.ratings import prune, to_csr
from helpers.recommendation import fold_in, predict_new
from tests.made_ratings import generated_parts, random_model


@pytest.fixture(scope="module")
def train():
    return generated_parts()[0]


def refused(words, check, *answers):
    with pytest.raises(WrongAnswer, match=words):
        check(*answers)


# ---- 1 the mean of what was observed


@pytest.fixture(scope="module")
def matrix(train):
    return to_csr(train, train.stars - 4)


def item_means(matrix):
    return matrix.sum(axis=0) / np.bincount(matrix.indices, minlength=matrix.shape[1])


def test_item_means_pass_in_every_form(matrix, capsys):
    means = item_means(matrix)
    check_item_means(means, matrix)
    check_item_means(means.tolist(), matrix)
    check_item_means(torch.tensor(means), matrix)
    columns = matrix.tocsc()
    by_loop = [columns[:, [i]].data.mean() for i in range(matrix.shape[1])]
    check_item_means(np.array(by_loop, np.float32), matrix)
    assert "entries have" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda m: m.mean(axis=0), "number of all users"),
        (lambda m: m.sum(axis=0) / (m != 0).sum(axis=0), "aren't 0"),
        (lambda m: m.sum(axis=0), "these are sums"),
        (lambda m: item_means(m) + 4, "4 stars taken off"),
        (lambda m: np.bincount(m.indices), "numbers of ratings"),
        (lambda m: item_means(m)[::-1], "item 0 has another mean"),
        (lambda m: m.mean(axis=1), "should have the shape"),
        (lambda m: item_means(m)[None], "should have the shape"),
    ],
)
def test_other_means_are_told_apart(matrix, wrong, words):
    refused(words, check_item_means, wrong(matrix), matrix)


# ---- 2 the avalanche


@pytest.fixture(scope="module")
def last(train):
    limit = 0
    while True:
        try:
            left = prune(train, limit + 1)[0].shape
        except ValueError:
            return limit, *left
        limit += 1


@pytest.mark.parametrize("kind", [int, float, np.int64, np.array])
def test_the_avalanche_passes_in_every_form(train, last, kind, capsys):
    check_avalanche(kind(last[0]), kind(last[1]), train)
    assert "nobody" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "users", "words"),
    [
        (1, 5, "nobody is left"),
        (-1, 5, "somebody is left, too"),
        (0, "before", "before pruning"),
        (0, "items", "restaurants are left"),
        (0, 1, "count again"),
        (0.5, 5, "limit should be a whole number"),
        (0, [1, 2], "users_left should have the shape"),
    ],
)
def test_other_avalanches_are_told_apart(train, last, change, users, words):
    users = (
        {"before": train.shape[0], "items": last[2]}.get(users, users)
        if isinstance(users, str)
        else users
    )
    refused(words, check_avalanche, last[0] + change, users, train)


# ---- 3 one epoch of ALS


def solve(matrix, factors, penalty, method=np.linalg.solve, keep=lambda values: values == values):
    solved = np.zeros((matrix.shape[0], factors.shape[1]))
    for row in range(matrix.shape[0]):
        own = slice(matrix.indptr[row], matrix.indptr[row + 1])
        kept = keep(matrix.data[own])
        A, y = factors[matrix.indices[own][kept]], matrix.data[own][kept]
        own_penalty = penalty * len(y) if method == "weighted" else penalty
        ridge = A.T @ A + own_penalty * np.eye(A.shape[1])
        if len(y):
            way = np.linalg.solve if method == "weighted" else method
            solved[row] = way(ridge, A.T @ y)
    return solved


def als(matrix, P, penalty, **options):
    Q = solve(matrix, P, penalty, **options)
    return Q, solve(matrix.T.tocsr(), Q, penalty, **options)


def by_library(matrix, P, penalty):
    def rows(matrix, factors):
        solved = []
        for row in range(matrix.shape[0]):
            own = slice(matrix.indptr[row], matrix.indptr[row + 1])
            if own.start == own.stop:
                solved.append(np.zeros(factors.shape[1]))
                continue
            ridge = Ridge(alpha=penalty, fit_intercept=False, tol=1e-12)
            solved.append(ridge.fit(factors[matrix.indices[own]], matrix.data[own]).coef_)
        return np.array(solved)

    Q = rows(matrix, P)
    return [Q, rows(matrix.T.tocsr(), Q)]


def by_course(matrix, P, penalty):
    start = np.zeros((matrix.shape[0], P.shape[1])), P
    epochs = als_iterates(matrix, start, penalty=penalty, weighted=False)
    next(epochs)
    return next(epochs)


def items_first(matrix, P, penalty):
    Q = solve(matrix, P, penalty)
    P = solve(matrix.T.tocsr(), Q, penalty)
    return solve(matrix, P, penalty), P


def dense(matrix, P, penalty):
    full = matrix.toarray()
    eye = penalty * np.eye(P.shape[1])
    Q = np.linalg.solve(P.T @ P + eye, P.T @ full.T).T
    return Q, np.linalg.solve(Q.T @ Q + eye, Q.T @ full).T


@pytest.mark.parametrize(
    "right",
    [als, partial(als, method=scipy.linalg.solve), by_library, by_course],
    ids=["numpy", "scipy", "scikit-learn", "course"],
)
def test_every_right_epoch_of_als_passes(right, capsys):
    check_als_epoch(right)
    assert capsys.readouterr().out.count("by the course's solver") == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda m, P, c: als(m, P, c)[0], "should return two arrays"),
        (lambda m, P, c: als(m, P, c)[::-1], "Q should have the shape"),
        (lambda m, P, c: [each.T for each in als(m, P, c)], "rows and columns are swapped"),
        (lambda m, P, c: (als(m, P, c)[0], P), "P came back as it went in"),
        (lambda m, P, c: als(m, P, 1e-12), "without the penalty"),
        (partial(als, method="weighted"), "this is the weighted penalty"),
        (dense, "missing entries were taken for 0"),
        (partial(als, keep=lambda values: values != 0), "ratings of 0 were left out"),
        (lambda m, P, c: als(m, P, c / 2), "half of λ"),
        (items_first, "begin with the users"),
        (lambda m, P, c: [-each for each in als(m, P, c)], "the gradient of J by q_u isn't 0"),
        (lambda m, P, c: (als(m, P, c)[0], als(m, P, c)[1] + 1), "solved from the"),
    ],
)
def test_other_epochs_of_als_are_told_apart(wrong, words):
    refused(words, check_als_epoch, wrong)


# ---- 4 the third factor

FAIR, UNFAIR = EACH_AT_ITS_BEST, AT_THE_BEST_OF_TWO


@pytest.mark.parametrize("kind", [tuple, list, np.array, lambda x: np.array(x) + 1e-4])
def test_both_intervals_pass_in_every_form(kind, capsys):
    check_third_factor(kind(FAIR), kind(UNFAIR))
    assert "win at most" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fair", "unfair", "words"),
    [
        ((-FAIR[1], -FAIR[0]), UNFAIR, "turn it round"),
        (FAIR[::-1], UNFAIR, "the lower end comes first"),
        ((0.95, 0.99), UNFAIR, "not of a difference"),
        (UNFAIR, FAIR, "interval: this belongs to the other"),
        (FAIR, FAIR, "unfair: this belongs to the other"),
        ((-0.002, 0.003), UNFAIR, "early stopping"),
        (0.002, UNFAIR, "should have the shape"),
    ],
)
def test_other_intervals_are_told_apart(fair, unfair, words):
    refused(words, check_third_factor, fair, unfair)


# ---- 5 SGD for the biases


@pytest.fixture(scope="module")
def rows(train):
    mean = float(train.stars.mean(dtype=float))
    return *(part.tolist() for part in (train.users, train.items, train.stars)), mean


def sgd(rows, how=""):
    users, items, stars, mean = rows

    def bias_epoch(order, b_u, b_i, learning_rate, penalty):
        if how == "copies":
            b_u, b_i = b_u.copy(), b_i.copy()
        for n in {"range": range(len(stars)), "sorted": sorted(set(order))}.get(how, order):
            u, i = users[n], items[n]
            error = stars[n] - (0 if how == "no mean" else mean) - b_u[u] - b_i[i]
            c = 0 if how == "no penalty" else penalty
            rate = 1 if how == "no rate" else -learning_rate if how == "uphill" else learning_rate
            if how == "outside":
                b_u[u] += rate * error - c * b_u[u]
                b_i[i] += rate * error - c * b_i[i]
                continue
            if how == "gradient":
                steps = -2 * (error - c * b_u[u]), -2 * (error - c * b_i[i])
                b_u[u], b_i[i] = b_u[u] - rate / 2 * steps[0], b_i[i] - rate / 2 * steps[1]
                continue
            b_u[u] += rate * (error - c * b_u[u])
            if how == "new error":
                error = stars[n] - mean - b_u[u] - b_i[i]
            if how != "users":
                b_i[i] += rate * (error - c * b_i[i])

    return bias_epoch


def with_arrays(rows):
    return sgd((*map(np.array, rows[:3]), rows[3]))


def shrunk_first(rows):
    users, items, stars, mean = rows

    def bias_epoch(order, b_u, b_i, eta, lam):
        for n in order:
            u, i = users[n], items[n]
            e = stars[n] - mean - b_u[u] - b_i[i]
            b_u[u] = (1 - eta * lam) * b_u[u] + eta * e
            b_i[i] = (1 - eta * lam) * b_i[i] + eta * e

    return bias_epoch


@pytest.mark.parametrize(
    "right", [sgd, with_arrays, partial(sgd, how="gradient"), shrunk_first], ids=range(4)
)
def test_every_right_epoch_of_biases_passes(rows, right, capsys):
    check_bias_epoch(right(rows), *rows)
    assert "by the course's loop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("copies", "change the arrays in place"),
        ("range", "visit the ratings as order says"),
        ("sorted", "it may name a rating twice"),
        ("new error", "the error from before"),
        ("no penalty", "the penalty is missing"),
        ("outside", "isn't multiplied by the learning rate"),
        ("no rate", "the learning rate is missing"),
        ("uphill", "uphill"),
        ("users", "only the users' biases"),
        ("no mean", "μ isn't subtracted"),
    ],
)
def test_other_epochs_of_biases_are_told_apart(rows, how, words):
    refused(words, check_bias_epoch, sgd(rows, how), *rows)


# ---- 6 newcomers

SIZES = (0, 2, 10)


@pytest.fixture(scope="module")
def newcomers(train):
    _, validation, _ = generated_parts()
    model = random_model(train, k=2)
    chosen = np.flatnonzero(np.bincount(train.users) >= 20)[:40]
    return SIZES, model, train, validation, chosen, 5


def newcomer_errors(data, how=""):
    sizes, model, train, validation, users, penalty = data
    part = train if how == "training" else validation
    errors = {}
    for m in sizes:
        squares = []
        for user in users:
            own, asked = (np.flatnonzero(p.users == user) for p in (train, part))
            used = {"all": own, "last": own[len(own) - m :]}.get(how, own[:m])
            bias, factors = fold_in(
                model,
                train.items[used],
                train.stars[used],
                penalty=penalty,
                weighted=how == "weighted",
            )
            guess = predict_new(model, 0 if how == "no bias" else bias, factors)
            squares.append((part.stars[asked] - guess[part.items[asked]]) ** 2)
        each = [np.sqrt(s.mean()) for s in squares if len(s)]
        pooled = np.mean(np.concatenate(squares))
        errors[m] = pooled if how == "squares" else np.mean(each) if how == "each" else pooled**0.5
    return errors


def test_newcomers_pass_in_every_form(newcomers, capsys):
    errors = newcomer_errors(newcomers)
    check_newcomers(errors, *newcomers)
    check_newcomers({m: np.float32(e) for m, e in errors.items()}, *newcomers)
    check_newcomers({m: np.array(errors[m]) for m in reversed(errors)} | {99: 1.0}, *newcomers)
    assert capsys.readouterr().out.count("by the course's loop") == 6


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("squares", "take the root"),
        ("each", "mean of the users' RMSEs"),
        ("weighted", "the weighted penalty"),
        ("all", "whatever m"),
        ("last", "the last m"),
        ("training", "training ratings were predicted"),
        ("no bias", "bias is missing"),
    ],
)
def test_other_errors_of_newcomers_are_told_apart(newcomers, how, words):
    refused(words, check_newcomers, newcomer_errors(newcomers, how), *newcomers)


def test_newcomers_answers_of_another_form_are_named(newcomers):
    right = newcomer_errors(newcomers)
    refused("should be a dictionary", check_newcomers, list(right.values()), *newcomers)
    refused("no entry for m = \\[10\\]", check_newcomers, {0: 1, 2: 1}, *newcomers)
    refused(
        "elsewhere for some m", check_newcomers, {m: e + 0.1 for m, e in right.items()}, *newcomers
    )


# ---- the stretch goal


def dual(A, y, penalty):
    return A.T @ np.linalg.solve(A @ A.T + penalty * np.eye(len(y)), y)


def dual_by_scipy(A, y, penalty):
    return scipy.linalg.solve(A @ A.T + penalty * np.eye(len(A)), y, assume_a="pos") @ A


def dual_by_inverse(A, y, penalty):
    return A.T @ (np.linalg.inv(A @ A.T + penalty * np.identity(A.shape[0])) @ y)


@pytest.mark.parametrize("right", [dual, dual_by_scipy, dual_by_inverse])
def test_every_right_dual_passes(right, capsys):
    check_dual(right)
    assert "by k equations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda A, y, c: np.linalg.solve(A.T @ A + c * np.eye(A.shape[1]), A.T @ y),
            "by k equations",
        ),
        (lambda A, y, c: np.linalg.solve(A @ A.T + c * np.eye(len(y)), y), "should have the shape"),
        (lambda A, y, c: A.T @ np.linalg.solve(A @ A.T, y), "without the penalty"),
        (lambda A, y, c: dual(A, y, c**2), "the penalty is squared"),
        (lambda A, y, c: dual(A, y, -c), "sign of the penalty"),
        (lambda A, y, c: A.T @ np.linalg.solve(A @ A.T + c, y), "not to the diagonal"),
        (lambda A, y, c: A.T @ ((A @ A.T + c * np.eye(len(y))) @ y), "only multiplied"),
        (lambda A, y, c: 2 * dual(A, y, c), "not the ridge coefficients"),
    ],
)
def test_other_duals_are_told_apart(wrong, words):
    refused(words, check_dual, wrong)
