"""The full runs of chapter 6: what decides the rank of a code.

Images whose number of degrees of freedom is known; how deep the product of linear layers is, and how
large the code before training; weight decay; and the variants that a student's replication tried.
"""

from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.configurations import ShapeConfiguration, TrainingOptions, plain_values
from helpers.experiments.irmae import NETWORKS as CHAPTER_5
from helpers.experiments.irmae import (
    SHAPES_EARLY,
    SHAPES_JUDGED,
    SHAPES_NETWORK,
    SHAPES_TRAINING,
    SMALL_2,
    build_shape_autoencoder,
    data_of,
    judge_halfway,
    judge_shapes,
    prepare_shapes,
    shape_run,
)
from helpers.runs import NetworkRun, Prepared, trained_network
from helpers.shapes import DEGREES, images_of_degrees, shape_factors, shape_images

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

MODELS = {"ae": SHAPES_NETWORK, "irmae-2": replace(SMALL_2, linear_layers=2)}
SEEDS = {"": 0, "-again": 1}
STARTS = ("large", "medium", "small")  # variance of the code before training: 4e-2, 4e-4, 4e-6
GAINS = {  # number of linear layers: for each start the factor on their initial weights
    1: (0.585, 0.058, 0.0058),
    4: (1.32, 0.74, None),  # the small start of two and four layers is chapter 5's
    8: (1.52, 1.14, 0.857),
}
DECAYS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
CONTINUED = "shapes-corner-irmae-2-small"
SHORT = 10  # epochs of weight decay and of the variants
VAE_TRAINING = TrainingOptions(
    batch_size=128, learning_rate=1e-3, schedule="one-cycle", schedule_epochs=30, channels_last=True
)
VAE_DRAWN, VAE_REAL = 1_000, 300  # images drawn from it, and test images held against them
VARIANTS: dict[str, dict[str, Any]] = {  # what differs from two linear layers, small start
    "none": {},
    "sigmoid": {"output": "sigmoid"},
    "identity": {"output": "identity"},  # for those below: their images leave the range of tanh
    "zero-mean": {"output": "identity", "preprocessing": "zero mean"},
    "zero-mean-wrong": {"output": "identity", "preprocessing": "zero mean, wrong"},
    "imagenet": {"output": "identity", "preprocessing": "ImageNet"},
    "scores": {"output": "identity", "preprocessing": "scores"},
    "zca": {"output": "identity", "preprocessing": "ZCA"},
    "noise": {"augmentation": "noise"},
    "noise-half": {"augmentation": "noise on half"},
    "imagenet-half": {"output": "identity", "augmentation": "ImageNet on half"},
}
OTHER_STARTS: dict[str, dict[str, Any]] = {  # two of them once more, with one seed
    "sigmoid-large-start": VARIANTS["sigmoid"] | {"init_gain": 1.0},
    "imagenet-same-start": VARIANTS["imagenet"] | {"init_gain": 0.0468},  # the code begins at 4e-6
}


def prepare_degrees(degrees: int) -> Prepared:
    """Images of one number of degrees of freedom; after each epoch the error and the spectra."""
    from helpers.autoencoder import encode_images
    from helpers.irmae import shape_tensor

    validation = images_of_degrees(degrees, "validation")
    train = images_of_degrees(degrees, "train")

    def results(model: "Module") -> dict:
        test = images_of_degrees(degrees, "test")
        mean = train.mean(axis=0, dtype=np.float64)
        return {
            "validation": judge_shapes(model, validation),
            "test": judge_shapes(model, test),
            "mean_image": float(np.square(test - mean).mean()),
        }

    judged = validation[:SHAPES_JUDGED]
    return Prepared(
        shape_tensor(train),
        {"evaluate": lambda model: judge_shapes(model, judged)},
        results,
        lambda model: encode_images(model, shape_tensor(judged)),
    )


def degrees_run(degrees: int, network: ShapeConfiguration, seed: int) -> NetworkRun:
    """A short run on images of one number of degrees of freedom."""
    layers = network.linear_layers
    kind = f"{layers} linear layers, small start" if layers else "no linear layer"
    return NetworkRun(
        summary=f"shapes with {degrees} degrees of freedom: {kind}, seed {seed}",
        network={"seed": seed} | plain_values(network, "linear_layers"),
        training=replace(SHAPES_TRAINING, seed=seed),
        epochs=SHAPES_EARLY,
        data=data_of("corner") | {"degrees": degrees},
        build=build_shape_autoencoder,
        prepare=partial(prepare_degrees, degrees),
        save_weights=False,
    )


def layers_run(layers: int, gain: float) -> NetworkRun:
    """A short run with some linear layers, from one start."""
    network = replace(SHAPES_NETWORK, init_gain=gain)
    return shape_run("corner", layers, {}, network=network, epochs=SHAPES_EARLY)


def decay_run(decay: float, seed: int) -> NetworkRun:
    """A short run of two linear layers from He's start, with weight decay."""
    run = shape_run("corner", 2, {}, seed=seed, epochs=SHORT)
    training = replace(run.training, weight_decay=decay)
    return replace(run, summary=f"{run.summary}, weight decay {decay:g}", training=training)


def prepare_variant(ways: dict[str, str]) -> Prepared:
    """Images prepared in one way; after each epoch the error, of plain images, and the spectra."""
    import torch

    from helpers.irmae import shape_tensor
    from helpers.preprocessing import augmented, preprocessing, with_preprocessing

    train, way = shape_images("corner", "train"), None
    if "augmentation" in ways:
        inputs = torch.from_numpy(augmented(ways["augmentation"], train, np.random.default_rng(0)))
    else:
        inputs = shape_tensor(train)
    if "preprocessing" in ways:
        way = preprocessing(ways["preprocessing"], train)
        inputs = torch.cat([way.apply(part) for part in inputs.split(5_000)])
    validation = shape_images("corner", "validation")

    def judge(model: "Module", images: np.ndarray) -> dict:
        if way is None:
            return judge_shapes(model, images)
        row = judge_shapes(with_preprocessing(model, way), images)
        if way.undo is None:  # compared with plain images it would mean nothing
            del row["error"], row["hue"]
        return {"share": share_of_variance(model, way.apply(shape_tensor(images)))} | row

    def results(model: "Module") -> dict:
        test = shape_images("corner", "test")
        found = {"validation": judge(model, validation), "test": judge(model, test)}
        if way is None or way.undo is not None:
            whole = with_preprocessing(model, way) if way else model
            found["halfway"] = judge_halfway(whole, test, "corner")
        return found

    judged = validation[:SHAPES_JUDGED]
    return Prepared(inputs, {"evaluate": lambda model: judge(model, judged)}, results)


def share_of_variance(model: "Module", inputs: "Tensor") -> float:
    """Error of a network on what it is given, as a share of the error of the mean of that."""
    from helpers.autoencoder import reconstruct_images

    plain = inputs.cpu().numpy()
    left = np.square(reconstruct_images(model, inputs) - plain).mean(dtype=np.float64)
    return float(left / np.square(plain - plain.mean(axis=0)).mean(dtype=np.float64))


def variant_run(
    seed: int, output: str = "tanh", init_gain: float = SMALL_2.init_gain, **ways: str
) -> NetworkRun:
    """A short run of two linear layers, from the small start unless ``init_gain`` says another."""
    network = replace(SMALL_2, output=output, init_gain=init_gain)
    run = shape_run("corner", 2, {}, network=network, seed=seed, epochs=SHORT)
    told = [f"{output} at the output"] * (output != "tanh") + [*ways.values(), f"seed {seed}"]
    return replace(
        run,
        summary=", ".join([f"two linear layers × {init_gain} at init", *told]),
        data=run.data | ways,
        prepare=partial(prepare_variant, ways),
    )


def continued_run() -> NetworkRun:
    """A finished network goes on from its saved weights: with 16 bits each, and Adam starts anew."""
    run = CHAPTER_5[CONTINUED]
    return replace(
        run,
        summary=f"{CONTINUED}, continued",
        epochs=SHORT,
        data=run.data | {"continues": CONTINUED},
        build=lambda **_: trained_network(CONTINUED, run),
        save_weights=False,
    )


def prepare_probes() -> Prepared:
    """Images of shapes; after each epoch also what linear probes read off the codes."""
    from helpers.autoencoder import encode_images
    from helpers.irmae import shape_tensor
    from helpers.probes import probe_scores

    validation = shape_images("corner", "validation", SHAPES_JUDGED)
    factors = shape_factors("validation", SHAPES_JUDGED)

    def judge(model: "Module") -> dict:
        codes = encode_images(model, shape_tensor(validation))
        scores = probe_scores(codes, factors, SHAPES_JUDGED // 2)
        return judge_shapes(model, validation) | {
            "probes": {name: float(f"{score:.4g}") for name, score in scores.items()}
        }

    return Prepared(shape_tensor(shape_images("corner", "train")), {"evaluate": judge}, judge)


def probes_run() -> NetworkRun:
    """The small start again, and after each epoch what the code tells of each factor."""
    run = shape_run("corner", 2, {}, network=SMALL_2, epochs=SHAPES_EARLY)
    return replace(
        run,
        summary=f"{CONTINUED}, each epoch read by linear probes",
        data=run.data | {"probes": SHAPES_JUDGED},
        prepare=prepare_probes,
    )


def build_vae(*, seed: int, **options) -> "Module":
    """A variational autoencoder of shapes with an initialisation that depends on the seed alone."""
    from helpers.generation import ShapeVAE
    from helpers.training import seeded

    return seeded(lambda: ShapeVAE(ShapeConfiguration(**options)), seed)


def prepare_vae(loss: dict[str, float]) -> Prepared:
    """Images of shapes, and the loss of a variational autoencoder."""
    from helpers.autoencoder import decode_codes
    from helpers.generation import judge_samples, vae_loss

    prepared = prepare_shapes("corner", {})

    def results(model: "Module") -> dict:
        codes = np.random.default_rng(0).standard_normal((VAE_DRAWN, 32), np.float32)
        real = shape_images("corner", "test", VAE_REAL)
        return prepared.results(model) | {"drawn": judge_samples(decode_codes(model, codes), real)}

    return replace(prepared, train=prepared.train | {"loss": vae_loss(**loss)}, results=results)


def vae_run(epochs: int, save_weights: bool, **loss: float) -> NetworkRun:
    """The paper's rival where codes are drawn: a VAE with the plain network's layers."""
    run = shape_run("corner", 0, {})
    told = "".join(f", {name} {value:g}" for name, value in loss.items())
    return replace(
        run,
        summary=f"shapes, squares by their corner: a variational autoencoder, seed 0{told}",
        training=replace(VAE_TRAINING, schedule_epochs=epochs),
        epochs=epochs,
        data=run.data | {"noise": "by the number of draws"},
        build=build_vae,
        prepare=partial(prepare_vae, loss),
        loss=loss,
        save_weights=save_weights,
    )


NETWORKS: dict[str, NetworkRun] = {
    **{
        f"degrees-{degrees}-{model}{again}": degrees_run(degrees, MODELS[model], seed)
        for degrees, model, (again, seed) in product(DEGREES, MODELS, SEEDS.items())
    },
    **{
        f"layers-{layers}-{start}": layers_run(layers, gain)
        for layers, gains in GAINS.items()
        for start, gain in zip(STARTS, gains, strict=True)
        if gain
    },
    **{
        f"weight-decay-{decay:g}{again}": decay_run(decay, seed)
        for decay, (again, seed) in product(DECAYS, SEEDS.items())
    },
    **{
        f"variant-{name}{again}": variant_run(seed, **options)
        for (name, options), (again, seed) in product(VARIANTS.items(), SEEDS.items())
    },
    **{f"variant-{name}": variant_run(0, **options) for name, options in OTHER_STARTS.items()},
    "variant-continued": continued_run(),
    "probes": probes_run(),
    "vae": vae_run(30, save_weights=False),
    **{
        f"vae-{variance:g}": vae_run(15, save_weights=variance < 1, variance=variance)
        for variance in (1, 0.1, 0.01)
    },
}
