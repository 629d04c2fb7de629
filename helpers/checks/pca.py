"""Checks of chapter 1's exercises: PCA and SVD."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neighbors import NearestCentroid

from helpers.checks.parts import check_array, passed, require, require_right
from helpers.pca import (
    PrincipalComponents,
    covariance,
    pca_from_covariance,
    pca_from_svd,
    project,
    reconstruct,
)
from helpers.spectrum import components_for_share


def check_whitening(
    white: ArrayLike, pca: PrincipalComponents, data: np.ndarray, k: int = 50
) -> None:
    """Exercise 1: uncorrelated features of variance one, each along its own component.

    Parameters
    ----------
    white : array_like of shape (N, k)
        The answer.
    pca, data : PrincipalComponents, ndarray of shape (N, D)
        Of the exercise.
    k : int
        How many components are asked for.

    Raises
    ------
    WrongAnswer
        If shape, mean, scale, order or direction is wrong; it says which.
    """
    white = check_array("white", white, (len(data), k))
    scores, variances = project(pca, data)[:, :k], pca.explained_variance[:k]
    off = np.abs(white.mean(axis=0)).max()
    require(
        off < 1e-2, f"white isn't centred: a column has the mean {off:.2f}. Was the mean taken off?"
    )
    found = white.var(axis=0)
    mistakes = {
        "those of the components: they still must be scaled.": variances,
        "1 / λ: divide by the standard deviation, not by the variance.": 1 / variances,
    }
    words = f"they should be one, and go from {found.min():.3g} to {found.max():.3g}."
    require_right("variances of the columns", found, np.ones(k), mistakes, words, rtol=1e-2)
    mixed = np.abs(covariance(white) - np.eye(k)).max()
    require(
        mixed < 1e-2, f"Two columns have the covariance {mixed:.2f}: they must be uncorrelated."
    )
    along = np.abs(np.mean(white * scores, axis=0)) / np.sqrt(variances)
    require(
        not np.allclose(
            np.abs(np.mean(white[:, ::-1] * scores, axis=0)) / np.sqrt(variances), 1, rtol=1e-2
        ),
        "The columns are in the opposite order: the first belongs to the largest variance.",
    )
    require(
        np.allclose(along, 1, rtol=1e-2),
        "White they are, but turned: column i must follow component i (its sign is free).",
    )
    passed(f"variances from {found.min():.3f} to {found.max():.3f}, largest covariance {mixed:.3f}")


def check_smallest_k(smallest_k: Callable[[np.ndarray, float], int], variances: np.ndarray) -> None:
    """Exercise 2: the smallest number of components with at least a share of the variance.

    Raises
    ------
    WrongAnswer
        If an answer is another number; usual reasons are told apart.
    """
    for share in (0.3, 0.5, 0.8, 0.9, 0.95):
        answer = smallest_k(variances, share)
        require(
            isinstance(answer, int | np.integer) and not isinstance(answer, bool),
            f"smallest_k should return a whole number; it returns {type(answer).__name__}.",
        )
        right = components_for_share(variances, share)
        mistakes = {
            "one too few: is it a position, counted from 0?": right - 1,
            "one too many.": right + 1,
        }
        words = "add the variances up: their sum reaches the share elsewhere."
        require_right(f"smallest_k(variances, {share:g})", answer, right, mistakes, words, 0, 0)
    exact = smallest_k(np.array([3.0, 1.0]), 0.75)
    require(
        exact == 1,
        f"Of the variances 3 and 1, the first has 75 %, and “at least” 75 % is asked for; got {exact}.",
    )
    passed(f"95 % of the variance take {answer} components, by the package {right}")


def check_few_samples(components: ArrayLike, few: np.ndarray) -> None:
    """Exercise 3: components from the small matrix of products between samples.

    Raises
    ------
    WrongAnswer
        If shape, length, order or direction is wrong, or the data weren't centred.
    """
    k = min(10, len(few) - 1)
    expected = pca_from_svd(few, k).components
    components = check_array("components", components, (k, few.shape[1]))
    lengths = np.linalg.norm(components, axis=1)
    require(
        np.allclose(lengths, 1, atol=1e-6),
        f"The rows should have length one; the first has {lengths[0]:.3g}.",
    )
    cosines = np.abs(np.sum(components * expected, axis=1))
    raw = np.linalg.svd(few, full_matrices=False)[2][0]
    require(
        not np.isclose(np.abs(raw @ components[0]), 1, atol=1e-6) or cosines[0] > 1 - 1e-6,
        "The first row points to the mean: the samples weren't centred.",
    )
    reversed_ = np.abs(np.sum(components[::-1] * expected, axis=1))
    require(
        not np.allclose(reversed_, 1, atol=1e-6) or np.allclose(cosines, 1, atol=1e-6),
        "The rows are in the opposite order: `eigh` returns eigenvalues rising.",
    )
    wrong = int(np.argmax(cosines < 1 - 1e-6))
    require(
        np.allclose(cosines, 1, atol=1e-6),
        f"Row {wrong} is another direction than component {wrong}, |cosine| {cosines[wrong]:.3f}.",
    )
    passed(f"|cosine| with the ten from the SVD at least {cosines.min():.6f}")


def power_iteration(sigma: np.ndarray, tolerance: float = 1e-6) -> tuple[np.ndarray, int]:
    """The first component by repeated multiplication, and how many multiplications it took."""
    first, steps, change = np.full(len(sigma), len(sigma) ** -0.5), 0, np.inf
    while change > tolerance:
        following = sigma @ first
        following /= np.linalg.norm(following)
        change = np.abs(following - first).max()
        first, steps = following, steps + 1
    return first, steps


def check_power_iteration(
    first: ArrayLike, steps: int, pca: PrincipalComponents, sigma: np.ndarray
) -> None:
    """Exercise 4: the first component without an eigensolver, and the number of multiplications.

    Raises
    ------
    WrongAnswer
        If the direction is wrong or the count is another one; usual reasons are told apart.
    """
    first = check_array("first", first, (len(sigma),))
    length = np.linalg.norm(first)
    require(np.isclose(length, 1), f"first should have length one; it has {length:.4g}.")
    cosine = abs(first @ pca.components[0])
    require(
        abs(first @ pca.components[-1]) < 0.99,
        "first is the *last* component: the variance there is least.",
    )
    require(cosine > 1 - 1e-6, f"first is not the first component yet: |cosine| {cosine:.6f}.")
    _, right = power_iteration(sigma)
    require(steps != right - 1, f"{steps} steps: the last multiplication counts too.")
    require(
        steps >= right,
        f"Only {steps} steps: an entry still changes by more than 1e-6. Was a negative change taken for a small one?",
    )
    require(
        steps == right,
        f"{steps} steps are too many: it stops when no *entry* changes by more than 1e-6; a length counts all entries together.",
    )
    rate = np.log(pca.explained_variance[1] / pca.explained_variance[0])
    rough, finer = np.log(1e-6) / rate, np.log(1e-6 * np.sqrt(len(sigma))) / rate
    passed(
        f"{steps} steps; rough prediction {rough:.0f}; with entries of about 1/√{len(sigma)}: {finer:.0f}"
    )


def denoised_error(
    fitted: PrincipalComponents, noisy: np.ndarray, clean: np.ndarray, k: int
) -> float:
    """Mean squared error per pixel, against clean images, of noisy ones rebuilt from k numbers."""
    rebuilt = reconstruct(fitted, project(fitted, noisy)[:, :k])
    return float(np.mean((rebuilt - clean) ** 2))


def check_denoising(
    best: Mapping[float, int],
    test_error: Mapping[float, float],
    noisy_train: Mapping[float, np.ndarray],
    noisy_test: Mapping[float, np.ndarray],
    clean: tuple[np.ndarray, np.ndarray],
    ks: Sequence[int],
    fit_on: int = 8000,
) -> None:
    """Exercise 5: how many components take most noise off, and the error that is left.

    Parameters
    ----------
    best, test_error
        The answers, by level of noise.
    noisy_train, noisy_test : mapping from level to ndarray
    clean : (training images, test images)
    ks : sequence of int
        To choose from.
    fit_on : int
        So many training images are fitted; the others choose.

    Raises
    ------
    WrongAnswer
        If a level is missing, another k is better, or an error is another one; it says what it looks like.
    """
    levels = list(noisy_train)
    for name, answer in {"best": best, "test_error": test_error}.items():
        require(
            isinstance(answer, Mapping) and set(answer) == set(levels),
            f"{name} should have the keys {levels}.",
        )
    told = []
    for level in levels:
        fitted = pca_from_covariance(noisy_train[level][:fit_on])
        rest = noisy_train[level][fit_on:], clean[0][fit_on:]
        k, error = _right_k(f"best[{level:g}]", best[level], fitted, *rest, ks)
        name, on_test = f"test_error[{level:g}]", (noisy_test[level], clean[1])
        own, right = _right_denoised(name, test_error[level], fitted, *on_test, k, level, error)
        told.append(f"{level:g}: k = {k}, error {own:.4f} and {right:.4f}")
    passed("noise " + "; ".join(told))


def _right_k(
    name: str,
    answer: int,
    fitted: PrincipalComponents,
    noisy: np.ndarray,
    clean: np.ndarray,
    ks: Sequence[int],
) -> tuple[int, float]:
    """The k that takes most noise off, if that was found, and the error that it leaves here."""
    errors = [denoised_error(fitted, noisy, clean, k) for k in ks]
    against_noisy = [denoised_error(fitted, noisy, noisy, k) for k in ks]
    right = ks[int(np.argmin(errors))]
    require(answer in ks, f"{name} is {answer}, which is none of ks.")
    words = "it has the least error against the *noisy* images; compare with the clean ones."
    mistakes = {words: ks[int(np.argmin(against_noisy))]}
    words = "on the images that were kept for choosing another k is better."
    require_right(name, answer, right, mistakes, words)
    return right, min(errors)


def _right_denoised(
    name: str,
    answer: float,
    fitted: PrincipalComponents,
    noisy: np.ndarray,
    clean: np.ndarray,
    k: int,
    level: float,
    error_of_choice: float,
) -> tuple[float, float]:
    """The error on test images as given and as it is, if they agree."""
    right = denoised_error(fitted, noisy, clean, k)
    mistakes = {
        "that is the error against the noisy images.": denoised_error(fitted, noisy, noisy, k),
        "that is the error on the images that chose k, not on test images.": error_of_choice,
        "that is what doing nothing leaves.": level**2,
    }
    words = (
        f"with k = {k} and PCA of the images for fitting it is another. Was PCA fitted once more?"
    )
    return require_right(name, answer, right, mistakes, words, rtol=5e-3, atol=0).item(), right


def check_separation(
    separation: ArrayLike,
    accuracies: tuple[float, float],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
) -> None:
    """Exercise 6: how far each component tells two classes apart, and what that is worth.

    Parameters
    ----------
    separation, accuracies
        The answers; of the accuracies first that of the component that separates best.
    train, test : (scores of shape (N, k), classes of shape (N,))

    Raises
    ------
    WrongAnswer
        If a number is another one; usual reasons are told apart.
    """
    right = _separation(*train)
    mistakes = partial(_wrong_separations, *train)
    words = (
        "not the distance of the class means in units of the root of their mean variance, "
        "on *training* images."
    )
    require((np.asarray(separation) >= 0).all(), "separation is negative: a distance has no sign.")
    answer = require_right("separation", separation, right, mistakes, words, rtol=1e-2)
    at = int(right.argmax())

    def accuracy(column: int, of: tuple[np.ndarray, np.ndarray]) -> float:
        fitted = NearestCentroid().fit(train[0][:, [column]], train[1])
        return fitted.score(of[0][:, [column]], of[1])

    best, first = accuracy(at, test), accuracy(0, test)
    for name, mine, found, other, column in (
        ("best", accuracies[0], best, first, at),
        ("first", accuracies[1], first, best, 0),
    ):
        mistakes = {
            "that is the accuracy of the other component; are the two swapped?": other,
            "that is the accuracy on *training* images.": accuracy(column, train),
        }
        words = f"with component {column + 1} alone it is another."
        require_right(f"accuracy_{name}", mine, found, mistakes, words, rtol=0, atol=1e-2)
    passed(
        f"component {at + 1} separates best, {answer[at]:.2f} and {right[at]:.2f}; "
        f"accuracy {accuracies[0]:.2f} against {accuracies[1]:.2f}"
    )


def _separation(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Distance of two class means in units of the root of the classes' mean variance, shape (k,)."""
    groups = [scores[classes == c] for c in np.unique(classes)]
    gap = groups[0].mean(axis=0) - groups[1].mean(axis=0)
    return np.abs(gap) / np.sqrt((groups[0].var(axis=0) + groups[1].var(axis=0)) / 2)


def _wrong_separations(scores: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
    """What usual mistakes make of it."""
    one, other = (scores[classes == c] for c in np.unique(classes))
    gap = np.abs(one.mean(axis=0) - other.mean(axis=0))
    return {
        "that is the distance alone: divide it by the spread.": gap,
        "divided by the variance, not by its square root.": (
            gap / ((one.var(axis=0) + other.var(axis=0)) / 2)
        ),
        "divided by the deviation of both classes together.": gap / scores.std(axis=0),
        "squared.": (gap**2) / ((one.var(axis=0) + other.var(axis=0)) / 2),
        "divided by the sum of the deviations.": gap / (one.std(axis=0) + other.std(axis=0)),
    }
