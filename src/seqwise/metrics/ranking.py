"""Does a class's probability rank its examples above the others? Precision-recall curves and the area under them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from seqwise.metrics.intervals import resampled_multiplicities

# Sorted scores cost resamples x examples x classes. Beyond this many steps (a few seconds) fewer resamples are drawn,
# but never fewer than the second number, whose 95% bounds are still useful.
RANKING_STEPS = 400_000_000
FEWEST_RESAMPLES = 100


def precision_recall_curve(
    positive: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and recall at every threshold, from the highest score down.

    Args:
        positive: (n,) bool, at least one True.
        scores: (n,).
        sample_weight: (n,), or None.

    Returns:
        precision, recall and threshold, each (m,) for the m distinct scores: what follows from predicting "positive"
        from that threshold up.
    """
    scores = np.asarray(scores, dtype=np.float64)
    weights = np.ones(len(scores)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # equal scores are taken together
    found = np.cumsum(np.where(np.asarray(positive, dtype=bool), weights, 0.0)[order])[ends]
    taken = np.cumsum(weights[order])[ends]
    some = taken > 0  # examples of weight zero
    return found[some] / taken[some], found[some] / found[-1], scores[order][ends][some]


def average_precision(positive: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The area under the precision-recall curve as a sum of steps; NaN without positives."""
    positive = np.asarray(positive, dtype=bool)
    weights = np.ones(len(positive)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if not weights[positive].any():
        return float("nan")
    precision, recall, _ = precision_recall_curve(positive, scores, weights)
    return float(precision @ np.diff(recall, prepend=0.0))


def affordable(resamples: int, steps: int) -> int:
    """How many of the resamples can be had, if each takes so many steps."""
    return min(resamples, max(FEWEST_RESAMPLES, RANKING_STEPS // steps))


class ResampledRanking:
    """Figures of a ranking under many weightings of the same scores, which are sorted only once.

    Args:
        positive: (n,) bool.
        scores: (n,).
        levels: of precision at recall and recall at precision.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray, levels: Sequence[float] = ()) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.positions = np.flatnonzero(positive[self.order])  # (n+,) where the positives stand in that order
        descending = -scores[self.order]
        # The last place that holds the same score, in the order of all examples and in that of the positives.
        self.ends = np.searchsorted(descending, descending[self.positions], side="right") - 1
        self.positive_ends = np.searchsorted(self.positions, self.ends, side="right") - 1
        self.levels = tuple(levels)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Compute (1 + 2 levels, r) for weights (n, r); NaN for a weighting without positives.

        The rows are the average precision; the precision at each level of recall; the recall at each level of precision.
        """
        ordered = weights[self.order]
        positives = ordered[self.positions]  # (n+, r)
        found = np.cumsum(positives, axis=0)
        totals = found[-1] if len(found) else np.zeros(weights.shape[1])
        taken = np.cumsum(ordered, axis=0, out=ordered)[self.ends]
        # Of the thresholds only those at a positive matter: further down to the next one precision can only fall.
        found = found[self.positive_ends]
        precision = np.divide(found, taken, out=np.zeros_like(positives), where=taken > 0)
        rows = [_ratio((positives * precision).sum(axis=0), totals)]
        if self.levels:
            slack = 64 * np.finfo(found.dtype).eps  # what the sums are rounded by
            recall = _ratio(found, np.broadcast_to(totals, found.shape))
            rows += [np.where(recall >= at - slack, precision, 0).max(axis=0, initial=0) for at in self.levels]
            rows += [np.where(precision >= at - slack, recall, 0).max(axis=0, initial=0) for at in self.levels]
        return np.where(totals > 0, np.stack(rows), np.nan)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def ranked_figures(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    levels: Sequence[Sequence[float]],
    resamples: int,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Compute the figures of every column's ranking, and those of every resample of the examples.

    Args:
        positive: (n, C) bool.
        scores: (n, C).
        weights: (n,), or None.
        levels: of each column, of precision at recall and recall at precision.
        resamples: How many; of very many examples and classes fewer are drawn.
        generator: Draws them.

    Returns:
        Of every column (1 + 2 levels, 1 + R), as `ResampledRanking` returns them; first of the examples as they are.
    """
    rows, count = scores.shape
    resamples = affordable(resamples, rows * count)
    columns = [ResampledRanking(positive[:, j], scores[:, j], levels[j]) for j in range(count)]
    here = np.ones((rows, 1)) if weights is None else weights[:, None]
    drawn = [[column(here)] for column in columns]
    for counts in resampled_multiplicities(rows, resamples, generator):
        # Single precision is twice as fast, and its error far below that of a bound from a thousand resamples.
        weighted = (counts if weights is None else counts * weights[:, None]).astype(np.float32)
        for column, blocks in zip(columns, drawn, strict=True):
            blocks.append(column(weighted))
    return [np.concatenate(blocks, axis=1) for blocks in drawn]
