"""Images out of drawn codes: how good they are, and the autoencoder that is made for drawing.

Sources: Kingma and Welling, "Auto-encoding variational Bayes", 2014; Rybkin, Daniilidis and Levine,
"Simple and effective VAE training with calibrated decoders", 2021.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from helpers.configurations import ShapeConfiguration
from helpers.interpolation import nearest_distances
from helpers.intervals import mean_interval
from helpers.irmae import ShapeAutoencoder, he_init_
from helpers.shapes import check_images, nearest_shapes, relative_distances


class ShapeVAE(ShapeAutoencoder):
    """A variational autoencoder of shapes: an image becomes a Gaussian in the space of codes.

    ``encode`` gives its mean, so that the network can be used like any other autoencoder.
    """

    def __init__(self, options: ShapeConfiguration):
        super().__init__(options)
        wide = self.convolutions[-2].in_channels
        self.log_variance = nn.Conv2d(wide, options.latent, 4, 2, 1)
        he_init_(self.log_variance, inputs=wide * 16)
        self.register_buffer("draws", torch.zeros((), dtype=torch.int64))  # noise goes on with it

    def gaussian(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of each number of the code, (B, latent) each."""
        hidden = self.convolutions[:-2](images)  # (B, 256, 2, 2)
        mean, log_variance = self.convolutions[-2](hidden), self.log_variance(hidden)
        return mean.flatten(1), log_variance.flatten(1)

    def noise(self, like: Tensor) -> Tensor:
        """Standard normal numbers, others at each call."""
        generator = torch.Generator().manual_seed(int(self.draws))
        self.draws += 1
        return torch.randn(like.shape, generator=generator).to(like.device)


def vae_loss(variance: float | None = None) -> Callable[[ShapeVAE, Tensor], Tensor]:
    """The loss of a variational autoencoder whose decoder has some variance.

    Parameters
    ----------
    variance : float, optional
        Of the decoder; by default the best one for each batch, its error.

    Returns
    -------
    callable
        :func:`variational_bound`; takes the network and a batch, as :func:`helpers.training.train`
        wants it.

    Raises
    ------
    ValueError
        If ``variance`` is not positive.
    """
    if variance is not None and not variance > 0:
        raise ValueError(f"variance must be > 0, got {variance}")
    return partial(variational_bound, variance=variance)


def variational_bound(model: ShapeVAE, batch: Tensor, variance: float | None = None) -> Tensor:
    """The bound on −log p(images), less a constant, per number of an image and doubled.

    That is error / variance + 2 / D · KL, with D numbers in an image and KL the divergence of the
    codes' Gaussians from the standard normal: the smaller the variance, the less the KL weighs. With
    the best variance for the batch, its error, the first term is log(error).

    Parameters
    ----------
    batch : Tensor of shape (B, 3, 32, 32)
    variance : float, optional
        Of the decoder; by default the best one.

    Returns
    -------
    Tensor
        A scalar.
    """
    mean, log_variance = model.gaussian(batch)
    code = mean + (log_variance / 2).exp() * model.noise(mean)
    error = mse_loss(model.decode(code), batch)
    divergence = (log_variance.exp() + mean**2 - 1 - log_variance).sum(dim=1).mean() / 2
    fit = error.log() if variance is None else error / variance
    return fit + 2 / batch[0].numel() * divergence


def judge_samples(samples: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """How good drawn images of shapes are: near to shapes, and near to them all.

    Parameters
    ----------
    samples : ndarray of shape (M, 3, 32, 32)
        Clipped to [0, 1] first, as when they are drawn.
    real : ndarray of shape (N, 3, 32, 32)

    Returns
    -------
    dict
        "distance", the mean of ‖x − s‖² / ‖x‖² over the samples x, with s the true shape nearest to x, and
        the ends of its 95 % interval, "low" and "high"; "to the nearest sample", the mean Euclidean
        distance from a real image: large where samples leave something out.

    Raises
    ------
    ValueError
        If images have another shape or are not finite.
    """
    samples, real = check_images(samples).clip(0, 1), check_images(real)
    distances = relative_distances(samples, nearest_shapes(samples))
    mean, low, high = map(float, mean_interval(distances))
    apart = nearest_distances(real.reshape(len(real), -1), samples.reshape(len(samples), -1))
    return {
        "distance": mean,
        "low": low,
        "high": high,
        "to the nearest sample": float(apart.mean()),
    }
