"""The recorded maps, and the points that they are of."""

import numpy as np

from helpers.fashion_mnist import load_fashion_mnist
from helpers.manifests import load_manifest
from helpers.maps import load_maps, made_up_clouds, mapped_positions


def test_maps_are_checked_and_named():
    maps = load_maps()
    assert {points.shape for points in maps.values()} == {(1_000, 2)}
    assert len(maps) == len(load_manifest("fashion-mnist-tsne")["configuration"]["maps"]) > 10
    assert all(np.isfinite(points).all() for points in maps.values())
    assert not np.array_equal(maps["pixels, perplexity 30"], maps["code of 32, perplexity 30"])


def test_mapped_positions_are_a_thousand_different_ones_of_every_class():
    chosen = mapped_positions()
    assert len(set(chosen)) == len(chosen) == 1_000
    assert (np.diff(chosen) > 0).all()
    _, counts = np.unique(load_fashion_mnist("test")[1][chosen], return_counts=True)
    assert counts.min() > 70


def test_made_up_clouds_have_the_shape_that_is_said_of_them():
    clouds = made_up_clouds()
    three = [clouds["three clouds"][i::3] for i in range(3)]
    centres = np.array([cloud[:, 0].mean() for cloud in three])
    np.testing.assert_allclose(np.diff(centres), [30, 150], atol=0.5)
    np.testing.assert_allclose([cloud[:, 1:].std() for cloud in three], [1, 3, 1], rtol=0.05)
    assert clouds["one cloud"].shape == (1_000, 2)
    np.testing.assert_allclose(np.cov(clouds["one cloud"].T), np.eye(2), atol=0.1)
