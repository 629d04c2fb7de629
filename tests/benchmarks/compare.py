"""Two functions take turns, and what came of it."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RUNS = 25


@dataclass(frozen=True)
class Result:
    """One comparison: medians of several runs, in seconds."""

    name: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    target: str
    met: bool
    runs: int


def take_turns(measures: Sequence[Callable[[], float]], runs: int) -> list[list[float]]:
    """Seconds that functions report, a list for each run; who begins alternates.

    A round to warm up comes first, and is left out.
    """
    rounds = []
    for i in range(runs + 1):
        order = range(len(measures)) if i % 2 else reversed(range(len(measures)))
        seconds = {n: measures[n]() for n in order}
        rounds.append([seconds[n] for n in range(len(measures))])
    return rounds[1:]


def timed(function: Callable) -> Callable[[], float]:
    """A function that reports how many seconds another one takes."""

    def measure() -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return measure


def medians(ours: Callable, peer: Callable, runs: int = RUNS) -> tuple[float, float, float]:
    """Median seconds of two functions that take turns, and the median of their ratios pair by pair.

    Taking turns, neither profits from the order.
    """
    pairs = take_turns([timed(ours), timed(peer)], runs)
    return tuple(map(statistics.median, zip(*((a, b, a / b) for a, b in pairs), strict=True)))
