"""The networks: their sizes, their errors, and what a linear one finds."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from helpers.autoencoder import (
    ConvolutionalAutoencoder,
    DenseCodeAutoencoder,
    LinearAutoencoder,
    decode_codes,
    encode_images,
    image_errors,
    parameter_count,
    reconstruct_images,
    size_after,
    to_tensor,
)
from helpers.configurations import TrainingOptions
from helpers.interpolation import linear_path
from helpers.pca import error_curve, pca_from_covariance
from helpers.training import seeded, train


def some_images(count, seed=0):
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 3, 17])
@pytest.mark.parametrize(
    ("build", "code"),
    [
        (ConvolutionalAutoencoder, (32, 3, 3)),
        (lambda: DenseCodeAutoencoder(1), (1,)),
        (lambda: DenseCodeAutoencoder(33, (8, 4), 20), (33,)),
        (lambda: DenseCodeAutoencoder(33, (8, 4), 20, batch_norm=False), (33,)),
    ],
)
def test_shapes_of_code_and_reconstruction(build, code, count):
    model = seeded(build, 0).eval()
    images = some_images(count)
    codes = model.encode(images)
    assert codes.shape == (count, *code)
    rebuilt = model.decode(codes)
    assert rebuilt.shape == images.shape
    assert torch.equal(model(images), rebuilt)
    assert 0 <= rebuilt.min().item() <= rebuilt.max().item() <= 1


@pytest.mark.parametrize("hidden", [0, 20])
def test_every_layer_but_code_and_image_is_normalised_or_none(hidden):
    for batch_norm in (False, True):
        model = DenseCodeAutoencoder(5, hidden=hidden, batch_norm=batch_norm)
        found = [type(layer) for layer in [*model.encode, *model.decode]]
        bends, norms = (
            found.count(nn.GELU if batch_norm else nn.ReLU),
            (nn.BatchNorm1d, nn.BatchNorm2d),
        )
        assert bends == (6 if hidden else 4)
        assert sum(found.count(norm) for norm in norms) == (bends if batch_norm else 0)


def conv(i, o, k):
    return i * o * k * k + o


def linear(i, o):
    return i * o + o


def test_parameters_are_those_of_the_layers_written_down():
    encoder = conv(1, 4, 3) + conv(4, 16, 3) + 2 * 16 + conv(16, 32, 3) + conv(32, 32, 3)
    decoder = conv(32, 32, 3) + conv(32, 16, 3) + 2 * 16 + 2 * conv(16, 16, 3)
    decoder += conv(16, 4, 3) + conv(4, 1, 3)
    assert parameter_count(ConvolutionalAutoencoder()) == encoder + decoder == 33_713
    convolutions = conv(1, 32, 4) + conv(32, 64, 4) + conv(64, 32, 4) + conv(32, 1, 4)
    dense = linear(3136, 8) + linear(8, 3136)
    assert parameter_count(DenseCodeAutoencoder(8, batch_norm=False)) == convolutions + dense
    dense = linear(3136, 96) + linear(96, 8) + linear(8, 96) + linear(96, 3136)
    norms = 2 * (32 + 64 + 96 + 96 + 64 + 32)  # a factor and a shift for each channel
    assert parameter_count(DenseCodeAutoencoder(8, hidden=96)) == convolutions + dense + norms
    assert parameter_count(LinearAutoencoder(784, 5)) == 784 * 5 + 5 + 5 * 784 + 784


def test_convolutional_autoencoder_has_the_layers_of_its_source():
    sizes, model = [], ConvolutionalAutoencoder()
    values = some_images(1)
    for layer in [*model.encode, *model.decode]:
        values = layer(values)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.MaxPool2d):
            sizes.append(values.shape[-1])
    assert sizes == [26, 24, 12, 10, 5, 3, 5, 12, 26, 26, 26, 28]


def test_linear_autoencoder_finds_the_subspace_of_pca():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(500, 6)) * [4, 3, 2, 0.3, 0.2, 0.1]
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    data = (data @ turn + 1).astype(np.float32)
    model = seeded(lambda: LinearAutoencoder(6, 3), 0)
    options = TrainingOptions(
        batch_size=50, learning_rate=0.03, schedule="one-cycle", schedule_epochs=60
    )
    train(model, torch.from_numpy(data), options, epochs=60)
    pca = pca_from_covariance(data)
    left_out = error_curve(pca, data)[3]
    with torch.no_grad():
        error = float((model(torch.from_numpy(data)) - torch.from_numpy(data)).square().mean())
    assert left_out < error < 1.1 * left_out  # PCA is the best of all linear ones
    spanned = np.linalg.qr(model.decode.weight.detach().numpy())[0]
    cosines = np.linalg.svd(spanned.T @ pca.components[:3].T)[1]
    assert np.degrees(np.arccos(cosines.clip(0, 1))).max() < 3


def test_errors_are_those_of_numpy():
    model, images = seeded(ConvolutionalAutoencoder, 0).eval(), some_images(25)
    rebuilt = model(images).detach().numpy()
    expected = np.mean((rebuilt - images.numpy()) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(image_errors(model, images, 10), expected, rtol=1e-5)
    assert image_errors(model, images).mean().item() == pytest.approx(expected.mean(), rel=1e-6)


def test_errors_leave_no_gradient():
    model = ConvolutionalAutoencoder()
    assert not image_errors(model, some_images(2)).requires_grad


def test_images_become_tensors_with_a_channel():
    images = np.random.default_rng(0).random((4, 28, 28))
    tensor = to_tensor(images)
    assert tensor.shape == (4, 1, 28, 28)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor[:, 0], images, rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((28, 28)), r"shape \(N, H, W\) or \(N, C, H, W\), got \(28, 28\)"),
        (np.zeros((0, 28, 28)), r"got \(0, 28, 28\)"),
        (np.full((2, 28, 28), 255), "divide by 255"),
        (np.full((2, 28, 28), np.nan), "got nan"),
        (np.full((2, 28, 28), -0.5), r"got -0\.5"),
    ],
)
def test_what_is_no_image_is_refused(images, words):
    with pytest.raises(ValueError, match=words):
        to_tensor(images)


@pytest.mark.parametrize(
    ("build", "numbers"),
    [(ConvolutionalAutoencoder, 288), (lambda: DenseCodeAutoencoder(9), 9)],
)
def test_a_path_between_codes_ends_at_the_reconstructions(build, numbers):
    model, images = seeded(build, 0).eval(), some_images(1003)[:, 0].numpy()
    found = encode_images(model, images)
    assert found.shape == (1003, numbers)
    both = reconstruct_images(model, images)
    assert both.shape == images.shape
    path = linear_path(found[0], found[1002], np.linspace(0, 1, 4))
    ends = decode_codes(model, path)[[0, -1]]
    np.testing.assert_allclose(ends, both[[0, 1002]], atol=1e-6)


@pytest.mark.parametrize("size", [7, 8, 11])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, 3),
        nn.Conv2d(1, 1, 4, stride=3, padding=2, dilation=2),
        nn.ConvTranspose2d(1, 1, 3),
        nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=1),
        nn.ConvTranspose2d(1, 1, 4, stride=3, padding=2, output_padding=1, dilation=2),
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, stride=2),
        nn.Sigmoid(),
    ],
    ids=str,
)
def test_sizes_by_formula_are_those_of_torch(layer, size):
    found = layer(torch.zeros(1, 1, size, size)).shape
    assert found[2:] == (size_after(layer, size),) * 2


@given(
    kind=st.sampled_from([nn.Conv2d, nn.ConvTranspose2d]),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    size=st.integers(7, 40),  # a transposed one can't cut off more than it has made
)
@example(kind=nn.Conv2d, kernel=5, stride=1, padding=0, dilation=3, size=12)
def test_sizes_of_any_convolution_are_those_of_torch(kind, kernel, stride, padding, dilation, size):
    layer = kind(1, 1, kernel, stride=stride, padding=padding, dilation=dilation)
    try:
        found = layer(torch.zeros(1, 1, size, size)).shape
    except RuntimeError:  # PyTorch refuses what is smaller than the kernel; so must the formula
        with pytest.raises(ValueError, match="smaller than the kernel"):
            size_after(layer, size)
    else:
        assert found[2:] == (size_after(layer, size),) * 2


@given(kernel=st.integers(1, 4), stride=st.integers(1, 3), size=st.integers(5, 40), data=st.data())
def test_sizes_of_any_pooling_are_those_of_torch(kernel, stride, size, data):
    padding = data.draw(st.integers(0, kernel // 2))
    layer = nn.MaxPool2d(kernel, stride, padding)
    found = layer(torch.zeros(1, 1, size, size)).shape
    assert found[2:] == (size_after(layer, size),) * 2


@pytest.mark.parametrize(
    ("layer", "size", "error", "words"),
    [
        (nn.Conv2d(1, 1, 3, padding="same"), 28, ValueError, "one number for padding, got 'same'"),
        (nn.Conv2d(1, 1, (3, 5)), 28, ValueError, r"one number for kernel_size, got \(3, 5\)"),
        (nn.MaxPool2d(3, ceil_mode=True), 28, ValueError, "rounds down"),
        (nn.AvgPool2d(2), 28, TypeError, "no formula for AvgPool2d"),
        (nn.Upsample(scale_factor=2), 28, TypeError, "no formula for Upsample"),
        (nn.AdaptiveAvgPool2d(1), 28, TypeError, "no formula for AdaptiveAvgPool2d"),
        (nn.Conv2d(1, 1, 5), 4, ValueError, "smaller than the kernel"),
    ],
    ids=str,
)
def test_layers_without_a_formula_are_refused(layer, size, error, words):
    with pytest.raises(error, match=words):
        size_after(layer, size)
