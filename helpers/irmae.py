"""The implicit rank-minimizing autoencoder: linear layers between encoder and decoder.

Source: Jing, Zbontar and LeCun, "Implicit rank-minimizing autoencoder", 2020.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from helpers.autoencoder import to_tensor
from helpers.interpolation import straight_path
from helpers.pca import PrincipalComponents, covariance, project, reconstruct
from helpers.shapes import check_images, path_quality

OUTPUTS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
NORMS = ("L1", "L2")


class ShapeAutoencoder(nn.Module):
    """Images (B, 3, 32, 32) to codes (B, latent) and back, with linear layers at the code.

    Every kernel is 4 × 4, with stride 2 and padding 1, if not told otherwise. Without linear layers
    it is the plain autoencoder of the paper.

    Parameters
    ----------
    linear_layers : int
        How many square linear layers come between encoder and decoder; the paper's l.
    latent : int
        Numbers in a code.
    last_relu : bool
        Whether the last convolution ends in a ReLU: as the paper says; its authors' code has none.
    small_kernels : bool
        Whether the convolutions on both sides of the code have kernels of 2 × 2 without padding,
        as in the authors' code: the same functions, since of 4 × 4 only the inner four meet an
        image of 2 × 2, but PyTorch starts them with four times the variance.
    bias : bool
        Whether the linear layers have one; the authors' have none.
    output : {"tanh", "sigmoid", "identity"}
        What keeps the pixels in range.
    start : float
        Factor on the start of the linear layers' weights, which is PyTorch's: uniform, of variance
        1 / (3 · latent). √3 lets them keep the size of what passes through.
    code_gain : float
        Factor on the start of the last convolution's weights, so that a network without linear
        layers can start with as small a code as one with them.
    orthogonal : bool
        Whether the linear layers start as random orthogonal matrices of the same size as PyTorch's,
        which stretch all directions alike: so does their product.
    he_start : bool
        Whether the convolutions start so that ReLUs keep the size of what passes through (He et
        al., "Delving deep into rectifiers", 2015): weights normal, of variance 2 / (inputs that
        reach one output), biases zero. PyTorch's own start has a sixth of that variance in the
        encoder, and less around the code.

    Raises
    ------
    ValueError
        If ``linear_layers`` or ``latent`` is out of range, or ``output`` unknown.
    """

    def __init__(
        self,
        *,
        linear_layers: int = 0,
        latent: int = 32,
        last_relu: bool = True,
        small_kernels: bool = False,
        bias: bool = False,
        output: str = "tanh",
        start: float = 1.0,
        code_gain: float = 1.0,
        orthogonal: bool = False,
        he_start: bool = False,
    ):
        super().__init__()
        if linear_layers < 0 or latent < 1:
            raise ValueError(
                "linear_layers must be ≥ 0 and latent ≥ 1, "
                f"got linear_layers={linear_layers}, latent={latent}"
            )
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {list(OUTPUTS)}, got {output!r}")
        widths = (3, 32, 64, 128, 256, latent)
        sides = (16, 8, 4, 2, 1)
        down, up = [], []
        for narrow, wide, side in zip(widths, widths[1:], sides, strict=False):
            # size, stride, padding
            kernel = (2, 1, 0) if small_kernels and side == 1 else (4, 2, 1)
            there = nn.Conv2d(narrow, wide, *kernel)
            back = nn.ConvTranspose2d(wide, narrow, *kernel)
            if he_start:  # at the code, part of a kernel meets nothing but padding
                start_like_he(there, inputs=narrow * min(4, 2 * side) ** 2)
                start_like_he(back, inputs=wide * min(2, side) ** 2)
            down += [there, nn.ReLU()]
            up = [back, nn.ReLU(), *up]
        self.convolutions = nn.Sequential(*(down if last_relu else down[:-1]), nn.Flatten())
        self.linear = nn.Sequential(
            *(nn.Linear(latent, latent, bias=bias) for _ in range(linear_layers))
        )
        self.decode = nn.Sequential(nn.Unflatten(1, (latent, 1, 1)), *up[:-1], OUTPUTS[output]())
        with torch.no_grad():
            for layer in self.linear:
                if orthogonal:
                    nn.init.orthogonal_(layer.weight, gain=3**-0.5)
                layer.weight *= start
            if code_gain != 1:
                last_convolution = [c for c in self.convolutions if isinstance(c, nn.Conv2d)][-1]
                last_convolution.weight *= code_gain

    def encode(self, images: Tensor) -> Tensor:
        return self.linear(self.convolutions(images))

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def start_like_he(layer: nn.Conv2d | nn.ConvTranspose2d, inputs: int) -> None:
    """Start a layer of which each output has so many inputs like He et al., for ReLUs."""
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
            f"norm must be None or one of {NORMS}, and weight ≥ 0; got {norm}, {weight}"
        )

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        code = model.encode(batch)
        error = mse_loss(model.decode(code), batch)
        if norm is None:
            return error
        sizes = code.abs() if norm == "L1" else code.square()
        return error + weight * sizes.sum(dim=1).mean()

    return loss


@torch.no_grad()
def fold(model: ShapeAutoencoder) -> ShapeAutoencoder:
    """A copy of a network whose linear layers are multiplied out to one: the same function."""
    folded = deepcopy(model)
    if len(model.linear) == 0:
        return folded
    folded.linear = folded.linear[:1]
    (one,) = folded.linear
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
    return folded


@torch.no_grad()
def signal_sizes(model: ShapeAutoencoder, images: Tensor) -> np.ndarray:
    """How much what each convolution gives differs between images, from encoder to output.

    The root mean square of what is left after the mean over the images is taken off.

    Parameters
    ----------
    images : Tensor of shape (N, 3, 32, 32)

    Returns
    -------
    ndarray of shape (10,)
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


@torch.no_grad()
def shape_codes(
    model: ShapeAutoencoder, images: Tensor, *, before_linear: bool = False
) -> np.ndarray:
    """The codes of images, as the decoder gets them.

    Parameters
    ----------
    images : Tensor of shape (N, 3, 32, 32)
    before_linear : bool
        Instead, what the linear layers get.

    Returns
    -------
    ndarray of shape (N, latent), float32
    """
    device = next(model.parameters()).device
    encode = model.convolutions if before_linear else model.encode
    return torch.cat([encode(batch.to(device)).cpu() for batch in images.split(500)]).numpy()


@torch.no_grad()
def decoded_shapes(model: ShapeAutoencoder, codes: np.ndarray) -> np.ndarray:
    """The images that codes (N, latent) stand for, (N, 3, 32, 32), as the network gives them."""
    device = next(model.parameters()).device
    parts = torch.from_numpy(np.asarray(codes, np.float32)).split(500)
    return torch.cat([model.decode(part.to(device)).cpu() for part in parts]).numpy()


def code_spectrum(codes: np.ndarray) -> np.ndarray:
    """Singular values of the covariance of codes: their variances along its axes, falling.

    Parameters
    ----------
    codes : ndarray of shape (N, latent)

    Returns
    -------
    ndarray of shape (latent,), float64
    """
    return np.linalg.svd(covariance(np.asarray(codes, np.float64)), compute_uv=False)


def cut_codes(
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
    return np.stack([decoded_shapes(model, reconstruct(pca, scores[:, :k])) for k in ks])


def halfway_quality(
    model: ShapeAutoencoder, images: np.ndarray, square: str = "corner"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How close a network comes to true shapes half-way between the codes of two images.

    Half-way is the mean of the two middle ones of ten steps from end to end.

    Parameters
    ----------
    images : ndarray of shape (2 P, 3, 32, 32)
        The first and the second make a pair, the third and the fourth, and so on.

    Returns
    -------
    distances, energies, hues : ndarrays of shape (P,)
        See :func:`helpers.shapes.path_quality`.

    Raises
    ------
    ValueError
        If the last image has no partner.
    """
    if len(images) % 2:
        raise ValueError(f"halfway_quality takes 2 P images, two for each path; got {len(images)}")
    shares = np.linspace(0, 1, 10)[[0, 4, 5, 9]]
    codes = shape_codes(model, shape_tensor(images))
    pairs = zip(codes[::2], codes[1::2], strict=True)
    paths = np.stack([decoded_shapes(model, straight_path(*pair, shares)) for pair in pairs])
    distances, energies, hues = path_quality(paths, shares, square)
    return tuple(values[:, 1:3].mean(axis=1) for values in (distances, energies, hues))
