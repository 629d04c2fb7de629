"""Chapter 1's checks: right answers of several kinds pass, each usual mistake has its own message."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestCentroid

from helpers.checks import pca as checks
from helpers.pca import covariance, pca_from_covariance, pca_from_svd, project
from tests.wrong_answers import told_apart

K = 4


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 6)) * [5, 3, 2, 1, 0.5, 0.2] @ np.linalg.qr(
        rng.normal(size=(6, 6))
    )[0] + np.arange(6)


@pytest.fixture(scope="module")
def pca(data):
    return pca_from_covariance(data)


# ---- 1


def test_right_whitening(data, pca, capsys):
    scores = project(pca, data)[:, :K]
    white = scores / np.sqrt(pca.explained_variance[:K])
    library = PCA(K, whiten=True).fit_transform(data)  # divides by N − 1
    for answer in (white, -white, library, torch.tensor(white), white.astype(np.float32)):
        checks.check_whitening(answer, pca, data, K)
    assert "variances from 1.000 to 1.000" in capsys.readouterr().out


def test_wrong_whitening(data, pca):
    scores, variances = project(pca, data)[:, :K], pca.explained_variance[:K]
    white = scores / np.sqrt(variances)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(K, K)))[0]
    told_apart(
        [
            ((white.T,), "rows and columns are swapped"),
            ((data[:, :K] / data[:, :K].std(axis=0),), "isn't centred"),
            ((scores,), "still must be scaled"),
            ((scores / variances,), "divide by the standard deviation"),
            ((scores * 2 / np.sqrt(variances),), "they should be one"),
            ((white[:, ::-1],), "opposite order"),
            ((white @ turn,), "White they are, but turned"),
            ((((data - data.mean(0)) / data.std(0))[:, :K],), "must be uncorrelated"),
        ],
        checks.check_whitening,
        pca,
        data,
        K,
    )


# ---- 2


def by_sum(variances, share):
    return int(np.argmax(np.cumsum(variances) / np.sum(variances) >= share)) + 1


def by_loop(variances, share):
    total, k = 0.0, 0
    while total < share * sum(variances) * (1 - 1e-12):
        total, k = total + variances[k], k + 1
    return k


def by_search(variances, share):
    return np.searchsorted(np.cumsum(variances) / np.sum(variances), share) + 1


VARIANCES = np.array([5.0, 4, 3, 2, 1, 0.6, 0.4, 0.3, 0.2, 0.1])


def test_right_smallest_k(capsys):
    for answer in (by_sum, by_loop, by_search):
        checks.check_smallest_k(answer, VARIANCES)
    assert "by the package" in capsys.readouterr().out


def test_wrong_smallest_k():
    def more_than(v, share):
        return int(np.argmax(np.cumsum(v) / np.sum(v) > share)) + 1

    told_apart(
        [
            ((lambda v, s: by_sum(v, s) - 1,), "counted from 0"),
            ((lambda v, s: by_sum(v, s) + 1,), "one too many"),
            ((lambda v, s: float(by_sum(v, s)),), "should return a whole number"),
            ((lambda v, s: len(v),), "reaches the share elsewhere"),
            ((more_than,), "“at least” 75 %"),
        ],
        checks.check_smallest_k,
        VARIANCES,
    )


# ---- 3


@pytest.fixture(scope="module")
def few():
    rng = np.random.default_rng(3)
    return rng.normal(size=(15, 40)) * np.linspace(3, 0.5, 40) + 5


def small_way(few, centred=True):
    x = few - few.mean(axis=0) if centred else few
    _, u = np.linalg.eigh(x @ x.T)
    components = (x.T @ u[:, ::-1][:, :10]).T
    return components / np.linalg.norm(components, axis=1, keepdims=True)


def test_right_few(few, capsys):
    from_svd = np.linalg.svd(few - few.mean(axis=0), full_matrices=False)[2][:10]
    for answer in (small_way(few), -small_way(few), from_svd, pca_from_svd(few, 10).components):
        checks.check_few_samples(answer, few)
    assert "at least 1.000000" in capsys.readouterr().out


def test_wrong_few(few):
    right = small_way(few)
    x = few - few.mean(axis=0)
    _, u = np.linalg.eigh(x @ x.T)
    smallest = (x.T @ u[:, 1:11]).T
    smallest /= np.linalg.norm(smallest, axis=1, keepdims=True)
    told_apart(
        [
            ((right.T,), "rows and columns are swapped"),
            ((right * np.arange(1, 11)[:, None] * 2,), "length one"),
            ((small_way(few, centred=False),), "weren't centred"),
            ((right[::-1],), "opposite order"),
            ((smallest,), "another direction than component 0"),
            ((np.vstack([right[:9], smallest[:1]]),), "another direction than component 9"),
        ],
        checks.check_few_samples,
        few,
    )


# ---- 4


def test_right_power_iteration(data, pca, capsys):
    sigma = covariance(data)
    first, steps = checks.power_iteration(sigma)
    for answer in ((first, steps), (-first, steps), (pca.components[0], np.int64(steps))):
        checks.check_power_iteration(*answer, pca, sigma)
    assert f"{steps} steps; rough prediction" in capsys.readouterr().out


def test_wrong_power_iteration(data, pca):
    sigma = covariance(data)
    first, steps = checks.power_iteration(sigma)
    told_apart(
        [
            ((first, steps - 1), "the last multiplication counts too"),
            ((first, 1), "taken for a small one"),
            ((first, steps + 3), "too many"),
            ((first * 2, steps), "length one"),
            ((pca.components[-1], steps), "*last* component"),
            ((pca.components[1], steps), "not the first component yet"),
            ((first[:, None], steps), "shape (6,)"),
        ],
        checks.check_power_iteration,
        pca,
        sigma,
    )


# ---- 5


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(5)
    clean = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 20))
    train, test = clean[:300], clean[300:]
    levels = [0.1, 0.4]
    noisy_train = {s: train + rng.normal(0, s, train.shape) for s in levels}
    noisy_test = {s: test + rng.normal(0, s, test.shape) for s in levels}
    return noisy_train, noisy_test, (train, test), [1, 2, 3, 5, 10, 20], 200


def denoised(noisy_train, noisy_test, clean, ks, fit_on, k=3):
    return {
        s: checks.denoised_error(
            pca_from_covariance(noisy_train[s][:fit_on]), noisy_test[s], clean[1], k
        )
        for s in noisy_train
    }


def test_right_denoising(pictures, capsys):
    errors = denoised(*pictures)
    by_library = {}
    for s, noisy in pictures[0].items():
        fitted = PCA(3).fit(noisy[:200])
        rebuilt = fitted.inverse_transform(fitted.transform(pictures[1][s]))
        by_library[s] = np.mean((rebuilt - pictures[2][1]) ** 2)
    for best, error in (
        ({0.1: 3, 0.4: 3}, errors),
        ({0.1: np.int64(3), 0.4: np.int64(3)}, by_library),
        ({0.4: 3, 0.1: 3}, {s: np.float32(e) for s, e in errors.items()}),
    ):
        checks.check_denoising(best, error, *pictures)
    assert "noise 0.1: k = 3" in capsys.readouterr().out


def test_wrong_denoising(pictures):
    noisy_train, noisy_test, clean, _, fit_on = pictures
    right, errors = {0.1: 3, 0.4: 3}, denoised(*pictures)
    fitted = pca_from_covariance(noisy_train[0.1][:fit_on])
    chosen = checks.denoised_error(fitted, noisy_train[0.1][fit_on:], clean[0][fit_on:], 3)
    noisy = checks.denoised_error(fitted, noisy_test[0.1], noisy_test[0.1], 3)
    told_apart(
        [
            (({0.1: 20, 0.4: 20}, errors), "against the *noisy* images"),
            (({0.1: 5, 0.4: 3}, errors), "another k is better"),
            (({0.1: 4, 0.4: 3}, errors), "none of ks"),
            (({0.1: 3}, errors), "best should have the keys"),
            ((right, errors | {0.1: noisy}), "the error against the noisy images"),
            ((right, errors | {0.1: chosen}), "not on test images"),
            ((right, errors | {0.1: 0.01}), "what doing nothing leaves"),
            ((right, errors | {0.1: 3 * errors[0.1]}), "Was PCA fitted once more?"),
        ],
        checks.check_denoising,
        *pictures,
    )


# ---- 6


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(6)
    labels = np.arange(600) % 2
    scores = rng.normal(size=(600, 5)) * [4, 3, 2, 1, 1] + np.outer(labels, [0.4, 0, 0, 2, 0.2])
    return (scores[:300], labels[:300] + 2), (scores[300:], labels[300:] + 2)


def solve_separation(train, test):
    a, b = (train[0][train[1] == c] for c in (2, 3))
    separation = np.abs(a.mean(0) - b.mean(0)) / np.sqrt((a.var(0) + b.var(0)) / 2)

    def accuracy(i, of):
        return NearestCentroid().fit(train[0][:, [i]], train[1]).score(of[0][:, [i]], of[1])

    at = int(separation.argmax())
    return (
        separation,
        (accuracy(at, test), accuracy(0, test)),
        (accuracy(at, train), accuracy(0, train)),
    )


def test_right_separation(classes, capsys):
    separation, accuracies, _ = solve_separation(*classes)
    a, b = (classes[0][0][classes[0][1] == c] for c in (2, 3))
    n_less_one = np.abs(a.mean(0) - b.mean(0)) / np.sqrt((a.var(0, ddof=1) + b.var(0, ddof=1)) / 2)
    for answer in (separation, separation.tolist(), n_less_one):
        checks.check_separation(answer, accuracies, *classes)
    assert "component 4 separates best" in capsys.readouterr().out


def test_wrong_separation(classes):
    separation, accuracies, on_training = solve_separation(*classes)
    a, b = (classes[0][0][classes[0][1] == c] for c in (2, 3))
    gap, both = np.abs(a.mean(0) - b.mean(0)), a.var(0) + b.var(0)
    told_apart(
        [
            ((-separation, accuracies), "a distance has no sign"),
            ((gap, accuracies), "the distance alone"),
            ((gap / (both / 2), accuracies), "not by its square root"),
            ((gap / classes[0][0].std(0), accuracies), "of both classes together"),
            ((separation**2, accuracies), "squared"),
            ((gap / (a.std(0) + b.std(0)), accuracies), "sum of the deviations"),
            ((separation, accuracies[::-1]), "swapped"),
            ((separation, (on_training[0], accuracies[1])), "that is the accuracy on *training*"),
            ((separation, (accuracies[0], 0.9)), "with component 1 alone"),
            ((separation[:3], accuracies), "shape (5,)"),
        ],
        checks.check_separation,
        *classes,
    )
