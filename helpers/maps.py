"""The recorded maps of chapter 3: t-SNE of 1,000 test images and of clouds made up to test it."""

import numpy as np

from helpers.manifests import load_manifest
from helpers.storage import DATA, read_array

MAPS = DATA / "maps" / "fashion-mnist-tsne.npy"


def made_up_clouds() -> dict[str, np.ndarray]:
    """Points whose shape is known: a round cloud in the plane, and three clouds with 10 axes.

    Point i is in cloud i mod 3. The centres lie at 0, 30 and 180 on the first axis; the second cloud
    is three times as wide as the others.
    """
    rng = np.random.default_rng(0)
    which = np.arange(1_000) % 3
    three = rng.normal(size=(1_000, 10)) * np.array([1, 3, 1])[which, None]
    three[:, 0] += np.array([0, 30, 180])[which]
    return {"one cloud": rng.normal(size=(1_000, 2)), "three clouds": three}


def mapped_positions() -> np.ndarray:
    """Positions of the 1,000 test images that are mapped, drawn at random, rising."""
    return np.sort(np.random.default_rng(0).choice(10_000, 1_000, replace=False))


def load_maps() -> dict[str, np.ndarray]:
    """The maps that ``fashion-mnist-tsne`` left, each of shape (1000, 2).

    Raises
    ------
    StorageError
        If the file is missing or damaged.
    """
    manifest = load_manifest("fashion-mnist-tsne")
    maps = read_array(MAPS, manifest["arrays"]["sha256"])
    return dict(zip(manifest["configuration"]["maps"], maps, strict=True))
