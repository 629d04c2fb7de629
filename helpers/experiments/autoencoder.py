"""The full runs of chapter 3: networks of clothes, how they were chosen, and maps of their codes."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from helpers.configurations import TrainingOptions, plain_values
from helpers.fashion_mnist import SHA256, load_fashion_mnist
from helpers.manifests import load_manifest
from helpers.maps import MAPS, made_up_clouds, mapped_positions
from helpers.pca import pca_from_covariance, project
from helpers.runs import NetworkRun, Prepared, columns, trained_network
from helpers.storage import write_array

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

TSNE_PERPLEXITIES = (5, 10, 30, 50, 100, 300)
FASHION_MNIST_IMAGES = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
SOURCE_TRAINING = TrainingOptions(
    batch_size=1024, learning_rate=1e-3, weight_decay=1e-4, channels_last=True
)
HELD_OUT = 5_000  # training images on which autoencoders are chosen
CHOICE_EPOCHS = 2
CHOICE_NETWORK = {"d": 32, "channels": [32, 64], "hidden": 0, "batch_norm": True}
CHOICE_TRAINING = TrainingOptions(
    batch_size=128,
    learning_rate=8e-3,
    schedule="one-cycle",
    schedule_epochs=CHOICE_EPOCHS,
)
DENSE_CODE_CANDIDATES = (  # what differs from the network above, and the learning rate
    ({"batch_norm": False}, 8e-3),
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
DENSE_CODE_EPOCHS = 15
DENSE_CODE_TRAINING = replace(
    CHOICE_TRAINING, learning_rate=32e-3, schedule_epochs=DENSE_CODE_EPOCHS
)


def build_autoencoder(*, kind: str, seed: int, **options) -> "Module":
    """An autoencoder with an initialisation that depends on the seed alone."""
    from helpers.autoencoder import ConvolutionalAutoencoder, DenseCodeAutoencoder
    from helpers.training import seeded

    networks = {"convolutional": ConvolutionalAutoencoder, "dense code": DenseCodeAutoencoder}
    return seeded(lambda: networks[kind](**options), seed)


def prepare_source() -> Prepared:
    """All training images; the test error after each epoch, as the source printed it."""
    from helpers.autoencoder import image_errors, to_tensor

    test = to_tensor(load_fashion_mnist("test")[0])
    batch_size = SOURCE_TRAINING.batch_size

    def errors(model: "Module") -> dict:
        found = image_errors(model, test, batch_size)
        return {"test": float(found.mean()), "test_batch_mean": batch_mean(found, batch_size)}

    train, _ = load_fashion_mnist("train", full=True)
    return Prepared(to_tensor(train), {"evaluate": errors}, errors)


def batch_mean(errors: "Tensor", batch_size: int) -> float:
    """Mean of the batches' means, in which an image of a small last batch counts more."""
    means = [float(batch.mean()) for batch in errors.split(batch_size)]
    return sum(means) / len(means)


def prepare_held_out() -> Prepared:
    """Training images but the last 5,000, which judge each epoch; test images only at the end."""
    from helpers.autoencoder import image_errors, to_tensor

    images = to_tensor(load_fashion_mnist("train", full=True)[0])
    train, held_out = images[:-HELD_OUT], images[-HELD_OUT:]
    test = to_tensor(load_fashion_mnist("test")[0])

    def judge(name: str, judged) -> Callable[["Module"], dict]:
        return lambda model: {name: float(image_errors(model, judged).mean())}

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
        epochs=DENSE_CODE_EPOCHS,
        data={name: SHA256[name] for name in FASHION_MNIST_IMAGES} | {"held_out": HELD_OUT},
        build=build_autoencoder,
        prepare=prepare_held_out,
        half_precision=True,
    )


def choose_dense_code() -> dict:
    """Short trainings of autoencoders, judged on 5,000 held-out training images."""
    from helpers.autoencoder import parameter_count
    from helpers.training import evaluated, train

    prepared = prepare_held_out()
    rows = []
    for options, learning_rate in DENSE_CODE_CANDIDATES:
        network = CHOICE_NETWORK | options
        training = replace(CHOICE_TRAINING, learning_rate=learning_rate)
        model = build_autoencoder(kind="dense code", seed=0, **network)
        started = time.monotonic()
        train(model, prepared.images, training, epochs=CHOICE_EPOCHS)
        rows.append(
            {**network, **plain_values(training, "seed"), "parameters": parameter_count(model)}
            | {"seconds": round(time.monotonic() - started, 1)}
            | evaluated(model, prepared.train["evaluate"])
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return {
        "configuration": {"epochs": CHOICE_EPOCHS, "held_out": HELD_OUT, "seed": 0},
        "data": {name: SHA256[name] for name in FASHION_MNIST_IMAGES[:1]},
        "results": columns(rows),
    }


def maps_by_tsne() -> dict:
    """Maps of 1,000 test images by t-SNE: of their pixels and of their codes, by several settings."""
    from helpers.autoencoder import encode_images
    from helpers.embedding import tsne

    test, _ = load_fashion_mnist("test")
    images = test[mapped_positions()]
    train, _ = load_fashion_mnist("train")
    pca = pca_from_covariance(train.reshape(len(train), -1), 50)
    pixels = images.reshape(len(images), -1)
    networks = {n: trained_network(n, NETWORKS[n]) for n in ("fashion-mnist", "fashion-mnist-32")}
    spaces = {
        "pixels": pixels,
        "50 components": project(pca, pixels),
        "code of 288": encode_images(networks["fashion-mnist"], images),
        "code of 32": encode_images(networks["fashion-mnist-32"], images),
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
        | {name: load_manifest(name)["checkpoint"]["sha256"] for name in networks},
        "arrays": {"file": MAPS.name, "sha256": write_array(MAPS, maps)},
    }


EXPERIMENTS: dict[str, Callable[[], dict]] = {
    "fashion-mnist-choice": choose_dense_code,
    "fashion-mnist-tsne": maps_by_tsne,
}
NETWORKS: dict[str, NetworkRun] = {
    "fashion-mnist": NetworkRun(
        summary="the convolutional autoencoder with a code of 288 numbers, as its source trained it",
        network={"kind": "convolutional", "seed": 0},
        training=SOURCE_TRAINING,
        epochs=50,
        data={name: SHA256[name] for name in FASHION_MNIST_IMAGES},
        build=build_autoencoder,
        prepare=prepare_source,
    ),
    **{f"fashion-mnist-{d}": dense_code_run(d) for d in DENSE_CODE_HIDDEN},
}
