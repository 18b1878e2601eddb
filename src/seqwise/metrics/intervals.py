"""Bootstrap intervals: how far a figure would move if the test examples had been drawn again.

Examples are drawn with replacement. Figures that are counted from the confusion need no drawing of single examples:
the number of draws that fall into each distinct cell is multinomial, which gives the same distribution at a cost that
does not grow with the number of examples. The interval is the percentile interval (Efron 1979), widened to hold the
figure itself where the resampled figure is biased (calibration error is: noise can only add to it).

A caveat that no percentile interval escapes: a share of 0 or 1 stays 0 or 1 in every resample, so the interval of a
class with a handful of examples is too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

Figure = dict[str, float | None]
"""``{"value", "low", "high"}``; None stands for undefined."""

DRAWS_AT_ONCE = 500_000  # numbers held at a time: 4 MB stay in the cache


def figure(value: float, replicates: np.ndarray | None = None, *, level: float = 0.95) -> Figure:
    """Make the JSON form of a number with its percentile interval.

    Args:
        value: The figure on the examples as they are; NaN means undefined.
        replicates: (R,) the figure on each resample, NaN where undefined; None when there can be no interval.
        level: The probability that the interval is meant to cover.

    Returns:
        The value with its bounds; a bound that is undefined is None.
    """
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    if replicates is not None:
        replicates = replicates[np.isfinite(replicates)]
    if replicates is None or not len(replicates):
        return {"value": float(value), "low": None, "high": None}
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}


def describe(number: Figure, digits: int = 3) -> str:
    """Write a figure for people: ``0.912 (0.905 to 0.918)``, or ``undefined``."""
    value, low, high = number["value"], number["low"], number["high"]
    if value is None:
        return "undefined"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


class Cells(NamedTuple):
    """Examples that no counted figure can tell apart, put together: K distinct ones out of n examples."""

    labels: np.ndarray  # (columns, K)  e.g. target, prediction of model a, prediction of model b
    examples: np.ndarray  # (K,)  how many examples lie in the cell
    weight: np.ndarray  # (K,)  the weight of each of them


def cells(*labels: np.ndarray, weights: np.ndarray | None = None) -> Cells:
    """Group examples with equal labels and equal weight.

    Args:
        *labels: Arrays (n,) of class numbers.
        weights: (n,) float64, or None for one each.
    """
    columns = [np.asarray(label, dtype=np.float64) for label in labels]
    columns.append(np.ones(len(columns[0])) if weights is None else np.asarray(weights, dtype=np.float64))
    order = np.lexsort(columns)
    table = np.stack(columns)[:, order]
    first = np.concatenate([[True], (table[:, 1:] != table[:, :-1]).any(axis=0)])
    starts = np.flatnonzero(first)
    examples = np.diff(np.append(starts, table.shape[1]))
    return Cells(table[:-1, starts].astype(np.int64), examples, table[-1, starts])


def resampled_cells(groups: Cells, resamples: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw the examples again and again, and yield the sum of the weights in every cell.

    Yields:
        Blocks (r, K) float64; the r add up to `resamples`.
    """
    total = int(groups.examples.sum())
    if len(groups.examples) > total // 8:  # nearly every example is a cell of its own: drawing examples is cheaper
        starts = np.concatenate([[0], np.cumsum(groups.examples)[:-1]])
        for counts in resampled_multiplicities(total, resamples, generator):
            yield np.add.reduceat(counts, starts, axis=0).T * groups.weight
        return
    shares = groups.examples / total
    block = max(1, DRAWS_AT_ONCE // len(shares))
    for start in range(0, resamples, block):
        yield generator.multinomial(total, shares, size=min(block, resamples - start)) * groups.weight


def resampled_multiplicities(examples: int, resamples: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw the examples again and again, and yield how often each came up.

    Yields:
        Blocks (n, r) float64, examples first so that sorting by score moves whole rows; the r add up to `resamples`.
    """
    block = max(1, DRAWS_AT_ONCE // examples)
    for start in range(0, resamples, block):
        width = min(block, resamples - start)
        drawn = generator.integers(examples, size=(examples, width))
        drawn *= width
        drawn += np.arange(width)
        yield np.bincount(drawn.ravel(), minlength=examples * width).reshape(examples, width).astype(np.float64)
