"""The training loop against a bare one, and against itself after kills."""

import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import mse_loss

from helpers.configurations import TrainingOptions
from helpers.storage import StorageError
from helpers.training import (
    Training,
    adam,
    best_device,
    evaluated,
    learning_rate_share,
    learning_rates,
    load_state,
    reconstruction_loss,
    save_state,
    seeded,
    shuffled_batches,
    train,
)

OPTIONS = TrainingOptions(batch_size=16, learning_rate=1e-2, weight_decay=1e-3, seed=5)


def network(seed=0):
    """A small network with all that a state must keep: weights, statistics, a counter."""
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.ConvTranspose2d(6, 1, 3, padding=1),
        ),
        seed,
    )


@pytest.fixture(scope="module")
def images():
    return torch.rand(70, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def same(a, b):
    return all(
        torch.equal(x, y)
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


# ---- what it computes


@pytest.mark.parametrize("channels_last", [False, True])
def test_same_as_a_bare_loop_bit_by_bit(images, channels_last):
    model, bare = network(), network()
    options = replace(OPTIONS, channels_last=channels_last)
    history = train(model, images, options, epochs=3).history
    layout = torch.channels_last if channels_last else torch.contiguous_format
    bare.to(memory_format=layout)
    optimizer = torch.optim.Adam(bare.parameters(), lr=1e-2, weight_decay=1e-3, fused=True)
    generator = torch.Generator().manual_seed(5)
    for row in history:
        order, summed = torch.randperm(70, generator=generator), 0.0
        for start in range(0, 70, 16):
            batch = images[order[start : start + 16]].to(memory_format=layout)
            optimizer.zero_grad()
            loss = mse_loss(bare(batch), batch)
            loss.backward()
            optimizer.step()
            summed += loss.item() * len(batch)
        assert row["train_loss"] == pytest.approx(summed / 70, rel=1e-12)
    assert same(model, bare)


def test_adam_in_one_pass_is_adam_but_for_rounding(images):
    steps = 30
    ours, plain = network().double(), network().double()
    optimizers = (
        adam(ours, 1e-2, 1e-3),
        torch.optim.Adam(plain.parameters(), lr=1e-2, weight_decay=1e-3, fused=False),
    )
    assert optimizers[0].defaults["fused"]
    start = [p.detach().clone() for p in ours.parameters()]
    for model, optimizer in zip((ours, plain), optimizers, strict=True):
        for _ in range(steps):
            optimizer.zero_grad()
            reconstruction_loss(model, images.double()).backward()
            optimizer.step()
    moved = [(p - q).abs().max().item() for p, q in zip(ours.parameters(), start, strict=True)]
    assert max(moved) > 0.05
    for p, q in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-9)


def test_adam_weighs_down_the_weights_by_what_it_is_told(images):
    model, other = network(), network()
    train(model, images, OPTIONS, epochs=2)
    train(other, images, replace(OPTIONS, weight_decay=1.0), epochs=2)
    sizes = [sum(p.detach().square().sum() for p in m.parameters()) for m in (model, other)]
    assert sizes[1] < 0.9 * sizes[0]


def test_memory_layout_changes_rounding_only(images):
    model, other = network(), network()
    train(model, images, OPTIONS, epochs=1)
    train(other, images, replace(OPTIONS, channels_last=True), epochs=1)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        # Adam's first steps have the size of the learning rate, whatever the gradient
        torch.testing.assert_close(a, b, rtol=0, atol=5 * 1e-2 / 10)


def test_same_arguments_same_weights_and_another_seed_others(images):
    first, second, third = network(), network(), network()
    for model, seed in ((first, 5), (second, 5), (third, 6)):
        torch.rand(3)  # PyTorch's own state has no say
        train(model, images, replace(OPTIONS, seed=seed), epochs=2)
    assert same(first, second)
    assert not same(first, third)


def test_nothing_seeds_globally(images):
    before = torch.random.get_rng_state()
    train(network(), images, OPTIONS, epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_seeded_networks_start_alike_and_differ_between_seeds():
    assert same(network(1), network(1))
    assert not same(network(1), network(2))


def test_every_sample_is_seen_once_an_epoch():
    samples = torch.arange(23.0)[:, None]
    batches = list(shuffled_batches(samples, 5, torch.Generator().manual_seed(0)))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    assert sorted(torch.cat(batches).ravel().tolist()) == list(range(23))
    assert torch.cat(batches).ravel().tolist() != list(range(23))


def test_any_loss_is_minimised(images):
    def penalised(model, batch):
        return reconstruction_loss(model, batch) + 10 * sum(
            p.square().sum() for p in model.parameters()
        )

    free, held = network(), network()
    train(free, images, OPTIONS, epochs=5)
    train(held, images, OPTIONS, epochs=5, loss=penalised)
    sizes = [sum(float(p.detach().square().sum()) for p in m.parameters()) for m in (free, held)]
    assert sizes[1] < 0.5 * sizes[0]


def test_evaluation_joins_the_history_in_evaluation_mode_without_gradients(images):
    seen = []

    def evaluate(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {"spectrum": [1.0, 0.5], "test": float(mse_loss(model(images), images))}

    model = network()
    history = train(model, images, OPTIONS, epochs=2, evaluate=evaluate).history
    assert seen == [(False, False)] * 2
    assert [row["epoch"] for row in history] == [0, 1]
    assert history[1]["spectrum"] == [1.0, 0.5]
    assert history[1]["test"] == evaluated(model, evaluate)["test"]


def test_evaluation_does_not_change_training(images):
    plain, watched = network(), network()
    train(plain, images, OPTIONS, epochs=2)
    train(watched, images, OPTIONS, epochs=2, evaluate=lambda m: {"x": float(m(images).mean())})
    assert same(plain, watched)


def test_progress_is_told_with_losses(images, monkeypatch):
    monkeypatch.setattr("helpers.training.TELL_EVERY", math.inf)
    told = []
    train(network(), images, OPTIONS, epochs=2, progress=lambda *x: told.append(x))
    assert [(done, share) for done, share, _ in told] == [(1, 0.0), (2, 0.0)]
    assert set(told[0][2]) == {"epoch", "train_loss"}


def test_progress_within_an_epoch(images, monkeypatch):
    monkeypatch.setattr("helpers.training.TELL_EVERY", -1)
    told = []
    train(network(), images, OPTIONS, epochs=1, progress=lambda *x: told.append(x))
    assert [share for _, share, _ in told] == [0.2, 0.4, 0.6, 0.8, 1.0, 0.0]
    assert all(losses["train_loss"] > 0 for *_, losses in told)


# ---- schedules


@given(progress=st.floats(0, 3))
def test_rate_is_a_share(progress):
    assert learning_rate_share("constant", progress) == 1
    assert 0 < learning_rate_share("one-cycle", progress) <= 1


def test_one_cycle_rises_falls_and_stays():
    rates = [learning_rate_share("one-cycle", i / 100) for i in range(131)]
    assert rates.index(max(rates)) == 10
    assert rates[10] == pytest.approx(1)
    assert all(a < b for a, b in pairwise(rates[:11]))
    assert all(a > b for a, b in pairwise(rates[10:101]))
    assert rates[100:] == pytest.approx([0.001] * 31)


def test_each_step_has_the_rate_of_the_schedule_also_when_a_run_goes_on(images):
    options = replace(OPTIONS, schedule="one-cycle", schedule_epochs=4)
    for first in (0, 5):
        optimizer = adam(network(), options.learning_rate)
        schedule, found = learning_rates(optimizer, options, steps=5, first=first), []
        for _ in range(20 - first):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        shares = [learning_rate_share("one-cycle", step / 20) for step in range(first, 20)]
        assert found == [options.learning_rate * share for share in shares]


def test_rate_reaches_the_optimiser(images):
    # a rate of 0.1 % at the end hardly moves the weights any more
    one_cycle = replace(OPTIONS, schedule="one-cycle", schedule_epochs=2)
    model = network()
    train(model, images, one_cycle, epochs=2)
    after_two = [p.detach().clone() for p in model.parameters()]
    longer = network()
    train(longer, images, one_cycle, epochs=3)
    for a, b in zip(after_two, longer.parameters(), strict=True):
        assert float((a - b).detach().abs().max()) < 5 * 1e-2 * 0.001 * 1.5


# ---- what it refuses


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"epochs": -1}, "epochs must be ≥ 0"),
        ({"batch_size": 0}, "batch_size must be ≥ 1, got 0"),
        ({"schedule": "cosine"}, "'constant' or 'one-cycle', got 'cosine'"),
        ({"schedule": "one-cycle"}, "needs schedule_epochs"),
    ],
)
def test_arguments_out_of_range_are_named(images, changed, words):
    options = {name: value for name, value in changed.items() if name != "epochs"}
    with pytest.raises(ValueError, match=words):
        train(network(), images, replace(OPTIONS, **options), epochs=changed.get("epochs", 1))


@pytest.mark.parametrize(
    "bad", [torch.zeros(0, 1, 8, 8), torch.zeros(3, 1, 8, 8, dtype=torch.uint8)]
)
def test_images_must_be_floats(bad):
    with pytest.raises(ValueError, match="floating-point tensor"):
        train(network(), bad, OPTIONS, epochs=1)


def test_loss_that_runs_away_is_an_error(images):
    with pytest.raises(FloatingPointError, match="has become nan; lower the learning rate"):
        train(network(), images * math.nan, OPTIONS, epochs=1)


def test_best_device_can_be_used(images):
    assert best_device() in ("cuda", "mps", "cpu")
    history = train(network(), images, OPTIONS, epochs=1, device=best_device()).history
    assert math.isfinite(history[0]["train_loss"])


# ---- going on


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("first", [1, 3])
def test_raising_the_epochs_goes_on_as_if_never_stopped(images, tmp_path, first, channels_last):
    options = replace(OPTIONS, channels_last=channels_last, schedule="one-cycle", schedule_epochs=4)
    straight, stopped, resumed = network(), network(), network(seed=9)
    expected = train(straight, images, options, epochs=4).history
    train(stopped, images, options, epochs=first, state=tmp_path / "state")
    history = train(resumed, images, options, epochs=4, state=tmp_path / "state").history
    assert history == expected
    assert same(straight, resumed)


def test_a_finished_run_is_not_repeated_nor_shortened(images, tmp_path):
    state = tmp_path / "state"
    model, again = network(), network(seed=9)
    history = train(model, images, OPTIONS, epochs=2, state=state).history
    before = state.read_bytes()
    assert train(again, images, OPTIONS, epochs=2, state=state).history == history
    assert same(model, again)
    assert state.read_bytes() == before
    with pytest.raises(StorageError, match="has 2 epochs already, more than 1"):
        train(network(), images, OPTIONS, epochs=1, state=state)


def test_state_of_another_configuration_or_network_is_refused(images, tmp_path):
    state = tmp_path / "state"
    train(network(), images, OPTIONS, epochs=1, state=state, configuration={"seed": 5})
    with pytest.raises(StorageError, match=r"seed is 5, expected 6\.\nRemove it"):
        train(network(), images, OPTIONS, epochs=2, state=state, configuration={"seed": 6})
    other = nn.Conv2d(1, 1, 3)
    with pytest.raises(StorageError, match="another network"):
        train(other, images, OPTIONS, epochs=2, state=state, configuration={"seed": 5})


def test_damaged_state_is_refused(images, tmp_path):
    state = tmp_path / "state"
    train(network(), images, OPTIONS, epochs=1, state=state)
    content = bytearray(state.read_bytes())
    content[-3] ^= 1
    state.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged.*\nRemove it to start the run anew"):
        train(network(), images, OPTIONS, epochs=2, state=state)


def test_state_keeps_the_optimiser_and_the_generator_bit_by_bit(images, tmp_path):
    model, path = network(), tmp_path / "state"
    optimizer, generator = torch.optim.Adam(model.parameters()), torch.Generator().manual_seed(3)
    mse_loss(model(images), images).backward()
    optimizer.step()
    torch.rand(4, generator=generator)
    record = Training([{"train_loss": 0.1}], [{"seconds": 1.0}])
    save_state(path, {}, model, optimizer, generator, record)
    fresh = network(seed=8)
    others = torch.optim.Adam(fresh.parameters()), torch.Generator()
    assert load_state(path, {}, fresh, *others) == record
    assert same(model, fresh)
    for p, q in zip(model.parameters(), fresh.parameters(), strict=True):
        for key, value in optimizer.state[p].items():
            assert torch.equal(others[0].state[q][key], value), key
    assert torch.equal(torch.rand(4, generator=generator), torch.rand(4, generator=others[1]))


# ---- kill -9
# One interpreter forks: importing torch once for each kill would take a minute. It sees no GPU, which
# PyTorch's Adam would ask and a child can't.
WITHOUT_GPU = os.environ | {"CUDA_VISIBLE_DEVICES": ""}

FORKS = """
import dataclasses, os, random, signal, sys, time
from pathlib import Path
import torch
from helpers import storage
from helpers.training import reconstruction_loss, train
from tests.test_training import OPTIONS, network

torch.set_num_threads(1)
# what PyTorch imports at the first step is imported once, not in every child
parameter = torch.nn.Parameter(torch.ones(1))
parameter.grad = torch.ones(1)
torch.optim.Adam([parameter]).step()
import safetensors.torch
folder = Path(sys.argv[1])

def forked(work, kill_after=None):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def run(state, at=None):
    images = torch.rand(70, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    calls = {"step": 0, "fsync": 0, "replace": 0}

    def reached(name):
        calls[name] += 1
        if at == (name, calls[name]):
            os.kill(os.getpid(), signal.SIGKILL)

    def loss(model, batch):
        reached("step")
        return reconstruction_loss(model, batch)

    fsync, replace = os.fsync, os.replace
    storage.os.fsync = lambda *a: (reached("fsync"), fsync(*a))
    storage.os.replace = lambda *a: (replace(*a), reached("replace"))
    one_cycle = {"schedule": "one-cycle", "schedule_epochs": 4}
    options = dataclasses.replace(OPTIONS, channels_last=True, **one_cycle)
    train(network(), images, options, epochs=4, state=state, loss=loss, configuration={})

def weights(state):
    from helpers.checkpoints import read_tensors
    tensors, record = read_tensors(state)
    return {n: t.numpy().tobytes() for n, t in tensors.items()}, record["history"]

started = time.monotonic()
assert forked(lambda: run(folder / "straight")) == 0
seconds = time.monotonic() - started
"""
KILLS = """
moments = [("step", 2), ("step", 7), ("step", 20), ("fsync", 1), ("fsync", 3), ("replace", 1), ("replace", 4)]
for i, at in enumerate(moments):
    state = folder / f"killed-{i}"
    assert forked(lambda: run(state, at)) == -signal.SIGKILL, at
    assert forked(lambda: run(state)) == 0, at
    assert weights(state) == weights(folder / "straight"), at
state = folder / "again-and-again"
for at in [("step", 3), ("step", 8), ("fsync", 2), ("replace", 1), ("step", 1)]:
    assert forked(lambda: run(state, at)) == -signal.SIGKILL, at
assert forked(lambda: run(state)) == 0
assert weights(state) == weights(folder / "straight")
print("identical")
"""
RANDOM_KILLS = """
rng, kills = random.Random(0), 0
while kills < 20:  # a run that was done before it could be killed doesn't count
    state = folder / f"killed-{kills}"
    state.unlink(missing_ok=True)
    kills += forked(lambda: run(state), kill_after=rng.uniform(0, seconds)) == -signal.SIGKILL
    assert forked(lambda: run(state)) == 0
    assert weights(state) == weights(folder / "straight")
print("identical")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
@pytest.mark.parametrize(
    "kills",
    [KILLS, pytest.param(RANDOM_KILLS, marks=pytest.mark.thorough)],
    ids=["at every step", "at random"],
)
def test_killed_at_any_moment_a_run_ends_as_if_it_had_not_been(tmp_path, kills):
    assert signal.SIGKILL
    done = subprocess.run(
        [sys.executable, "-c", FORKS + kills, str(tmp_path)],
        capture_output=True,
        text=True,
        env=WITHOUT_GPU,
    )
    assert done.stdout == "identical\n", done.stderr


@pytest.mark.parametrize(("count", "batch_size"), [(101, 50), (5, 1), (1, 7)])
def test_a_last_batch_of_one_vector_is_refused_before_training(count, batch_size):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 4))
    model.append(nn.Unflatten(1, (1, 2, 2)))
    before = model[1].weight.detach().clone()
    options = TrainingOptions(batch_size=batch_size, learning_rate=0.1)
    with pytest.raises(ValueError, match=f"{count} images in batches of {batch_size} leave one"):
        train(model, torch.rand(count, 1, 2, 2), options, epochs=1)
    assert torch.equal(model[1].weight, before)
    del model[2]  # without normalisation one image is a batch like another
    train(model, torch.rand(count, 1, 2, 2), options, epochs=1)
