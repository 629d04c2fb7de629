"""The implicit rank-minimizing autoencoder: linear layers between encoder and decoder.

Source: Jing, Zbontar and LeCun, "Implicit rank-minimizing autoencoder", 2020.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from helpers.autoencoder import decode_codes, encode_images, to_tensor
from helpers.configurations import ShapeConfiguration
from helpers.interpolation import linear_path
from helpers.pca import PrincipalComponents, covariance, project, reconstruct
from helpers.shapes import HALFWAY, PathSummary, check_images, summarise_halfway

OUTPUTS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
NORMS = {"L1": torch.abs, "L2": torch.square}
PLAIN = ShapeConfiguration()


class ShapeAutoencoder(nn.Module):
    """Images (B, 3, 32, 32) to codes (B, latent) and back, with linear layers at the code.

    Every kernel is 4 × 4, with stride 2 and padding 1, if not told otherwise. Without linear layers
    it is the plain autoencoder of the paper.
    """

    def __init__(self, options: ShapeConfiguration = PLAIN):
        super().__init__()
        latent, bias = options.latent, options.bias
        widths = (3, 32, 64, 128, 256, latent)
        sides = (16, 8, 4, 2, 1)
        down, up = [], []
        for narrow, wide, side in zip(widths, widths[1:], sides, strict=False):
            # size, stride, padding
            kernel = (2, 1, 0) if options.small_kernels and side == 1 else (4, 2, 1)
            there = nn.Conv2d(narrow, wide, *kernel)
            back = nn.ConvTranspose2d(wide, narrow, *kernel)
            if options.he_init:  # at the code, part of a kernel meets nothing but padding
                he_init_(there, inputs=narrow * min(4, 2 * side) ** 2)
                he_init_(back, inputs=wide * min(2, side) ** 2)
            down += [there, nn.ReLU()]
            up = [back, nn.ReLU(), *up]
        self.convolutions = nn.Sequential(
            *(down if options.relu_at_code else down[:-1]), nn.Flatten()
        )
        self.linear = nn.Sequential(
            *(nn.Linear(latent, latent, bias=bias) for _ in range(options.linear_layers))
        )
        self.decode = nn.Sequential(
            nn.Unflatten(1, (latent, 1, 1)), *up[:-1], OUTPUTS[options.output]()
        )
        scale_init_(self, options)

    def encode(self, images: Tensor) -> Tensor:
        return self.linear(self.convolutions(images))

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


@torch.no_grad()
def scale_init_(model: ShapeAutoencoder, options: ShapeConfiguration) -> None:
    """Change the initial weights around the code in place, as the options say."""
    for layer in model.linear:
        if options.orthogonal:
            nn.init.orthogonal_(layer.weight, gain=3**-0.5)
        layer.weight *= options.init_gain
    if options.code_gain != 1:
        *_, last = (layer for layer in model.convolutions if isinstance(layer, nn.Conv2d))
        last.weight *= options.code_gain


def he_init_(layer: nn.Conv2d | nn.ConvTranspose2d, inputs: int) -> None:
    """Initialise a layer in place so that a ReLU after it keeps the size of what passes through.

    The weights are normal, of variance 2 / inputs, the biases zero. Source: He et al., "Delving deep
    into rectifiers", 2015.

    Parameters
    ----------
    inputs : int
        How many numbers each output of the layer is a sum of.
    """
    nn.init.normal_(layer.weight, std=(2 / inputs) ** 0.5)
    nn.init.zeros_(layer.bias)


def penalised_loss(norm: str | None = None, weight: float = 0.0):
    """Reconstruction error, and a penalty on the code of the network that is being trained.

    Parameters
    ----------
    norm : {None, "L1", "L2"}
        Sum of the absolute values of a code, or of their squares; the mean over the batch.
    weight : float
        Of the penalty; the error is the mean over pixels and channels.

    Returns
    -------
    callable
        Takes the network and a batch, as :func:`helpers.training.train` wants it.

    Raises
    ------
    ValueError
        If ``norm`` is unknown or ``weight`` negative.
    """
    if norm not in (None, *NORMS) or weight < 0:
        raise ValueError(
            f"norm must be None or one of {(*NORMS,)}, and weight ≥ 0; got {norm}, {weight}"
        )

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        code = model.encode(batch)
        error = mse_loss(model.decode(code), batch)
        if norm is None:
            return error
        return error + weight * NORMS[norm](code).sum(dim=1).mean()

    return loss


@torch.no_grad()
def merge_linear_layers(model: ShapeAutoencoder) -> ShapeAutoencoder:
    """A copy of a network whose linear layers are multiplied out to one: the same function."""
    merged = deepcopy(model)
    if len(model.linear) == 0:
        return merged
    merged.linear = merged.linear[:1]
    (one,) = merged.linear
    weight = torch.eye(one.in_features, dtype=torch.float64)  # so that the product is rounded once
    bias = torch.zeros(one.in_features, dtype=torch.float64)
    for layer in model.linear:
        factor = layer.weight.cpu().double()
        weight, bias = factor @ weight, factor @ bias
        if layer.bias is not None:
            bias += layer.bias.cpu()
    one.weight.copy_(weight)
    if one.bias is not None:
        one.bias.copy_(bias)
    return merged


def drop_linear_layers(model: ShapeAutoencoder) -> ShapeAutoencoder:
    """A copy of a network without its linear layers: its codes are what these would get."""
    copy = deepcopy(model)
    copy.linear = nn.Sequential()
    return copy


@torch.no_grad()
def signal_sizes(model: ShapeAutoencoder, images: Tensor) -> np.ndarray:
    """Standard deviation over images of the output of each convolution, before its ReLU.

    Parameters
    ----------
    images : Tensor of shape (N, 3, 32, 32)

    Returns
    -------
    ndarray of shape (10,)
        From the first layer to the last: for each output the variance over the images, of these
        the mean over all outputs of a layer, and its square root.
    """
    sizes, values = [], images
    for layer in (*model.convolutions, *model.linear, *model.decode):
        values = layer(values)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            sizes.append((values - values.mean(dim=0)).square().mean().sqrt().item())
    return np.array(sizes)


def shape_tensor(images: np.ndarray) -> Tensor:
    """Images (N, 3, 32, 32) with values in [0, 1] as a tensor, float32.

    Raises
    ------
    ValueError
        If the shape is another, or values lie outside [0, 1].
    """
    return to_tensor(check_images(images))


def code_spectrum(codes: np.ndarray) -> np.ndarray:
    """Singular values of the covariance of codes, falling: the variances along its axes.

    Parameters
    ----------
    codes : ndarray of shape (N, latent)

    Returns
    -------
    ndarray of shape (latent,), float64

    Raises
    ------
    ValueError
        If there are fewer than two codes, or they are no matrix.
    """
    return np.linalg.svd(covariance(np.asarray(codes, np.float64)), compute_uv=False)


def truncate_codes(
    model: ShapeAutoencoder, pca: PrincipalComponents, codes: np.ndarray, ks: Sequence[int]
) -> np.ndarray:
    """Images decoded from codes of which only the first principal components are kept.

    Parameters
    ----------
    pca : PrincipalComponents
        Of these or of more codes.
    codes : ndarray of shape (N, latent)
    ks : sequence of int
        How many are kept; with 0 every code is the mean.

    Returns
    -------
    ndarray of shape (len(ks), N, 3, 32, 32), float32
    """
    scores = project(pca, codes)
    return np.stack([decode_codes(model, reconstruct(pca, scores[:, :k])) for k in ks])


def numbers_needed(errors: Sequence[float], goal: float) -> int | None:
    """The least k whose error is at most a goal; None if no k is enough.

    Parameters
    ----------
    errors : sequence of float
        For k = 0, 1, 2, …
    """
    enough = np.asarray(errors) <= goal
    return int(enough.argmax()) if enough.any() else None


def halfway_quality(
    model: ShapeAutoencoder, images: np.ndarray, square: str = "corner"
) -> PathSummary:
    """How close a network comes to true shapes half-way between the codes of two images.

    :func:`helpers.shapes.summarise_halfway` says what half-way is and what is measured there.

    Parameters
    ----------
    images : ndarray of shape (2 P, 3, 32, 32)
        The first and the second make a pair, the third and the fourth, and so on.

    Returns
    -------
    PathSummary

    Raises
    ------
    ValueError
        If the last image has no partner, or images have another shape.
    """
    if len(images) % 2:
        raise ValueError(f"halfway_quality takes 2 P images, two for each path; got {len(images)}")
    codes = encode_images(model, check_images(images))
    pairs = zip(codes[::2], codes[1::2], strict=True)
    paths = np.stack([linear_path(*pair, HALFWAY) for pair in pairs])
    decoded = decode_codes(model, paths.reshape(-1, codes.shape[1]))
    return summarise_halfway(decoded.reshape(*paths.shape[:2], *decoded.shape[1:]), square)
