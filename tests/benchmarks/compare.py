"""Two functions take turns, and what came of it."""

import statistics
import time
from collections.abc import Callable
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


def medians(ours: Callable, peer: Callable, runs: int = RUNS) -> tuple[float, float, float]:
    """Median seconds of two functions that take turns, and the median of their ratios pair by pair.

    A round to warm up comes first; who begins alternates, so that neither profits from the order.
    """
    pairs = []
    for i in range(runs + 1):
        seconds = {}
        for function in (ours, peer) if i % 2 else (peer, ours):
            started = time.perf_counter()
            function()
            seconds[function] = time.perf_counter() - started
        pairs.append((seconds[ours], seconds[peer], seconds[ours] / seconds[peer]))
    return tuple(map(statistics.median, zip(*pairs[1:], strict=True)))
