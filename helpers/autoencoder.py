"""Autoencoders: a network that squeezes each sample into a code, and one that rebuilds it from there.

Each has ``encode``, samples to codes, and ``decode``, codes to samples; called as a whole, it does
one after the other.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from helpers.arrays import as_numbers

SAME_SIZE = (  # layers that work on each number or each channel alone
    nn.LeakyReLU,
    nn.ReLU,
    nn.GELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.BatchNorm2d,
    nn.Identity,
)
BATCH_SIZE = 1000  # images that pass through a network at once


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

    code_shape = (32, 3, 3)

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
    batch_norm : bool
        Batch normalisation and GELU between the layers; otherwise ReLU.
    """

    def __init__(
        self, d: int, channels: Sequence[int] = (32, 64), hidden: int = 0, batch_norm: bool = True
    ):
        super().__init__()
        few, many = channels
        flat = many * 7 * 7

        def bend(normalise: nn.Module) -> list[nn.Module]:
            return [normalise, nn.GELU()] if batch_norm else [nn.ReLU()]

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
        A convolution, plain or transposed, or a max-pooling; a layer that works on each number or
        each channel alone keeps the size.
    size : int
        Height before it.

    Raises
    ------
    TypeError, ValueError
        As :func:`layer_options`.
    """
    kernel, stride, padding, dilation, output_padding = layer_options(layer, size)
    reach = dilation * (kernel - 1) + 1  # pixels from one end of the kernel to the other
    if isinstance(layer, nn.ConvTranspose2d):
        return (size - 1) * stride - 2 * padding + reach + output_padding
    return (size + 2 * padding - reach) // stride + 1


def layer_options(layer: nn.Module, size: int) -> tuple[int, int, int, int, int]:
    """Kernel, stride, padding, dilation and output padding of a layer, each one number.

    Raises
    ------
    TypeError
        If the layer is of a kind whose formula isn't in :func:`size_after`.
    ValueError
        If an option differs between height and width or is a word, the layer rounds sizes up
        (``ceil_mode``), or an image of this size is smaller than its kernel.
    """
    if isinstance(layer, SAME_SIZE):
        return 1, 1, 0, 1, 0
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.MaxPool2d):
        raise TypeError(f"size_after has no formula for {type(layer).__name__}")
    if getattr(layer, "ceil_mode", False):
        raise ValueError(f"size_after rounds down, {layer} rounds up")
    options = []
    for name in ("kernel_size", "stride", "padding", "dilation", "output_padding"):
        value = getattr(layer, name, 0)
        values = set(value) if isinstance(value, tuple) else {value}
        if len(values) != 1 or not isinstance(number := values.pop(), int):
            raise ValueError(f"size_after needs one number for {name}, got {value!r}")
        options.append(number)
    kernel, _, padding, dilation, _ = options
    if not isinstance(layer, nn.ConvTranspose2d) and size + 2 * padding <= dilation * (kernel - 1):
        raise ValueError(f"an image of height {size} is smaller than the kernel of {layer}")
    return tuple(options)


def to_tensor(images: np.ndarray) -> Tensor:
    """Images (N, H, W) or (N, C, H, W) with values in [0, 1] as a tensor (N, C, H, W), float32.

    Raises
    ------
    ValueError
        If the shape is another, or values lie outside [0, 1].
    """
    images = as_numbers("images", images)
    if images.ndim not in (3, 4) or len(images) == 0:
        raise ValueError(f"images must have shape (N, H, W) or (N, C, H, W), got {images.shape}")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"images must have values in [0, 1], got {low:g} … {high:g}; divide by 255?"
        )
    tensor = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    return tensor if tensor.ndim == 4 else tensor[:, None]


def encode_images(
    model: nn.Module, images: np.ndarray | Tensor, *, batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """The code of each image, flattened.

    Parameters
    ----------
    model : Module
        Any of the autoencoders, in evaluation mode, on any device.
    images : ndarray of shape (N, H, W) or (N, C, H, W), or Tensor of shape (N, C, H, W)
        An array is checked by :func:`to_tensor`; a tensor is taken as it is.

    Returns
    -------
    ndarray of shape (N, d), float32

    Raises
    ------
    ValueError
        If an array has another shape, or values outside [0, 1].
    """
    return _in_batches(model, lambda batch: model.encode(batch).flatten(1), images, batch_size)


def decode_codes(
    model: nn.Module, codes: np.ndarray, *, batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """The images that codes stand for.

    Parameters
    ----------
    model : Module
        As in :func:`encode_images`.
    codes : ndarray of shape (N, d)

    Returns
    -------
    ndarray of shape (N, H, W), or (N, C, H, W) where images have several channels, float32
        As the network gives them: values may lie outside [0, 1].
    """
    tensor = torch.from_numpy(as_numbers("codes", codes).astype(np.float32, copy=False))
    tensor = tensor.unflatten(1, getattr(model, "code_shape", (-1,)))
    return _without_channel(_in_batches(model, model.decode, tensor, batch_size))


def reconstruct_images(
    model: nn.Module, images: np.ndarray | Tensor, *, batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """What a network makes of images: it encodes them and decodes their codes.

    Parameters and errors are those of :func:`encode_images`, what is returned that of
    :func:`decode_codes`.
    """
    return _without_channel(_in_batches(model, model, images, batch_size))


def image_errors(
    model: nn.Module, images: np.ndarray | Tensor, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Mean squared error per pixel and channel of each image, float64, shape (N,).

    Parameters and errors are those of :func:`encode_images`.
    """

    def errors(batch: Tensor) -> Tensor:
        return (model(batch) - batch).square().flatten(1).mean(1)

    return torch.from_numpy(_in_batches(model, errors, images, batch_size)).double()


@torch.no_grad()
def _in_batches(
    model: nn.Module,
    function: Callable[[Tensor], Tensor],
    values: np.ndarray | Tensor,
    batch_size: int,
) -> np.ndarray:
    """A function of a batch, applied to all values on the device of the network."""
    device = next(model.parameters()).device
    tensor = values if isinstance(values, Tensor) else to_tensor(values)
    parts = [function(batch.to(device)).cpu() for batch in tensor.split(batch_size)]
    return torch.cat(parts).numpy()


def _without_channel(images: np.ndarray) -> np.ndarray:
    """Images (N, 1, H, W) as (N, H, W); those of several channels as they are."""
    return images[:, 0] if images.shape[1] == 1 else images


def parameter_count(model: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in model.parameters())
