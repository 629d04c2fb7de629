"""The full runs of chapter 6: what decides the rank of a code.

Images whose number of degrees of freedom is known; how deep the product of linear layers is, and how
large the code before training; weight decay.
"""

from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from helpers.configurations import ShapeConfiguration, plain_values
from helpers.experiments.irmae import (
    SHAPES_EARLY,
    SHAPES_JUDGED,
    SHAPES_NETWORK,
    SHAPES_TRAINING,
    SMALL_2,
    build_shape_autoencoder,
    data_of,
    judge_shapes,
    shape_run,
)
from helpers.runs import NetworkRun, Prepared
from helpers.shapes import DEGREES, images_of_degrees

if TYPE_CHECKING:
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


def decay_run(decay: float) -> NetworkRun:
    """A short run of two linear layers from He's start, with weight decay."""
    run = shape_run("corner", 2, {}, epochs=SHAPES_EARLY)
    training = replace(run.training, weight_decay=decay)
    return replace(run, summary=f"{run.summary}, weight decay {decay:g}", training=training)


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
    **{f"weight-decay-{decay:g}": decay_run(decay) for decay in DECAYS},
}
