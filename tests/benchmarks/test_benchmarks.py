"""The benchmark runs and its record can be read; how fast anything is, no test asks."""

import importlib
import time

import pytest

from helpers.storage import BENCHMARKS, StorageError, read_json, write_json
from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import course
from tests.benchmarks.compare import medians


@pytest.mark.parametrize("part", benchmarks.PARTS)
def test_saved_record_says_what_was_measured_where_and_when(part):
    record = read_json(BENCHMARKS, "")[part]
    module = importlib.import_module(f"tests.benchmarks.{part}")
    assert set(record["machine"]) == {"processor", "cores", "system", "python"}
    assert set(record["versions"]) >= set(benchmarks.PACKAGES)
    assert len(record["date"]) == 10
    assert len(record["results"]) == len(module.COMPARISONS)
    for result in record["results"]:
        assert 0 < result["ours"] < 60
        assert result["ratio"] == pytest.approx(result["ours"] / result["peer"], rel=0.3)
    assert set(module.TABLES) <= set(record)


def test_saved_record_has_no_other_parts():
    assert set(read_json(BENCHMARKS, "")) == set(benchmarks.PARTS)


def test_medians_take_turns():
    calls = []
    ours, peer, ratio = medians(
        lambda: calls.append("ours") or time.sleep(0.02), lambda: calls.append("peer"), runs=2
    )
    assert calls == ["peer", "ours", "ours", "peer", "peer", "ours"]
    assert ours > 0.02 > peer
    assert ratio > 1


def test_run_prints_a_table_and_saves_a_part_beside_the_others(tmp_path, monkeypatch, capsys):
    write_json(tmp_path / "results.json", {"pca": "as before"})
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(course, "COMPARISONS", (course.benchmark_slider,))
    benchmarks.main(["course"])
    assert "slider event to new PNG" in capsys.readouterr().out
    record = read_json(tmp_path / "results.json", "")
    assert record["pca"] == "as before"
    (result,) = record["course"]["results"]
    assert isinstance(result["met"], bool)


def test_missing_data_are_named(monkeypatch):
    def fail():
        raise StorageError("`make data` brings them")

    monkeypatch.setattr(course, "COMPARISONS", (fail,))
    with pytest.raises(SystemExit, match="make benchmark: `make data` brings them"):
        benchmarks.main(["course"])


def test_unknown_part_is_refused(capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(["speed"])
    assert "there is no part ['speed']" in capsys.readouterr().err
