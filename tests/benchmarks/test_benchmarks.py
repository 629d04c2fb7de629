"""The benchmark runs and its record can be read; how fast anything is, no test asks."""

import importlib
import time
from dataclasses import asdict

import numpy as np
import pytest

from helpers.als import als_iterates, fit_als
from helpers.factorization import random_init
from helpers.generated_ratings import generate_ratings
from helpers.rating_models import fit_biases, residuals
from helpers.ratings import hold_out, prune
from helpers.storage import BENCHMARKS, StorageError, read_json, write_json
from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import course, irmae, ratings
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
    write_json(tmp_path / "benchmarks.json", {"pca": "as before"})
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path / "benchmarks.json")
    monkeypatch.setattr(course, "COMPARISONS", (course.benchmark_slider,))
    benchmarks.main(["course"])
    assert "slider event to new PNG" in capsys.readouterr().out
    record = read_json(tmp_path / "benchmarks.json", "")
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


def test_missing_peers_are_named_before_any_work(monkeypatch):
    monkeypatch.setattr(ratings, "PACKAGES", ("numba", "peer-of-nowhere"))
    monkeypatch.setattr(ratings, "COMPARISONS", (pytest.fail,))
    with pytest.raises(SystemExit, match=r"peer-of-nowhere is missing.*\[benchmark\]"):
        benchmarks.main(["ratings"])


# ---- ratings


@pytest.fixture
def small(monkeypatch):
    """Fewer ratings, in place of both data sets."""
    whole, _ = generate_ratings(np.random.default_rng(0), 20_000, 400)
    train, validation, _ = hold_out(prune(whole, 10)[0], np.random.default_rng(0))
    parts = train, validation, fit_biases(train)
    monkeypatch.setattr(ratings, "data", lambda name: parts)
    return parts


def test_each_epoch_is_timed_and_nothing_changed(small):
    train, _, baseline = small
    init = random_init(train.shape, 3, np.random.default_rng(0))
    iterates = als_iterates(residuals(train, baseline), init, penalty=0.1)
    factors, seconds = zip(*ratings.timed(iterates, 4), strict=True)
    assert len(seconds) == 4
    assert min(seconds) > 0
    model = fit_als(train, baseline, init, penalty=0.1, epochs=4).model
    np.testing.assert_allclose(factors[-1][1], model.item_factors)


def test_results_can_be_saved(small, tmp_path):
    result = ratings.benchmark_readable()
    write_json(tmp_path / "result.json", asdict(result))
    assert result.peer > 0 < result.ours


def test_operations_are_those_of_the_smaller_system(small):
    train, k = small[0], 20
    expected = 0
    for rows in (train.users, train.items):
        for n in np.bincount(rows).tolist():
            expected += n * k**2 + k**3 / 3 if n >= k else n**2 * k + n**3 / 3
    assert ratings.flops(train, k) == pytest.approx(expected)


def test_cost_grows_along_each_axis_of_the_table(small, monkeypatch):
    monkeypatch.setattr(ratings, "THREADS", 1)
    table = ratings.growth()
    assert set(table) == {"ratings", "k", "cores"}
    for axis in ("ratings", "k"):
        operations = [row["flops"] for row in table[axis]]
        assert operations == sorted(operations)
        assert len(operations) >= 5
    assert all(row["als"] > 0 < row["sgd"] for rows in table.values() for row in rows)


def test_curves_begin_at_the_baseline(small):
    curves = ratings.curves_by_seconds(epochs=3)
    for curve in curves.values():
        seconds, errors = zip(*curve, strict=True)
        assert list(seconds) == sorted(seconds)
        assert len(seconds) == 4
        assert errors[0] == pytest.approx(1.02, abs=0.05)


@pytest.mark.parametrize("solver", ["cmfrec, Cholesky", "LensKit"])
def test_peers_solve_the_same_problem(small, monkeypatch, solver):
    pytest.importorskip("cmfrec")
    pytest.importorskip("lenskit")
    monkeypatch.setattr(ratings, "EPOCHS", 20)
    seconds, peer = ratings.EXACT[solver]("pruned", 3)
    ours = ratings.our_als("pruned", 3)[1]
    assert seconds > 0
    assert peer == pytest.approx(ours, abs=0.02)


def test_positions_that_a_peer_leaves_out_are_zero():
    np.testing.assert_array_equal(
        ratings._at(np.array([2, 0]), np.array([[1.0], [2.0]]), 4), [[2], [0], [1], [0]]
    )


def test_recorded_peers_reach_the_same_quality():
    rows = read_json(BENCHMARKS, "")["ratings"]["exact_als"]
    assert len(rows) == len(ratings.RACES) * len(ratings.EXACT)
    for name, k, _ in ratings.RACES:
        found = [row["validation"] for row in rows if (row["data"], row["k"]) == (name, k)]
        assert max(found) < 1.02 * min(found)


# ---- shapes


def test_part_on_shapes_runs_and_can_be_saved(tmp_path, monkeypatch):
    for name, value in {"STEPS": 2, "BATCH": 4, "DRAWN": 50, "RUNS": 1}.items():
        monkeypatch.setattr(irmae, name, value)
    measured = benchmarks.measure("irmae")
    write_json(tmp_path / "result.json", measured)
    (result,), (drawing,) = measured["results"], measured["drawing"]
    assert result["ours"] > 0
    assert result["runs"] == 1
    assert drawing["seconds"] > 0
    assert drawing["name"] == "drawing 50 images"


def test_recorded_drawing_says_whether_it_was_fast_enough():
    (row,) = read_json(BENCHMARKS, "")["irmae"]["drawing"]
    assert row["name"] == f"drawing {irmae.DRAWN} images"
    assert row["met"] is (row["seconds"] <= irmae.MOST_SECONDS)
