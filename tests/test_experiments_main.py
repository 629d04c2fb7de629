"""The command line of the full runs."""

import subprocess
import sys

import pytest

from helpers import manifests
from helpers.experiments import __main__ as command_line
from helpers.experiments import registry
from helpers.experiments.__main__ import main
from helpers.storage import StorageError


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """An experiment that takes no time, and an empty folder for its manifest."""

    def experiment():
        """A toy."""
        return {"results": {"error": 0.5}}

    monkeypatch.setattr(registry, "EXPERIMENTS", {"toy": experiment})
    monkeypatch.setattr(registry, "NETWORKS", {})
    monkeypatch.setattr(manifests, "MANIFESTS", tmp_path)


def test_command_lists_runs_and_reports(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "--list"])
    main()
    assert "toy" in (listed := capsys.readouterr().out)
    assert "not run" in listed
    monkeypatch.setattr(sys, "argv", ["experiments", "toy"])
    main()
    assert "toy.json" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["experiments"])
    main()
    assert "not run" not in capsys.readouterr().out

    def fail():
        raise StorageError("the data are missing")

    monkeypatch.setattr(registry, "EXPERIMENTS", {"toy": fail})
    monkeypatch.setattr(sys, "argv", ["experiments", "toy"])
    with pytest.raises(SystemExit, match="toy: the data are missing"):
        main()


def test_command_names_what_it_does_not_know(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "joke"])
    with pytest.raises(SystemExit):
        main()
    assert "no experiment ['joke']; there are ['toy']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], ["--threads", "1"]),
        (["--device", "cpu"], ["--threads", "1", "--device=cpu"]),
        (["--epochs", "7", "--threads", "2"], ["--threads", "2", "--epochs=7"]),
    ],
)
def test_runs_side_by_side_have_processes_of_their_own(monkeypatch, given, passed):
    commands = []

    def record(command):
        commands.append(command)
        return subprocess.CompletedProcess(command, "b" in command)

    monkeypatch.setattr(command_line.subprocess, "run", record)
    monkeypatch.setattr(registry, "names", lambda: ["a", "b"])
    monkeypatch.setattr(sys, "argv", ["experiments", "a", "b", "--jobs", "2", *given])
    with pytest.raises(SystemExit, match="1 of 2 runs failed"):
        main()
    assert sorted(command[3] for command in commands) == ["a", "b"]
    assert [command[4:] for command in commands] == [passed] * 2


@pytest.mark.parametrize(("asked", "used"), [(None, "mps"), ("cpu", "cpu")])
def test_a_network_runs_on_the_fastest_device_unless_told(monkeypatch, asked, used):
    found = []
    monkeypatch.setattr("helpers.training.best_device", lambda: "mps")
    monkeypatch.setattr(
        registry, "run", lambda name, **options: found.append(options) or {"seconds": 0}
    )
    command_line.run_here("fashion-mnist", None, asked, None)
    assert found[0]["device"] == used
