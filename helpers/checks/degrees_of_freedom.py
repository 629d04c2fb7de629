"""Checks of chapter 6's exercises: ranks, dimensions, probes and drawn codes, against a known truth."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import explained_variance_score

from helpers import shapes
from helpers.autoencoder import encode_images, reconstruct_images
from helpers.checks.parts import WrongAnswer, check_array, passed, require, require_right
from helpers.irmae import code_spectrum
from helpers.pca import covariance
from helpers.spectrum import rank_above

OWN_SEED = 6  # of the rng of exercise 5
OWN_TRAIN, OWN_HELD = 1600, 500  # images to train on, and the last ones, to count on
LATENT = 32


# ---- 1


def check_local_rank(local_rank: Callable[[np.ndarray, int, np.ndarray], float]) -> None:
    """Exercise 1: the mean rank of neighbourhoods, on points of a curved surface that is not centred.

    Parameters
    ----------
    local_rank : callable
        The answer: takes codes (N, D), how many codes a neighbourhood has, and the rows of the centres.

    Raises
    ------
    WrongAnswer
        If it centres, counts or chooses the neighbours wrongly, or takes no mean; it says which.
    """
    points, centres = _bent_points()
    answers = {}
    for neighbours in (12, 40, 3):
        name = f"local_rank(points, {neighbours}, centres)"
        near = _nearest_rows(points, centres)[:, :neighbours]
        right = _counted(_variances(points[near]))
        value = local_rank(points.copy(), neighbours, centres.copy())
        words = "it isn't the mean rank of these neighbourhoods."
        if answers:
            words = "for 12 neighbours it was right. Is `neighbours` used?"
        wrong = {} if answers else _wrong_ranks(points, neighbours, centres)
        require_right(name, value, right, wrong, words, rtol=1e-9, atol=0)
        answers[neighbours] = float(np.asarray(value)), right
    told = (f"{n} neighbours: {own:.2f} and {ours:.2f}" for n, (own, ours) in answers.items())
    passed("; ".join(told))


def _bent_points() -> tuple[np.ndarray, np.ndarray]:
    """Points (500, 10) of a curved surface with a little noise, far from zero, and rows of 70 of them."""
    rng = np.random.default_rng(0)
    t, u = rng.uniform(0, 1, (2, 500))
    bent = [np.cos(6 * t), np.sin(6 * t), u, np.cos(4 * u), 0.4 * np.sin(9 * t * u), 0.3 * u * t]
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    points = np.stack(bent, axis=1) @ turn[:6] + 0.012 * rng.normal(size=(500, 10))
    return points + np.linspace(1, 3, 10), rng.choice(500, 70, replace=False)


def _nearest_rows(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """For each centre the rows of all points, the nearest first: the centre itself."""
    return np.linalg.norm(points[centres][:, None] - points, axis=2).argsort(axis=1)


def _variances(near: np.ndarray, middle: np.ndarray | None = None) -> np.ndarray:
    """Variances along the axes of neighbourhoods (C, n, D), taken from their means or other middles."""
    middle = near.mean(axis=1, keepdims=True) if middle is None else middle
    return np.linalg.svd(near - middle, compute_uv=False) ** 2 / near.shape[1]


def _counted(values: np.ndarray, top: ArrayLike | None = None) -> float:
    """How many values of a row exceed 1 % of its largest, or of another top: the mean over the rows."""
    top = values.max(axis=1, keepdims=True) if top is None else top
    return float((values > 0.01 * top).sum(axis=1).mean())


def _wrong_ranks(points: np.ndarray, neighbours: int, centres: np.ndarray) -> dict[str, float]:
    """What each usual mistake gives, by the words that name it."""
    order = _nearest_rows(points, centres)
    near = points[order[:, :neighbours]]
    values = _variances(near)
    everywhere = points[_nearest_rows(points, np.arange(len(points)))[:, :neighbours]]
    turned = near.swapaxes(1, 2)
    return {
        "the codes of a neighbourhood were not centred": _counted(_variances(near, np.zeros(1))),
        "a neighbourhood is centred at its mean, not at the code in its centre": _counted(
            _variances(near, points[centres][:, None])
        ),
        "these are deviations; 1 % is meant of the variances": _counted(np.sqrt(values)),
        "the centre was left out; it is one of the codes of its neighbourhood": _counted(
            _variances(points[order[:, 1 : neighbours + 1]])
        ),
        "a neighbourhood has one code too many; its centre is one of them": _counted(
            _variances(points[order[:, : neighbours + 1]])
        ),
        "these are the farthest codes; sort the other way": _counted(
            _variances(points[order[:, -neighbours:]])
        ),
        "rows and columns are swapped: each row is a code": _counted(_variances(turned)),
        "these are variances of single numbers of the code; asked for are those along the axes": (
            _counted(near.var(axis=1))
        ),
        "1 % is meant of the largest variance of the neighbourhood, not of all codes": _counted(
            values, _variances(points[None]).max()
        ),
        "1 % is meant of the largest variance, not of their sum": _counted(
            values, values.sum(axis=1, keepdims=True)
        ),
        "this is the rank of all codes; take the nearest ones": _counted(_variances(points[None])),
        "this is a sum over the centres; take the mean": _counted(values) * len(centres),
        "`centres` wasn't used; this is the mean over all codes": _counted(_variances(everywhere)),
    }


# ---- 2


def check_two_nn(two_nn: Callable[[np.ndarray], float]) -> None:
    """Exercise 2: two-NN, on points that all differ and on points of which some occur twice.

    Parameters
    ----------
    two_nn : callable
        The answer: takes points (N, D). N − 1 in place of N is right, too.

    Raises
    ------
    WrongAnswer
        If a point is its own neighbour, the formula is another one, or copies count; it says which.
    """
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    points = rng.uniform(size=(600, 3)) @ turn[:3]
    doubled = rng.permutation(np.concatenate([points, points[:90]]))
    near = {"rtol": 2.5e-3, "atol": 0}  # of 600 points, one more or less
    distances = _sorted_distances(points)
    right = 600 / np.log(distances[:, 2] / distances[:, 1]).sum()
    value = _estimate(two_nn, points)
    itself = not np.isfinite(value) or abs(value) < 1e-3
    words = "a first distance is 0, so the ratio is not defined: each point is its own neighbour"
    require(not itself, f"two_nn(points) is {value:.3g}: {words}. Leave it out.")
    words = "this isn't N / Σ log µ"
    value = require_right(
        "two_nn(points)", value, right, _wrong_dimensions(distances), words, **near
    ).item()
    twice = _estimate(two_nn, doubled)
    lost = not np.isfinite(twice) or abs(twice) < 1e-3
    words = "copies are counted: a point that occurs twice has a neighbour at distance 0"
    require(not lost, f"two_nn of points with copies is {twice:.3g}: {words}.")
    far = _sorted_distances(doubled)[:, 1:3]
    kept = far[far[:, 0] > 0]
    mistakes = {
        "copies are left out as centres, but they still are neighbours of others": (
            len(kept) / np.log(kept[:, 1] / kept[:, 0]).sum()
        ),
        "N is the number of different points": right * len(doubled) / len(points),
    }
    words = "copies should change nothing: a point that occurs twice counts once"
    require_right("two_nn of points with copies", twice, right, mistakes, words, **near)
    passed(f"evenly spread over three numbers: {value:.2f} and {right:.2f}, with copies the same")


def _estimate(two_nn: Callable[[np.ndarray], float], points: np.ndarray) -> float:
    """What the answer says of points, which may be NaN or infinity."""
    with np.errstate(all="ignore"):
        value = two_nn(points.copy())
    require(
        np.ndim(value) == 0, f"two_nn should return one number, not the shape {np.shape(value)}."
    )
    try:
        return float(value)
    except (TypeError, ValueError):
        raise WrongAnswer(f"two_nn should return a number, not {type(value).__name__}.") from None


def _sorted_distances(points: np.ndarray) -> np.ndarray:
    """Distances (N, 4) from each point to itself and to its three nearest others, rising."""
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    return np.sort(distances, axis=1)[:, :4]


def _wrong_dimensions(distances: np.ndarray) -> dict[str, float]:
    """What each usual mistake gives, by the words that name it."""
    _, first, second, third = distances.T
    ratios, n = second / first, len(first)
    total = np.log(ratios).sum()
    return {
        "the logarithm was forgotten": n / ratios.sum(),
        "this is the mean of log µ; d is one over it": total / n,
        "µ is upside down: the second distance is the larger one": -n / total,
        "these are squared distances; take their roots": n / (2 * total),
        "this is the logarithm to base 2": n / (total / np.log(2)),
        "this is the logarithm to base 10": n / (total / np.log(10)),
        "these are the third and the second neighbour: the point itself was left out twice": (
            n / np.log(third / second).sum()
        ),
        "this is the logarithm of the mean; take the mean of the logarithms": 1
        / np.log(ratios.mean()),
        "this is a mean of one over log µ; take the mean of log µ first": np.mean(
            1 / np.log(ratios)
        ),
        "N is missing": 1 / total,
    }


# ---- 3


def check_probe(
    probe: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float],
) -> None:
    """Exercise 3: R² of a linear probe on codes that it has not seen.

    The codes are made so that every usual mistake shows: few to train on, and others on average to judge.

    Parameters
    ----------
    probe : callable
        The answer: takes codes and values to train on, then codes and values to judge.

    Raises
    ------
    WrongAnswer
        If it is judged on the training part, has no intercept, or is another measure; it says which.
    """
    rng = np.random.default_rng(0)
    codes = 3 + rng.normal(size=(260, 8)) * np.linspace(1, 0.3, 8)
    codes[60:] += np.linspace(0.6, -0.2, 8)
    values = 9 + codes @ rng.normal(size=8) + 0.5 * rng.normal(size=260)
    parts = codes[:60], values[:60], codes[60:], values[60:]
    right = LinearRegression().fit(*parts[:2]).score(*parts[2:])
    value = probe(*(part.copy() for part in parts))
    words = "this isn't R² on the test part"
    own = require_right("probe(…)", value, right, lambda: _wrong_scores(*parts), words).item()
    passed(f"R² on made codes {own:.3f} and {right:.3f}")


def _wrong_scores(
    train: np.ndarray, train_values: np.ndarray, test: np.ndarray, test_values: np.ndarray
) -> dict[str, float]:
    """What each usual mistake gives, by the words that name it."""
    line = LinearRegression().fit(train, train_values)
    other = LinearRegression().fit(test, test_values)
    said = line.predict(test)
    r = np.corrcoef(said, test_values)[0, 1]
    off = float(np.mean((test_values - said) ** 2))
    both = np.concatenate([train, test]), np.concatenate([train_values, test_values])
    bare = LinearRegression(fit_intercept=False).fit(train, train_values)
    shifted = test - test.mean(axis=0) + train.mean(axis=0)
    spread = float(np.mean((train_values - train_values.mean()) ** 2))
    return {
        "this is R² on the training part; judge it on the test part": line.score(
            train, train_values
        ),
        "it was fitted on the test part, too": LinearRegression()
        .fit(*both)
        .score(test, test_values),
        "it was fitted on the test part": other.score(test, test_values),
        "training and test part are swapped": other.score(train, train_values),
        "it has no intercept": bare.score(test, test_values),
        "this is the correlation r, not R²": r,
        "this is r squared, which forgives a wrong mean and a wrong scale; R² is 1 − error / variance": (
            r**2
        ),
        "this is the share that is left; R² is 1 less that": off / test_values.var(),
        "this is the mean squared error; divide it by the variance, and take that from 1": off,
        "the error is divided by the mean square, not by the variance": 1
        - off / np.mean(test_values**2),
        "the error is divided by the variance of the training part": 1 - off / spread,
        "the mean error was taken off; it is a part of the error": explained_variance_score(
            test_values, said
        ),
        "the test codes were centred at their own mean; use that of the training part": (
            line.score(shifted, test_values)
        ),
        "its weights are shrunk by a penalty; plain least squares, please": Ridge()
        .fit(train, train_values)
        .score(test, test_values),
    }


# ---- 4


def check_drawn_codes(
    draw_codes: Callable[[np.ndarray, int, np.random.Generator], np.ndarray],
) -> None:
    """Exercise 4: codes from the Gaussian with the mean and the covariance of given codes.

    Parameters
    ----------
    draw_codes : callable
        The answer: takes codes (N, D), how many to draw, and the generator. It may divide by N or N − 1.

    Raises
    ------
    WrongAnswer
        If shape, mean, covariance or form are others, or the draws don't depend on ``rng`` alone.
    """
    codes, n = _made_codes(), 20_000
    first, again, other = (draw_codes(codes.copy(), n, np.random.default_rng(s)) for s in (0, 0, 1))
    drawn = check_array("draw_codes(…)", first, (n, codes.shape[1]))
    require(
        np.array_equal(drawn, check_array("draw_codes(…)", again, drawn.shape)),
        "draw_codes: the same rng draws something else each time. Draw with `rng` alone.",
    )
    require(
        not np.array_equal(drawn, check_array("draw_codes(…)", other, drawn.shape)),
        "draw_codes: two different rng draw the same. Use the `rng` that is handed in.",
    )
    few = draw_codes(codes.copy(), 7, np.random.default_rng(2))
    check_array("draw_codes(codes, 7, rng)", few, (7, codes.shape[1]))
    own, right = _right_moments(drawn, codes)
    passed(f"largest variance along an axis: {own:.1f} and {right:.1f}")


def _made_codes() -> np.ndarray:
    """Codes (400, 5) in two heaps, correlated, far from zero: not Gaussian."""
    rng = np.random.default_rng(5)
    heaps = np.where(rng.random(400) < 0.5, -1.0, 1.0)
    mixed = rng.normal(size=(400, 5)) * [0.5, 1, 1, 1, 1] + heaps[:, None] * [1, 0, 0, 0, 0]
    return mixed @ (rng.normal(size=(5, 5)) + np.eye(5)) + [4, -3, 2, 5, -6]


def _right_moments(drawn: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """The largest variance of drawn codes and of the codes, if the drawn ones are as asked for."""
    mean, C = codes.mean(axis=0), covariance(codes)
    whiten = np.linalg.inv(np.linalg.cholesky(C)).T
    off = drawn.mean(axis=0) - mean
    known = (drawn[:50, None] == codes).all(axis=2).any()
    require(not known, "draw_codes: these are codes of images that there are; draw new ones.")
    require(
        not np.allclose(drawn.mean(axis=0), 0, atol=0.2),
        "draw_codes: the mean of the drawn codes is zero. The mean of `codes` was forgotten.",
    )
    found = covariance(drawn)
    require(
        np.linalg.norm(off @ whiten) < 0.1 or not _alike(found, C),
        "draw_codes: the mean of the drawn codes isn't that of `codes`.",
    )
    if not _alike(found, C):
        wrong = (words for words, of in _wrong_covariances(C, len(codes)) if _alike(found, of))
        words = next(wrong, "the covariance of the drawn codes isn't that of `codes`")
        raise WrongAnswer(f"draw_codes: {words}.")
    # a Gaussian's squared distance from its mean, in deviations, has the mean square D (D + 2)
    squares = ((drawn - mean) @ whiten) ** 2
    D = codes.shape[1]
    require(
        abs(np.mean(squares.sum(axis=1) ** 2) - D * (D + 2)) < 3,
        "draw_codes: mean and covariance are right, but the draws are not from a Gaussian.",
    )
    return np.linalg.eigvalsh(found)[-1], np.linalg.eigvalsh(C)[-1]


def _alike(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether a covariance of draws agrees with another, up to chance."""
    return bool(np.linalg.norm(found - wanted) < 0.06 * np.linalg.norm(wanted) + 1e-9)


def _wrong_covariances(C: np.ndarray, n: int) -> list[tuple[str, np.ndarray]]:
    """What usual mistakes make of the covariance C of n codes: words and the covariance of the draws."""
    L, variances = np.linalg.cholesky(C), C.diagonal()
    deviations = np.sqrt(variances)
    return [
        ("the covariance was forgotten: all variances are 1", np.eye(len(C))),
        (
            "each number is drawn by itself: of the covariance only the variances are left",
            np.diag(variances),
        ),
        (
            "each number is drawn by itself, and a variance was taken for a deviation",
            np.diag(variances**2),
        ),
        ("the noise was multiplied by the covariance itself; it needs a root of it", C @ C),
        ("the root of the covariance is transposed: noise is a row here", L.T @ L),
        ("this is the correlation; the variances are lost", C / np.outer(deviations, deviations)),
        ("the covariance was not divided by the number of codes", C * n),
        ("all draws are alike: one row of noise for each code, please", np.zeros_like(C)),
    ]


# ---- 5


def check_own_images(
    fixed: Mapping[str, float],
    truth: int,
    images: ArrayLike,
    predicted: int,
    count: int,
    network: torch.nn.Module,
) -> None:
    """Exercise 5: images of one's own, how many factors vary in them, and what a network made of them.

    Nothing is asked of the training: count, error and prediction are reported side by side.

    Parameters
    ----------
    fixed : mapping from factor to value
    truth : int
        How many factors really vary in the images.
    images : array_like of shape (2100, 3, 32, 32)
        Drawn from a new ``rng``; the last 500 are counted on.
    predicted, count : int
        Of the codes' variances above 1 % of the largest.
    network : Module
        Trained on the others.

    Raises
    ------
    WrongAnswer
        If the images are others, nothing varies in them, or a number is wrong; it says which.
    """
    images, factors = _right_images(fixed, images)
    varying = sum(
        not np.array_equal(shapes.draw_images(factors | {name: values[0]}), images)
        for name, values in factors.items()
    )
    require(varying > 0, "nothing varies in the images: leave a factor free that can be seen.")
    mistakes = {
        "this is how many factors are fixed": len(fixed),
        "this counts the fixed factors as well": len(shapes.FACTORS),
        "this is the number of images": len(images),
    }
    words = "this isn't the number of factors that vary in your images"
    require_right("truth", truth, varying, mistakes, words, rtol=0, atol=0)
    guess = check_array("predicted", predicted, ()).item()
    words = f"predicted should be a whole number from 1 to {LATENT}, written before the training."
    require(guess in range(1, LATENT + 1), words)
    held = images[OWN_TRAIN:]
    codes = encode_images(network.eval(), held)
    counted = rank_above(code_spectrum(codes), 0.01)
    mistakes = {
        "1 % is meant of the variances, not of the deviations": rank_above(
            code_spectrum(codes) ** 0.5, 0.01
        ),
        "these are the training images; count on the last 500": rank_above(
            code_spectrum(encode_images(network, images[:OWN_TRAIN])), 0.01
        ),
    }
    words = "not what the codes of the last 500 images have above 1 % of the largest variance"
    require_right("count", count, counted, mistakes, words, rtol=0, atol=0)
    left = np.mean((reconstruct_images(network, held) - held) ** 2)
    share = left / np.mean((held - images[:OWN_TRAIN].mean(axis=0)) ** 2)
    passed(
        f"truth {truth} and {varying}, predicted {int(guess)}, counted {int(count)} and {counted}; "
        f"error {share:.1f} of what the mean image leaves"
    )


def _right_images(
    fixed: Mapping[str, float], images: ArrayLike
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The images as float32, and their factors, if they are what a new ``rng`` draws."""
    require(isinstance(fixed, Mapping), "fixed should be a dictionary from factor to value.")
    rng, n = np.random.default_rng(OWN_SEED), OWN_TRAIN + OWN_HELD
    try:
        factors = shapes.draw_factors(rng, n, fixed)
    except ValueError as error:
        raise WrongAnswer(f"fixed: {error}.") from None
    right = shapes.draw_images(factors)
    require(
        np.shape(images) != (n, shapes.SIDE, shapes.SIDE, 3),
        "images: the colours stand last; leave them where draw_images puts them.",
    )

    def mistakes() -> dict[str, np.ndarray]:
        free = shapes.draw_factors(np.random.default_rng(OWN_SEED), n)
        return {
            "`fixed` wasn't used when they were drawn": shapes.draw_images(free),
            "they were drawn with squares by their centre": shapes.draw_images(factors, "centre"),
            "their values should lie in [0, 1]": 255 * right,
            "they were drawn after others: run the cell of rng again, then draw once": (
                shapes.draw_images(shapes.draw_factors(rng, n, fixed))
            ),
        }

    words = "not what this rng draws with `fixed` when it is new"
    array = require_right("images", images, right, mistakes, words)
    return array.astype(np.float32), factors
