"""The full runs of chapter 5: networks of shapes, and the sweeps that chose their settings."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.configurations import ShapeConfiguration, TrainingOptions, plain_values
from helpers.runs import NetworkRun, Prepared, columns
from helpers.shapes import (
    SHAPE_PARTS,
    SHAPE_SEED,
    SQUARES,
    grey_and_hue_errors,
    shape_images,
)

if TYPE_CHECKING:
    from torch.nn import Module

SHAPES_JUDGED = 2_000  # validation images after each epoch
SHAPES_NETWORK = ShapeConfiguration(he_init=True, relu_at_code=False)
AUTHORS_NETWORK = ShapeConfiguration(relu_at_code=False, small_kernels=True)
SMALL_2 = replace(SHAPES_NETWORK, init_gain=0.1)  # total variance of the code 4e-6 before training
SMALL_4 = replace(SHAPES_NETWORK, init_gain=0.42)  # the same, with four linear layers
AS_WRITTEN = ShapeConfiguration()
SHAPES_TRAINING = TrainingOptions(batch_size=32, learning_rate=1e-4, channels_last=True)
SHAPES_EPOCHS = 100
SHAPES_EARLY = 20  # epochs of the runs that are there to compare with
SHAPE_PAIRS = 200  # of test images, for what lies half-way
PENALTY_WEIGHTS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
PENALTY_IMAGES = 10_000
PENALTY_COST = 1.1  # times the error without a penalty
PENALTY_EPOCHS = 6
SHAPE_MODELS = {
    "ae": {"linear_layers": 0, "loss": {}},
    "ae-l1": {"linear_layers": 0, "loss": {"norm": "L1", "weight": 1e-4}},  # by shapes-penalties
    "ae-l2": {"linear_layers": 0, "loss": {"norm": "L2", "weight": 1e-3}},
    "irmae-2": {"linear_layers": 2, "loss": {}},
    "irmae-4": {"linear_layers": 4, "loss": {}},
}
EARLY, AGAIN = {"epochs": SHAPES_EARLY}, {"epochs": SHAPES_EARLY, "seed": 1}
KEPT = {"save_weights": True}
SHAPE_COMPARISONS = {  # a model, and what differs from its full run
    "corner-ae-early": ("ae", EARLY),
    "corner-ae-again": ("ae", AGAIN),
    "corner-ae-as-written": ("ae", {"network": AS_WRITTEN}),
    "corner-ae-narrow": ("ae", EARLY | {"network": replace(SHAPES_NETWORK, latent=10)}),
    "corner-irmae-2-early": ("irmae-2", EARLY),
    "corner-irmae-2-again": ("irmae-2", AGAIN),
    "corner-irmae-2-as-written": ("irmae-2", {"network": AS_WRITTEN}),
    "corner-irmae-4-orthogonal": (
        "irmae-4",
        EARLY | {"network": replace(SHAPES_NETWORK, orthogonal=True)},
    ),
    # the authors' code, as it is, and penalties where the paper's curves are
    "corner-ae-authors": ("ae", {"network": AUTHORS_NETWORK} | KEPT),
    "corner-irmae-2-authors": ("irmae-2", {"network": AUTHORS_NETWORK} | KEPT),
    "corner-irmae-4-authors": ("irmae-4", {"network": AUTHORS_NETWORK} | KEPT),
    **{
        f"corner-ae-{norm.lower()}-authors": (
            "ae",
            {"network": AUTHORS_NETWORK, "loss": {"norm": norm, "weight": 1e-5}},
        )
        for norm in ("L1", "L2")
    },
    # one thing changed: how large the code is before training
    "corner-irmae-2-small": ("irmae-2", {"network": SMALL_2} | KEPT),
    **{
        f"corner-irmae-2-start-{factor}": (
            "irmae-2",
            EARLY | {"network": replace(SHAPES_NETWORK, init_gain=factor)},
        )
        for factor in (0.56, 0.32, 0.18)
    },
    "corner-irmae-4-small": ("irmae-4", {"network": SMALL_4} | KEPT),
    "corner-irmae-2-small-again": ("irmae-2", AGAIN | {"network": SMALL_2}),
    "corner-irmae-4-small-again": ("irmae-4", AGAIN | {"network": SMALL_4}),
    "centre-irmae-2-small": ("irmae-2", EARLY | {"network": SMALL_2}),
    # are layers needed, or only a small start? and must they be random?
    "corner-ae-small": ("ae", EARLY | {"network": replace(SHAPES_NETWORK, code_gain=0.0034)}),
    "corner-irmae-4-small-orthogonal": (
        "irmae-4",
        EARLY | {"network": replace(SMALL_4, orthogonal=True)},
    ),
    # the other reading of "centre"; the linear layers of the student's replication have a bias
    "centre-ae-as-written": ("ae", {"network": AS_WRITTEN}),
    "centre-irmae-2-as-written": ("irmae-2", {"network": replace(AS_WRITTEN, bias=True)}),
}


def build_shape_autoencoder(*, seed: int, **options) -> "Module":
    """An autoencoder of shapes with an initialisation that depends on the seed alone."""
    from helpers.irmae import ShapeAutoencoder
    from helpers.training import seeded

    return seeded(lambda: ShapeAutoencoder(ShapeConfiguration(**options)), seed)


def judge_shapes(model: "Module", images: np.ndarray) -> dict:
    """What a run records of a network of shapes, on images (N, 3, 32, 32).

    Returns
    -------
    dict
        "error" and the part of it that is "hue", per pixel and channel; "spectrum", the variances
        of the code along its axes, and "code_variance", their sum. With linear layers also
        "spectrum_before" them and "layers", the singular values of their product.
    """
    from helpers.autoencoder import decode_codes, encode_images
    from helpers.irmae import (
        code_spectrum,
        drop_linear_layers,
        merge_linear_layers,
        shape_tensor,
    )

    tensor = shape_tensor(images)
    codes = encode_images(model, tensor)
    spectrum, rebuilt = code_spectrum(codes), decode_codes(model, codes)
    _, hue = grey_and_hue_errors(images, rebuilt)
    row = {
        "error": float(np.square(rebuilt - images).mean(dtype=np.float64)),
        "hue": float(f"{hue:.4g}"),
        "code_variance": float(f"{spectrum.sum():.4g}"),
        "spectrum": rounded(spectrum),
    }
    if len(model.linear):
        (product,) = merge_linear_layers(model).linear
        before = encode_images(drop_linear_layers(model), tensor)
        row["spectrum_before"] = rounded(code_spectrum(before))
        row["layers"] = rounded(
            np.linalg.svd(product.weight.detach().cpu().double().numpy(), compute_uv=False)
        )
    return row


def judge_halfway(model: "Module", test: np.ndarray, square: str) -> dict[str, list[float]]:
    """What a run records half-way between the first pairs of test images (N, 3, 32, 32)."""
    from helpers.irmae import halfway_quality

    halfway = halfway_quality(model, test[: 2 * SHAPE_PAIRS], square)
    return {name: rounded(values) for name, values in vars(halfway).items()}


def rounded(values: np.ndarray) -> list[float]:
    """Four digits of each."""
    return [float(f"{value:.4g}") for value in values]


def prepare_shapes(square: str, loss: Mapping[str, Any]) -> Prepared:
    """Images of shapes; after each epoch the error and the spectra on some validation images."""
    from helpers.irmae import penalised_loss, shape_tensor

    validation = shape_images(square, "validation")

    def results(model: "Module") -> dict:
        test = shape_images(square, "test")
        return {
            "validation": judge_shapes(model, validation),
            "test": judge_shapes(model, test),
            "halfway": judge_halfway(model, test, square),
        }

    return Prepared(
        shape_tensor(shape_images(square, "train")),
        {
            "loss": penalised_loss(**loss),
            "evaluate": lambda model: judge_shapes(model, validation[:SHAPES_JUDGED]),
        },
        results,
    )


def data_of(square: str) -> dict:
    """What the images of a run are drawn from, as its manifest says it."""
    return {"square": square, "seed": SHAPE_SEED, **SHAPE_PARTS}


def shape_run(
    square: str,
    linear_layers: int,
    loss: Mapping[str, Any],
    *,
    network: ShapeConfiguration = SHAPES_NETWORK,
    seed: int = 0,
    epochs: int = SHAPES_EPOCHS,
    save_weights: bool = False,
) -> NetworkRun:
    """An autoencoder of shapes with the paper's settings; ``network`` says where it departs."""
    network = replace(network, linear_layers=linear_layers)
    kind = {0: "no linear layer", 1: "1 linear layer"}.get(
        linear_layers, f"{linear_layers} linear layers"
    )
    penalty = f", {loss['norm']} penalty" if loss else ""
    early = "" if epochs == SHAPES_EPOCHS else f", {epochs} epochs"
    of = f"{kind}{penalty}{departures(network)}, seed {seed}{early}"
    return NetworkRun(
        summary=f"shapes, squares by their {square}: {of}",
        network={"seed": seed} | plain_values(network, "linear_layers"),
        training=replace(SHAPES_TRAINING, seed=seed),
        epochs=epochs,
        data=data_of(square),
        build=build_shape_autoencoder,
        prepare=partial(prepare_shapes, square, loss),
        loss=loss,
        half_precision=True,
        save_weights=save_weights,
    )


def departures(network: ShapeConfiguration) -> str:
    """How a network differs from those of the other runs, in words."""
    base = ShapeConfiguration(linear_layers=network.linear_layers, bias=network.bias)
    told = {
        ", network as the paper writes it": network == base,
        ", linear layers with a bias": network.bias,
        ", orthogonal init": network.orthogonal,
        f", a code of {network.latent}": network.latent != base.latent,
        ", the authors' network": network.small_kernels,
        f", linear layers × {network.init_gain} at init": network.init_gain != 1,
        f", code × {network.code_gain} at init": network.code_gain != 1,
    }
    return "".join(words for words, true in told.items() if true)


def choose_penalties() -> dict:
    """Short trainings with penalties on the code: the largest weights that cost little error."""
    from helpers.irmae import NORMS, penalised_loss
    from helpers.training import evaluated, train

    prepared, chosen, rows = prepare_shapes("corner", {}), {}, []
    images = prepared.images[:PENALTY_IMAGES]
    for norm, weight in [(None, 0.0), *product(NORMS, PENALTY_WEIGHTS)]:
        model = build_shape_autoencoder(seed=0, **plain_values(SHAPES_NETWORK))
        loss = penalised_loss(norm, weight)
        train(model, images, SHAPES_TRAINING, epochs=PENALTY_EPOCHS, loss=loss)
        judged = evaluated(model, prepared.train["evaluate"])
        rows.append({"norm": norm, "weight": weight} | judged)
        if norm and judged["error"] <= PENALTY_COST * rows[0]["error"]:
            chosen[norm] = max(weight, chosen.get(norm, 0.0))
        print(norm, weight, judged["error"], file=sys.stderr, flush=True)
    return {
        "configuration": {
            "images": PENALTY_IMAGES,
            "cost": PENALTY_COST,
            **plain_values(SHAPES_NETWORK),
            **plain_values(SHAPES_TRAINING, "seed"),
            "epochs": PENALTY_EPOCHS,
        },
        "data": data_of("corner"),
        "results": columns(rows) | {"chosen": chosen},
    }


EXPERIMENTS: dict[str, Callable[[], dict]] = {
    "shapes-penalties": choose_penalties,
}
NETWORKS: dict[str, NetworkRun] = {
    **{
        f"shapes-{square}-{model}": shape_run(
            square, save_weights=square == "corner" and not options["loss"], **options
        )
        for square in SQUARES
        for model, options in SHAPE_MODELS.items()
    },
    **{
        f"shapes-{name}": shape_run(name.split("-")[0], **SHAPE_MODELS[model] | options)
        for name, (model, options) in SHAPE_COMPARISONS.items()
    },
}
