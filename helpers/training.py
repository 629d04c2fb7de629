"""One training loop for every network: data in memory, a history, and a state that outlives a kill.

The state of a run is one file. It is written after each epoch in one step, so what is in it
belongs together, and a run goes on from there as if nothing had happened.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim.lr_scheduler import LambdaLR

from helpers.checkpoints import (
    MEND_STATE,
    fill_model,
    read_tensors,
    require_same_configuration,
    write_tensors,
)
from helpers.configurations import TrainingOptions
from helpers.storage import StorageError

Loss = Callable[[nn.Module, Tensor], Tensor]
Evaluate = Callable[[nn.Module], dict]
# told the epochs done, the share of the running epoch that is over, and the last losses by name
Progress = Callable[[int, float, Mapping[str, float]], None]

TELL_EVERY = 0.3  # seconds between calls of `progress` within an epoch
WARM_UP = 0.1  # share of a one-cycle schedule in which the rate rises


def reconstruction_loss(model: nn.Module, batch: Tensor) -> Tensor:
    """Mean squared error of what the network makes of a batch, per number."""
    return mse_loss(model(batch), batch)


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose initialisation depends on the seed alone; PyTorch's own state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build()


def best_device() -> str:
    """The fastest device there is: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def adam(
    model: nn.Module, learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Adam; on the CPU it updates all weights in one pass (PyTorch's ``fused``)."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    options = {"lr": learning_rate, "weight_decay": weight_decay, "fused": on_cpu}
    return torch.optim.Adam(model.parameters(), **options)


def learning_rate_share(schedule: str, progress: float) -> float:
    """The learning rate as a share of its largest value.

    Parameters
    ----------
    schedule : {"constant", "one-cycle"}
        One cycle rises in a straight line for a tenth of the time, then falls along a cosine.
    progress : float
        Share of the schedule that is over; from 1 on, the rate stays where it is.

    Raises
    ------
    ValueError
        If the schedule is unknown.
    """
    if schedule == "constant":
        return 1.0
    if schedule != "one-cycle":
        raise ValueError(f"schedule must be 'constant' or 'one-cycle', got {schedule!r}")
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    fall = min((progress - WARM_UP) / (1 - WARM_UP), 1.0)
    return 0.001 + 0.999 * (1 + math.cos(math.pi * fall)) / 2


@dataclass(frozen=True)
class Training:
    """What a training leaves beside the network.

    Attributes
    ----------
    history : list of dict
        A row for each epoch: "epoch" from 0, "train_loss", and what ``evaluate`` returned.
    timing : list of dict
        For each epoch "seconds", "device" and "threads".
    """

    history: list[dict] = field(default_factory=list)
    timing: list[dict] = field(default_factory=list)


def train(
    model: nn.Module,
    images: Tensor,
    options: TrainingOptions,
    *,
    epochs: int,
    loss: Loss = reconstruction_loss,
    evaluate: Evaluate | None = None,
    device: str = "cpu",
    state: Path | None = None,
    configuration: Mapping | None = None,
    progress: Progress | None = None,
) -> Training:
    """Train a network in place with Adam.

    The same arguments give the same weights on the same CPU with as many threads, bit by bit, also when
    the run was killed in between. A GPU adds in another order each time: there they differ by rounding.

    Parameters
    ----------
    images : Tensor of shape (N, …)
        All training data, in memory.
    epochs : int
        How many the network has seen in the end, those of an earlier part of the run included.
    loss : callable
        Takes the network and a batch (B, …), returns a scalar; its mean over the samples is the
        history's "train_loss".
    evaluate : callable, optional
        Called after each epoch in evaluation mode without gradients; returns more of the row:
        whatever JSON can hold.
    state : Path, optional
        File that keeps the run after each epoch. If it exists, the run goes on from there.
    configuration : mapping, optional
        What a state must have been made with; ``epochs`` and ``device`` are no part of it.
    progress : callable, optional
        See :data:`Progress`.

    Raises
    ------
    FloatingPointError
        If the loss is not finite any more.
    StorageError
        If the state is damaged, belongs to another configuration, or has gone further than ``epochs``.
    ValueError
        If ``images`` are no floating-point tensor, ``epochs`` is negative, or the last batch has one
        sample and the network normalises over batches of vectors.
    """
    _check(images, epochs)
    _check_last_batch(model, len(images), options.batch_size)
    layout = torch.channels_last if options.channels_last else torch.preserve_format
    model.to(device, memory_format=layout)
    images = images.to(device)
    optimizer = adam(model, options.learning_rate, options.weight_decay)
    generator = torch.Generator().manual_seed(options.seed)
    done = Training()
    if state is not None and state.exists():
        done = load_state(state, configuration or {}, model, optimizer, generator)
    if len(done.history) > epochs:
        raise StorageError(f"{state} has {len(done.history)} epochs already, more than {epochs}")
    steps = -(-len(images) // options.batch_size)
    schedule = learning_rates(optimizer, options, steps, first=len(done.history) * steps)
    for epoch in range(len(done.history), epochs):
        started = time.monotonic()
        batches = shuffled_batches(
            images, options.batch_size, generator, channels_last=options.channels_last
        )
        tell = _teller(progress, epoch, steps)
        mean = train_epoch(model, batches, optimizer, schedule, loss, tell)
        done.history.append({"epoch": epoch, "train_loss": mean} | evaluated(model, evaluate))
        done.timing.append(_timing(time.monotonic() - started, device))
        if state is not None:
            save_state(state, configuration or {}, model, optimizer, generator, done)
        if progress is not None:
            progress(epoch + 1, 0.0, done.history[-1])
    return done


def learning_rates(
    optimizer: torch.optim.Optimizer, options: TrainingOptions, steps: int, first: int = 0
) -> LambdaLR:
    """The schedule of an optimiser's learning rate, to be stepped after each of its steps.

    Parameters
    ----------
    steps : int
        In an epoch.
    first : int
        Steps that an earlier part of the run has taken.
    """
    horizon = (options.schedule_epochs or 1) * steps
    return LambdaLR(
        optimizer,
        lambda step: learning_rate_share(options.schedule, (first + step) / horizon),
    )


def train_epoch(
    model: nn.Module,
    batches: Iterator[Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    loss: Loss,
    tell: Callable[[int, Tensor], None] | None = None,
) -> float:
    """Take a step of the optimiser for each batch; returns the mean loss over the samples.

    Parameters
    ----------
    schedule : LambdaLR
        Sets the learning rate of each step: :func:`learning_rates`.
    tell : callable, optional
        Called with the number of steps taken and the last loss.

    Raises
    ------
    FloatingPointError
        If a loss was not finite.
    """
    model.train()
    losses, sizes = [], []
    for batch in batches:
        optimizer.zero_grad()
        value = loss(model, batch)
        value.backward()
        optimizer.step()
        schedule.step()
        losses.append(value.detach())
        sizes.append(len(batch))
        if tell is not None:
            tell(len(sizes), losses[-1])
    values = torch.stack(losses).cpu().double()  # once an epoch: a GPU isn't made to wait
    mean = float(values @ torch.tensor(sizes, dtype=torch.float64)) / sum(sizes)
    if not math.isfinite(mean):
        rate = schedule.get_last_lr()[0]
        raise FloatingPointError(f"the loss has become {mean}; lower the learning rate, now {rate}")
    return mean


def shuffled_batches(
    images: Tensor, batch_size: int, generator: torch.Generator, *, channels_last: bool = False
) -> Iterator[Tensor]:
    """All samples once, in an order drawn from ``generator``; the last batch may be smaller."""
    order = torch.randperm(len(images), generator=generator).to(images.device)
    for indices in order.split(batch_size):
        batch = images[indices]
        yield batch.to(memory_format=torch.channels_last) if channels_last else batch


@torch.no_grad()
def evaluated(model: nn.Module, evaluate: Evaluate | None) -> dict:
    """What ``evaluate`` says of the network in evaluation mode, without gradients."""
    model.eval()
    return {} if evaluate is None else evaluate(model)


def save_state(
    path: Path,
    configuration: Mapping,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    done: Training,
) -> None:
    """Write all that a run needs to go on, as one file in one step."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for i, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": value for name, value in values.items()}
    tensors["generator"] = generator.get_state()
    write_tensors(path, tensors, {"configuration": configuration, **asdict(done)})


def load_state(
    path: Path,
    configuration: Mapping,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> Training:
    """Put a run back to where :func:`save_state` left it; returns what it had done.

    Raises
    ------
    StorageError
        If the file is damaged, or of another configuration or network.
    """
    tensors, record = read_tensors(path, MEND_STATE)
    require_same_configuration(path, record.get("configuration"), configuration, MEND_STATE)
    parts = {"model": {}, "optimizer": {}, "generator": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    fill_model(path, model, parts["model"], MEND_STATE)
    parameters = list(model.parameters())
    for name, tensor in parts["optimizer"].items():
        i, _, key = name.partition(".")
        parameter = parameters[int(i)]
        if tensor.ndim:  # in the memory layout that the optimiser itself would have chosen
            tensor = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
        optimizer.state[parameter][key] = tensor
    generator.set_state(parts["generator"][""])
    return Training(record["history"], record["timing"])


def _timing(seconds: float, device: str) -> dict:
    """How long an epoch took, and on what."""
    return {"seconds": round(seconds, 2), "device": device, "threads": torch.get_num_threads()}


def _teller(progress: Progress | None, epoch: int, steps: int):
    """Pass steps on to ``progress``, but not more often than anybody can read."""
    if progress is None:
        return None
    last = time.monotonic()

    def tell(step: int, value: Tensor) -> None:
        nonlocal last
        if time.monotonic() - last > TELL_EVERY:
            last = time.monotonic()
            progress(epoch, step / steps, {"train_loss": float(value)})

    return tell


def _check_last_batch(model: nn.Module, count: int, batch_size: int) -> None:
    """One vector has no variance to be divided by; PyTorch says so only after an epoch."""
    normalises = any(isinstance(layer, nn.BatchNorm1d) for layer in model.modules())
    if normalises and (batch_size == 1 or count % batch_size == 1):
        raise ValueError(
            f"{count} images in batches of {batch_size} leave one image alone, and batch normalisation "
            "needs at least two: choose another batch_size"
        )


def _check(images: Tensor, epochs: int) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point() or len(images) == 0:
        raise ValueError("images must be a floating-point tensor of shape (N, …) with N ≥ 1")
    if epochs < 0:
        raise ValueError(f"epochs must be ≥ 0, got {epochs}")
