"""Chapter 5: the drawing of shapes, and the training loop on IRMAE's network."""

import statistics

import numpy as np
import torch

from helpers.configurations import ShapeConfiguration, TrainingOptions
from helpers.irmae import ShapeAutoencoder, penalised_loss, shape_tensor
from helpers.shapes import draw_factors, draw_images
from helpers.training import adam, seeded, train
from tests.benchmarks.autoencoder import bare_epoch
from tests.benchmarks.compare import Result, medians, take_turns, timed

BATCH, STEPS = 32, 100
RATE, LAYERS = 1e-4, 2
DRAWN, MOST_SECONDS = 50_000, 5
RUNS = 7


def draw(n: int) -> np.ndarray:
    return draw_images(draw_factors(np.random.default_rng(0), n))


def benchmark_step() -> Result:
    """An epoch as the full runs train, against the same steps without anything around them."""
    images = shape_tensor(draw(BATCH * STEPS))
    ours, bare = (
        seeded(lambda: ShapeAutoencoder(ShapeConfiguration(linear_layers=LAYERS)), 0)
        for _ in range(2)
    )
    bare.to(memory_format=torch.channels_last)
    batches = images.to(memory_format=torch.channels_last).split(BATCH)
    optimizer = adam(bare, RATE)
    options = TrainingOptions(batch_size=BATCH, learning_rate=RATE, channels_last=True)
    times = medians(
        lambda: train(ours, images, options, epochs=1, loss=penalised_loss()),
        lambda: bare_epoch(batches, bare, optimizer),
        runs=RUNS,
    )
    name = f"IRMAE, {STEPS} steps of {BATCH} images"
    return Result(name, times[0], "bare steps", *times[1:], "ratio ≤ 1.1", times[2] <= 1.1, RUNS)


def drawing() -> list[dict]:
    """Seconds that drawing as many images as the full runs train on takes."""
    seconds = statistics.median(s for (s,) in take_turns([timed(lambda: draw(DRAWN))], RUNS))
    target = {"target": f"≤ {MOST_SECONDS} s", "met": seconds <= MOST_SECONDS}
    return [{"name": f"drawing {DRAWN} images", "seconds": seconds, **target}]


COMPARISONS = (benchmark_step,)
TABLES = {"drawing": drawing}
