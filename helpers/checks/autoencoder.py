"""What the exercises of chapter 3 ask: each function checks one answer and says what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from helpers.autoencoder import encode_images, image_errors, reconstruct_images, size_after
from helpers.checks.parts import WrongAnswer, check_array, passed, require, require_right
from helpers.embedding import knn_overlap
from helpers.pca import PrincipalComponents, project, reconstruct
from helpers.training import seeded

Labelled = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) and their labels (N,)
CODE = 16  # numbers in a code
SIZES = (4, 7, 14, 28)  # of exercise 1
SLIP = "neither right nor a usual slip."


# ---- 1


def check_layers(layers: Sequence[nn.Module]) -> None:
    """Exercise 1: three transposed convolutions, kernel 3, stride 2, one channel, that lead from 4 to 28.

    Raises
    ------
    WrongAnswer
        If there are more or fewer, one is of another kind, or a size is another one.
    """
    layers = list(layers)
    require(len(layers) == 3, f"layers should hold three layers; it holds {len(layers)}.")
    values, formula = torch.zeros(1, 1, SIZES[0], SIZES[0]), SIZES[0]
    for i, (layer, size) in enumerate(zip(layers, SIZES[1:], strict=True), 1):
        kind = type(layer).__name__
        require(isinstance(layer, nn.ConvTranspose2d), f"layer {i} is {kind}, not ConvTranspose2d.")
        require(
            layer.kernel_size == (3, 3), f"layer {i} has the kernel {layer.kernel_size}, not 3."
        )
        require(layer.stride == (2, 2), f"layer {i} has the stride {layer.stride}, not 2.")
        channels = (layer.in_channels, layer.out_channels)
        require(channels == (1, 1), f"layer {i} has the channels {channels}; one throughout.")
        before, formula = formula, size_after(layer, formula)
        words = f"layer {i} makes {formula} of {before}; it should make {size}"
        require(formula == size, f"{words}. Put p and o into the formula once more.")
        values = layer(values)
    passed(
        f"by the formula {formula} × {formula}, by PyTorch {values.shape[2]} × {values.shape[3]}"
    )


# ---- 2


def check_accuracies(
    by_code: float,
    by_pca: float,
    net: nn.Module,
    pca: PrincipalComponents,
    train: Labelled,
    test: Labelled,
) -> None:
    """Exercise 2: accuracy of 10 nearest neighbours on test images, by codes and by principal components.

    Raises
    ------
    WrongAnswer
        If one of the two is another number.
    """
    names, answers = ("by_code", "by_pca"), (by_code, by_pca)
    given = [float(check_array(n, a, ())) for n, a in zip(names, answers, strict=True)]
    sets = list(_numbers(net, pca, train[0], test[0]))
    right = [_accuracy(*numbers, train[1], test[1]) for numbers in sets]
    swapped = np.allclose(given[::-1], right, rtol=6e-4) and not np.isclose(*right, rtol=6e-4)
    require(not swapped, "by_code and by_pca are swapped.")
    for name, value, known, numbers in zip(names, given, right, sets, strict=True):
        wrong = partial(_wrong_accuracies, known, *numbers, train[1], test[1])
        require_right(name, value, known, wrong, SLIP, rtol=6e-4, atol=0)
    passed(f"right on test images: {by_code:.3f} by the code, {by_pca:.3f} by PCA")


def _numbers(
    net: nn.Module, pca: PrincipalComponents, train: np.ndarray, test: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """First the codes of training and test images, then their scores on the components of PCA."""
    yield encode_images(net, train), encode_images(net, test)
    yield tuple(project(pca, images.reshape(len(images), -1)) for images in (train, test))


def _accuracy(
    train: np.ndarray, test: np.ndarray, labels: np.ndarray, truth: np.ndarray, k: int = 10
) -> float:
    return KNeighborsClassifier(k).fit(train, labels).score(test, truth)


def _wrong_accuracies(
    right: float, train: np.ndarray, test: np.ndarray, labels: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """What each usual mistake gives, by the words that name it."""
    return {
        "this is a percentage; give a share between 0 and 1": 100 * right,
        "this is the number of hits; divide by the number of test images": right * len(test),
        "this is the share of errors; the accuracy is what is left": 1 - right,
        "this is the accuracy on the training images; score it on the test images": (
            _accuracy(train, train, labels, labels)
        ),
        "this classifier was fitted to the test images; fit it to the training images": (
            _accuracy(test, test, truth, truth)
        ),
        "this is for 1 neighbour; use 10": _accuracy(train, test, labels, truth, 1),
        "this is for scikit-learn's default of 5 neighbours; use 10": (
            _accuracy(train, test, labels, truth, 5)
        ),
    }


# ---- 3


def check_overlap(overlap: Callable[[np.ndarray, np.ndarray, int], float]) -> None:
    """Exercise 3: the share of each point's k nearest neighbours that a map keeps.

    Raises
    ------
    WrongAnswer
        If it counts a point as its own neighbour, looks at order, divides wrongly, or ignores k.
    """
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 5))
    flat, k = points[:, :2], 7
    value = float(check_array("overlap(original, mapped, 7)", overlap(points, flat, k), ()))
    kept = float(check_array("overlap(original, original, 7)", overlap(points, points, k), ()))
    require(not np.isclose(kept, k), "a copy of the points keeps 7 of 7 neighbours: divide by k.")
    lost = "a copy keeps 6 of 7: a place went to the point itself, which then was taken out"
    require(not np.isclose(kept, 6 / 7), f"{lost}.")
    require(np.isclose(kept, 1), f"a copy should keep all neighbours (1); it keeps {kept:.3f}.")
    near, near_flat = _nearest(points, k), _nearest(flat, k)
    far, far_flat = (_nearest(x, k, far=True) for x in (points, flat))
    wrong = {
        "each point counts as its own neighbour, which every map keeps": (
            (k - 1) * knn_overlap(points, flat, k - 1) + 1
        )
        / k,
        "the order is compared; a neighbour counts wherever it stands among the k": np.mean(
            near == near_flat
        ),
        "these are the farthest points; sort the other way": _shared(far, far_flat),
        "one neighbour is missing; the point itself comes first, then k others": knn_overlap(
            points, flat, k - 1
        ),
        "the map wasn't used; find the neighbours in both": 1.0,
    }
    right = knn_overlap(points, flat, k)
    require_right("overlap(original, mapped, 7)", value, right, wrong, SLIP, rtol=1e-9, atol=0)
    for other in (1, 20):
        found = float(check_array(f"overlap(…, {other})", overlap(points, flat, other), ()))
        words = f"k = 7 is right, and k = {other} gives {found:.4f}, which is not. Is k used?"
        require(np.isclose(found, knn_overlap(points, flat, other)), words)
    passed(f"k = 7: yours {value:.4f}, the course's knn_overlap {right:.4f}; a copy {kept:.0f}")


def _nearest(points: np.ndarray, k: int, far: bool = False) -> np.ndarray:
    """The k nearest other points of each, or the farthest."""
    squares = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(squares, -np.inf if far else np.inf)
    return np.argsort(-squares if far else squares, axis=1)[:, :k]


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """The share of neighbours that two tables have in common, as a mean over their rows."""
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(one, other, strict=True)]))


# ---- 4


def check_networks(encoder: nn.Module, decoder: nn.Module) -> None:
    """Exercise 4: an encoder from images to 16 numbers, a decoder back, and something non-linear in both.

    Raises
    ------
    WrongAnswer
        If a shape is another one, or encoder or decoder is linear.
    """
    images = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    codes = _applied("encoder", encoder, images, (6, CODE))
    rebuilt = _applied("decoder", decoder, codes, (6, 1, 28, 28))
    for name, network, values in (("encoder", encoder, images), ("decoder", decoder, codes)):
        require(
            not _is_linear(network, values),
            f"the {name} is linear: layers without a non-linearity between them are one layer, "
            "and no linear method beats PCA.",
        )
    shapes = [" × ".join(map(str, values.shape[1:])) for values in (images, codes, rebuilt)]
    passed(f"{shapes[0]} → {shapes[1]} → {shapes[2]}")


@torch.no_grad()
def _applied(name: str, network: nn.Module, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """What a network makes of a batch, if it has the right shape."""
    require(isinstance(network, nn.Module), f"{name} is {type(network).__name__}, not a Module.")
    try:
        out = network.eval()(values)
    except RuntimeError as error:
        raise WrongAnswer(f"{name} can't take {tuple(values.shape)}: {error}") from None
    words = f"{name} makes {tuple(out.shape)} of {tuple(values.shape)}; it should make {shape}"
    require(tuple(out.shape) == shape, f"{words}.")
    return out


@torch.no_grad()
def _is_linear(network: nn.Module, values: Tensor) -> bool:
    """Whether the middle of two inputs always gives the middle of two outputs."""
    one, two = 10 * values[:3], -10 * values[3:]
    middle, out = network((one + two) / 2), (network(one) + network(two)) / 2
    return bool(torch.allclose(middle, out, rtol=1e-3, atol=1e-4))


def check_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Exercise 4: the mean squared error over all images and pixels, as a tensor with a gradient.

    Raises
    ------
    WrongAnswer
        If it is another mean, a sum, a root, or no tensor.
    """
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(5, 1, 28, 28, generator=draw)
    rebuilt = torch.rand(5, 1, 28, 28, generator=draw).requires_grad_()
    value = loss(rebuilt, images)
    words = f"loss should return a tensor; it returns {type(value).__name__}. PyTorch needs its gradient"
    require(isinstance(value, Tensor), f"{words}.")
    require(value.ndim == 0, f"loss should be one number; it has the shape {tuple(value.shape)}.")
    require(value.requires_grad, "loss has lost the gradient: no detach, item or numpy inside.")
    square, value = (rebuilt - images).detach().square(), value.detach()
    right = float(square.mean())
    wrong = {
        "this is a sum; take the mean over images and pixels": float(square.sum()),
        "this is the sum over the pixels; divide by their number, too": right * 784,
        "this is divided by the number of pixels only; take the mean over images, too": right * 5,
        "this is the root; leave the squares as they are": right**0.5,
        "this is the mean of absolute differences; square them": float(
            (rebuilt - images).detach().abs().mean()
        ),
        "this is half of it; the chapter's error has no ½": right / 2,
    }
    require_right("loss", float(value), right, wrong, SLIP, rtol=1e-4, atol=0)
    passed(f"loss {float(value):.4f}, the mean of all squares {right:.4f}")


def check_loop(fit: Callable[[nn.Module, nn.Module, Tensor, int], object]) -> None:
    """Exercise 4: a training loop: all images in each epoch, fresh gradients, steps for encoder and decoder.

    Raises
    ------
    WrongAnswer
        If weights stay, gradients pile up, images are left out, or the error doesn't fall.
    """
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(250, 1, 28, 28, generator=draw) * torch.rand(250, 1, 1, 1, generator=draw)
    once, often = (_Watched.pair() for _ in range(2))
    before = _error(*often, images)
    start = [weight.detach().clone() for weight in _weights(*often)]
    once[0].seen = often[0].seen = 0
    fit(*once, images, 1)
    fit(*often, images, 3)
    moved = [bool((w.detach() != o).any()) for w, o in zip(_weights(*often), start, strict=True)]
    require(any(moved), "no weight has moved: is backward called, and then step?")
    for name, half in (("encoder", moved[:2]), ("decoder", moved[2:])):
        require(all(half), f"the {name}'s weights stay: give the optimiser those of both networks.")
    words = "gradients pile up from batch to batch: set them to zero before each backward"
    require(not any(network.piles_up() for network in often), f"{words}.")
    seen, in_three = once[0].seen, often[0].seen
    words = f"one epoch should show all {len(images)} images; the encoder saw {seen}"
    require(seen >= len(images), f"{words}. What becomes of the other batches, and of the last?")
    words = f"one epoch showed {seen} images, three {in_three}"
    require(in_three > 1.4 * seen, f"{words}: is `epochs` used?")
    after = _error(*often, images)
    require(after < before, f"the error rose from {before:.3f} to {after:.3f}: lower the rate.")
    passed(f"error before {before:.3f}, after three epochs {after:.3f}")


class _Watched(nn.Module):
    """A linear layer on flat images or codes that counts what it sees and keeps its last gradient."""

    def __init__(self, features: int, out: int):
        super().__init__()
        self.layer, self.image, self.seen = nn.Linear(features, out), out == 784, 0
        self.last: Tensor | None = None
        self.layer.weight.register_hook(self._keep)

    @classmethod
    def pair(cls) -> "tuple[_Watched, _Watched]":
        """An encoder and a decoder, always with the same weights."""
        return seeded(lambda: (cls(784, CODE), cls(CODE, 784)), 0)

    def _keep(self, gradient: Tensor) -> None:
        self.last = gradient.clone()

    def forward(self, values: Tensor) -> Tensor:
        self.seen += len(values)
        out = self.layer(values.flatten(1))
        return out.unflatten(1, (1, 28, 28)) if self.image else out

    def piles_up(self) -> bool:
        """Whether the gradient that is left is larger than the last batch alone can make it."""
        left = self.layer.weight.grad
        return left is not None and bool(left.norm() > 1.01 * self.last.norm())


def _weights(*networks: nn.Module) -> list[Tensor]:
    return [weight for network in networks for weight in network.parameters()]


@torch.no_grad()
def _error(encoder: nn.Module, decoder: nn.Module, images: Tensor) -> float:
    """Mean squared error of the two networks, one after the other, in evaluation mode."""
    encoder.eval()
    decoder.eval()
    parts = [(decoder(encoder(part)) - part).square().flatten(1) for part in images.split(1000)]
    return float(torch.cat(parts).mean())


def check_beats_pca(
    encoder: nn.Module, decoder: nn.Module, pca: PrincipalComponents, test: np.ndarray
) -> None:
    """Exercise 4: whether the trained networks have a smaller error on test images than PCA, clipped.

    Parameters
    ----------
    pca : PCA
        With as many components as the code has numbers.
    test : ndarray of shape (N, 28, 28)

    Raises
    ------
    WrongAnswer
        If the error is larger, or no number.
    """
    images = torch.from_numpy(np.asarray(test, np.float32))[:, None]
    _applied("encoder", encoder, images[:2], (2, CODE))
    ours = _error(encoder, decoder, images)
    flat = test.reshape(len(test), -1)
    by_pca = float(np.mean((reconstruct(pca, project(pca, flat)).clip(0, 1) - flat) ** 2))
    mean_image = float(np.mean((flat - flat.mean(axis=0)) ** 2))
    words = f"the error on test images is {ours:.4f}, that of PCA {by_pca:.4f}"
    require(
        bool(np.isfinite(ours)), "the error is no number: the training has broken; lower the rate."
    )
    require(
        ours < 0.9 * mean_image,
        f"{words}; a single image for all would have {mean_image:.4f}. Was the network trained?",
    )
    require(ours < by_pca, f"{words}. Train longer, in smaller batches, or with wider layers.")
    passed(f"{CODE} numbers, test images: your network {ours:.3f}, PCA {by_pca:.3f}")


# ---- 5


def check_threshold(
    threshold: float,
    false_alarms: float,
    found: float,
    net: nn.Module,
    train: np.ndarray,
    test: np.ndarray,
) -> None:
    """Exercise 5: a threshold for 5 % false alarms, chosen on every second training image, tried on test images.

    Raises
    ------
    WrongAnswer
        If it was chosen on other images or at another quantile, or a share is another one.
    """
    errors, on_test = (image_errors(net, i).numpy() for i in (train, test))
    right = np.quantile(errors[1::2], 0.95)
    wrong = {
        "it was chosen on the test images, which are to judge it": np.quantile(on_test, 0.95),
        "5 % of the images lie below it; 5 % should lie above": np.quantile(errors[1::2], 0.05),
        "it was chosen on the images with even positions": np.quantile(errors[::2], 0.95),
        "it was chosen on all training images": np.quantile(errors, 0.95),
        "this is the mean error; take a quantile": errors[1::2].mean(),
        "this is the 90 % quantile: 5 % at one end are meant": np.quantile(errors[1::2], 0.9),
    }
    require_right("threshold", threshold, right, wrong, SLIP, rtol=2e-3, atol=0)
    upside_down = image_errors(net, np.ascontiguousarray(test[:, ::-1])).numpy()
    share, hits = np.mean(on_test > right), np.mean(upside_down > right)

    def wrong_alarms() -> dict[str, float]:
        words = "this is the share on the training images; use the test images"
        return _shares(share, len(test)) | {words: np.mean(errors[1::2] > right)}

    def wrong_hits() -> dict[str, float]:
        mirrored = image_errors(net, np.ascontiguousarray(test[:, :, ::-1])).numpy()
        words = "these images are mirrored left to right; turn them upside down"
        more = {words: np.mean(mirrored > right), "this is the share of false alarms": share}
        return _shares(hits, len(test)) | more

    require_right("false_alarms", false_alarms, share, wrong_alarms, SLIP, rtol=0.02, atol=0)
    require_right("found", found, hits, wrong_hits, SLIP, rtol=0.01, atol=0)
    passed(f"false alarms: {false_alarms:.1%} where 5.0% were meant; found: {found:.0%}")


def _shares(share: float, images: int) -> dict[str, float]:
    """Usual ways to miss the share of errors above a threshold."""
    return {
        "this is the share below the threshold": 1 - share,
        "this is a percentage; give a share between 0 and 1": 100 * share,
        "this is a number of images; divide by how many there are": share * images,
    }


# ---- 6


def check_denoising(
    by_net: Mapping[float, float],
    by_pca: Mapping[float, float],
    net: nn.Module,
    pca: PrincipalComponents,
    noisy: Mapping[float, np.ndarray],
    clean: np.ndarray,
) -> None:
    """Exercise 6: errors against clean images after a network and after PCA took noise off, by level of noise.

    Raises
    ------
    WrongAnswer
        If levels are missing, or an error is measured otherwise.
    """
    for level, images in noisy.items():
        flat = images.reshape(len(images), -1)
        whole = reconstruct(pca, project(pca, flat)).reshape(images.shape)
        made = {"by_net": reconstruct_images(net, images), "by_pca": whole.clip(0, 1)}
        errors = {name: float(np.mean((image - clean) ** 2)) for name, image in made.items()}
        for name, answer in (("by_net", by_net), ("by_pca", by_pca)):
            require(isinstance(answer, Mapping), f"{name} should be a dictionary: level to error.")
            require(level in answer, f"{name} has no entry for the level {level}.")
            image, right = made[name], errors[name]
            wrong = {
                "this is measured against the noisy images; the clean ones are the truth": np.mean(
                    (image - images) ** 2
                ),
                "this is the root; give the mean of the squares": right**0.5,
                "this is a sum over the pixels; divide by their number": right * clean[0].size,
                "this is the error of the noisy images themselves": np.mean((images - clean) ** 2),
            }
            if name == "by_pca":
                wrong["this wasn't clipped to [0, 1]"] = np.mean((whole - clean) ** 2)
            other = "by_net" if name == "by_pca" else "by_pca"
            wrong["this is the error of the other method"] = errors[other]
            require_right(f"{name}[{level}]", answer[level], right, wrong, SLIP, rtol=5e-3, atol=0)
        untouched = np.mean((images - clean) ** 2)
        passed(
            f"noise {level}: untouched {untouched:.3f}, network {by_net[level]:.3f}, "
            f"PCA {by_pca[level]:.3f}"
        )
