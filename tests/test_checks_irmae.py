"""Chapter 5's checks: right answers of several kinds pass, each usual mistake has its own message."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from helpers import irmae
from helpers.autoencoder import encode_images
from helpers.checks import irmae as checks
from helpers.configurations import ShapeConfiguration, TrainingOptions
from helpers.shapes import shape_images
from helpers.spectrum import effective_rank
from helpers.training import seeded, train
from tests.wrong_answers import told_apart

# ---- 1


def fold(layers, order=1, turned=False, biases="all", dtype=torch.float64):
    W, b = torch.eye(32, dtype=dtype), torch.zeros(32, dtype=dtype)
    for layer in layers[::order]:
        M = layer.weight.to(dtype)
        W = M @ W
        b = {
            "all": M @ b + layer.bias.to(dtype),
            "none": b,
            "sum": b + layer.bias.to(dtype),
            "last": layer.bias.to(dtype),
        }[biases]
    return (W.T if turned else W), b


def fold_by_probing(layers):
    layers = torch.nn.Sequential(*layers).double()
    with torch.no_grad():
        b = layers(torch.zeros(32).double())
        W = (layers(torch.eye(32).double()) - b).T
    for layer in layers:
        layer.float()
    return W, b


def fold_in_numpy(layers):
    W, b = np.eye(32), np.zeros(32)
    for layer in layers:
        M = layer.weight.numpy().astype(float)
        W, b = M @ W, M @ b + layer.bias.numpy()
    return W, b


def test_folded_layers_are_judged_for_any_number(capsys):
    for right in (fold, fold_by_probing, fold_in_numpy):
        checks.check_folded(right)
    assert "begins with" in capsys.readouterr().out
    told_apart(
        [
            ((partial(fold, order=-1),), "wrong order"),
            ((partial(fold, turned=True),), "transposed"),
            ((partial(fold, biases="none"),), "left out"),
            ((partial(fold, biases="sum"),), "sum of the biases"),
            ((partial(fold, biases="last"),), "last bias alone"),
            ((partial(fold, dtype=torch.float32),), "64 bits"),
            ((lambda layers: fold([layers[0], layers[1], layers[2]]),), "fails for 1 layers"),
        ],
        checks.check_folded,
    )


# ---- 2


def test_deviations_are_told_from_variances(capsys):
    rng = np.random.default_rng(0)
    codes = 2 + rng.normal(size=(500, 32)) * np.geomspace(1, 1e-3, 32)
    centred = codes - codes.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    by_covariance = np.sqrt(len(codes) * irmae.code_spectrum(codes))
    for right in (
        (values, 0.1, "codes"),
        (by_covariance, 0.01**0.5, "codes"),
        (list(values), 1 / 10, "codes"),
    ):
        checks.check_deviations(*right, codes)
    assert "count" in capsys.readouterr().out
    told_apart(
        [
            ((np.linalg.svd(codes, compute_uv=False), 0.1, "codes"), "not centred"),
            ((values**2, 0.1, "codes"), "squared"),
            ((values**2 / 500, 0.1, "codes"), "those of the covariance; asked"),
            ((values / 500**0.5, 0.1, "codes"), "divided by √N"),
            ((values[::-1], 0.1, "codes"), "falling"),
            ((values, 0.01, "codes"), "isn't 1 % of a deviation"),
            ((values, 0.0001, "codes"), "which way round"),
            ((values, 0.3, "codes"), "counts otherwise"),
            ((values, 0.1, "covariance"), "compute both"),
            ((values, 0.1, "both"), "not 'both'"),
        ],
        lambda *answer: checks.check_deviations(*answer, codes),
    )


# ---- 3


def colour(image, mask):
    return image[:, mask].mean(axis=1).clip(0, 1)


def relative_distance(image, mask):
    shape = colour(image, mask)[:, None, None] * mask
    return ((image - shape) ** 2).sum() / (image**2).sum()


def colour_by_least_squares(image, mask):
    design = mask.reshape(-1, 1).astype(float)
    return np.linalg.lstsq(design, image.reshape(3, -1).T, rcond=None)[0][0].clip(0, 1)


def colour_by_search(image, mask):
    grid = np.linspace(0, 1, 20_001)
    inside = image[:, mask]
    return [grid[np.abs(grid - channel.mean()).argmin()] for channel in inside]


def test_best_colour_and_distance(capsys):
    for right in (colour, colour_by_least_squares, colour_by_search):
        checks.check_distance(right, relative_distance)
    assert "distance" in capsys.readouterr().out

    def off(image, mask):
        return (image - colour(image, mask)[:, None, None] * mask) ** 2

    told_apart(
        [
            ((lambda x, m: x[:, m].mean(axis=1), relative_distance), "within [0, 1]"),
            ((lambda x, m: x.mean(axis=(1, 2)), relative_distance), "whole image"),
            ((lambda x, m: (x * m).mean(axis=(1, 2)), relative_distance), "as zeros"),
            ((lambda x, m: np.median(x[:, m], axis=1).clip(0, 1), relative_distance), "median"),
            ((lambda x, m: x[:, m].max(axis=1).clip(0, 1), relative_distance), "brightest"),
            ((lambda x, m: [0.5, 0.5, 0.5], relative_distance), "isn't the colour"),
            ((colour, lambda x, m: relative_distance(x, m) ** 0.5), "root"),
            ((colour, lambda x, m: off(x, m).sum()), "not divided by ‖x‖²."),
            ((colour, lambda x, m: off(x, m).mean()), "mean over pixels"),
            ((colour, lambda x, m: off(x, m)[:, m].sum() / (x**2).sum()), "beside the mask"),
            (
                (colour, lambda x, m: off(x, m).sum() / (colour(x, m) ** 2).sum() / m.sum()),
                "instead of",
            ),
        ],
        checks.check_distance,
    )


# ---- 4


@pytest.fixture(scope="module")
def trained():
    drawn = irmae.shape_tensor(shape_images("corner", "train", 96))
    held = irmae.shape_tensor(shape_images("corner", "validation", 64))
    settings = ShapeConfiguration(he_init=True, relu_at_code=False)
    options = TrainingOptions(batch_size=32, learning_rate=3e-4, channels_last=True)

    def judge(network):
        return {"rank": effective_rank(irmae.code_spectrum(encode_images(network, held)))}

    four = replace(settings, linear_layers=4)
    choices = {"plain": settings, "four": four}
    small = replace(four, init_gain=0.32)
    choices |= {"flat": replace(four, orthogonal=True), "small": small}
    choices |= {"small flat": replace(small, orthogonal=True)}
    ranks = {}
    for name, choice in choices.items():
        network = seeded(partial(irmae.ShapeAutoencoder, choice), 0)
        done = train(network, drawn, options, epochs=3, evaluate=judge)
        ranks[name] = [row["rank"] for row in done.history]
    return ranks, (drawn, held, settings, options)


def test_ranks_of_five_networks_are_told_from_swapped_and_invented_ones(trained, capsys):
    ranks, rest = trained
    for right in (ranks, {n: np.array(v) for n, v in ranks.items()}, dict(reversed(ranks.items()))):
        checks.check_ranks(right, *rest)
    assert "trained again, agree" in capsys.readouterr().out
    invented = {name: [9.0, 8, 7] for name in checks.WAYS}
    told_apart(
        [
            (({"plain": ranks["plain"]},), "the keys"),
            ((ranks | {"four": ranks["four"][:1]},), "shape"),
            ((ranks | {"four": ranks["flat"], "flat": ranks["four"]},), "swapped"),
            ((ranks | {"flat": ranks["flat"][::-1]},), "backwards"),
            ((invented,), "doesn't have after one epoch"),
            ((ranks | {"small": [0.5, 2, 3]},), "lies from 1"),
            ((ranks | {"small": [ranks["small"][0]] * 3},), "repeats"),
        ],
        lambda answer: checks.check_ranks(answer, *rest),
    )


# ---- 5


def test_sums_of_two_shapes_are_judged_with_their_errors(capsys):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Tanh())
    sums = checks.two_shapes(7, 60, (0, 1))
    over = np.maximum(sums - 1, 0)
    share, least = (sums > 1).any(axis=(1, 2, 3)).mean(), (over**2).mean()
    error = ((sums - checks.reconstruct(model, sums)) ** 2).mean()
    of_clipped = ((sums.clip(0, 1) - checks.reconstruct(model, sums.clip(0, 1))) ** 2).mean()
    for right in (
        (sums, share, least, error),
        (torch.from_numpy(sums), torch.tensor(share), np.float32(least), error),
        (sums.astype(np.float32), float(share), float(least), np.array(error)),
    ):
        checks.check_two_shapes(*right, model)
    assert f"{error:.4f} and {error:.4f}" in capsys.readouterr().out
    rest = share, least, error
    told_apart(
        [
            ((sums.clip(0, 1), *rest), "clipped at 1"),
            ((sums / 2, *rest), "means of the two"),
            ((checks.two_shapes(7, 60, (1, 0)), *rest), "squares were drawn first"),
            ((checks.two_shapes(7, 60, (None, None)), *rest), "at random"),
            ((checks.two_shapes(8, 60, (0, 1)), *rest), "when it is new"),
            ((sums, (sums > 1).mean(), least, error), "of all values"),
            ((sums, 1 - share, least, error), "isn't the share"),
            ((sums, share, over.mean(), error), "not of its square"),
            ((sums, share, least * 60, error), "closest image"),
            ((sums, share, least, 1e9), "error is 1e+09"),
            ((sums, share, least, of_clipped), "of clipped sums"),
            ((sums, share, least, error * 3072), "summed"),
            ((sums, share, least, error**0.5), "root"),
        ],
        lambda *answer: checks.check_two_shapes(*answer, model),
    )


# ---- 6


def readers(pca_on=slice(1000), fit_on=slice(1000), judged=slice(1000, None), score=None):
    def readable(codes, factor, k):
        pca = PCA(k).fit(codes[pca_on])
        line = LinearRegression().fit(pca.transform(codes[fit_on]), factor[fit_on])
        if score:
            return score(line.predict(pca.transform(codes[judged])), factor[judged])
        return line.score(pca.transform(codes[judged]), factor[judged])

    return readable


def by_hand(codes, factor, k):
    centre = codes[:1000].mean(axis=0)
    axes = np.linalg.svd(codes[:1000] - centre)[2][:k]
    inputs = np.column_stack([(codes - centre) @ axes.T, np.ones(len(codes))])
    weights = np.linalg.lstsq(inputs[:1000], factor[:1000], rcond=None)[0]
    off = factor[1000:] - inputs[1000:] @ weights
    return 1 - off.var() / factor[1000:].var() - off.mean() ** 2 / factor[1000:].var()


def test_readable_is_judged_on_unseen_codes_without_a_leak(capsys):
    rng = np.random.default_rng(3)
    codes = rng.normal(size=(2000, 12)) * np.arange(12, 0, -1)
    factors = {"x": codes[:, 0] + rng.normal(size=2000), "y": codes[:, 11]}

    def piped(codes, factor, k):
        reader = make_pipeline(PCA(k), LinearRegression())
        return reader.fit(codes[:1000], factor[:1000]).score(codes[1000:], factor[1000:])

    for right in (piped, readers(), by_hand):
        checks.check_readable(right, codes, factors)
    assert "x 0.99 and 0.99" in capsys.readouterr().out
    first, everything = slice(1000), slice(None)

    def shrunk(codes, factor, k):
        reader = make_pipeline(PCA(k), Ridge(1e4))
        return reader.fit(codes[:1000], factor[:1000]).score(codes[1000:], factor[1000:])

    def correlation(said, true):
        return np.corrcoef(said, true)[0, 1]

    told_apart(
        [
            ((readers(judged=first),), "it was fitted on"),
            ((readers(pca_on=everything),), "a leak"),
            ((readers(pca_on=everything, fit_on=everything),), "fitted on all codes"),
            ((readers(slice(1000, None), slice(1000, None), first),), "isn't R²"),
            ((readers(score=correlation),), "correlation"),
            ((lambda codes, factor, k: piped(codes, factor, codes.shape[1]),), "all components"),
            ((lambda codes, factor, k: [piped(codes, factor, k)] * 2,), "shape"),
            ((shrunk,), "isn't R² on the second thousand"),
        ],
        lambda answer: checks.check_readable(answer, codes, factors),
    )
