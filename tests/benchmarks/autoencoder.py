"""Chapter 3: the training loop, on the network of the source."""

import torch
from PIL import Image
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from helpers.autoencoder import ConvolutionalAutoencoder, to_tensor
from helpers.configurations import TrainingOptions
from helpers.fashion_mnist import load_fashion_mnist
from helpers.training import adam, seeded, train
from tests.benchmarks.compare import Result, medians

IMAGES = 6 * 1024
BATCH = 1024
RATE, DECAY = 1e-3, 1e-4
RUNS = 7


class AsTorchvision:
    """Images kept as bytes, each turned into a tensor when it is asked for: as torchvision does."""

    def __init__(self, images):
        self.images = (images * 255).astype("uint8")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return ToTensor()(Image.fromarray(self.images[i]))


def bare_epoch(batches, model, optimizer) -> None:
    """Steps and nothing else."""
    model.train()
    for batch in batches:
        optimizer.zero_grad()
        mse_loss(model(batch), batch).backward()
        optimizer.step()


def new_model(layout):
    """The network, and an Adam as fast as ours: what differs is what is around the steps."""
    model = seeded(ConvolutionalAutoencoder, 0).to(memory_format=layout)
    return model, adam(model, RATE, DECAY)


def our_epoch():
    images, _ = load_fashion_mnist("train")
    tensors, model = to_tensor(images[:IMAGES]), seeded(ConvolutionalAutoencoder, 0)
    options = TrainingOptions(
        batch_size=BATCH, learning_rate=RATE, weight_decay=DECAY, channels_last=True
    )
    return lambda: train(model, tensors, options, epochs=1)


def benchmark_loader() -> Result:
    """An epoch, against a DataLoader that makes each image a tensor anew."""
    images, _ = load_fashion_mnist("train")
    loader = DataLoader(AsTorchvision(images[:IMAGES]), BATCH, shuffle=True)
    theirs = new_model(torch.contiguous_format)
    times = medians(our_epoch(), lambda: bare_epoch(loader, *theirs), runs=RUNS)
    name = f"training, {IMAGES} images in batches of {BATCH}"
    target, met = "ratio ≤ 0.56 (1.8 times as fast)", times[2] <= 1 / 1.8
    return Result(name, times[0], "DataLoader and ToTensor", *times[1:], target, met, RUNS)


def benchmark_step() -> Result:
    """An epoch, against the same steps without anything around them."""
    images, _ = load_fashion_mnist("train")
    tensors = to_tensor(images[:IMAGES]).to(memory_format=torch.channels_last)
    batches, bare = tensors.split(BATCH), new_model(torch.channels_last)
    times = medians(our_epoch(), lambda: bare_epoch(batches, *bare), runs=RUNS)
    name = f"training, {IMAGES} images in batches of {BATCH}"
    return Result(name, times[0], "bare steps", *times[1:], "ratio ≤ 1.1", times[2] <= 1.1, RUNS)


COMPARISONS = (benchmark_loader, benchmark_step)
TABLES = {}
