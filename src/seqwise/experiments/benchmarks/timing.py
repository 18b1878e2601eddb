"""Timing sides against each other: in one process, taking turns, so that a slow minute of the machine meets all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from statistics import median, quantiles
from typing import NamedTuple

from seqwise.experiments.benchmarks.cases import Side

WARM_UPS = 2


class Sample(NamedTuple):
    """Figures of one side: median, 10th and 90th percentile, and all values in the order of measuring."""

    median: float
    low: float
    high: float
    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Summarise measured values."""
        low, high = (values[0], values[0]) if len(values) < 2 else _outer_deciles(values)
        return cls(median(values), low, high, tuple(values))


def _outer_deciles(values: Sequence[float]) -> tuple[float, float]:
    deciles = quantiles(values, n=10, method="inclusive")
    return deciles[0], deciles[-1]


def alternate(sides: Sequence[Side], repeats: int, seconds: float = 0.0) -> list[Sample]:
    """Milliseconds of each side's run.

    Each repetition runs every side once; who goes first changes, since the first finds colder caches. The garbage
    collector rests meanwhile.

    Args:
        sides: What takes turns.
        repeats: Repetitions; after them short runs go on, up to ten times as often, until
        seconds: have passed.
    """
    taken: list[list[float]] = [[] for _ in sides]
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        begin = time.perf_counter()
        for repetition in range(-WARM_UPS, 10 * repeats):
            if repetition >= repeats and time.perf_counter() - begin > seconds:
                break
            for turn in range(len(sides)):
                k = (turn + repetition) % len(sides)
                side = sides[k]
                side.clear()
                start = time.perf_counter()
                side.run()
                passed = time.perf_counter() - start
                if repetition >= 0:
                    taken[k].append(1000 * passed)
    finally:
        if collecting:
            gc.enable()
    return [Sample.of(values) for values in taken]


def ratio_of_pairs(theirs: Sample, ours: Sample) -> float:
    """The median over repetitions of their time by ours in the same repetition."""
    return median(a / b for a, b in zip(theirs.values, ours.values, strict=True))
