"""What is done to images of shapes before a network is trained on them, and how it is undone.

Sources: the variants in a student's replication of IRMAE; ZCA: Krizhevsky, "Learning multiple layers
of features from tiny images", 2009, appendix A.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from helpers.irmae import ShapeAutoencoder
from helpers.pca import pca_from_covariance

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of each channel
ZCA_EPSILON = 0.01  # added to each variance: an image's pixels have about 0.03 each
PCA_IMAGES = 10_000  # of the training images, for directions and their variances
NOISE = 9e-6  # variance


@dataclass(frozen=True)
class Preprocessing:
    """A function of images (B, 3, 32, 32), and the one that undoes it; None where nothing can."""

    apply: nn.Module
    undo: nn.Module | None


class Scaled(nn.Module):
    """Images times ``scale``, plus ``shift``, each of any shape that fits an image."""

    def __init__(self, scale: Tensor, shift: Tensor):
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.scale + self.shift


class Mixed(nn.Module):
    """All numbers of an image times a matrix: (images − before) · matrix + after, drawn as an image."""

    def __init__(self, matrix: Tensor, before: Tensor | float = 0.0, after: Tensor | float = 0.0):
        super().__init__()
        for name, value in (("matrix", matrix), ("before", before), ("after", after)):
            self.register_buffer(name, torch.as_tensor(value))

    def forward(self, images: Tensor) -> Tensor:
        flat = (images.flatten(1) - self.before) @ self.matrix + self.after
        return flat.unflatten(1, (3, 32, 32))


class StandardisedAcrossChannels(nn.Module):
    """Each pixel of each image less its mean over the three colours, divided by their deviation.

    That is the mistake of giving an image of shape (3, 1024) to scikit-learn's StandardScaler:
    brightness and saturation are gone. Black stays black.
    """

    def forward(self, images: Tensor) -> Tensor:
        centred = images - images.mean(dim=1, keepdim=True)
        deviation = images.std(dim=1, keepdim=True, correction=0)
        return torch.where(deviation > 0, centred / deviation, torch.zeros_like(centred))


def preprocessing(name: str, images: np.ndarray) -> Preprocessing:
    """One of the ways to prepare images, fitted to those of training.

    Parameters
    ----------
    name : {"zero mean", "zero mean, wrong", "ImageNet", "scores", "ZCA"}
        Subtract the mean image; :class:`StandardisedAcrossChannels`; standardise the channels by
        ImageNet's numbers; put the scores of a PCA in the places of pixels; whiten, and turn
        back to pixels.
    images : ndarray of shape (N, 3, 32, 32)

    Raises
    ------
    ValueError
        If there is no such way.
    """
    if name == "zero mean, wrong":
        return Preprocessing(StandardisedAcrossChannels(), None)
    if name == "zero mean":
        mean = torch.from_numpy(images.mean(axis=0, dtype=np.float64)).float()
        return _scaled(torch.ones(1), -mean)
    if name == "ImageNet":
        mean, deviation = (torch.tensor(values)[:, None, None] for values in IMAGENET)
        return _scaled(1 / deviation, -mean / deviation)
    if name not in ("scores", "ZCA"):
        raise ValueError(f"there is no preprocessing {name!r}")
    pca = pca_from_covariance(images[:PCA_IMAGES].reshape(-1, 3072))
    axes = torch.from_numpy(pca.components.T).double()  # (3072, 3072), a direction a column
    mean = torch.from_numpy(pca.mean).float()
    there, back = axes, axes.T
    if name == "ZCA":
        size = torch.from_numpy(pca.explained_variance).double().add(ZCA_EPSILON).sqrt()
        there, back = axes / size @ axes.T, axes * size @ axes.T
    return Preprocessing(Mixed(there.float(), before=mean), Mixed(back.float(), after=mean))


def _scaled(scale: Tensor, shift: Tensor) -> Preprocessing:
    return Preprocessing(Scaled(scale, shift), Scaled(1 / scale, -shift / scale))


def with_preprocessing(model: ShapeAutoencoder, way: Preprocessing) -> ShapeAutoencoder:
    """A copy of a network that takes plain images and gives some back, if that can be."""
    copy, way = deepcopy((model, way))
    copy.convolutions = nn.Sequential(way.apply, *copy.convolutions)
    copy.decode = nn.Sequential(*copy.decode, *filter(None, [way.undo]))
    return copy.to(next(model.parameters()).device)


def augmented(name: str, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Training images that differ from those that a network is judged on.

    Parameters
    ----------
    name : {"noise", "noise on half", "ImageNet on half"}
        Gaussian noise of variance 9e-6 on all images, or on each with a chance of one half;
        channels standardised by ImageNet's numbers, likewise.
    images : ndarray of shape (N, 3, 32, 32), float32

    Returns
    -------
    ndarray of the same shape
        The images given stay as they are.

    Raises
    ------
    ValueError
        If there is no such way.
    """
    if name == "noise":
        chosen = np.ones(len(images), bool)
    elif name in ("noise on half", "ImageNet on half"):
        chosen = rng.random(len(images)) < 0.5
    else:
        raise ValueError(f"there is no augmentation {name!r}")
    changed, some = images.copy(), images[chosen]
    if name == "ImageNet on half":
        way = preprocessing("ImageNet", images)
        changed[chosen] = way.apply(torch.from_numpy(some)).numpy()
    else:
        changed[chosen] += np.float32(NOISE**0.5) * rng.standard_normal(some.shape, np.float32)
    return changed
