"""A real Spark beside our own ALS, where PySpark and Java are; the errors for who lacks them."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from helpers import spark_als
from helpers.als import fit_als
from helpers.experiments import __main__ as experiments
from helpers.factorization import objective, random_init
from helpers.generated_ratings import generate_ratings
from helpers.manifests import load_manifest
from helpers.rating_models import fit_biases, residuals, rmse
from helpers.ratings import hold_out, prune
from helpers.spark_als import check_installed, fit_spark_als, main, spark_session


def missing() -> str:
    try:
        check_installed()
    except RuntimeError as error:
        return str(error)
    return ""


needs_spark = pytest.mark.skipif(missing() != "", reason=missing())


@pytest.fixture
def parts():
    """Generated ratings, pruned and split; the first user is left without training ratings."""
    ratings, _ = generate_ratings(np.random.default_rng(0), 60_000, 800)
    train, _, test = hold_out(prune(ratings, 10)[0], np.random.default_rng(1))
    kept = train.users > 0
    left = {name: getattr(train, name)[kept] for name in ("users", "items", "stars")}
    return replace(train, **left), test


@needs_spark
def test_spark_and_our_als_minimise_the_same(parts):
    train, test = parts
    baseline = fit_biases(train)
    init = random_init(train.shape, 2, np.random.default_rng(0))
    options = {"penalty": 0.15, "epochs": 20}
    with spark_session() as spark:
        theirs = fit_spark_als(spark, train, baseline, k=2, **options)
    ours = fit_als(train, baseline, init, **options).model
    assert rmse(theirs, test) == pytest.approx(rmse(ours, test), abs=0.01)
    assert rmse(theirs, test) < rmse(baseline, test) - 0.01
    losses = [
        objective(matrix, m.user_factors, m.item_factors, penalty=0.15, weighted=True)
        for matrix in [residuals(train, baseline)]
        for m in (ours, theirs)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.004)
    np.testing.assert_array_equal(theirs.user_factors[0], 0)
    assert theirs.item_factors.shape == ours.item_factors.shape


@needs_spark
def test_command_compares(monkeypatch, capsys):
    ratings, truth = generate_ratings(np.random.default_rng(0), 20_000, 400)
    monkeypatch.setattr(spark_als, "load_ratings", lambda: (ratings, truth, "generated ratings"))
    records, compare = [], spark_als.compare
    monkeypatch.setattr(
        spark_als, "compare", lambda *a, **k: records.append(compare(*a, **k)) or records[-1]
    )
    monkeypatch.setattr(sys, "argv", ["spark_als", "--master", "local[1]", "--epochs", "3"])
    main()
    (record,) = records
    assert record["configuration"]["master"] == "local[1]"
    assert record["configuration"]["epochs"] == 3
    assert record["versions"]["pyspark"][0] == "4"
    assert int(record["versions"]["java"].split(".")[0]) >= 17
    errors = record["results"]["test"]
    assert record["results"]["difference"] == pytest.approx(errors["spark"] - errors["ours"])
    assert f"Spark {errors['spark']:.4f}, ours {errors['ours']:.4f}" in capsys.readouterr().out


# PySpark leaves the pipe to a Java that did not start to the garbage collector
@pytest.mark.filterwarnings("ignore:.*FileIO:pytest.PytestUnraisableExceptionWarning")
@needs_spark
def test_address_that_spark_refuses_is_named():
    with (
        pytest.raises(RuntimeError, match=r"(?s)master 'nonsense'.*SparkException: [^\t]*Java 17"),
        spark_session("nonsense"),
    ):
        pass


def test_recorded_errors_are_close():
    """Both minimise the same objective; ours and Spark's initialisation differ, and so do late digits."""
    record = load_manifest("yelp-spark")
    errors = record["results"]["test"]
    assert abs(record["results"]["difference"]) <= 0.01
    assert max(errors["ours"], errors["spark"]) < errors["baseline"]


def test_missing_java_or_package_is_told_by_the_command_of_the_experiments(monkeypatch):
    monkeypatch.setattr(spark_als, "NEEDED", ("pyspark_of_nowhere",))
    monkeypatch.setattr(sys, "argv", ["experiments", "yelp-spark"])
    with pytest.raises(SystemExit, match=r"yelp-spark: pyspark_of_nowhere can't be found"):
        experiments.main()


def test_missing_package_is_named_before_any_work(monkeypatch):
    monkeypatch.setattr(spark_als, "NEEDED", ("numpy", "pyspark_of_nowhere"))
    monkeypatch.setattr(sys, "argv", ["spark_als"])
    with pytest.raises(SystemExit, match=r"pyspark_of_nowhere can't be found: .*\[spark\]"):
        main()


@pytest.mark.parametrize(("home", "where"), [(True, "JAVA_HOME, "), (False, "the PATH")])
def test_missing_java_is_named(monkeypatch, tmp_path, home, where):
    monkeypatch.setattr(spark_als, "NEEDED", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match=f"none in {where}.*openjdk-17-jre-headless"):
        check_installed()


def test_java_of_java_home_counts(monkeypatch, tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(mode=0o755)
    monkeypatch.setattr(spark_als, "NEEDED", ())
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    check_installed()
