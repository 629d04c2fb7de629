"""The network of implicit rank minimization: its sizes, start, fold, penalties and paths."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn.functional import mse_loss

from helpers.autoencoder import decode_codes, encode_images, parameter_count, reconstruct_images
from helpers.configurations import ShapeConfiguration, TrainingOptions
from helpers.irmae import (
    ShapeAutoencoder,
    code_spectrum,
    drop_linear_layers,
    halfway_quality,
    merge_linear_layers,
    numbers_needed,
    penalised_loss,
    shape_tensor,
    signal_sizes,
    truncate_codes,
)
from helpers.pca import pca_from_covariance
from helpers.shapes import draw_factors, draw_images, summarise_path
from helpers.training import seeded, train


def network(seed=0, **options):
    return seeded(lambda: ShapeAutoencoder(ShapeConfiguration(**options)), seed).eval()


def some_images(count, seed=0):
    return shape_tensor(draw_images(draw_factors(np.random.default_rng(seed), count)))


def convolutions_of(model):
    layers = [*model.convolutions, *model.decode]
    return [layer for layer in layers if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]


# ---- sizes and options


@pytest.mark.parametrize("count", [1, 3, 33])
@pytest.mark.parametrize(
    "options",
    [{}, {"linear_layers": 3}, {"latent": 7, "linear_layers": 1}, {"small_kernels": True}],
)
def test_shapes_of_every_layer(options, count):
    model = network(**options)
    latent = options.get("latent", 32)
    values, sizes = some_images(count), []
    for layer in [*model.convolutions, *model.linear, *model.decode]:
        values = layer(values)
        sizes.append(tuple(values.shape))
    halved = [(count, c, n, n) for c, n in ((32, 16), (64, 8), (128, 4), (256, 2), (latent, 1))]
    doubled = [(count, c, n, n) for c, n in ((256, 2), (128, 4), (64, 8), (32, 16), (3, 32))]
    expected = [size for size in halved for _ in ("convolution", "ReLU")]
    expected += [(count, latent)] * (1 + options.get("linear_layers", 0))
    expected += [(count, latent, 1, 1)]
    expected += [size for size in doubled for _ in ("convolution", "ReLU, or at last tanh")]
    assert sizes == expected
    images = some_images(count)
    assert model.encode(images).shape == (count, latent)
    torch.testing.assert_close(model(images), values, rtol=0, atol=0)


def conv(i, o):
    return i * o * 4 * 4 + o


@pytest.mark.parametrize("latent", [32, 5])
@pytest.mark.parametrize("layers", [0, 2, 4])
def test_parameters_are_those_of_the_layers_written_down(layers, latent):
    encoder = conv(3, 32) + conv(32, 64) + conv(64, 128) + conv(128, 256) + conv(256, latent)
    decoder = conv(latent, 256) + conv(256, 128) + conv(128, 64) + conv(64, 32) + conv(32, 3)
    model = ShapeAutoencoder(ShapeConfiguration(linear_layers=layers, latent=latent))
    assert parameter_count(model) == encoder + decoder + layers * latent**2
    with_bias = ShapeAutoencoder(ShapeConfiguration(linear_layers=layers, latent=latent, bias=True))
    assert parameter_count(with_bias) - parameter_count(model) == layers * latent


def test_paper_s_network_has_a_relu_at_the_code_and_a_tanh_at_the_end():
    model = network()
    kinds = [type(layer) for layer in model.convolutions]
    assert kinds == [nn.Conv2d, nn.ReLU] * 5 + [nn.Flatten]
    kinds = [type(layer) for layer in model.decode]
    assert kinds == [nn.Unflatten, *[nn.ConvTranspose2d, nn.ReLU] * 4, nn.ConvTranspose2d, nn.Tanh]
    assert model.encode(some_images(50)).min() >= 0
    assert network(relu_at_code=False).encode(some_images(50)).min() < 0
    assert network(linear_layers=1).encode(some_images(50)).min() < 0


def test_outputs_are_what_keeps_the_pixels_in_range():
    loud = 1e3 * torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    found = {name: network(output=name).decode(loud) for name in ("tanh", "sigmoid", "identity")}
    torch.testing.assert_close(found["tanh"], torch.tanh(found["identity"]))
    torch.testing.assert_close(found["sigmoid"], torch.sigmoid(found["identity"]))
    assert found["identity"].abs().max() > 1
    assert found["tanh"].min() < 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"linear_layers": -1}, "linear_layers must be ≥ 0.* got linear_layers=-1, latent=32"),
        ({"latent": 0}, "latent ≥ 1, got linear_layers=0, latent=0"),
        ({"output": "relu"}, r"output must be one of \['tanh', 'sigmoid', 'identity'\].*'relu'"),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ShapeAutoencoder(ShapeConfiguration(**options))


# ---- the start


def test_start_scales_the_linear_layers_alone():
    plain, scaled = (
        network(linear_layers=2, bias=True),
        network(linear_layers=2, bias=True, init_gain=3),
    )
    for (name, a), b in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        factor = 3 if name.startswith("linear") and name.endswith("weight") else 1
        torch.testing.assert_close(b, factor * a, rtol=1e-6, atol=0)


def test_start_of_the_linear_layers_has_the_variance_that_is_said_of_it():
    weights = torch.cat([layer.weight for layer in network(linear_layers=40).linear])
    assert weights.var().item() == pytest.approx(1 / (3 * 32), rel=0.03)
    assert weights.abs().max().item() == pytest.approx(1 / math.sqrt(32), rel=1e-3)
    # √3 keeps the size of what passes through
    model = network(linear_layers=40, init_gain=math.sqrt(3))
    passing = torch.randn(2000, 32, generator=torch.Generator().manual_seed(0))
    sizes = [layer(passing).square().mean() / passing.square().mean() for layer in model.linear]
    assert torch.stack(sizes).mean().item() == pytest.approx(1, rel=0.05)


def test_start_of_he_keeps_the_size_of_what_passes_through():
    images = some_images(300)
    kept = signal_sizes(network(he_init=True, relu_at_code=False), images)
    shrunk = signal_sizes(network(relu_at_code=False), images)
    assert len(kept) == 10
    assert kept.max() / kept.min() < 3
    assert shrunk[0] / shrunk[4] > 10  # PyTorch's own start, at the code


def test_signal_sizes_are_of_each_convolution_before_its_relu():
    images, model = some_images(20), network(linear_layers=1)
    first = model.convolutions[0](images)
    code = model.encode(images)
    back = model.decode[1](model.decode[0](code))
    sizes = signal_sizes(model, images)
    assert sizes.shape == (10,)
    for size, values in ((sizes[0], first), (sizes[5], back)):
        spread = values.detach().numpy().std(axis=0)
        assert size == pytest.approx((spread**2).mean() ** 0.5, rel=1e-5)


def test_start_of_he_has_the_variance_that_is_said_of_it():
    model = network(he_init=True, linear_layers=2)
    inputs = [3 * 16, 32 * 16, 64 * 16, 128 * 16, 256 * 4]  # of 4 × 4, all meet an image, then 4
    inputs += [32, 256 * 4, 128 * 4, 64 * 4, 32 * 4]  # each pixel gets 2 × 2 of them, first one
    for layer, count in zip(convolutions_of(model), inputs, strict=True):
        assert layer.weight.var().item() == pytest.approx(2 / count, rel=0.1)
        assert not layer.bias.any()
    of_torch = [layer.weight.var() for layer in convolutions_of(network(linear_layers=2))]
    ratios = [2 / count / own.item() for count, own in zip(inputs, of_torch, strict=True)]
    np.testing.assert_allclose(ratios[:4], 6, rtol=0.1)
    assert min(ratios[4:6]) > 20
    bound = 1 / math.sqrt(32)  # the linear layers start as ever
    assert all(layer.weight.abs().max() <= bound for layer in model.linear)


@pytest.mark.parametrize("he_init", [False, True])
def test_networks_with_more_linear_layers_start_alike_elsewhere(he_init):
    plain = network(he_init=he_init)
    deep = network(linear_layers=4, he_init=he_init)
    images = some_images(5)
    assert torch.equal(plain.convolutions(images), deep.convolutions(images))
    code = plain.encode(images)
    assert torch.equal(plain.decode(code), deep.decode(code))


# ---- the fold


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layers", [0, 1, 2, 4])
@pytest.mark.parametrize(("precision", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_folded_network_is_the_same_function(layers, bias, precision, rtol):
    model = network(linear_layers=layers, bias=bias, init_gain=2.0).to(precision)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = merge_linear_layers(model)
    assert len(folded.linear) == min(layers, 1)
    images = some_images(20).to(precision)
    for apply in (lambda m: m.encode(images), lambda m: m(images)):
        expected = apply(model)
        torch.testing.assert_close(
            apply(folded), expected, rtol=0, atol=rtol * expected.abs().max().item()
        )
    # a copy: nothing of the network has changed, or is shared with it
    assert len(model.linear) == layers
    for parameter in folded.parameters():
        parameter.data.zero_()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_fold_draws_no_random_numbers():
    before = torch.random.get_rng_state()
    merge_linear_layers(network(linear_layers=2))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_linear_layers_multiply_from_the_left():
    model = network(linear_layers=3)
    first, second, third = (layer.weight for layer in model.linear)
    torch.testing.assert_close(merge_linear_layers(model).linear[0].weight, third @ second @ first)


# ---- the penalty


@pytest.mark.parametrize(("norm", "weight"), [(None, 0.0), ("L1", 0.3), ("L2", 0.3), ("L1", 0.0)])
def test_penalised_loss_is_the_one_computed_by_hand(norm, weight):
    model, images = network(linear_layers=1), some_images(6)
    code = model.encode(images).detach().numpy().astype(float)
    error = np.mean((model(images) - images).detach().numpy().astype(float) ** 2)
    penalty = {None: 0.0, "L1": np.abs(code).sum() / 6, "L2": (code**2).sum() / 6}[norm]
    found = penalised_loss(norm, weight)(model, images).item()
    assert found == pytest.approx(error + weight * penalty, rel=1e-5)
    if weight:
        assert penalty > 1e-3 * error  # it counts


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_gradient_of_the_penalty_reaches_the_encoder_of_the_model_at_hand(norm):
    images = some_images(4)
    loss = penalised_loss(norm, 100.0)  # one loss for several models: it keeps none of them
    for seed in (0, 1):
        model = network(seed, linear_layers=1).double()
        batch = images.double()
        loss(model, batch).backward()
        found = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        mse_loss(model(batch), batch).backward()
        of_error = [p.grad.clone() for p in model.parameters()]
        names = [name for name, _ in model.named_parameters()]
        for name, both, error in zip(names, found, of_error, strict=True):
            if name.startswith("decode"):
                torch.testing.assert_close(both, error)  # a penalty on the code isn't its business
            else:
                assert (both - error).abs().max() > 10 * error.abs().max(), name
        # against the difference quotient along the gradient, which no graph can mislead
        weight, step = model.linear[0].weight, 1e-6
        direction = found[names.index("linear.0.weight")]
        with torch.no_grad():
            here = loss(model, batch)
            weight += step * direction / direction.norm()
            slope = (loss(model, batch) - here) / step
        assert slope.item() == pytest.approx(direction.norm().item(), rel=1e-3)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_training_with_a_penalty_shrinks_the_code_of_the_trained_model(norm):
    images = some_images(128)
    sizes = {}
    for weight in (0.0, 0.1):
        model = network(linear_layers=1)
        options = TrainingOptions(batch_size=32, learning_rate=1e-3)
        train(model, images, options, epochs=3, loss=penalised_loss(norm, weight))
        sizes[weight] = np.abs(encode_images(model.eval(), images)).mean()
    assert sizes[0.1] < 0.7 * sizes[0.0]


@pytest.mark.parametrize(("norm", "weight"), [("L3", 1.0), ("L1", -1.0)])
def test_penalties_that_are_none_are_refused(norm, weight):
    with pytest.raises(ValueError, match=rf"norm must be None or .*; got {norm}, {weight}"):
        penalised_loss(norm, weight)


# ---- an orthogonal start


def test_orthogonal_layers_stretch_all_directions_alike_by_as_much_as_pytorch_s():
    flat, steep = (network(linear_layers=4, orthogonal=o) for o in (True, False))
    product = torch.linalg.multi_dot([layer.weight for layer in reversed(flat.linear)])
    torch.testing.assert_close(torch.linalg.svdvals(product), torch.full((32,), 3**-2.0))
    sizes = [torch.linalg.norm(model.linear[0].weight).item() for model in (flat, steep)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    values = torch.linalg.svdvals(
        torch.linalg.multi_dot([layer.weight for layer in reversed(steep.linear)])
    )
    assert values[0] > 5 * values[16]
    kept = network(linear_layers=1, orthogonal=True, init_gain=3**0.5).linear[0].weight
    torch.testing.assert_close(kept @ kept.T, torch.eye(32), atol=1e-5, rtol=0)


# ---- codes and their spectrum


@pytest.mark.parametrize("layers", [0, 2])
def test_codes_before_and_after_the_linear_layers(layers):
    model, images = network(linear_layers=layers), some_images(501)  # more than one part
    before = encode_images(drop_linear_layers(model), images)
    after = encode_images(model, images)
    assert before.shape == after.shape == (501, 32)
    assert before.dtype == after.dtype == np.float32
    with torch.no_grad():
        np.testing.assert_allclose(before, model.convolutions(images), atol=1e-6)
    product = np.linalg.multi_dot(
        [np.eye(32)] * 2 + [m.weight.detach() for m in model.linear[::-1]]
    )
    np.testing.assert_allclose(after, before @ product.T, atol=1e-6)
    assert np.array_equal(before, after) == (layers == 0)


def test_decoded_codes_are_what_the_network_makes_of_the_images():
    model, images = network(linear_layers=2), some_images(501)
    found = decode_codes(model, encode_images(model, images))
    np.testing.assert_array_equal(reconstruct_images(model, images.numpy()), found)
    assert (found.shape, found.dtype) == (images.shape, np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(found, model(images), atol=1e-6)
    one = decode_codes(model, np.zeros((1, 32)))  # double precision is taken too
    np.testing.assert_allclose(one[0], model.decode(torch.zeros(1, 32))[0].detach(), atol=1e-6)


@pytest.mark.parametrize("count", [200, 20])  # more and fewer codes than numbers in each
def test_spectrum_is_that_of_numpy_s_covariance(count):
    random = np.random.default_rng(0)
    codes = random.normal(size=(count, 32)) @ random.normal(size=(32, 32)) + 5
    found = code_spectrum(codes)
    expected = np.linalg.eigvalsh(np.cov(codes.T, bias=True))[::-1]  # divided by N
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * found[0])
    assert (np.diff(found) <= 0).all()
    assert (found > 1e-9 * found[0]).sum() == min(count - 1, 32)


def test_spectrum_of_a_known_cloud():
    codes = np.array([[3, 0, 7], [-3, 0, 7], [0, 2, 7], [0, -2, 7]], np.float32)
    np.testing.assert_allclose(code_spectrum(codes), [18 / 4, 8 / 4, 0], atol=1e-12)


@pytest.mark.parametrize("codes", [np.zeros(32), np.zeros((1, 32)), np.zeros((2, 32, 1))])
def test_codes_without_a_covariance_are_refused(codes):
    with pytest.raises(ValueError, match="got"):
        code_spectrum(codes)


# ---- images


def test_images_become_tensors():
    images = draw_images(draw_factors(np.random.default_rng(0), 3))
    tensor = shape_tensor(images.astype(float)[::-1])
    assert (tensor.shape, tensor.dtype) == ((3, 3, 32, 32), torch.float32)
    assert tensor.is_contiguous()
    np.testing.assert_array_equal(tensor, images[::-1])


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((3, 32, 32)), r"shape \(N, 3, 32, 32\), got \(3, 32, 32\)"),
        (np.zeros((2, 1, 28, 28)), r"got \(2, 1, 28, 28\)"),
        (np.zeros((0, 3, 32, 32)), r"got \(0, 3, 32, 32\)"),
        (np.full((1, 3, 32, 32), 255), r"values in \[0, 1\], got 255 … 255"),
        (np.full((1, 3, 32, 32), -0.5), r"got -0\.5 … -0\.5"),
        (np.full((1, 3, 32, 32), np.inf), "must be finite"),
    ],
)
def test_what_are_no_images_is_refused(images, words):
    with pytest.raises(ValueError, match=words):
        shape_tensor(images)


# ---- the authors' bottleneck


def test_last_convolution_and_first_of_the_decoder_are_2_by_2_in_disguise():
    """Around an image of 2 × 2, padding and cropping leave the inner four of 16 weights."""
    model = network()
    down, up = model.convolutions[8], model.decode[1]
    features, codes = torch.randn(5, 256, 2, 2), torch.randn(5, 32, 1, 1)
    inner = (slice(None), slice(None), slice(1, 3), slice(1, 3))
    wanted = nn.functional.conv2d(features, down.weight[inner], down.bias)
    torch.testing.assert_close(down(features), wanted)
    wanted = nn.functional.conv_transpose2d(codes, up.weight[inner], up.bias)
    torch.testing.assert_close(up(codes), wanted)
    bound = 1 / math.sqrt(256 * 2 * 2)  # how PyTorch starts a kernel of 2 × 2
    assert down.weight.abs().max() < bound / 2 * 1.001
    small = network(small_kernels=True)
    small_down, small_up = small.convolutions[8], small.decode[1]
    with torch.no_grad():
        for own, other in ((small_down, down), (small_up, up)):
            ratio = own.weight.var() / other.weight.var()
            assert ratio.item() == pytest.approx(4, rel=0.1)
            own.weight.copy_(other.weight[inner])
            own.bias.copy_(other.bias)
    torch.testing.assert_close(small_down(features), down(features))
    torch.testing.assert_close(small_up(codes), up(codes))


# ---- codes cut off


def test_all_components_change_nothing_and_none_leave_the_mean():
    model = network(linear_layers=2, latent=6)
    codes = encode_images(model, some_images(50))
    pca, few = pca_from_covariance(codes), codes[:20]
    none, some, every = truncate_codes(model, pca, few, (0, 2, 6))
    np.testing.assert_allclose(every, decode_codes(model, few), atol=1e-6)
    mean = decode_codes(model, codes.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(none, np.repeat(mean, 20, axis=0), atol=1e-6)
    other = PCA(2).fit(codes)
    wanted = decode_codes(model, other.inverse_transform(other.transform(few)))
    np.testing.assert_allclose(some, wanted, atol=1e-6)


# ---- half-way


@pytest.mark.parametrize("square", ["corner", "centre"])
def test_halfway_is_the_middle_of_ten_steps_between_neighbours(square):
    model, images = network(linear_layers=2, he_init=True), some_images(6).numpy()
    found = halfway_quality(model, images, square)
    codes, shares = encode_images(model, torch.from_numpy(images)), np.linspace(0, 1, 10)
    for i in range(3):
        straight = codes[2 * i] + shares[:, None] * (codes[2 * i + 1] - codes[2 * i])
        path = decode_codes(model, straight.astype(np.float32))[None]
        for name, of_paths in vars(summarise_path(path, shares, square)).items():
            assert getattr(found, name)[i] == pytest.approx(of_paths[0, 4:6].mean(), rel=1e-3)
    assert [values.shape for values in vars(found).values()] == [(3,)] * 3


def test_an_image_without_a_partner_is_refused():
    with pytest.raises(ValueError, match="2 P images"):
        halfway_quality(network(), some_images(3).numpy())


@pytest.mark.parametrize(("goal", "wanted"), [(0.5, 0), (0.2, 2), (0.1, 3), (0.01, None)])
def test_numbers_needed_are_the_fewest_that_reach_the_goal(goal, wanted):
    assert numbers_needed([0.5, 0.4, 0.2, 0.1, 0.1], goal) == wanted
