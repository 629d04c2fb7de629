"""Where there is a GPU: a network trained there is the network that a CPU trains, but for rounding."""

import numpy as np
import pytest
import torch

from helpers.autoencoder import encode_images, reconstruct_images
from helpers.configurations import ShapeConfiguration, TrainingOptions
from helpers.generation import ShapeVAE, vae_loss
from helpers.irmae import ShapeAutoencoder, shape_tensor
from helpers.preprocessing import preprocessing, with_preprocessing
from helpers.shapes import shape_images
from helpers.storage import StorageError
from helpers.training import best_device, reconstruction_loss, seeded, train

GPU = best_device()
pytestmark = pytest.mark.skipif(GPU == "cpu", reason="no GPU here")

OPTIONS = TrainingOptions(batch_size=32, learning_rate=1e-4, channels_last=True)
TWO_LAYERS = ShapeConfiguration(linear_layers=2, he_init=True)
VAE = ShapeConfiguration(relu_at_code=False, he_init=True)


@pytest.fixture(scope="module")
def images():
    return shape_tensor(shape_images("corner", "train", 512))


@pytest.fixture(autouse=True)
def all_digits(monkeypatch):
    """Convolutions in float32, not in the 19 bits that some GPUs prefer."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def shape_network():
    return seeded(lambda: ShapeAutoencoder(TWO_LAYERS), 0)


def losses(training):
    return [row["train_loss"] for row in training.history]


@pytest.mark.parametrize(
    ("build", "loss"),
    [
        (shape_network, reconstruction_loss),
        (lambda: seeded(lambda: ShapeVAE(VAE), 0), vae_loss()),
    ],
)
def test_the_loss_falls_as_it_does_on_the_cpu(images, build, loss):
    here, there = build(), build()
    expected = losses(train(here, images, OPTIONS, epochs=3, loss=loss))
    found = losses(train(there, images, OPTIONS, epochs=3, loss=loss, device=GPU))
    assert found == pytest.approx(expected, rel=0.01)
    assert expected[2] < 0.99 * expected[0]
    assert next(there.parameters()).device.type == GPU


def test_codes_and_images_come_back_to_the_cpu_alike(images):
    model = shape_network().eval()
    codes, again = encode_images(model, images), reconstruct_images(model, images)
    model.to(GPU)
    assert np.allclose(encode_images(model, images), codes, atol=1e-4)
    assert np.allclose(reconstruct_images(model, images), again, atol=1e-4)


@pytest.mark.parametrize(("first", "then"), [(GPU, GPU), (GPU, "cpu"), ("cpu", GPU)])
def test_a_stopped_run_goes_on_on_any_device(images, tmp_path, first, then):
    expected = train(shape_network(), images, OPTIONS, epochs=4, device=then)
    state = tmp_path / "state"
    train(shape_network(), images, OPTIONS, epochs=2, device=first, state=state)
    resumed = train(shape_network(), images, OPTIONS, epochs=4, device=then, state=state)
    assert losses(resumed) == pytest.approx(losses(expected), rel=0.01)
    assert [row["device"] for row in resumed.timing] == [first] * 2 + [then] * 2
    with pytest.raises(StorageError, match="configuration"):
        train(shape_network(), images, OPTIONS, epochs=5, state=state, configuration={"a": 1})


def test_the_same_arguments_give_the_same_weights_but_for_rounding(images):
    a, b = shape_network(), shape_network()
    for model in (a, b):
        train(model, images, OPTIONS, epochs=2, device=GPU)
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=2e-4)


def test_prepared_images_are_judged_on_the_device_of_the_network(images):
    way = preprocessing("zero mean", images.numpy())
    model = shape_network().eval()
    whole = reconstruct_images(with_preprocessing(model, way), images)
    there = with_preprocessing(model.to(GPU), way)
    assert np.allclose(reconstruct_images(there, images), whole, atol=1e-4)
    assert way.apply(images).device.type == "cpu"  # the way itself stayed where it was
