"""Autoencoders: a network that squeezes each sample into a code, and one that rebuilds it from there.

Each has ``encode``, samples to codes, and ``decode``, codes to samples; called as a whole, it does
one after the other.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class LinearAutoencoder(nn.Module):
    """Codes of k numbers by one linear layer, samples of D numbers back by another.

    At its best it does what PCA does: it spans the same subspace, not the same axes. Source: Baldi
    and Hornik, "Neural networks and principal component analysis", 1989.
    """

    def __init__(self, features: int, k: int):
        super().__init__()
        self.encode = nn.Linear(features, k)
        self.decode = nn.Linear(k, features)

    def forward(self, samples: Tensor) -> Tensor:
        return self.decode(self.encode(samples))


class ConvolutionalAutoencoder(nn.Module):
    """Images (B, 1, 28, 28) to codes (B, 32, 3, 3), 288 numbers, and back; every kernel is 3 × 3.

    Convolutions without padding shrink an image by 2, pooling halves it, transposed convolutions of
    stride 2 double it and add 2.
    """

    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.LeakyReLU(),
            nn.Conv2d(4, 16, 3),
            nn.MaxPool2d(2),
            nn.LeakyReLU(),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(),
            nn.Conv2d(16, 32, 3),
            nn.MaxPool2d(2),
            nn.LeakyReLU(),
            nn.Conv2d(32, 32, 3),
            nn.LeakyReLU(),
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(32, 32, 3),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(32, 16, 3, stride=2, output_padding=1),
            nn.LeakyReLU(),
            nn.BatchNorm2d(16),
            nn.ConvTranspose2d(16, 16, 3, stride=2, output_padding=1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(16, 16, 3, padding=1),
            nn.ConvTranspose2d(16, 4, 3, padding=1),
            nn.ConvTranspose2d(4, 1, 3),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


class DenseCodeAutoencoder(nn.Module):
    """Images (B, 1, 28, 28) to codes (B, d) and back: convolutions of stride 2, then dense layers.

    Parameters
    ----------
    d : int
        Numbers in a code.
    channels : sequence of int
        Of the two convolutions.
    hidden : int
        Width of a dense layer between them and the code; 0 for none.
    plain : bool
        ReLU between the layers, in place of batch normalisation and GELU.
    """

    def __init__(
        self, d: int, channels: Sequence[int] = (32, 64), hidden: int = 0, plain: bool = False
    ):
        super().__init__()
        few, many = channels
        flat = many * 7 * 7

        def bend(normalise: nn.Module) -> list[nn.Module]:
            return [nn.ReLU()] if plain else [normalise, nn.GELU()]

        self.encode = nn.Sequential(
            nn.Conv2d(1, few, 4, stride=2, padding=1),
            *bend(nn.BatchNorm2d(few)),
            nn.Conv2d(few, many, 4, stride=2, padding=1),
            *bend(nn.BatchNorm2d(many)),
            nn.Flatten(),
            *([nn.Linear(flat, hidden), *bend(nn.BatchNorm1d(hidden))] if hidden else []),
            nn.Linear(hidden or flat, d),
        )
        self.decode = nn.Sequential(
            *([nn.Linear(d, hidden), *bend(nn.BatchNorm1d(hidden))] if hidden else []),
            nn.Linear(hidden or d, flat),
            nn.Unflatten(1, (many, 7, 7)),
            *bend(nn.BatchNorm2d(many)),
            nn.ConvTranspose2d(many, few, 4, stride=2, padding=1),
            *bend(nn.BatchNorm2d(few)),
            nn.ConvTranspose2d(few, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def size_after(layer: nn.Module, size: int) -> int:
    """Height (or width) of an image after a layer, by the formulas of convolution arithmetic.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Parameters
    ----------
    layer : Module
        With square kernels and equal strides, as all of ours.
    size : int
        Height before it.
    """
    if isinstance(layer, nn.ConvTranspose2d):
        kernel = layer.dilation[0] * (layer.kernel_size[0] - 1) + 1
        copies = (size - 1) * layer.stride[0]
        return copies - 2 * layer.padding[0] + kernel + layer.output_padding[0]
    if isinstance(layer, nn.Conv2d):
        kernel = layer.dilation[0] * (layer.kernel_size[0] - 1) + 1
        return (size + 2 * layer.padding[0] - kernel) // layer.stride[0] + 1
    if isinstance(layer, nn.MaxPool2d):
        return (size - layer.kernel_size) // layer.stride + 1
    return size


def to_tensor(images: np.ndarray) -> Tensor:
    """Images (N, H, W) or (N, C, H, W) with values in [0, 1] as a tensor (N, C, H, W), float32.

    Raises
    ------
    ValueError
        If the shape is another, or values lie outside [0, 1].
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or len(images) == 0:
        raise ValueError(f"images must have shape (N, H, W) or (N, C, H, W), got {images.shape}")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"images must have values in [0, 1], got {low:g} … {high:g}; divide by 255?"
        )
    tensor = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    return tensor if tensor.ndim == 4 else tensor[:, None]


def reconstruction_errors(
    model: nn.Module, images: Tensor, batch_size: int = 1000
) -> dict[str, float]:
    """Mean squared error per pixel of what a network makes of images.

    Parameters
    ----------
    images : Tensor of shape (N, 1, H, W)

    Returns
    -------
    dict
        "exact", the mean over all images; "batch_mean", the mean of the batches' means, in which
        an image of a small last batch counts more.
    """
    errors = image_errors(model, images, batch_size)
    batch_means = [float(batch.mean()) for batch in errors.split(batch_size)]
    return {"exact": float(errors.mean()), "batch_mean": sum(batch_means) / len(batch_means)}


@torch.no_grad()
def image_errors(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Mean squared error per pixel of each image, float64, shape (N,).

    The network should be in evaluation mode, ``model.eval()``.
    """
    device = next(model.parameters()).device
    parts = [
        (model(batch.to(device)) - batch.to(device)).square().flatten(1).mean(1).cpu()
        for batch in images.split(batch_size)
    ]
    return torch.cat(parts).double()


@torch.no_grad()
def codes(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """The code of each image, flattened.

    Parameters
    ----------
    model : Module
        In evaluation mode.
    images : ndarray of shape (N, H, W)

    Returns
    -------
    ndarray of shape (N, d), float32
    """
    parts = [model.encode(batch).flatten(1) for batch in to_tensor(images).split(1000)]
    return torch.cat(parts).numpy()


@torch.no_grad()
def decoded(model: nn.Module, flat: np.ndarray, shape: tuple[int, ...] = ()) -> np.ndarray:
    """The images that codes stand for.

    Parameters
    ----------
    flat : ndarray of shape (N, d)
    shape : tuple of int
        Of a code, where the network's isn't flat: (32, 3, 3).

    Returns
    -------
    ndarray of shape (N, H, W), float32
    """
    tensor = torch.from_numpy(np.asarray(flat, np.float32))
    if shape:
        tensor = tensor.unflatten(1, shape)
    return torch.cat([model.decode(batch)[:, 0] for batch in tensor.split(1000)]).numpy()


def rebuilt(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """What a network makes of images (N, H, W), which it sees through their codes; as many back."""
    with torch.no_grad():
        return torch.cat([model(batch)[:, 0] for batch in to_tensor(images).split(1000)]).numpy()


def parameter_count(model: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in model.parameters())
