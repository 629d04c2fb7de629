"""The full runs: each is one command and leaves a manifest that the notebooks read.

``python -m helpers.experiments NAME`` runs one, ``--list`` shows what there is and how far each has
got. A manifest says what was run, on what, with which versions, and what came out. The run of a
network keeps its state in ``data/runs/`` after each epoch: killed at any moment, the same command goes
on from there. Its weights end in ``data/checkpoints/``.
"""

import argparse
import hashlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers import runs
from helpers.deep_factorization import (
    gaussian_factors,
    gradient_descent,
    nuclear_norm_completion,
    planted_matrix,
    sample_entries,
    unseen_error,
)
from helpers.factorization import (
    fit_biases,
    predict,
    principal_axes,
    rmse,
    search_als,
    user_with,
)
from helpers.fashion_mnist import FETCHED, SHA256, load_fashion_mnist
from helpers.pca import compression_table, pca_from_covariance, project
from helpers.ratings import MORE_THAN, Ratings, generate_ratings, hold_out, prune
from helpers.runs import NetworkRun, Prepared
from helpers.shapes import SQUARES, draw_factors, draw_images, grey_and_hue_errors
from helpers.spectrum import components_for_share, effective_rank
from helpers.storage import (
    DATA,
    StorageError,
    read_array,
    write_array,
    write_json,
)

if TYPE_CHECKING:
    from torch.nn import Module

MAPS = DATA / "maps" / "fashion-mnist-tsne.npy"
TSNE_PERPLEXITIES = (5, 10, 30, 50, 100, 300)
PCA_KS = (0, 2, 8, 16, 32, 64, 128, 288)
PCA_SHARES = (0.8, 0.9, 0.95, 0.99)
FASHION_MNIST_IMAGES = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
HELD_OUT = 5_000  # training images on which autoencoders are chosen
CHOICE_EPOCHS = 2
CHOICE_NETWORK = {"d": 32, "channels": [32, 64], "hidden": 0, "plain": False}
CHOICE_TRAINING = {
    "batch_size": 128,
    "schedule": "one-cycle",
    "schedule_epochs": CHOICE_EPOCHS,
    "seed": 0,
}
DENSE_CODE_CANDIDATES = (  # what differs from the network above, and the learning rate
    ({"plain": True}, 8e-3),
    ({}, 8e-3),
    ({}, 16e-3),
    ({}, 32e-3),
    ({}, 64e-3),
    ({"hidden": 96}, 32e-3),
    ({"d": 8}, 32e-3),
    ({"d": 8, "hidden": 96}, 32e-3),
)
# chosen on held-out images
DENSE_CODE_HIDDEN = {8: 96, 16: 96, 32: 0, 64: 0}  # by the size of the code
DENSE_CODE_TRAINING = CHOICE_TRAINING | {"learning_rate": 32e-3, "schedule_epochs": 15}
GRID_KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
GRID_PENALTIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
COMPLETION = {"n": 40, "rank": 3, "seen": [320, 400, 480, 640, 800, 1120], "matrices": 10}
COMPLETION_DESCENT = {"tolerance": 1e-6, "max_steps": 50_000}
COMPLETION_DEPTHS, COMPLETION_SCALE = (2, 3, 4), 1e-3
SHAPES = {"seed": 0}
SHAPE_PARTS = {"train": 50_000, "validation": 10_000, "test": 10_000}
SHAPES_JUDGED = 2_000  # validation images after each epoch
SHAPES_NETWORK = {"he_start": True, "last_relu": False}  # by shapes-starts
AUTHORS_NETWORK = {"last_relu": False, "small_kernels": True}
SHAPES_TRAINING = {"batch_size": 32, "learning_rate": 1e-4, "channels_last": True}
SHAPES_EPOCHS = 100
SHAPES_EARLY = 20  # epochs of the runs that are there to compare with
SHAPE_PAIRS = 200  # of test images, for what lies half-way
PENALTY_WEIGHTS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
PENALTY_IMAGES = 10_000
PENALTY_COST = 1.1  # times the error without a penalty
PENALTY_TRAINING = SHAPES_TRAINING | {"epochs": 6, "seed": 0}
STARTS_IMAGES = 10_000
STARTS_TRAINING = SHAPES_TRAINING | {"epochs": 12, "seed": 0}
STARTS = {
    "as written": {},
    "no ReLU at the code": {"last_relu": False},
    "the authors' code": AUTHORS_NETWORK,
    "He's start": {"he_start": True},
    "He's start, no ReLU": {"he_start": True, "last_relu": False},
}
SHAPE_MODELS = {
    "ae": {"linear_layers": 0, "loss": {}},
    "ae-l1": {"linear_layers": 0, "loss": {"norm": "L1", "weight": 1e-4}},  # by shapes-penalties
    "ae-l2": {"linear_layers": 0, "loss": {"norm": "L2", "weight": 1e-3}},
    "irmae-2": {"linear_layers": 2, "loss": {}},
    "irmae-4": {"linear_layers": 4, "loss": {}},
}
EARLY, AGAIN = {"epochs": SHAPES_EARLY}, {"epochs": SHAPES_EARLY, "seed": 1}
SHAPE_COMPARISONS = {  # squares by their corner: a model, and what differs from its full run
    "ae-early": ("ae", EARLY),
    "ae-again": ("ae", AGAIN),
    "ae-as-written": ("ae", {"network": {}}),
    "ae-narrow": ("ae", EARLY | {"network": SHAPES_NETWORK | {"latent": 10}}),
    "irmae-2-early": ("irmae-2", EARLY),
    "irmae-2-again": ("irmae-2", AGAIN),
    "irmae-2-as-written": ("irmae-2", {"network": {}}),
    "irmae-4-orthogonal": ("irmae-4", EARLY | {"network": SHAPES_NETWORK | {"orthogonal": True}}),
    # the authors' code, as it is
    "ae-authors": ("ae", {"network": AUTHORS_NETWORK}),
    "irmae-2-authors": ("irmae-2", {"network": AUTHORS_NETWORK}),
    "irmae-4-authors": ("irmae-4", {"network": AUTHORS_NETWORK}),
    # one thing changed: how large the code is before training: total variance 4e-6
    "irmae-2-small": ("irmae-2", {"network": SHAPES_NETWORK | {"start": 0.1}}),
    **{
        f"irmae-2-start-{factor}": (
            "irmae-2",
            EARLY | {"network": SHAPES_NETWORK | {"start": factor}},
        )
        for factor in (0.56, 0.32, 0.18)
    },
    "irmae-4-small": ("irmae-4", {"network": SHAPES_NETWORK | {"start": 0.42}}),
    "ae-small": ("ae", EARLY | {"network": SHAPES_NETWORK | {"code_gain": 0.0034}}),
}


def pca_fashion_mnist() -> dict:
    """PCA of all 60,000 training images, judged on the 10,000 test images."""
    train, _ = load_fashion_mnist("train", full=True)
    test, _ = load_fashion_mnist("test")
    pca = pca_from_covariance(train.reshape(len(train), -1))
    shares = {
        f"{share:.0%}": components_for_share(pca.explained_variance, share) for share in PCA_SHARES
    }
    return {
        "configuration": {"train": len(train), "test": len(test), "precision": str(train.dtype)},
        "data": {name: SHA256[name] for name in (*FETCHED, "t10k-images-idx3-ubyte.gz")},
        "results": {
            "table": compression_table(pca, test.reshape(len(test), -1), PCA_KS),
            "components_for_share": shares,
        },
    }


def ratings_grid() -> dict:
    """ALS on generated ratings for each number of factors and penalty, with the errors of each."""
    ratings, _ = generate_ratings(np.random.default_rng(0))
    parts = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    return {
        "configuration": {"seed": 0, "more_than": MORE_THAN, "ratings": len(ratings.stars)},
        "data": {"stars": hashlib.sha256(ratings.stars.tobytes()).hexdigest()},
        "results": grid_of_fits(*parts, GRID_KS, GRID_PENALTIES),
    }


def grid_of_fits(
    train: Ratings,
    validation: Ratings,
    test: Ratings,
    ks: Sequence[int],
    penalties: Sequence[float],
) -> list[dict]:
    """What chapter 2's sliders show of each fit: errors, spectrum and one user's predictions.

    Returns
    -------
    list of dict
        ``k``, ``penalty``, RMSE of ``training``, ``validation`` and ``test`` ratings,
        ``singular_values`` of Q Pᵀ, and ``predicted`` stars of the user whom
        :func:`helpers.factorization.user_with` finds: first of the training ratings, then of
        the validation ratings.
    """
    baseline = fit_biases(train)
    user = user_with(train)
    shown = [part.users == user for part in (train, validation)]
    items = np.concatenate([train.items[shown[0]], validation.items[shown[1]]])
    records = []
    for k, penalty, model in search_als(train, baseline, ks, penalties):
        errors = (rmse(model, part) for part in (train, validation, test))
        predicted = predict(model, np.full(len(items), user), items)
        records.append(
            {"k": k, "penalty": penalty}
            | dict(zip(("training", "validation", "test"), errors, strict=True))
            | {"singular_values": principal_axes(model)[1].round(2).tolist()}
            | {"predicted": predicted.round(3).tolist()}
        )
    return records


def completion(depth: int | None, seen: int, seed: int) -> dict[str, float]:
    """One planted matrix completed by a product of this depth, or by least nuclear norm (None)."""
    rng = np.random.default_rng(seed)
    truth = planted_matrix(rng, COMPLETION["n"], COMPLETION["rank"])
    observed = sample_entries(rng, truth, seen)
    if depth is None:
        product, loss = nuclear_norm_completion(observed).product, 0.0
    else:
        sizes = [COMPLETION["n"]] * (depth + 1)
        start = gaussian_factors(rng, sizes, COMPLETION_SCALE)
        descent = gradient_descent(start, observed, **COMPLETION_DESCENT)
        product, loss = descent.products[-1], descent.losses[-1]
    values = np.linalg.svd(product, compute_uv=False)
    found = {
        "error": unseen_error(product, truth, observed),
        "nuclear_norm": values.sum(),
        "effective_rank": effective_rank(values),
        "loss": loss,
    }
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def depth_completion() -> dict:
    """Completion by depths 2 to 4 and by least nuclear norm, from few to many entries seen."""
    methods = {"least nuclear norm": None} | {f"depth {n}": n for n in COMPLETION_DEPTHS}
    table = {
        name: [
            [completion(depth, seen, seed) for seed in range(COMPLETION["matrices"])]
            for seen in COMPLETION["seen"]
        ]
        for name, depth in methods.items()
    }
    return {
        "configuration": COMPLETION
        | COMPLETION_DESCENT
        | {
            "scale": COMPLETION_SCALE,
            "solver": f"cvxpy {version('cvxpy-base')}, SCS {version('scs')}",
        },
        "results": {
            name: {key: [[run[key] for run in runs] for runs in rows] for key in rows[0][0]}
            for name, rows in table.items()
        },
    }


def build_autoencoder(*, kind: str, seed: int, **options) -> "Module":
    """An autoencoder with a start that depends on the seed alone."""
    from helpers.autoencoder import ConvolutionalAutoencoder, DenseCodeAutoencoder
    from helpers.training import seeded

    networks = {"convolutional": ConvolutionalAutoencoder, "dense code": DenseCodeAutoencoder}
    return seeded(lambda: networks[kind](**options), seed)


def prepare_source() -> Prepared:
    """All training images; the test error after each epoch, as the source printed it."""
    from helpers.autoencoder import reconstruction_errors, to_tensor

    test = to_tensor(load_fashion_mnist("test")[0])

    def errors(model: "Module") -> dict:
        found = reconstruction_errors(model, test, batch_size=1024)
        return {"test": found["exact"], "test_batch_mean": found["batch_mean"]}

    train, _ = load_fashion_mnist("train", full=True)
    return Prepared(to_tensor(train), {"evaluate": errors}, errors)


def prepare_held_out() -> Prepared:
    """Training images but the last 5,000, which judge each epoch; test images only at the end."""
    from helpers.autoencoder import reconstruction_errors, to_tensor

    images = to_tensor(load_fashion_mnist("train", full=True)[0])
    train, held_out = images[:-HELD_OUT], images[-HELD_OUT:]
    test = to_tensor(load_fashion_mnist("test")[0])

    def judge(name: str, judged) -> Callable[["Module"], dict]:
        return lambda model: {name: reconstruction_errors(model, judged)["exact"]}

    return Prepared(
        train,
        {"evaluate": judge("held_out", held_out)},
        lambda model: judge("held_out", held_out)(model) | judge("test", test)(model),
    )


def dense_code_run(d: int) -> NetworkRun:
    """An autoencoder with a code of d numbers, chosen on held-out training images."""
    return NetworkRun(
        summary=f"an autoencoder with a code of {d} numbers",
        network={"kind": "dense code", "seed": 0}
        | CHOICE_NETWORK
        | {"d": d, "hidden": DENSE_CODE_HIDDEN[d]},
        training=DENSE_CODE_TRAINING,
        epochs=DENSE_CODE_TRAINING["schedule_epochs"],
        data={name: SHA256[name] for name in FASHION_MNIST_IMAGES} | {"held_out": HELD_OUT},
        build=build_autoencoder,
        prepare=prepare_held_out,
        half=True,
    )


def build_shape_autoencoder(*, seed: int, **options) -> "Module":
    """An autoencoder of shapes with a start that depends on the seed alone."""
    from helpers.irmae import ShapeAutoencoder
    from helpers.training import seeded

    return seeded(lambda: ShapeAutoencoder(**options), seed)


def shape_factors(part: str, n: int | None = None) -> dict[str, np.ndarray]:
    """Factors of shapes for "train", "validation" or "test": the first n, or all of them."""
    rng = np.random.default_rng([SHAPES["seed"], list(SHAPE_PARTS).index(part)])
    factors = draw_factors(rng, SHAPE_PARTS[part])
    return {name: values[:n] for name, values in factors.items()}


def shape_images(square: str, part: str, n: int | None = None) -> np.ndarray:
    """Images with the factors of :func:`shape_factors`."""
    return draw_images(shape_factors(part, n), square)


def judge_shapes(model: "Module", images: np.ndarray) -> dict:
    """What a run records of a network of shapes, on images (N, 3, 32, 32).

    Returns
    -------
    dict
        "error" and the part of it that is "hue", per pixel and channel; "spectrum", the variances
        of the code along its axes, and "code_variance", their sum. With linear layers also
        "spectrum_before" them and "layers", the singular values of their product.
    """
    from helpers.autoencoder import image_errors
    from helpers.irmae import code_spectrum, decoded_shapes, fold, shape_codes, shape_tensor

    tensor = shape_tensor(images)
    codes = shape_codes(model, tensor)
    spectrum = code_spectrum(codes)
    _, hue = grey_and_hue_errors(images, decoded_shapes(model, codes))
    row = {
        "error": float(image_errors(model, tensor).mean()),
        "hue": float(f"{hue:.4g}"),
        "code_variance": float(f"{spectrum.sum():.4g}"),
        "spectrum": rounded(spectrum),
    }
    if len(model.linear):
        (product,) = fold(model).linear
        before = shape_codes(model, tensor, before_linear=True)
        row["spectrum_before"] = rounded(code_spectrum(before))
        row["layers"] = rounded(
            np.linalg.svd(product.weight.detach().cpu().double().numpy(), compute_uv=False)
        )
    return row


def rounded(values: np.ndarray) -> list[float]:
    """Four digits of each."""
    return [float(f"{value:.4g}") for value in values]


def prepare_shapes(square: str, loss: Mapping[str, Any]) -> Prepared:
    """Images of shapes; after each epoch the error and the spectra on some validation images."""
    from helpers.irmae import halfway_quality, penalised_loss, shape_tensor

    validation = shape_images(square, "validation")

    def results(model: "Module") -> dict:
        test = shape_images(square, "test")
        halfway = halfway_quality(model, test[: 2 * SHAPE_PAIRS], square)
        return {
            "validation": judge_shapes(model, validation),
            "test": judge_shapes(model, test),
            "halfway": dict(zip(("distance", "energy", "hue"), map(rounded, halfway), strict=True)),
        }

    return Prepared(
        shape_tensor(shape_images(square, "train")),
        {
            "loss": penalised_loss(**loss),
            "evaluate": lambda model: judge_shapes(model, validation[:SHAPES_JUDGED]),
        },
        results,
    )


def shape_run(
    square: str,
    linear_layers: int,
    loss: Mapping[str, Any],
    *,
    network: Mapping[str, Any] = SHAPES_NETWORK,
    seed: int = 0,
    epochs: int = SHAPES_EPOCHS,
    keep: bool = True,
) -> NetworkRun:
    """An autoencoder of shapes with the paper's settings; ``network`` says where it departs."""
    kind = f"{linear_layers} linear layers" if linear_layers else "no linear layer"
    penalty = f", {loss['norm']} penalty" if loss else ""
    written = "" if network else ", network as the paper writes it"
    written += ", orthogonal start" if network.get("orthogonal") else ""
    written += f", a code of {network['latent']}" if "latent" in network else ""
    written += ", the authors' network" if network == AUTHORS_NETWORK else ""
    written += f", linear layers × {network['start']} at the start" if "start" in network else ""
    written += f", code × {network['code_gain']} at the start" if "code_gain" in network else ""
    early = "" if epochs == SHAPES_EPOCHS else f", {epochs} epochs"
    return NetworkRun(
        summary=f"shapes, squares by their {square}: {kind}{penalty}{written}, seed {seed}{early}",
        network={"seed": seed, "linear_layers": linear_layers, **network},
        training=SHAPES_TRAINING | {"seed": seed},
        epochs=epochs,
        data={"square": square, **SHAPES, **SHAPE_PARTS},
        build=build_shape_autoencoder,
        prepare=partial(prepare_shapes, square, loss),
        loss=loss,
        half=True,
        keep=keep,
    )


def choose_penalties() -> dict:
    """Short trainings with penalties on the code: the largest weights that cost little error."""
    from helpers.irmae import NORMS, penalised_loss
    from helpers.training import evaluated, train

    prepared, chosen, rows = prepare_shapes("corner", {}), {}, []
    images = prepared.images[:PENALTY_IMAGES]
    for norm, weight in [(None, 0.0), *product(NORMS, PENALTY_WEIGHTS)]:
        model = build_shape_autoencoder(seed=0, **SHAPES_NETWORK)
        train(model, images, loss=penalised_loss(norm, weight), **PENALTY_TRAINING)
        judged = evaluated(model, prepared.train["evaluate"])
        rows.append({"norm": norm, "weight": weight} | judged)
        if norm and judged["error"] <= PENALTY_COST * rows[0]["error"]:
            chosen[norm] = max(weight, chosen.get(norm, 0.0))
        print(norm, weight, judged["error"], file=sys.stderr, flush=True)
    return {
        "configuration": {
            "images": PENALTY_IMAGES,
            "cost": PENALTY_COST,
            **SHAPES_NETWORK,
            **PENALTY_TRAINING,
        },
        "data": {"square": "corner", **SHAPES, **SHAPE_PARTS},
        "results": runs.columns(rows) | {"chosen": chosen},
    }


def compare_starts() -> dict:
    """Short trainings of networks that differ in their start and at the code: what they see."""
    from helpers.irmae import decoded_shapes, shape_codes, shape_tensor
    from helpers.training import train

    images = shape_tensor(shape_images("corner", "train", STARTS_IMAGES))
    validation = shape_images("corner", "validation", SHAPES_JUDGED)
    seen = shape_tensor(validation)

    def judge(model: "Module") -> dict:
        rebuilt = decoded_shapes(model, shape_codes(model, seen))
        grey, hue = grey_and_hue_errors(validation, rebuilt)
        return {"grey": grey, "hue": hue}

    results = {}
    for name, options in STARTS.items():
        model = build_shape_autoencoder(seed=0, **options)
        history = train(model, images, evaluate=judge, **STARTS_TRAINING)
        results[name] = runs.columns(history)
        print(name, history[-1], file=sys.stderr, flush=True)
    return {
        "configuration": {"images": STARTS_IMAGES, "networks": STARTS, **STARTS_TRAINING},
        "data": {"square": "corner", **SHAPES, **SHAPE_PARTS},
        "results": results,
    }


def choose_dense_code() -> dict:
    """Short trainings of autoencoders, judged on 5,000 held-out training images."""
    from helpers.autoencoder import parameter_count
    from helpers.training import evaluated, train

    prepared = prepare_held_out()
    rows = []
    for options, learning_rate in DENSE_CODE_CANDIDATES:
        network = CHOICE_NETWORK | options
        training = CHOICE_TRAINING | {"learning_rate": learning_rate}
        model = build_autoencoder(kind="dense code", seed=0, **network)
        started = time.monotonic()
        train(model, prepared.images, epochs=CHOICE_EPOCHS, **training)
        rows.append(
            {**network, **training, "parameters": parameter_count(model)}
            | {"seconds": round(time.monotonic() - started, 1)}
            | evaluated(model, prepared.train["evaluate"])
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return {
        "configuration": {"epochs": CHOICE_EPOCHS, "held_out": HELD_OUT, "seed": 0},
        "data": {name: SHA256[name] for name in FASHION_MNIST_IMAGES[:1]},
        "results": runs.columns(rows),
    }


def maps_by_tsne() -> dict:
    """Maps of 1,000 test images by t-SNE: of their pixels and of their codes, by several settings."""
    from helpers.autoencoder import codes
    from helpers.embedding import tsne

    test, _ = load_fashion_mnist("test")
    images = test[mapped_images()]
    train, _ = load_fashion_mnist("train")
    pca = pca_from_covariance(train.reshape(len(train), -1), 50)
    pixels = images.reshape(len(images), -1)
    spaces = {
        "pixels": pixels,
        "50 components": project(pca, pixels),
        "code of 288": codes(load_network("fashion-mnist"), images),
        "code of 32": codes(load_network("fashion-mnist-32"), images),
    }
    spaces |= made_up_clouds()
    wanted = {f"{space}, perplexity 30": (space, {}) for space in spaces}
    for perplexity in TSNE_PERPLEXITIES:
        wanted[f"code of 32, perplexity {perplexity}"] = ("code of 32", {"perplexity": perplexity})
    wanted["one cloud, perplexity 5"] = ("one cloud", {"perplexity": 5})
    for seed in (0, 1):
        options = {"init": "random", "seed": seed}
        wanted[f"code of 32, random start {seed}"] = ("code of 32", options)
    maps = np.stack([tsne(spaces[space], **options) for space, options in wanted.values()])
    return {
        "configuration": {"images": len(images), "maps": list(wanted)},
        "data": {name: SHA256[name] for name in FASHION_MNIST_IMAGES[1:]}
        | {
            n: load_manifest(n)["checkpoint"]["sha256"]
            for n in ("fashion-mnist", "fashion-mnist-32")
        },
        "arrays": {"file": MAPS.name, "sha256": write_array(MAPS, maps)},
    }


def made_up_clouds() -> dict[str, np.ndarray]:
    """Points whose shape is known: a round cloud in the plane, and three clouds with 10 axes.

    Of the three, whose points take turns, the second lies 30 from the first along the first axis
    and the third 150 from the second; the second is three times as wide as the others.
    """
    rng = np.random.default_rng(0)
    which = np.arange(1_000) % 3
    three = rng.normal(size=(1_000, 10)) * np.array([1, 3, 1])[which, None]
    three[:, 0] += np.array([0, 30, 180])[which]
    return {"one cloud": rng.normal(size=(1_000, 2)), "three clouds": three}


def mapped_images() -> np.ndarray:
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


EXPERIMENTS: dict[str, Callable[[], dict]] = {
    "depth-completion": depth_completion,
    "fashion-mnist-tsne": maps_by_tsne,
    "pca-fashion-mnist": pca_fashion_mnist,
    "fashion-mnist-choice": choose_dense_code,
    "ratings-grid": ratings_grid,
    "shapes-penalties": choose_penalties,
    "shapes-starts": compare_starts,
}
NETWORKS: dict[str, NetworkRun] = {
    "fashion-mnist": NetworkRun(
        summary="the convolutional autoencoder with a code of 288 numbers, as its source trained it",
        network={"kind": "convolutional", "seed": 0},
        training={
            "batch_size": 1024,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "seed": 0,
            "channels_last": True,
        },
        epochs=50,
        data={name: SHA256[name] for name in FASHION_MNIST_IMAGES},
        build=build_autoencoder,
        prepare=prepare_source,
    ),
    **{f"fashion-mnist-{d}": dense_code_run(d) for d in DENSE_CODE_HIDDEN},
    **{
        f"shapes-{square}-{model}": shape_run(square, **options)
        for square in SQUARES
        for model, options in SHAPE_MODELS.items()
    },
    **{
        f"shapes-corner-{name}": shape_run("corner", **SHAPE_MODELS[model], **options, keep=False)
        for name, (model, options) in SHAPE_COMPARISONS.items()
    },
}


def names() -> list[str]:
    """All experiments."""
    return sorted({*EXPERIMENTS, *NETWORKS})


def run(name: str, **options) -> dict:
    """Run an experiment, or go on with it, and write its manifest in one step.

    Parameters
    ----------
    options
        ``epochs``, ``device`` and ``progress`` of :func:`helpers.runs.run_network`; for networks.
    """
    started = time.monotonic()
    packages = ["numpy", "scipy", "scikit-learn"]
    if name in NETWORKS:
        outcome = runs.run_network(name, NETWORKS[name], **options)
        packages += ["torch", "safetensors"]
    else:
        outcome = EXPERIMENTS[name]()
    manifest = {
        "experiment": name,
        **outcome,
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages},
    }
    manifest.setdefault("seconds", round(time.monotonic() - started, 1))
    write_json(runs.manifest_path(name), manifest)
    return manifest


def load_manifest(name: str) -> dict:
    """What an experiment left.

    Raises
    ------
    ValueError
        If there is no experiment of that name.
    StorageError
        If its manifest is missing or damaged.
    """
    if name not in names():
        raise ValueError(f"there is no experiment {name!r}; there are {names()}")
    return runs.read_manifest(name)


def load_network(name: str) -> "Module":
    """The network that a full run left, ready to be used: in evaluation mode.

    Raises
    ------
    ValueError
        If no network's run has that name.
    StorageError
        If its manifest or its weights are missing, damaged, or don't belong together.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; there are {sorted(NETWORKS)}")
    return runs.load_network(name, NETWORKS[name])


def describe(name: str) -> str:
    """A line that says what an experiment is and how far it has got."""
    width = max(map(len, names())) + 2
    done = "run" if runs.manifest_path(name).exists() else "not run"
    if name not in NETWORKS:
        return f"{name:{width}}{done:20}{EXPERIMENTS[name].__doc__.splitlines()[0]}"
    epochs, behind = NETWORKS[name].epochs, runs.epochs_behind(name)
    if 0 < behind < epochs:
        done = f"{behind} of {epochs} epochs"
    elif runs.manifest_path(name).exists():
        done = f"run, {load_manifest(name)['epochs']} epochs"
    return f"{name:{width}}{done:20}{NETWORKS[name].summary}"


def run_side_by_side(chosen: Sequence[str], jobs: int, options: Sequence[str]) -> int:
    """Run experiments in processes of their own, ``jobs`` at a time; returns how many failed."""

    def one(name: str) -> int:
        command = [sys.executable, "-m", "helpers.experiments", name, *options]
        return subprocess.run(command).returncode != 0

    with ThreadPoolExecutor(jobs) as pool:
        return sum(pool.map(one, chosen))


def run_here(name: str, epochs: int | None, device: str | None, threads: int | None) -> None:
    """Run one experiment in this process and say what came of it."""
    options = {}
    if name in NETWORKS:
        import torch

        from helpers.training import best_device

        if threads:
            torch.set_num_threads(threads)
        epochs = NETWORKS[name].epochs if epochs is None else epochs
        progress = runs.print_progress(name, epochs)
        options = {"epochs": epochs, "device": device or best_device(), "progress": progress}
    try:
        manifest = run(name, **options)
    except StorageError as error:
        raise SystemExit(f"{name}: {error}") from None
    print(f"{name}: {manifest['seconds']} s, {runs.manifest_path(name)}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--list", action="store_true", help="show what there is")
    parser.add_argument("--jobs", type=int, default=1, help="networks trained side by side")
    parser.add_argument("--threads", type=int, help="threads for each of them")
    parser.add_argument("--epochs", type=int, help="stop a network there; go on at another time")
    parser.add_argument("--device", help="cpu, cuda or mps; the fastest there is by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names()):
        parser.error(f"there is no experiment {sorted(unknown)}; there are {names()}")
    for option in ("jobs", "threads", "epochs"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            parser.error(f"--{option} must be ≥ 1, got {value}")
    if arguments.list or not arguments.names:
        print("\n".join(map(describe, names())))
    elif arguments.jobs == 1:
        for name in arguments.names:
            run_here(name, arguments.epochs, arguments.device, arguments.threads)
    else:
        threads = ["--threads", str(arguments.threads or 1)]
        given = {"--epochs": arguments.epochs, "--device": arguments.device}
        options = [*threads, *(f"{flag}={value}" for flag, value in given.items() if value)]
        if failed := run_side_by_side(arguments.names, arguments.jobs, options):
            raise SystemExit(f"{failed} of {len(arguments.names)} runs failed")


if __name__ == "__main__":
    main()
