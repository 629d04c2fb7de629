"""Checks of chapter 3's exercises: right answers of different kinds pass, wrong ones are told apart."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from torch import nn
from torch.nn.functional import mse_loss

from helpers.autoencoder import (
    DenseCodeAutoencoder,
    encode_images,
    image_errors,
    reconstruct_images,
)
from helpers.checks.autoencoder import (
    check_accuracies,
    check_beats_pca,
    check_denoising,
    check_layers,
    check_loop,
    check_loss,
    check_networks,
    check_overlap,
    check_threshold,
)
from helpers.checks.parts import WrongAnswer
from helpers.experiments.registry import load_network
from helpers.fashion_mnist import load_fashion_mnist
from helpers.pca import pca_from_covariance, project, reconstruct


def refused(words, check, *answers):
    with pytest.raises(WrongAnswer, match=words):
        check(*answers)


@pytest.fixture(scope="module")
def data():
    """A network and PCA of 16 numbers, and few images: (images, labels) to train and to test."""
    train, test = (
        [a[:n] for a in load_fashion_mnist(s)] for s, n in (("train", 600), ("test", 370))
    )
    net = load_network("fashion-mnist-16")
    return net, pca_from_covariance(train[0].reshape(-1, 784), 16), tuple(train), tuple(test)


# ---- 1 sizes


def layer(padding, extra, *, kernel=3, stride=2, channels=1):
    return nn.ConvTranspose2d(channels, channels, kernel, stride, padding, output_padding=extra)


def test_layers_pass_in_every_form(capsys):
    right = [layer(1, 0), layer(1, 1), layer(1, 1)]
    check_layers(right)
    check_layers(tuple(right))
    check_layers(nn.Sequential(*right))
    check_layers([nn.ConvTranspose2d(1, 1, (3, 3), (2, 2), (1, 1), (o, o)) for o in (0, 1, 1)])
    assert "by the formula 28 × 28, by PyTorch 28 × 28" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([layer(1, 0), layer(1, 1)], "holds 2"),
        ([layer(0, 0), layer(1, 1), layer(1, 1)], "layer 1 makes 9 of 4; it should make 7"),
        ([layer(1, 0), layer(1, 0), layer(1, 1)], "layer 2 makes 13 of 7; it should make 14"),
        ([layer(1, 0), layer(1, 1), layer(0, 1)], "layer 3 makes 30 of 14"),
        ([layer(1, 0, kernel=4), layer(1, 1), layer(1, 1)], r"layer 1 has the kernel \(4, 4\)"),
        ([layer(1, 0), layer(1, 0, stride=1), layer(1, 1)], r"layer 2 has the stride \(1, 1\)"),
        ([layer(1, 0, channels=2), layer(1, 1), layer(1, 1)], r"channels \(2, 2\)"),
        ([layer(1, 0), nn.Upsample(14), layer(1, 1)], "layer 2 is Upsample"),
    ],
)
def test_wrong_layers_are_told_apart(layers, words):
    refused(words, check_layers, layers)


# ---- 2 accuracy


def accuracy(train, labels, test, truth, k=10):
    return KNeighborsClassifier(k).fit(train, labels).score(test, truth)


def by_hand(train, labels, test, truth):
    near = labels[np.argsort(cdist(test, train), axis=1)[:, :10]]
    return np.mean([np.bincount(row, minlength=10).argmax() for row in near] == truth)


@pytest.fixture(scope="module")
def numbers(data):
    net, pca, train, test = data
    codes = [encode_images(net, images) for images, _ in (train, test)]
    scores = [project(pca, images.reshape(-1, 784)) for images, _ in (train, test)]
    return codes, scores, train[1], test[1]


def test_accuracies_pass_in_every_form(data, numbers, capsys):
    codes, scores, labels, truth = numbers
    both = [accuracy(a, labels, b, truth) for a, b in (codes, scores)]
    check_accuracies(*both, *data)
    check_accuracies(*map(np.float32, both), *data)
    check_accuracies(*map(torch.tensor, both), *data)
    check_accuracies(*(by_hand(a, labels, b, truth) for a, b in (codes, scores)), *data)
    assert f"{both[0]:.3f} by the code, {both[1]:.3f} by PCA" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda a, labels, b, truth: 100 * accuracy(a, labels, b, truth), "percentage"),
        (lambda a, labels, b, truth: 370 * accuracy(a, labels, b, truth), "number of hits"),
        (lambda a, labels, b, truth: 1 - accuracy(a, labels, b, truth), "share of errors"),
        (lambda a, labels, b, truth: accuracy(a, labels, a, labels), "on the training images"),
        (lambda a, labels, b, truth: accuracy(b, truth, b, truth), "fitted to the test images"),
        (lambda a, labels, b, truth: accuracy(a, labels, b, truth, 1), "1 neighbour"),
        (lambda a, labels, b, truth: accuracy(a, labels, b, truth, 5), "5 neighbours"),
        (lambda a, labels, b, truth: 0.123, "neither right"),
        (lambda a, labels, b, truth: None, "NaN"),
    ],
)
def test_wrong_accuracies_are_told_apart(wrong, words, data, numbers):
    codes, scores, labels, truth = numbers
    right = accuracy(*[codes[0], labels, codes[1], truth])
    refused(
        f"by_pca.*{words}",
        check_accuracies,
        right,
        wrong(scores[0], labels, scores[1], truth),
        *data,
    )


def test_swapped_accuracies_are_seen(data, numbers):
    codes, scores, labels, truth = numbers
    both = [accuracy(a, labels, b, truth) for a, b in (codes, scores)]
    refused("swapped", check_accuracies, *both[::-1], *data)


# ---- 3 neighbours


def nearest(points, k, skip=1):
    return np.argsort(cdist(points, points), axis=1)[:, skip : k + skip]


def shared(one, other, k):
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(one, other, strict=True)])


def overlap(original, mapped, k):
    return shared(nearest(original, k), nearest(mapped, k), k)


def overlap_by_scikit_learn(original, mapped, k):
    graphs = [NearestNeighbors(n_neighbors=k).fit(x).kneighbors_graph() for x in (original, mapped)]
    return graphs[0].multiply(graphs[1]).sum() / (k * len(original))


def overlap_by_torch(original, mapped, k):
    found = []
    for points in map(torch.as_tensor, (original, mapped)):
        distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
        chosen = torch.zeros_like(distances).scatter(1, distances.topk(k, largest=False)[1], 1)
        found.append(chosen)
    return (found[0] * found[1]).sum(1).mean() / k


@pytest.mark.parametrize("right", [overlap, overlap_by_scikit_learn, overlap_by_torch])
def test_overlaps_of_every_kind_pass(right, capsys):
    check_overlap(right)
    yours, course = capsys.readouterr().out.split("yours ")[1].split(", the course's knn_overlap ")
    assert course.startswith(yours)


def farthest(points, k):
    return np.argsort(-cdist(points, points), axis=1)[:, :k]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda o, m, k: shared(nearest(o, k, 0), nearest(m, k, 0), k), "its own neighbour"),
        (lambda o, m, k: shared(nearest(o, k), nearest(m, k), 1), "divide by k"),
        (lambda o, m, k: np.mean(nearest(o, k) == nearest(m, k)), "order is compared"),
        (lambda o, m, k: shared(farthest(o, k), farthest(m, k), k), "farthest"),
        (lambda o, m, k: shared(nearest(o, k - 1), nearest(m, k - 1), k), "6 of 7"),
        (lambda o, m, k: shared(nearest(o, k - 1), nearest(m, k - 1), k - 1), "one neighbour is"),
        (lambda o, m, k: overlap(o, m, 7), "k = 7 is right, and k = 1"),
        (lambda o, m, k: overlap(o, o, k), "the map wasn't used"),
        (lambda o, m, k: np.ones(len(o)), r"shape \(\); it has \(300,\)"),
        (lambda o, m, k: overlap(o[:, :1], m, k), "should keep all"),
    ],
)
def test_wrong_overlaps_are_told_apart(wrong, words):
    refused(words, check_overlap, wrong)


# ---- 4 an autoencoder


def dense(d=16, bend=nn.ReLU, image=(1, 28, 28)):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), bend(), nn.Linear(32, d))
    decoder = nn.Sequential(nn.Linear(d, 32), bend(), nn.Linear(32, 784), nn.Unflatten(1, image))
    return encoder, decoder


def test_networks_of_every_kind_pass(capsys):
    check_networks(*dense())
    check_networks(*dense(bend=nn.Tanh))
    whole = DenseCodeAutoencoder(16)
    check_networks(whole.encode, whole.decode)
    assert "1 × 28 × 28 → 16 → 1 × 28 × 28" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        (dense(d=15), r"encoder makes \(6, 15\)"),
        (dense(image=(28, 28)), r"decoder makes \(6, 28, 28\)"),
        (dense(bend=nn.Identity), "the encoder is linear"),
        ((dense()[0], dense(bend=nn.Identity)[1]), "the decoder is linear"),
        ((dense()[0][1:], dense()[1]), "encoder can't take"),
        ((dense()[0], dense(d=8)[1]), "decoder can't take"),
        ((len, dense()[1]), "not a Module"),
    ],
)
def test_wrong_networks_are_told_apart(networks, words):
    refused(words, check_networks, *networks)


@pytest.mark.parametrize(
    "right",
    [
        mse_loss,
        lambda rebuilt, images: ((rebuilt - images) ** 2).mean(),
        lambda rebuilt, images: (images - rebuilt).square().sum() / images.numel(),
    ],
)
def test_losses_of_every_kind_pass(right, capsys):
    check_loss(right)
    assert "the mean of all squares 0.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda a, b: (a - b).square().sum(), "this is a sum"),
        (lambda a, b: (a - b).square().sum() / len(a), "sum over the pixels"),
        (lambda a, b: (a - b).square().sum() / 784, "number of pixels only"),
        (lambda a, b: (a - b).square().mean().sqrt(), "root"),
        (lambda a, b: (a - b).abs().mean(), "absolute"),
        (lambda a, b: (a - b).square().mean() / 2, "half"),
        (lambda a, b: (a - b).square().mean().item(), "returns float"),
        (lambda a, b: (a - b).detach().square().mean(), "lost the gradient"),
        (lambda a, b: (a - b).square().flatten(1).mean(1), r"shape \(5,\)"),
        (lambda a, b: (a - b).mean(), "neither right"),
    ],
)
def test_wrong_losses_are_told_apart(wrong, words):
    refused(words, check_loss, wrong)


def fit(
    encoder, decoder, images, epochs, *, rate=1e-3, size=100, kind=torch.optim.Adam, which="both",
    fresh=True, step=True, batches=None, clip=None,
):  # fmt: skip
    weights = {"encoder": encoder.parameters(), "decoder": decoder.parameters()}
    weights["both"] = [*encoder.parameters(), *decoder.parameters()]
    optimizer = kind(weights[which], lr=rate)
    for _ in range(epochs):
        for batch in images[torch.randperm(len(images))].split(size)[:batches]:
            if fresh:
                optimizer.zero_grad()
            mse_loss(decoder(encoder(batch)), batch).backward()
            if clip:
                nn.utils.clip_grad_norm_(weights["both"], clip)
            if step:
                optimizer.step()


def fit_zeroing_afterwards(encoder, decoder, images, epochs):
    optimizer = torch.optim.SGD(nn.Sequential(encoder, decoder).parameters(), lr=0.05)
    for _ in range(epochs):
        for start in range(0, len(images), 64):
            batch = images[start : start + 64]
            ((decoder(encoder(batch)) - batch) ** 2).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        decoder(encoder(images))  # watches the error, too


@pytest.mark.parametrize("right", [fit, fit_zeroing_afterwards, partial(fit, clip=0.01, size=32)])
def test_loops_of_every_kind_pass(right, capsys):
    check_loop(right)
    assert "after three epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"which": "encoder"}, "the decoder's weights stay"),
        ({"which": "decoder"}, "the encoder's weights stay"),
        ({"fresh": False}, "pile up"),
        ({"step": False}, "no weight has moved"),
        ({"batches": 2}, "the encoder saw 200"),
        ({"rate": 10}, "the error rose"),
    ],
)
def test_wrong_loops_are_told_apart(options, words):
    refused(words, check_loop, partial(fit, **options))


def test_a_loop_that_ignores_epochs_is_seen():
    refused("is `epochs` used", check_loop, lambda e, d, images, epochs: fit(e, d, images, 1))


def test_beating_pca_is_judged_on_test_images(capsys):
    images = load_fashion_mnist("train")[0][:500]
    flat = images.reshape(-1, 784)
    pca, better = pca_from_covariance(flat, 2), pca_from_covariance(flat, 16)

    def linear(pca, scale=1.0):
        """PCA as a network with a code of 16 numbers."""
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 16))
        decoder = nn.Sequential(nn.Linear(16, 784), nn.Unflatten(1, (1, 28, 28)))
        rows = torch.zeros(16, 784)
        rows[: len(pca.components)] = torch.as_tensor(pca.components * scale)
        mean = torch.as_tensor(pca.mean, dtype=torch.float32)
        encoder[1].weight.data, encoder[1].bias.data = rows, -rows @ mean
        decoder[0].weight.data, decoder[0].bias.data = rows.T.clone(), mean
        return encoder, decoder

    check_beats_pca(*linear(better), pca, images)
    with_norm = linear(better)
    check_beats_pca(nn.Sequential(*with_norm[0], nn.Dropout(0.9)), with_norm[1], pca, images)
    check_beats_pca(nn.Sequential(*with_norm[0], nn.Identity()), with_norm[1], pca, images)
    assert "your network 0.0" in capsys.readouterr().out
    refused("Train longer", check_beats_pca, *linear(pca), better, images)
    refused("Was the network trained", check_beats_pca, *dense(), better, images)
    refused("is no number", check_beats_pca, *linear(pca, np.nan), better, images)
    refused(r"encoder makes \(2, 8\)", check_beats_pca, *dense(8), better, images)


# ---- 5 a threshold


def answers(data):
    net, _, (train, _), (test, _) = data
    errors, on_test, turned = (
        image_errors(net, np.ascontiguousarray(i)).numpy() for i in (train, test, test[:, ::-1])
    )
    threshold = np.quantile(errors[1::2], 0.95)
    return threshold, np.mean(on_test > threshold), np.mean(turned > threshold)


def test_thresholds_pass_in_every_form(data, capsys):
    net, _, (train, _), (test, _) = data
    right = answers(data)
    check_threshold(*right, net, train, test)
    check_threshold(*map(np.float32, right), net, train, test)
    check_threshold(*map(torch.tensor, right), net, train, test)
    check_threshold(right[0] * 1.0005, *right[1:], net, train, test)
    assert "where 5.0% were meant" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda t, a, f, errors, on_test: (np.quantile(on_test, 0.95), a, f), "on the test images"),
        (lambda t, a, f, errors, on_test: (np.quantile(errors[1::2], 0.05), a, f), "lie below"),
        (lambda t, a, f, errors, on_test: (np.quantile(errors[::2], 0.95), a, f), "even positions"),
        (lambda t, a, f, errors, on_test: (np.quantile(errors, 0.95), a, f), "all training images"),
        (lambda t, a, f, errors, on_test: (errors[1::2].mean(), a, f), "mean error"),
        (lambda t, a, f, errors, on_test: (np.quantile(errors[1::2], 0.9), a, f), "90 % quantile"),
        (lambda t, a, f, errors, on_test: (t, 1 - a, f), "false_alarms.*below the threshold"),
        (lambda t, a, f, errors, on_test: (t, np.mean(errors[1::2] > t), f), "share on the train"),
        (lambda t, a, f, errors, on_test: (t, a, a), "found.*share of false alarms"),
        (lambda t, a, f, errors, on_test: (t, 100 * a, f), "false_alarms.*percentage"),
        (lambda t, a, f, errors, on_test: (t, a, 370 * f), "found.*number of images"),
        (lambda t, a, f, errors, on_test: (t, a, 1 - f), "found.*below the threshold"),
    ],
)
def test_wrong_thresholds_are_told_apart(wrong, words, data):
    net, _, (train, _), (test, _) = data
    errors, on_test = (image_errors(net, images).numpy() for images in (train, test))
    given = wrong(*answers(data), errors, on_test)
    refused(words, check_threshold, *given, net, train, test)


# ---- 6 noise


@pytest.fixture(scope="module")
def noisy(data):
    clean = data[3][0]
    rng = np.random.default_rng(0)
    return {
        s: (clean + rng.normal(0, s, clean.shape)).clip(0, 1).astype(np.float32) for s in (0.1, 0.4)
    }


def denoised(data, noisy):
    net, pca, _, _ = data
    by_net = {s: reconstruct_images(net, images) for s, images in noisy.items()}
    scores = {s: project(pca, images.reshape(-1, 784)) for s, images in noisy.items()}
    by_pca = {s: reconstruct(pca, x).clip(0, 1).reshape(-1, 28, 28) for s, x in scores.items()}
    return by_net, by_pca


def mean_squares(images, truth):
    return {s: np.mean((image - truth) ** 2) for s, image in images.items()}


def test_denoising_passes_in_every_form(data, noisy, capsys):
    net, pca, _, (clean, _) = data
    both = [mean_squares(images, clean) for images in denoised(data, noisy)]
    rest = (net, pca, noisy, clean)
    check_denoising(*both, *rest)
    check_denoising(*({s: float(e) for s, e in errors.items()} for errors in both), *rest)
    check_denoising(*({s: torch.tensor(e) for s, e in errors.items()} for errors in both), *rest)
    assert capsys.readouterr().out.count("untouched") == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda n, p, e, noisy, clean: (p, e), "by_net.*other method"),
        (lambda n, p, e, noisy, clean: (n, {s: x**0.5 for s, x in e.items()}), "by_pca.*root"),
        (lambda n, p, e, noisy, clean: (n, {s: x * 784 for s, x in e.items()}), "by_pca.*sum"),
        (lambda n, p, e, noisy, clean: (n, {0.1: e[0.1]}), "no entry for the level 0.4"),
        (lambda n, p, e, noisy, clean: (n, list(e.values())), "should be a dictionary"),
        (lambda n, p, e, noisy, clean: (n, mean_squares(noisy, clean)), "the noisy images thems"),
    ],
)
def test_wrong_denoising_is_told_apart(wrong, words, data, noisy):
    net, pca, _, (clean, _) = data
    by_net, by_pca = (mean_squares(images, clean) for images in denoised(data, noisy))
    given = wrong(by_net, by_pca, by_pca, noisy, clean)
    refused(words, check_denoising, *given, net, pca, noisy, clean)


def test_denoising_against_noise_or_unclipped_is_seen(data, noisy):
    net, pca, _, (clean, _) = data
    made = denoised(data, noisy)
    right = mean_squares(made[0], clean)
    against = {s: np.mean((image - noisy[s]) ** 2) for s, image in made[1].items()}
    refused("against the noisy", check_denoising, right, against, net, pca, noisy, clean)
    flat = {s: reconstruct(pca, project(pca, x.reshape(-1, 784))) for s, x in noisy.items()}
    whole = {s: np.mean((x - clean.reshape(-1, 784)) ** 2) for s, x in flat.items()}
    refused("wasn't clipped", check_denoising, right, whole, net, pca, noisy, clean)
