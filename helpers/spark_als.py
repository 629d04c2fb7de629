"""When ratings outgrow the machine: the same ridge regressions on Spark, compared with ours.

``python -m helpers.spark_als`` fits both to the same training ratings and prints what came out, with
``--master spark://host:7077`` on a cluster; ``python -m helpers.experiments yelp-spark`` records it.
Spark is an extra of the course, and needs Java.
"""

import argparse
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from helpers.als import fit_als
from helpers.factorization import random_init
from helpers.rating_models import RatingModel, fit_biases, residuals, rmse
from helpers.ratings import MORE_THAN, Ratings, coordinates, hold_out, prune
from helpers.ratings_files import load_ratings
from helpers.storage import StorageError
from helpers.terminal import show_unknown_letters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NEEDED = ("pyspark", "pyarrow")
STACK = "-Xss16m"  # a plan of many epochs is nested deeper than Java's usual stack


class SparkError(RuntimeError):
    """PySpark or Java is missing or doesn't start; the message says what to install."""


def fit_spark_als(
    spark: "SparkSession",
    train: Ratings,
    baseline: RatingModel,
    *,
    k: int,
    penalty: float,
    epochs: int = 30,
    seed: int = 0,
) -> RatingModel:
    """What :func:`helpers.als.fit_als` fits, with its weighted penalty, by Spark's ALS.

    Spark, too, counts the penalty once for each rating (Zhou et al. 2008, "ALS-WR"); the
    initialisation is its own.

    Parameters
    ----------
    spark : SparkSession
        Of :func:`spark_session`.
    baseline : RatingModel
        Its biases stay as they are; Spark fits factors to what it leaves.

    Returns
    -------
    RatingModel
        With factors of 0 for who has no training ratings.
    """
    import pyarrow
    from pyspark.ml.recommendation import ALS

    users, items, left = coordinates(residuals(train, baseline))
    columns = {"user": users.astype(np.int32), "item": items.astype(np.int32)}
    table = pyarrow.table(columns | {"rating": left.astype(np.float32)})
    blocks = spark.sparkContext.defaultParallelism
    als = ALS(rank=k, regParam=penalty, maxIter=epochs, seed=seed, checkpointInterval=-1)
    als = als.setNumBlocks(blocks)
    fitted = als.fit(spark.createDataFrame(table))
    return replace(
        baseline,
        user_factors=_to_array(fitted.userFactors, train.shape[0], k),
        item_factors=_to_array(fitted.itemFactors, train.shape[1], k),
    )


def _to_array(factors: "DataFrame", count: int, k: int) -> np.ndarray:
    """Spark's table of ids and factors as an array of shape (count, k)."""
    array = np.zeros((count, k))
    for row in factors.collect():
        array[row.id] = row.features
    return array


# ---- a session


@contextmanager
def spark_session(master: str = "local[2]") -> Iterator["SparkSession"]:
    """A session of Spark, stopped at the end; on this machine it needs no network.

    Parameters
    ----------
    master : str
        ``local[2]`` for two cores here, or the address of a cluster.

    Raises
    ------
    SparkError
        If PySpark or Java is missing or doesn't start; says what to install.
    """
    check_installed()
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("ratings")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": STACK,
        "spark.executor.extraJavaOptions": STACK,
    }
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= dict.fromkeys(("spark.driver.host", "spark.driver.bindAddress"), "127.0.0.1")
    with _messages_aside() as messages:
        try:
            spark = builder.config(map=settings).getOrCreate()
        except (PySparkException, Py4JJavaError) as error:
            messages.seek(0)
            said = f"{error}\n{messages.read()}".splitlines()
            said = "\n".join(line for line in said if not line.startswith("\t"))  # no stack traces
            raise SparkError(
                f"Spark did not start with master {master!r}. It said:\n{said[:2000]}\n"
                "Is the address right? Is Java 17 or newer what JAVA_HOME or the PATH finds?"
            ) from error
    try:
        yield spark
    finally:
        spark.stop()


def check_installed() -> None:
    """Check that PySpark and Java are there.

    Raises
    ------
    SparkError
        If not; it says what to install.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SparkError(
            f"{' and '.join(missing)} can't be found: `.venv/bin/pip install --editable '.[spark]'` "
            "installs what Spark needs, except Java."
        )
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=str(Path(home, "bin")) if home else None) is None:
        where = f"JAVA_HOME, {home}" if home else "the PATH"
        raise SparkError(
            f"Spark needs Java 17 or newer, and there is none in {where}; on Debian or Ubuntu: "
            "sudo apt-get install openjdk-17-jre-headless"
        )


@contextmanager
def _messages_aside() -> Iterator[TextIO]:
    """Keep what Java writes to stderr from the reader: it goes to a file from here on."""
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
        stderr = os.dup(2)
        try:
            os.dup2(messages.fileno(), 2)
            yield messages
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


# ---- the comparison


def compare(
    master: str = "local[2]", *, k: int = 2, penalty: float = 0.15, epochs: int = 30
) -> dict:
    """Spark's ALS and ours, fitted to the same ratings and judged on the same test ratings.

    Parameters
    ----------
    penalty : float
        λ, counted for each rating.

    Returns
    -------
    dict
        What the manifest says of it.

    Raises
    ------
    SparkError
        If PySpark or Java is missing or doesn't start.
    StorageError
        If the reader's own ratings can't be read.
    """
    check_installed()
    ratings, _, source = load_ratings()
    train, _, test = hold_out(prune(ratings, MORE_THAN)[0], np.random.default_rng(0))
    baseline = fit_biases(train)
    init = random_init(train.shape, k, np.random.default_rng(0))
    fit_als(train, baseline, init, penalty=penalty, epochs=1)  # compiles, before time is taken
    began = time.monotonic()
    ours = fit_als(train, baseline, init, penalty=penalty, epochs=epochs).model
    our_seconds = time.monotonic() - began
    with spark_session(master) as spark:
        began = time.monotonic()
        theirs = fit_spark_als(spark, train, baseline, k=k, penalty=penalty, epochs=epochs)
        spark_seconds = time.monotonic() - began
        java = spark.sparkContext._jvm.System.getProperty("java.version")
    errors = {"baseline": baseline, "ours": ours, "spark": theirs}
    errors = {name: rmse(model, test) for name, model in errors.items()}
    return {
        "configuration": {"master": master, "k": k, "penalty": penalty, "epochs": epochs}
        | {"seed": 0, "more_than": MORE_THAN, "training": len(train.stars)},
        "data": {"source": source, "stars": hashlib.sha256(ratings.stars.tobytes()).hexdigest()},
        "results": {"test": errors, "difference": errors["spark"] - errors["ours"]},
        "versions": {"python": platform.python_version(), "java": java}
        | {package: version(package) for package in (*NEEDED, "numpy", "numba")},
        "seconds": {"ours": round(our_seconds, 2), "spark": round(spark_seconds, 2)},
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m helpers.spark_als", description=__doc__)
    parser.add_argument("--master", default="local[2]", help="local[2] or a cluster's address")
    parser.add_argument("--k", type=int, default=2, help="number of factors")
    parser.add_argument("--penalty", type=float, default=0.15, help="λ, counted for each rating")
    parser.add_argument("--epochs", type=int, default=30)
    options = vars(parser.parse_args())
    try:
        record = compare(options.pop("master"), **options)
    except (SparkError, StorageError) as error:
        raise SystemExit(f"spark_als: {error}") from None
    test, difference = record["results"]["test"], record["results"]["difference"]
    print(f"test RMSE: Spark {test['spark']:.4f}, ours {test['ours']:.4f} ({difference:+.4f})")
    print(f"seconds: Spark {record['seconds']['spark']}, ours {record['seconds']['ours']}")


if __name__ == "__main__":
    show_unknown_letters()
    main()
