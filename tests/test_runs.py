"""The full run of a network, on a toy that takes milliseconds."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import manifests, runs
from helpers.configurations import TrainingOptions
from helpers.experiments import registry
from helpers.experiments.__main__ import main
from helpers.experiments.registry import load_network, run
from helpers.manifests import load_manifest
from helpers.runs import (
    NetworkRun,
    Prepared,
    checkpoint_path,
    codes_path,
    columns,
    epochs_behind,
    print_progress,
    state_path,
    trained_codes,
)
from helpers.storage import StorageError
from tests.test_training import WITHOUT_GPU


def toy_network(epochs=3, loss=None, save_weights=True, codes=None, **network):
    """A run that takes milliseconds; its loss may weigh the size of what comes out."""
    loss = loss or {}
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(40, 1, 6, 6, generator=generator)

    def build(*, width, seed):
        from helpers.training import seeded

        def layers():
            conv = torch.nn.Conv2d
            return torch.nn.Sequential(conv(1, width, 3, padding=1), conv(width, 1, 1))

        return seeded(layers, seed)

    def judge(model):
        error = (model(images) - images).square().mean()
        return {"error": error.item(), "mode": model.training}

    def penalised(model, batch):
        out = model(batch)
        return (out - batch).square().mean() + loss.get("weight", 0) * out.square().mean()

    return NetworkRun(
        summary="a toy",
        network={"width": 4, "seed": 0} | network,
        training=TrainingOptions(batch_size=16, learning_rate=0.01),
        epochs=epochs,
        data={"images": 40},
        build=build,
        prepare=lambda: Prepared(images, {"evaluate": judge, "loss": penalised}, judge, codes),
        loss=loss,
        half_precision=True,
        save_weights=save_weights,
    )


def use_folder(folder, **networks):
    """Let the runs be these, and keep everything in one folder."""
    registry.EXPERIMENTS, registry.NETWORKS = {}, networks
    manifests.MANIFESTS = runs.CHECKPOINTS = runs.CODES = folder
    runs.RUNS = folder / "runs"


@pytest.fixture
def net(monkeypatch, tmp_path):
    """One run of a network, in an empty folder."""
    for module, names in (
        (registry, ("EXPERIMENTS", "NETWORKS")),
        (manifests, ("MANIFESTS",)),
        (runs, ("CHECKPOINTS", "CODES", "RUNS")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    use_folder(tmp_path, net=toy_network())
    return tmp_path


def test_run_of_a_network_leaves_manifest_checkpoint_and_state(net):
    manifest = run("net")
    assert load_manifest("net") == manifest
    assert manifest["configuration"]["network"] == {"width": 4, "seed": 0}
    assert manifest["history"]["epoch"] == [0, 1, 2]
    assert manifest["epochs"] == len(manifest["seconds_per_epoch"]) == 3
    assert (manifest["device"], len(manifest["threads"])) == (["cpu"], 1)
    assert set(manifest["versions"]) >= {"torch", "safetensors"}
    assert manifest["checkpoint"]["bytes"] == checkpoint_path("net").stat().st_size
    model = load_network("net")
    assert not model.training
    # judged as it was stored, in 16 bits
    again = registry.NETWORKS["net"].prepare().results(model)
    assert again["error"] == pytest.approx(manifest["results"]["error"], rel=1e-6)
    assert manifest["results"]["mode"] is False
    assert manifest["results"]["error"] != manifest["history"]["error"][-1]
    assert manifest["results"]["error"] == pytest.approx(manifest["history"]["error"][-1], rel=0.01)


def test_raising_the_epochs_continues_and_list_shows_how_far(net, capsys):
    run("net")
    use_folder(net, net=toy_network(epochs=5), other=toy_network())
    told = []
    assert (epochs_behind("net"), epochs_behind("other")) == (3, 0)
    assert "3 of 5 epochs" in registry.describe("net")
    assert "not run" in registry.describe("other")
    continued = run("net", progress=lambda *_: lambda *x: told.append(x))
    assert [done for done, share, _ in told if share == 0] == [4, 5]
    assert "run, 5 epochs" in registry.describe("net")
    use_folder(net / "straight", net=toy_network(epochs=5))
    straight = run("net")
    assert continued["checkpoint"] == straight["checkpoint"]
    assert continued["history"] == straight["history"]


def command(monkeypatch, *arguments):
    """What ``python -m helpers.experiments`` does with these arguments, in this process."""
    monkeypatch.setattr(sys, "argv", ["experiments", "--device", "cpu", *map(str, arguments)])
    main()


def test_stopped_by_epochs_the_command_goes_on_to_the_same_bits(net, monkeypatch, capsys):
    use_folder(net, net=toy_network(epochs=5))
    command(monkeypatch, "net", "--epochs", 2)
    assert "2 of 5 epochs" in registry.describe("net")
    assert (load_manifest("net")["epochs"], epochs_behind("net")) == (2, 2)
    command(monkeypatch, "net", "--epochs", 4)
    command(monkeypatch, "net")
    assert "run, 5 epochs" in registry.describe("net")
    stopped, weights = load_manifest("net"), checkpoint_path("net").read_bytes()
    assert "net 1/2 epochs" in capsys.readouterr().err
    use_folder(net / "straight", net=toy_network(epochs=5))
    command(monkeypatch, "net")
    straight = load_manifest("net")
    assert checkpoint_path("net").read_bytes() == weights
    assert (straight["history"], straight["results"]) == (stopped["history"], stopped["results"])


def test_a_state_that_has_gone_further_is_named_in_a_line_and_stays(net, monkeypatch):
    command(monkeypatch, "net")
    before = {path: path.read_bytes() for path in net.rglob("net.*")}
    assert len(before) == 3  # manifest, checkpoint, state
    with pytest.raises(SystemExit) as stopped:
        command(monkeypatch, "net", "--epochs", 2)
    assert stopped.value.code == f"net: {state_path('net')} has 3 epochs already, more than 2"
    assert {path: path.read_bytes() for path in net.rglob("net.*")} == before


@pytest.mark.parametrize("option", ["epochs", "threads", "jobs"])
def test_numbers_below_one_are_refused(net, monkeypatch, capsys, option):
    with pytest.raises(SystemExit):
        command(monkeypatch, "net", f"--{option}", 0)
    assert f"--{option} must be ≥ 1, got 0" in capsys.readouterr().err
    assert not list(net.rglob("net.*"))


def test_a_loss_is_part_of_the_configuration(net):
    plain = run("net")
    assert "loss" not in plain["configuration"]  # so that manifests without one keep theirs
    light, heavy = ({"norm": "L2", "weight": weight} for weight in (1, 2))
    use_folder(net / "penalty", net=toy_network(loss=light))
    penalised = run("net")
    assert penalised["configuration"] == plain["configuration"] | {"loss": light}
    assert penalised["results"]["error"] > 1.05 * plain["results"]["error"]
    for other in (heavy, None):
        use_folder(net / "penalty", net=toy_network(epochs=4, loss=other))
        with pytest.raises(StorageError, match=r"another configuration.*loss"):
            run("net")
        with pytest.raises(StorageError, match=r"loss is \{.*'weight': 1\}, expected"):
            load_network("net")
    use_folder(net, net=toy_network(epochs=4, loss=light))  # the state of the plain run
    with pytest.raises(StorageError, match=r"another configuration.*loss"):
        run("net")


def test_network_and_its_files_must_belong_together(net):
    with pytest.raises(StorageError, match=r"net\.json is not in"):
        load_network("net")
    run("net")
    with pytest.raises(ValueError, match="no network 'joke'; there are \\['net'\\]"):
        load_network("joke")
    use_folder(net, net=toy_network(width=5))
    with pytest.raises(StorageError, match=r"network is {'seed': 0, 'width': 4}, expected"):
        load_network("net")
    with pytest.raises(StorageError, match="another configuration"):
        run("net")
    use_folder(net, net=toy_network())
    content = bytearray(checkpoint_path("net").read_bytes())
    content[-1] ^= 1
    checkpoint_path("net").write_bytes(content)
    with pytest.raises(StorageError, match="not the file that the course expects"):
        load_network("net")
    checkpoint_path("net").unlink()
    with pytest.raises(StorageError, match=r"net\.safetensors is not in"):
        load_network("net")


def test_command_runs_networks_and_prints_epochs(net, monkeypatch, capsys):
    threads = torch.get_num_threads()
    try:
        command(monkeypatch, "net", "--threads", 1)
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr()
    assert "net.json" in printed.out
    assert printed.err.startswith("net 1/3 epochs, train_loss 0.")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    print_progress("net", 4)(1, 0.5, {"train_loss": 0.25})
    assert "\rnet ████████············ 1/4 epochs, train_loss 0.25000" in capsys.readouterr().err


def test_columns_of_no_rows():
    assert columns([]) == {}
    assert columns([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) == {"a": [1, 3], "b": [2, 4]}


def test_a_column_that_comes_later_is_kept(net):
    assert columns([{"a": 1}, {"a": 2, "b": 3}, {"b": 4}]) == {"a": [1, 2, None], "b": [None, 3, 4]}
    # as when a run goes on with a later version of the course that records more
    first, later = toy_network(epochs=1), toy_network(epochs=3)
    prepare = first.prepare
    use_folder(net, net=replace(first, prepare=lambda: forget(prepare(), "error")))
    run("net")
    use_folder(net, net=later)
    history = run("net")["history"]
    assert history["error"][0] is None
    assert None not in [*history["error"][1:], *history["mode"], *history["train_loss"]]


def forget(prepared, name):
    """What a run needs, of a version that does not record this column."""
    judge = prepared.train["evaluate"]
    without = lambda model: {k: v for k, v in judge(model).items() if k != name}  # noqa: E731
    return replace(prepared, train=prepared.train | {"evaluate": without})


def test_the_network_before_training_is_judged_too(net):
    manifest = run("net")
    spec = registry.NETWORKS["net"]
    untrained = spec.prepare().train["evaluate"](spec.build(**spec.network).eval())
    assert manifest["untrained"] == untrained
    assert manifest["untrained"]["error"] > manifest["history"]["error"][0]


# One interpreter forks: importing torch once for each kill would take a minute.
KILLS = """
import os, signal, sys
from pathlib import Path
import torch
import safetensors.torch
from helpers import storage
from helpers.experiments.registry import run
from tests.test_runs import toy_network, use_folder

torch.set_num_threads(1)
parameter = torch.nn.Parameter(torch.ones(1))
parameter.grad = torch.ones(1)
torch.optim.Adam([parameter]).step()

def work(folder, names, at):
    fsync, replace, calls = os.fsync, os.replace, {"fsync": 0, "replace": 0}

    def reached(name):
        calls[name] += 1
        if at == (name, calls[name]):
            os.kill(os.getpid(), signal.SIGKILL)

    storage.os.fsync = lambda *a: (reached("fsync"), fsync(*a))
    storage.os.replace = lambda *a: (replace(*a), reached("replace"))
    use_folder(folder, a=toy_network(), b=toy_network(width=3))
    for name in names:
        run(name)

def start(folder, names, at=None):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(folder, names, at)
            code = 0
        finally:
            os._exit(code)
    return child

def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def left(folder):
    return {name: (folder / f"{name}.safetensors").read_bytes() for name in "ab"}

root = Path(sys.argv[1])
assert end(start(root / "straight", "ab")) == 0
# three states, the checkpoint, the manifest: before and after each is written
for i, at in enumerate([("fsync", 3), ("fsync", 4), ("replace", 4), ("fsync", 5), ("replace", 5)]):
    folder = root / str(i)
    pair = [start(folder, name, at) for name in "ab"]  # side by side
    assert [end(child) for child in pair] == [-signal.SIGKILL] * 2
    assert [end(child) for child in [start(folder, name) for name in "ab"]] == [0, 0]
    assert left(folder) == left(root / "straight"), at
    assert not [path for path in folder.rglob("*.json") if "incoming" not in str(path) and not path.read_text()]
print("identical")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
def test_a_pair_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path):
    command = [sys.executable, "-c", KILLS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=WITHOUT_GPU)
    assert done.stdout == "identical\n", done.stderr


def test_weights_that_are_not_kept_leave_a_manifest_only(net):
    registry.NETWORKS["net"] = toy_network(save_weights=False)
    manifest = run("net")
    assert "checkpoint" not in manifest
    assert not checkpoint_path("net").exists()
    assert manifest["results"]["mode"] is False
    with pytest.raises(StorageError, match="weights of net were not kept"):
        load_network("net")


def test_codes_are_kept_in_16_bits_and_verified(net):
    def codes(model):
        assert not model.training
        return model[0].weight.detach().reshape(4, -1).numpy()

    registry.NETWORKS["net"] = toy_network(codes=codes)
    manifest = run("net")
    kept = codes(load_network("net")).astype("float16").astype("float32")
    np.testing.assert_array_equal(trained_codes("net"), kept)
    assert manifest["codes"]["file"] == codes_path("net").name
    codes_path("net").write_bytes(b"damaged")
    with pytest.raises(StorageError, match=r"net\.npy"):
        trained_codes("net")
    registry.NETWORKS["net"] = toy_network(epochs=4)
    run("net")
    with pytest.raises(StorageError, match="codes of net were not kept"):
        trained_codes("net")
