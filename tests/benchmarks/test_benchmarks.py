"""The benchmark runs and its record can be read; how fast anything is, no test asks."""

import time

import pytest

from helpers.storage import BENCHMARKS, StorageError, read_json
from tests.benchmarks import __main__ as benchmarks


def test_saved_record_says_what_was_measured_where_and_when():
    record = read_json(BENCHMARKS, "")
    assert set(record["machine"]) == {"processor", "cores", "system", "python"}
    assert set(record["versions"]) == set(benchmarks.PACKAGES)
    assert len(record["date"]) == 10
    assert len(record["results"]) == len(benchmarks.COMPARISONS)
    for result in record["results"]:
        assert 0 < result["ours"] < 60
        assert result["ratio"] == pytest.approx(result["ours"] / result["peer"], rel=0.3)
    assert {"name", "float32", "float64"} == set(record["solvers"][0])


def test_medians_take_turns():
    calls = []
    ours, peer, ratio = benchmarks.medians(
        lambda: calls.append("ours") or time.sleep(0.02), lambda: calls.append("peer"), runs=2
    )
    assert calls == ["peer", "ours", "ours", "peer", "peer", "ours"]
    assert ours > 0.02 > peer
    assert ratio > 1


def test_run_prints_a_table_and_saves_a_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(benchmarks, "RUNS", 1)
    monkeypatch.setattr(benchmarks, "COMPARISONS", (benchmarks.benchmark_slider,))
    monkeypatch.setattr(benchmarks, "solver_times", list)
    benchmarks.main()
    assert "slider event to new PNG" in capsys.readouterr().out
    (result,) = read_json(tmp_path / "results.json", "")["results"]
    assert isinstance(result["met"], bool)


def test_missing_data_are_named(monkeypatch):
    def fail():
        raise StorageError("`make data` brings them")

    monkeypatch.setattr(benchmarks, "COMPARISONS", (fail,))
    with pytest.raises(SystemExit, match="make benchmark: `make data` brings them"):
        benchmarks.main()
