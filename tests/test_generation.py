"""The variational autoencoder, and how drawn images are judged."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from helpers.autoencoder import encode_images
from helpers.configurations import ShapeConfiguration, TrainingOptions
from helpers.generation import ShapeVAE, judge_samples, vae_loss
from helpers.irmae import shape_tensor
from helpers.shapes import shape_images
from helpers.training import seeded, train

OPTIONS = ShapeConfiguration(he_init=True, relu_at_code=False, latent=6)
IMAGES = shape_tensor(shape_images("corner", "train", 64))


def network():
    return seeded(lambda: ShapeVAE(OPTIONS), 0)


def test_encode_gives_the_mean_of_each_images_gaussian():
    model = network().eval()
    with torch.no_grad():
        mean, log_variance = model.gaussian(IMAGES)
    assert mean.shape == log_variance.shape == (64, 6)
    np.testing.assert_allclose(encode_images(model, IMAGES), mean.numpy(), atol=1e-5)
    assert (mean - log_variance).abs().max() > 0.01


def test_noise_is_normal_and_another_at_each_call():
    model, like = network(), torch.zeros(20_000, 2)
    first, second = model.noise(like), model.noise(like)
    assert model.draws == 2
    assert abs(torch.corrcoef(torch.stack([first[:, 0], second[:, 0]]))[0, 1]) < 0.05
    assert first.mean().abs() < 0.05
    assert first.std() == pytest.approx(1, abs=0.05)
    assert network().noise(like).equal(first)


def test_loss_is_the_bound_with_the_best_variance_of_the_decoder():
    """With variance v for all numbers, −log p is ½ D (log v + error / v): least where v is the error."""
    model, numbers = network(), 3072
    found = vae_loss()(model, IMAGES).item()
    model.draws.zero_()
    with torch.no_grad():
        mean, log_variance = model.gaussian(IMAGES)
        deviation = (log_variance / 2).exp()
        code = mean + deviation * model.noise(mean)
        errors = (model.decode(code) - IMAGES).square()
    divergence = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).sum(dim=1).mean().item()
    bounds = []
    for v in errors.mean().item() * np.array([0.9, 1, 1.1]):
        per_image = -Normal(0.0, float(v) ** 0.5).log_prob(errors.sqrt()).flatten(1).sum(dim=1)
        bounds.append((per_image.mean().item() + divergence) * 2 / numbers)
    assert min(bounds) == bounds[1]
    assert found == pytest.approx(bounds[1] - 1 - np.log(2 * np.pi), abs=1e-3)
    model.draws.zero_()
    fixed = vae_loss(0.25)(model, IMAGES).item()
    assert fixed == pytest.approx(errors.mean().item() / 0.25 + divergence * 2 / numbers, rel=1e-4)


def test_a_decoder_needs_a_variance_above_zero():
    with pytest.raises(ValueError, match="variance must be > 0, got 0"):
        vae_loss(0)


def test_a_killed_training_goes_on_with_the_same_noise(tmp_path):
    options = TrainingOptions(batch_size=16, learning_rate=1e-3)
    whole, part, rest = network(), network(), network()
    train(whole, IMAGES, options, epochs=2, loss=vae_loss())
    state = tmp_path / "state.safetensors"
    train(part, IMAGES, options, epochs=1, loss=vae_loss(), state=state)
    train(rest, IMAGES, options, epochs=2, loss=vae_loss(), state=state)
    for name, value in whole.state_dict().items():
        assert rest.state_dict()[name].equal(value), name


def test_true_shapes_are_perfect_samples_and_one_shape_leaves_the_others_out():
    real = shape_images("corner", "test", 60)
    shapes = shape_images("corner", "validation", 200)
    good = judge_samples(shapes, real)
    assert good["distance"] == pytest.approx(0, abs=1e-6)
    same = judge_samples(np.repeat(shapes[:1], 200, axis=0), real)
    assert same["distance"] == pytest.approx(0, abs=1e-6)
    assert same["to the nearest sample"] > 1.3 * good["to the nearest sample"]
    noise = np.random.default_rng(0).random(shapes.shape)
    assert judge_samples(noise, real)["distance"] > 0.2
    assert judge_samples(real, real)["to the nearest sample"] == 0


def test_the_interval_lies_around_the_distance():
    samples = shape_images("corner", "validation", 50)
    samples[::2] = samples[::2].mean(axis=0)
    found = judge_samples(samples, samples)
    assert found["low"] < found["distance"] < found["high"]
