"""Chapter 2: matrix factorization, against the libraries that the extra ``benchmark`` installs.

An epoch visits every rating once (SGD), or solves for all users and then for all items (ALS). Only
epochs are timed: the first one and what comes before it, reading and sorting the data, are left out
on both sides. Where a library only has a whole fit, that is the time of several epochs less the
time of one. All use two threads (SGD one), and the precision that each has by default.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

import numba
import numpy as np
from scipy.sparse import coo_matrix

from helpers.als import als_iterates
from helpers.factorization import Factors, penalties, random_init
from helpers.generated_ratings import generate_ratings
from helpers.rating_models import RatingModel, fit_biases, residuals, rmse
from helpers.ratings import Ratings, coordinates, hold_out, prune
from helpers.ridge import fast_ridge_rows, ridge_rows
from helpers.sgd import sgd_epoch, sgd_iterates
from tests.benchmarks.compare import Result, medians, take_turns

PACKAGES = ("numba", "cmfrec", "lenskit", "scikit-surprise")
THREADS = 2
PENALTY = 0.15  # weighted, on both sides
EPOCHS = 5
LONG = 30  # epochs, after which a fit counts as final
WITHIN = 1.005  # times the final RMSE


@cache
def data(name: str) -> tuple[Ratings, Ratings, RatingModel]:
    """Training and validation ratings, and the bias model of the training ratings."""
    ratings, _ = generate_ratings(np.random.default_rng(0))
    if name == "pruned":
        train, validation, _ = hold_out(prune(ratings, 10)[0], np.random.default_rng(0))
    else:
        train, validation, _ = hold_out(ratings, np.random.default_rng(0), 0.03, 0.01)
    return train, validation, fit_biases(train)


@contextmanager
def threads(count: int):
    """So many threads for what numba compiles; as many as before afterwards."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def timed(
    iterates: Iterator[Factors], epochs: int, cores: int = THREADS
) -> Iterator[tuple[Factors, float]]:
    """Factors after each of so many epochs, and the seconds that it took."""
    next(iterates)  # what comes before the epochs
    for _ in range(epochs):
        with threads(cores):
            started = time.perf_counter()
            factors = next(iterates)
            seconds = time.perf_counter() - started
        yield factors, seconds


def our_epochs(
    iterates_of: Callable[..., Iterator[Factors]], name: str, k: int, epochs: int, **options
) -> Iterator[tuple[Factors, float]]:
    """Epochs of ALS or SGD on one of the data sets, timed."""
    train, _, baseline = data(name)
    init = random_init(train.shape, k, np.random.default_rng(0))
    iterates = iterates_of(residuals(train, baseline), init, penalty=PENALTY, **options)
    return timed(iterates, epochs)


def validation_rmse(name: str, factors: Factors) -> float:
    """Of these factors and our bias model."""
    _, validation, baseline = data(name)
    return rmse(replace(baseline, user_factors=factors[0], item_factors=factors[1]), validation)


# ---- exact ALS: seconds of an epoch, and the validation RMSE after EPOCHS


def our_als(name: str, k: int) -> tuple[float, float]:
    factors, seconds = zip(*our_epochs(als_iterates, name, k, EPOCHS), strict=True)
    return statistics.mean(seconds[1:]), validation_rmse(name, factors[-1])


def cmfrec_fit(name: str, k: int, epochs: int, **options) -> tuple[float, float]:
    """Seconds of a whole fit by cmfrec to what our bias model leaves, and the validation RMSE."""
    from cmfrec import CMF

    train, _, baseline = data(name)
    model = CMF(
        k=k,
        lambda_=PENALTY,
        scale_lam=True,
        niter=epochs,
        user_bias=False,
        item_bias=False,
        center=False,
        precompute_for_predictions=False,
        nthreads=THREADS,
        **options,
    )
    users, items, left = coordinates(residuals(train, baseline))
    matrix = coo_matrix((left, (users, items)), shape=train.shape)
    started = time.perf_counter()
    model.fit(matrix)
    seconds = time.perf_counter() - started
    return seconds, validation_rmse(name, (model.A_, model.B_))


def cmfrec_als(name: str, k: int) -> tuple[float, float]:
    one, _ = cmfrec_fit(name, k, 1, use_cg=False)
    several, quality = cmfrec_fit(name, k, EPOCHS, use_cg=False)
    return (several - one) / (EPOCHS - 1), quality


@cache
def set_threads_of_lenskit() -> None:
    """It takes the number once."""
    from lenskit.parallel import initialize

    initialize(processes=1, threads=THREADS, backend_threads=1)


@cache
def lenskit_data(name: str):
    """Training ratings as LensKit takes them."""
    import pandas
    from lenskit.data import from_interactions_df

    train, _, _ = data(name)
    columns = {"user_id": train.users, "item_id": train.items, "rating": train.stars}
    return from_interactions_df(pandas.DataFrame(columns))


def lenskit_als(name: str, k: int) -> tuple[float, float]:
    """With LensKit's own bias model, which is like ours."""
    from lenskit.als import BiasedMFScorer
    from lenskit.training import TrainingOptions

    set_threads_of_lenskit()
    train, validation, _ = data(name)
    scorer = BiasedMFScorer(features=k, regularization=PENALTY)
    trainer = scorer.create_trainer(lenskit_data(name), TrainingOptions(rng=0))
    trainer.train_epoch()
    started = time.perf_counter()
    for _ in range(EPOCHS - 1):
        trainer.train_epoch()
    seconds = time.perf_counter() - started
    model = RatingModel(
        float(scorer.bias.global_bias),
        _at(scorer.users.ids(), scorer.bias.user_biases, train.shape[0]),
        _at(scorer.items.ids(), scorer.bias.item_biases, train.shape[1]),
        _at(scorer.users.ids(), scorer.user_embeddings, train.shape[0]),
        _at(scorer.items.ids(), scorer.item_embeddings, train.shape[1]),
    )
    return seconds / (EPOCHS - 1), rmse(model, validation)


def _at(positions: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Values at their positions, 0 elsewhere: LensKit leaves out who has no training ratings."""
    array = np.zeros((count, *np.shape(values)[1:]))
    array[positions] = values
    return array


EXACT = {"ours": our_als, "cmfrec, Cholesky": cmfrec_als, "LensKit": lenskit_als}
RACES = (("pruned", 8, 5), ("pruned", 100, 2), ("unpruned", 32, 2))  # data, k, runs


@cache
def race(name: str, k: int, runs: int) -> tuple[list[dict], list[list[float]]]:
    """Exact ALS by all in turns: a row of the record for each, and seconds by round."""
    quality = {}

    def measure(solver):
        seconds, quality[solver] = EXACT[solver](name, k)
        return seconds

    rounds = take_turns([partial(measure, solver) for solver in EXACT], runs)
    ratings = len(data(name)[0].stars)
    of_all = {"data": name, "ratings": ratings, "k": k, "penalty": PENALTY, "epochs": EPOCHS}
    rows = [
        {"solver": solver, **of_all, "seconds": statistics.median(s), "validation": quality[solver]}
        for solver, s in zip(EXACT, zip(*rounds, strict=True), strict=True)
    ]
    return rows, rounds


def benchmark_exact(name: str, k: int, runs: int) -> Result:
    """An epoch of exact ALS; peer: whichever is fastest."""
    rows, rounds = race(name, k, runs)
    best = min(range(1, len(rows)), key=lambda n: rows[n]["seconds"])
    ratio = statistics.median(seconds[0] / seconds[best] for seconds in rounds)
    return Result(
        f"exact ALS, an epoch, {rows[0]['ratings']:,} ratings, k = {k}",
        rows[0]["seconds"],
        rows[best]["solver"],
        rows[best]["seconds"],
        ratio,
        "ratio ≤ 0.9",
        ratio <= 0.9,
        runs,
    )


def benchmark_readable() -> Result:
    """The compiled solver; peer: the readable lines that it is tested against."""
    train, _, baseline = data("pruned")
    matrix = residuals(train, baseline)
    factors = random_init(train.shape, 8, np.random.default_rng(0))[1]
    arguments = matrix, factors, penalties(matrix, penalty=PENALTY, weighted=True)[0]
    with threads(THREADS):
        times = medians(lambda: fast_ridge_rows(*arguments), lambda: ridge_rows(*arguments), 3)
    error = float(np.abs(fast_ridge_rows(*arguments) - ridge_rows(*arguments)).max())
    name, peer = "all users' ridge regressions, k = 8", "NumPy, row by row"
    target = f"ratio ≤ 0.1; the same within 1e-9 ({error:.0e})"
    return Result(name, times[0], peer, *times[1:], target, times[2] <= 0.1 and error <= 1e-9, 3)


# ---- inexact ALS: seconds to quality


def our_curve(k: int, cg_steps: int | None) -> tuple[list[float], list[float]]:
    """How many seconds epochs took until the end of each, and the validation RMSE there."""
    list(our_epochs(als_iterates, "pruned", k, 1, cg_steps=cg_steps))  # compiles
    epochs = our_epochs(als_iterates, "pruned", k, LONG, cg_steps=cg_steps)
    errors, seconds = zip(*((validation_rmse("pruned", f), s) for f, s in epochs), strict=True)
    return np.cumsum(seconds).tolist(), list(errors)


def conjugate_gradient_curve(k: int) -> tuple[list[float], list[float]]:
    """The same of cmfrec's conjugate gradients; what comes before the epochs is taken off."""
    numbers = [*range(1, 9), 10, 12, 15, 20, 25, LONG]
    fits = [cmfrec_fit("pruned", k, epochs, use_cg=True, finalize_chol=False) for epochs in numbers]
    an_epoch = (fits[-1][0] - fits[0][0]) / (LONG - 1)
    return [number * an_epoch for number in numbers], [quality for _, quality in fits]


def benchmark_inexact(k: int, runs: int, cg_steps: int | None = None) -> Result:
    """Seconds of epochs until the validation RMSE is within 0.5 % of the final one."""
    found = []
    for _ in range(runs):
        curves = our_curve(k, cg_steps), conjugate_gradient_curve(k)
        target = WITHIN * min(errors[-1] for _, errors in curves)
        found.append(
            [
                next((s for s, e in zip(*curve, strict=True) if e <= target), math.inf)
                for curve in curves
            ]
        )
    ours, peer = map(statistics.median, zip(*found, strict=True))
    ratio = statistics.median(a / b for a, b in found)
    kind = "exact ALS" if cg_steps is None else f"ALS by {cg_steps} steps of conjugate gradients"
    name = f"{kind} to 1.005 × the final RMSE, k = {k}"
    return Result(
        name, ours, "cmfrec, conjugate gradients", peer, ratio, "ratio ≤ 1", ratio <= 1, runs
    )


# ---- SGD


def benchmark_sgd(k: int = 100, runs: int = 9) -> Result:
    """An epoch over the pruned ratings by one thread; peer: Surprise's SVD, which fits biases, too."""
    import pandas
    import surprise

    train, _, _ = data("pruned")
    columns = {"user": train.users, "item": train.items, "rating": train.stars}
    reader = surprise.Reader(rating_scale=(1, 5))
    frame = pandas.DataFrame(columns)
    theirs = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()

    def peer_fit(epochs):
        started = time.perf_counter()
        surprise.SVD(n_factors=k, n_epochs=epochs, random_state=0).fit(theirs)
        return time.perf_counter() - started

    def peer():
        one = peer_fit(1)
        return (peer_fit(EPOCHS) - one) / (EPOCHS - 1)

    def ours():
        epochs = our_epochs(sgd_iterates, "pruned", k, EPOCHS, rng=np.random.default_rng(0))
        return statistics.mean([seconds for _, seconds in epochs][1:])

    rounds = take_turns([ours, peer, partial(visits_alone, k)], runs)
    times = [statistics.median(seconds) for seconds in zip(*rounds, strict=True)]
    ratio, alone = (statistics.median(row[i] / row[1] for row in rounds) for i in (0, 2))
    extremes = [row[0] / row[1] for row in rounds]
    name = f"SGD, an epoch, {len(train.stars):,} ratings, k = {k}"
    target = f"ratio ≤ 0.25 ({min(extremes):.3f} … {max(extremes):.3f}; {alone:.3f} in one order, as it does)"
    return Result(name, times[0], "Surprise", times[1], ratio, target, ratio <= 0.25, runs)


def visits_alone(k: int) -> float:
    """Seconds of an epoch of SGD whose order is given: drawing one each time is ours alone."""
    train, _, baseline = data("pruned")
    users, items, targets = coordinates(residuals(train, baseline))
    factors = [f.astype("float32") for f in random_init(train.shape, k, np.random.default_rng(0))]
    arrays = users.astype("int32"), items.astype("int32"), targets.astype("float32"), *factors
    rates = np.float32(0.05), np.float32(PENALTY)
    sgd_epoch(*arrays, *rates)
    started = time.perf_counter()
    sgd_epoch(*arrays, *rates)
    return time.perf_counter() - started


# ---- tables for the chapter


def exact_solvers() -> list[dict]:
    """All that took part in the races, with the quality that they reached."""
    return [row for setting in RACES for row in race(*setting)[0]]


def flops(train: Ratings, k: int) -> float:
    """Operations of an epoch of exact ALS.

    A row with n ratings takes n k² for the products of factors and k³/3 for Cholesky's method; in
    the dual form, n < k, n² k and n³/3.
    """
    counts = [np.bincount(rows).astype(float) for rows in (train.users, train.items)]
    small, large = (f(np.concatenate(counts), k) for f in (np.minimum, np.maximum))
    return float(np.sum(large * small**2 + small**3 / 3))


def cost(train: Ratings, k: int, cores: int) -> dict:
    """Seconds of an epoch of ALS and of SGD (always on one core), and the operations of the former."""
    matrix = residuals(train, fit_biases(train, epochs=3))
    init = random_init(train.shape, k, np.random.default_rng(0))
    methods = {
        "als": als_iterates(matrix, init, penalty=PENALTY),
        "sgd": sgd_iterates(matrix, init, penalty=PENALTY, rng=np.random.default_rng(0)),
    }
    seconds = {
        name: statistics.median([seconds for _, seconds in timed(iterates, 4, cores)][1:])
        for name, iterates in methods.items()
    }
    return {
        "ratings": len(train.stars),
        "k": k,
        "cores": cores,
        **seconds,
        "flops": flops(train, k),
    }


def growth() -> dict[str, list[dict]]:
    """How the cost of an epoch grows with ratings (unpruned, k = 32), with k and with cores (pruned)."""
    pruned, (whole, _, _) = data("pruned")[0], data("unpruned")
    sizes = [len(whole.stars) // part for part in (16, 8, 4, 2, 1)]
    order = np.random.default_rng(0).permutation(len(whole.stars))
    return {
        "ratings": [cost(_part(whole, np.sort(order[:size])), 32, THREADS) for size in sizes],
        "k": [cost(pruned, k, THREADS) for k in (4, 8, 16, 32, 64, 128)],
        "cores": [cost(pruned, k, cores) for k in (8, 100) for cores in (1, THREADS)],
    }


def _part(ratings: Ratings, rows: np.ndarray) -> Ratings:
    columns = {name: getattr(ratings, name)[rows] for name in ("users", "items", "stars")}
    return replace(ratings, **columns)


def curves_by_seconds(k: int = 2, epochs: int = 60) -> dict[str, list[list[float]]]:
    """(seconds, validation RMSE) at the start and after each epoch, at the settings of the chapter."""
    train, _, _ = data("pruned")
    init = random_init(train.shape, k, np.random.default_rng(0))
    methods = {"ALS": (als_iterates, {}), "SGD": (sgd_iterates, {"rng": np.random.default_rng(1)})}
    curves = {}
    for name, (iterates_of, options) in methods.items():
        list(our_epochs(iterates_of, "pruned", k, 1, **options))  # compiles
        curve = [[0.0, validation_rmse("pruned", init)]]
        for factors, seconds in our_epochs(iterates_of, "pruned", k, epochs, **options):
            curve.append([curve[-1][0] + seconds, validation_rmse("pruned", factors)])
        curves[name] = curve
    return curves


COMPARISONS = (
    *(partial(benchmark_exact, *setting) for setting in RACES),
    partial(benchmark_inexact, 8, runs=3),
    partial(benchmark_inexact, 100, runs=2),
    partial(benchmark_inexact, 100, runs=3, cg_steps=2),
    benchmark_sgd,
    benchmark_readable,
)
TABLES = {"exact_als": exact_solvers, "growth": growth, "curves": curves_by_seconds}
