"""Checks of chapter 5's exercises: IRMAE on shapes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from helpers import irmae, shapes
from helpers.autoencoder import encode_images, reconstruct_images
from helpers.checks.parts import (
    WrongAnswer,
    check_array,
    passed,
    require,
    require_right,
)
from helpers.configurations import ShapeConfiguration, TrainingOptions
from helpers.spectrum import effective_rank, rank_above
from helpers.training import seeded, train

WAYS = ("plain", "four", "flat", "small", "small flat")
SMALL = 0.32  # times the first weights of each of four layers


def check_folded(folded: Callable[[Sequence[torch.nn.Linear]], tuple]) -> None:
    """Exercise 1: linear layers with a bias, multiplied out by hand.

    Parameters
    ----------
    folded : callable
        The answer: takes layers, returns a matrix and a vector.

    Raises
    ------
    WrongAnswer
        If matrix or vector are wrong for one, three or four layers; it says which, and in what.
    """
    torch.manual_seed(0)
    layers = [torch.nn.Linear(32, 32).requires_grad_(False) for _ in range(4)]
    for count in (3, 1, 4):
        try:
            W, b = folded(layers[:count])
        except (TypeError, ValueError, IndexError, RuntimeError) as error:
            raise WrongAnswer(f"folded fails for {count} layers: {error}") from error
        wide = all(getattr(part, "dtype", None) in (torch.float64, np.float64) for part in (W, b))
        require(wide, "W and b should have 64 bits, so that the product is rounded once.")
        W, b = check_array("W", W, (32, 32)), check_array("b", b, (32,))
        matrices = [layer.weight.double().numpy() for layer in layers[:count]]
        biases = [layer.bias.double().numpy() for layer in layers[:count]]
        wanted_W, wanted_b = np.eye(32), np.zeros(32)
        for matrix, bias in zip(matrices, biases, strict=True):
            wanted_W, wanted_b = matrix @ wanted_W, matrix @ wanted_b + bias
        backwards = np.linalg.multi_dot([np.eye(32), *matrices, np.eye(32)])
        mistakes = {
            "multiplied in the wrong order.": backwards,
            "transposed: a code x is a column, and W x the result.": wanted_W.T,
        }
        words = f"for {count} layers it isn't the product of their matrices."
        require_right("W", W, wanted_W, mistakes, words, atol=1e-7)
        mistakes = {
            "zero: the biases were left out.": np.zeros(32),
            "the sum of the biases; each is multiplied by the layers that follow it.": sum(biases),
            "the last bias alone; those before it pass through the layers that follow.": biases[-1],
        }
        words = f"for {count} layers it isn't what the layers make of zero."
        require_right("b", b, wanted_b, mistakes, words, atol=1e-7)
    passed(f"b begins with {b[0]:.4f}, and what four layers make of zero with {wanted_b[0]:.4f}")


def check_deviations(values: ArrayLike, threshold: float, higher: str, codes: np.ndarray) -> None:
    """Exercise 2: singular values of the codes instead of their covariance.

    Parameters
    ----------
    values : array_like of shape (32,)
    threshold : float
    higher : str
        The answers.
    codes : ndarray of shape (N, 32)

    Raises
    ------
    WrongAnswer
        If a value, the threshold or the choice is wrong; it says which, and in what.
    """
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    wanted = np.linalg.svd(centred, compute_uv=False)
    mistakes = {
        "those of codes that were not centred.": np.linalg.svd(codes, compute_uv=False),
        "squared: those of the covariance, times N.": wanted**2,
        "those of the covariance; asked for are those of the centred codes.": wanted**2
        / len(codes),
        "divided by √N; the matrix itself, please.": wanted / len(codes) ** 0.5,
    }
    words = "not the singular values of the centred codes, falling."
    near = {"rtol": 1e-3, "atol": 1e-4 * wanted[0]}
    values = require_right("values", values, wanted, mistakes, words, **near)
    threshold = check_array("threshold", threshold, ()).item()
    require(threshold != 0.01, "threshold: 1 % of a variance isn't 1 % of a deviation.")
    require(not np.isclose(threshold, 1e-4), "threshold was squared; which way round is it?")
    others = 10.0 ** -np.linspace(0, 5, 3200)  # the rule holds for every spectrum
    same = rank_above(others**0.5, min(max(threshold, 0.0), 0.999)) == rank_above(others, 0.01)
    require(same, f"threshold = {threshold:g} counts otherwise than 1 % on the covariance.")
    ranks = {"codes": effective_rank(wanted), "covariance": effective_rank(wanted**2)}
    require(higher in ranks, f'higher is "codes" or "covariance", not {higher!r}.')
    require(higher == max(ranks, key=ranks.get), "higher: compute both effective ranks.")
    counts = rank_above(values, threshold), rank_above(wanted**2, 0.01)
    passed(f"{counts[0]} values of the codes and {counts[1]} of the covariance count")


def check_distance(
    best_colour: Callable[[np.ndarray, np.ndarray], ArrayLike],
    distance: Callable[[np.ndarray, np.ndarray], float],
) -> None:
    """Exercise 3: the colour that suits a mask best, and the relative distance.

    Parameters
    ----------
    best_colour, distance : callable
        The answers: both take an image (3, 32, 32) and a mask (32, 32).

    Raises
    ------
    WrongAnswer
        If a colour or a distance is wrong on images that are too dark, too bright or of two shapes.
    """
    rng = np.random.default_rng(0)
    images = shapes.shape_images("corner", "test", 2000)[:2]
    mask = shapes.all_masks("corner")[1, 3, 8, 8]
    mixed = 1.3 * images.mean(axis=0) + 0.1 * rng.normal(size=(3, 32, 32)) + 0.3 * mask
    for image in (mixed, mixed - 2 * mask, mixed + 2 * mask):
        colour = _right_colour(best_colour(image, mask), image[:, mask], image, mask)
        given, relative = _right_distance(distance(image, mask), image, mask, colour)
    passed(f"distance {given:.4f} and {relative:.4f} on the last image")


def _right_colour(
    found: ArrayLike, inside: np.ndarray, image: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """The best colour, shape (3,), if that was found; ``inside`` holds the image under the mask."""
    right = inside.mean(axis=1).clip(0, 1)
    mistakes = {
        "it isn't kept within [0, 1].": inside.mean(axis=1),
        "it is the mean over the whole image; only the mask is coloured.": image.mean(axis=(1, 2)),
        "it counts the pixels beside the mask as zeros.": (image * mask).mean(axis=(1, 2)),
        "it is a median: that is best for |x − s|.": np.median(inside, axis=1).clip(0, 1),
        "it is the brightest value under the mask.": inside.max(axis=1).clip(0, 1),
    }
    words = "it isn't the colour that comes closest on an image of the check."
    require_right("best_colour(…)", found, right, mistakes, words, rtol=1e-5, atol=1e-4)
    return right


def _right_distance(
    given: ArrayLike, image: np.ndarray, mask: np.ndarray, colour: np.ndarray
) -> tuple[float, float]:
    """The relative distance as given and as it is, if they agree."""
    off, energy = (image - colour[:, None, None] * mask) ** 2, (image**2).sum()
    right = off.sum() / energy
    shape = (colour**2).sum() * mask.sum()
    mistakes = {
        "it is the root of what is asked for.": right**0.5,
        "it is not divided by ‖x‖².": off.sum(),
        "it is a mean over pixels, not divided by ‖x‖².": off.mean(),
        "it is divided by ‖s‖² instead of ‖x‖².": off.sum() / shape if shape else np.nan,
        "it leaves out what lies beside the mask.": off[:, mask].sum() / energy,
    }
    words = "it isn't ‖x − s‖² / ‖x‖² on an image of the check."
    return require_right("distance(…)", given, right, mistakes, words, rtol=1e-4).item(), right


def check_ranks(
    ranks: Mapping[str, Sequence[float]],
    drawn: torch.Tensor,
    held: torch.Tensor,
    settings: ShapeConfiguration,
    options: TrainingOptions,
) -> None:
    """Exercise 4: effective ranks after each of three epochs, of five networks.

    The first epoch is trained again for each, so that names that are swapped show.

    Parameters
    ----------
    ranks : mapping of str to sequence of 3 float
        The answer, for each of :data:`WAYS`.
    drawn, held : Tensor of shape (N, 3, 32, 32)
        What is trained on, and whose codes are judged.
    settings, options : ShapeConfiguration, TrainingOptions
        Of the exercise.

    Raises
    ------
    WrongAnswer
        If a name, the number of epochs or a first value is wrong; it says which.
    """
    require(set(ranks) == set(WAYS), f"ranks should have the keys {', '.join(WAYS)}.")
    given = {name: check_array(f'ranks["{name}"]', ranks[name], (3,)) for name in WAYS}
    for name, values in given.items():
        require(
            values.min() >= 1 and values.max() <= settings.latent,
            f'ranks["{name}"] holds {values.min():.3g} to {values.max():.3g}: an effective rank '
            "lies from 1 to the size of the code.",
        )
        require(
            len(set(values)) == 3, f'ranks["{name}"] repeats a value: one for each epoch, please.'
        )
    first = {name: first_rank(name, drawn, held, settings, options) for name in WAYS}
    for name, values in given.items():
        others = [o for o in WAYS if np.isclose(values[0], first[o], rtol=1e-3) and o != name]
        right = np.isclose(values[0], first[name], rtol=1e-3)
        require(
            right or not others,
            f'ranks["{name}"] begins as another network should; are two names swapped?',
        )
        require(
            right or not np.isclose(values[-1], first[name], rtol=1e-3),
            f'ranks["{name}"] ends with the value of the first epoch: it runs backwards.',
        )
        require(
            right,
            f'ranks["{name}"] begins with {values[0]:.3f}, which this network doesn\'t have after '
            "one epoch from seed 0. Look at the settings, the seed, and whose codes are judged.",
        )
    # no digits: the last ones differ between processors and numbers of threads
    passed("after one epoch, your five networks and the same five, trained again, agree to 0.1 %")


def first_rank(
    name: str,
    drawn: torch.Tensor,
    held: torch.Tensor,
    settings: ShapeConfiguration,
    options: TrainingOptions,
) -> float:
    """Effective rank of the codes of ``held`` after one epoch, for one of :data:`WAYS`."""
    four = replace(settings, linear_layers=4)
    choices = {"plain": settings, "four": four}
    small = replace(four, init_gain=SMALL)
    choices |= {"flat": replace(four, orthogonal=True), "small": small}
    choices |= {"small flat": replace(small, orthogonal=True)}
    network = seeded(partial(irmae.ShapeAutoencoder, choices[name]), 0)
    train(network, drawn, options, epochs=1)
    return effective_rank(irmae.code_spectrum(encode_images(network, held)))


def check_two_shapes(
    sums: ArrayLike, share: float, least: float, error: float, model: torch.nn.Module, seed: int = 7
) -> None:
    """Exercise 5: circles plus squares, and the errors that they leave.

    Parameters
    ----------
    sums : array_like of shape (N, 3, 32, 32)
    share, least, error : float
        The answers.
    model : Module
        The autoencoder of the exercise.
    seed : int
        Of the exercise's ``rng``.

    Raises
    ------
    WrongAnswer
        If images or a number are wrong; it says which, and in what.
    """
    sums = _right_sums(sums, seed)
    over, excess = sums > 1, np.maximum(sums - 1, 0)
    by_image = over.any(axis=(1, 2, 3)).mean()
    mistakes = {"this is a share of all values; asked for is the share of images.": over.mean()}
    words = "this isn't the share of images that have a value above 1."
    share = require_right("share", share, by_image, mistakes, words)
    mistakes = {"this is the mean of what lies above 1, not of its square.": excess.mean()}
    words = "this isn't what the closest image with values up to 1 leaves, as a mean."
    least = require_right("least", least, (excess**2).mean(), mistakes, words, rtol=1e-4, atol=0)
    error, own = _right_error(error, sums, model)
    passed(
        f"share {share:.3f} and {by_image:.3f}, error {error:.4f} and {own:.4f}, least {least:.1e}"
    )


def _right_sums(sums: ArrayLike, seed: int) -> np.ndarray:
    """The sums, shape (N, 3, 32, 32), if they are a circle plus a square each."""
    count = len(sums)
    right = two_shapes(seed, count, (0, 1))
    mistakes = {
        "they were clipped at 1; the exercise is about what lies above.": right.clip(0, 1),
        "they are means of the two images: add them, no more.": right / 2,
        "the squares were drawn first; the circles come first.": two_shapes(seed, count, (1, 0)),
        "the kinds were drawn at random: each image needs a circle and a square.": two_shapes(
            seed, count, (None, None)
        ),
    }
    words = "not what this rng draws when it is new: run its cell again, then draw once."
    return require_right("sums", sums, right, mistakes, words)


def _right_error(error: ArrayLike, sums: np.ndarray, model: torch.nn.Module) -> tuple[float, float]:
    """The model's mean squared error on the sums, as given and as it is, if they agree."""
    right = ((sums - reconstruct(model, sums)) ** 2).mean()
    clipped = sums.clip(0, 1)
    of_clipped = reconstruct(model, clipped)
    near = {"rtol": 1e-4, "atol": 0}  # clipping may hardly matter to a model
    mistakes = {
        "the model saw clipped sums; show it sums as they are.": ((sums - of_clipped) ** 2).mean(),
        "this is the error of clipped sums.": ((clipped - of_clipped) ** 2).mean(),
        "this is summed over pixels: take the mean over all of them.": right * sums[0].size,
        "this is the root of the mean squared error.": right**0.5,
    }
    words = "this isn't the mean squared difference of sums and their reconstruction."
    return require_right("error", error, right, mistakes, words, **near).item(), right


def two_shapes(seed: int, count: int, kinds: Sequence[int | None]) -> np.ndarray:
    """Sums of two drawings, one after the other from a new generator; None draws any kind."""
    rng = np.random.default_rng(seed)
    fixed = [{} if kind is None else {"kind": kind} for kind in kinds]
    first, second = (shapes.draw_images(shapes.draw_factors(rng, count, fixed=f)) for f in fixed)
    return first + second


def reconstruct(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    """What a model makes of images, which may have values above 1."""
    return reconstruct_images(model, torch.from_numpy(images.astype(np.float32)))


def check_readable(
    readable: Callable[[np.ndarray, np.ndarray, int], float],
    codes: np.ndarray,
    factors: Mapping[str, np.ndarray],
) -> None:
    """Exercise 6: R² of a linear reader of k components, on codes that it has not seen.

    It is also called with codes made so that every usual mistake shows: their second half varies
    in other directions than the first.

    Parameters
    ----------
    readable : callable
        The answer.
    codes : ndarray of shape (2000, D)
    factors : mapping of str to ndarray of shape (2000,)

    Raises
    ------
    WrongAnswer
        If R² is of the wrong images, leaks, or is another measure; it says which.
    """
    rng = np.random.default_rng(0)
    made = rng.normal(size=(2000, 8)) * np.repeat([[3, 2, 1.5, 1, 1, 1, 1, 1]], 2000, axis=0)
    made[1000:, 4:] *= 20
    factor = made[:, 0] + made[:, 2] + rng.normal(size=2000)
    first, second = slice(0, 1000), slice(1000, 2000)
    rows = {
        "it was fitted on the other half.": (second, first, first),
        "it is the score on the images that it was fitted on.": (first, first, first),
        "it saw all codes when the components were found: a leak.": (slice(None), first, second),
        "it was fitted on all codes, the judged ones included.": (
            slice(None),
            slice(None),
            second,
        ),
    }
    right, r = read(made, factor, 3, first, first, second)
    mistakes = {words: read(made, factor, 3, *of)[0] for words, of in rows.items()}
    mistakes["it is the correlation r, not R²."] = r
    mistakes["it reads all components, not k."] = read(made, factor, 8, first, first, second)[0]
    words = "it isn't R² on the second thousand."
    require_right("readable(made codes, …, 3)", readable(made, factor, 3), right, mistakes, words)
    pairs = {}
    for name, values in factors.items():
        own = check_array(f"readable of {name}", readable(codes, values, 7), ()).item()
        pairs[name] = own, read(codes, values, 7, first, first, second)[0]
        require(
            np.isclose(*pairs[name], atol=1e-3),
            f"For {name} readable gives {own:.3f}; on made codes it was right.",
        )
    passed("; ".join(f"{name} {own:.2f} and {ours:.2f}" for name, (own, ours) in pairs.items()))


def read(
    codes: np.ndarray, factor: np.ndarray, k: int, pca_on: slice, fit_on: slice, judged: slice
) -> tuple[float, float]:
    """R² and the correlation r of a linear reader of k components, on the rows judged."""
    pca = PCA(k, svd_solver="full").fit(codes[pca_on])
    reader = LinearRegression().fit(pca.transform(codes[fit_on]), factor[fit_on])
    said = reader.predict(pca.transform(codes[judged]))
    off = np.mean((factor[judged] - said) ** 2) / np.var(factor[judged])
    return float(1 - off), float(np.corrcoef(factor[judged], said)[0, 1])
