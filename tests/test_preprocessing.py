"""What is done to images before a network sees them, against scikit-learn and against its undoing."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from helpers.autoencoder import encode_images, reconstruct_images
from helpers.configurations import ShapeConfiguration
from helpers.irmae import ShapeAutoencoder, drop_linear_layers, shape_tensor
from helpers.preprocessing import (
    IMAGENET,
    NOISE,
    ZCA_EPSILON,
    augmented,
    preprocessing,
    with_preprocessing,
)
from helpers.shapes import shape_images


@pytest.fixture(scope="module")
def images():
    return shape_images("corner", "train", 4000)


@pytest.fixture(scope="module")
def ways(images):
    names = ("zero mean", "zero mean, wrong", "ImageNet", "scores", "ZCA")
    return {name: preprocessing(name, images) for name in names}


@pytest.fixture(scope="module")
def axes(images):
    """The ten strongest directions, as scikit-learn finds them."""
    return PCA(10, svd_solver="randomized", random_state=0).fit(images.reshape(len(images), -1))


@pytest.mark.parametrize("name", ["zero mean", "ImageNet", "scores", "ZCA"])
def test_what_can_be_undone_is_undone(images, ways, name):
    way, some = ways[name], shape_tensor(images[:50])
    assert way.apply(some).shape == some.shape
    torch.testing.assert_close(way.undo(way.apply(some)), some, atol=1e-4, rtol=0)
    assert (way.apply(some) - some).abs().max() > 0.1


def test_zero_mean_and_imagenet_standardise(images, ways):
    plain = torch.from_numpy(images)
    centred = ways["zero mean"].apply(plain)
    assert centred.mean(dim=0).abs().max() < 1e-5
    scaled = ways["ImageNet"].apply(plain)
    for channel, (mean, deviation) in enumerate(zip(*IMAGENET, strict=True)):
        np.testing.assert_allclose(
            scaled[:, channel], (images[:, channel] - mean) / deviation, atol=1e-5
        )


def test_the_wrong_zero_mean_is_scikit_learn_s_scaler_on_one_image(images, ways):
    way = ways["zero mean, wrong"]
    assert way.undo is None
    some = images[:20].astype(np.float64)
    expected = [StandardScaler().fit_transform(image.reshape(3, 1024)) for image in some]
    found = way.apply(torch.from_numpy(some)).numpy().reshape(20, 3, 1024)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    dim = way.apply(torch.from_numpy(some / 3)).numpy().reshape(20, 3, 1024)
    np.testing.assert_allclose(dim, found, atol=1e-6)  # brightness is gone


def test_scores_are_those_of_scikit_learn(images, ways, axes):
    found = ways["scores"].apply(torch.from_numpy(images)).flatten(1).numpy()[:, :10]
    expected = axes.transform(images.reshape(len(images), -1))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=0.02)


def test_zca_makes_what_varies_alike_and_leaves_shapes_where_they_are(images, ways, axes):
    flat = images.reshape(len(images), -1)
    white = ways["ZCA"].apply(torch.from_numpy(images)).flatten(1).double().numpy()
    variances = axes.explained_variance_ * (len(flat) - 1) / len(flat)
    found = (white @ axes.components_.T).var(axis=0)
    np.testing.assert_allclose(found, variances / (variances + ZCA_EPSILON), rtol=0.01)
    own = np.einsum("ij,ij->j", white - white.mean(0), flat)
    assert (own[flat.any(axis=0)] > 0).all()  # a pixel still follows its own


def test_a_network_with_its_preprocessing_takes_plain_images(images, ways):
    torch.manual_seed(0)
    model = ShapeAutoencoder(ShapeConfiguration(linear_layers=2, output="identity")).eval()
    way, some = ways["ImageNet"], images[:8]
    whole = with_preprocessing(model, way)
    inputs = way.apply(torch.from_numpy(some))
    np.testing.assert_allclose(encode_images(whole, some), encode_images(model, inputs), atol=1e-6)
    undone = way.undo(torch.from_numpy(reconstruct_images(model, inputs))).numpy()
    np.testing.assert_allclose(reconstruct_images(whole, some), undone, atol=1e-5)
    assert len(model.convolutions) == len(whole.convolutions) - 1  # a copy
    assert len(drop_linear_layers(whole).linear) == 0
    whole.double()  # or to a GPU
    assert (
        way.apply(torch.from_numpy(some)).dtype == torch.float32
    )  # the way itself stayed as it was


@pytest.mark.parametrize(("name", "share"), [("noise", 1), ("noise on half", 0.5)])
def test_noise_has_its_variance_on_as_many_images_as_it_should(images, name, share):
    noise = augmented(name, images, np.random.default_rng(0)) - images
    noisy = np.abs(noise).max(axis=(1, 2, 3)) > 0
    assert noisy.mean() == pytest.approx(share, abs=0.03)
    assert noise[noisy].var() == pytest.approx(NOISE, rel=0.01)


def test_half_of_the_images_are_standardised(images, ways):
    found = augmented("ImageNet on half", images, np.random.default_rng(0))
    other = ways["ImageNet"].apply(torch.from_numpy(images)).numpy()
    changed = (found != images).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(found[changed], other[changed], atol=1e-5)


def test_unknown_ways_are_refused(images):
    with pytest.raises(ValueError, match="no preprocessing 'whiten'"):
        preprocessing("whiten", images)
    with pytest.raises(ValueError, match="no augmentation 'flip'"):
        augmented("flip", images, np.random.default_rng(0))
