"""Does a class's probability rank its examples above the others? Precision-recall curves and the area under them."""

from __future__ import annotations

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


class ResampledAveragePrecision:
    """Average precision under many weightings of the same scores, which are sorted only once.

    Args:
        positive: (n,) bool.
        scores: (n,).
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.positions = np.flatnonzero(positive[self.order])  # (n+,) where the positives stand in that order
        descending = -scores[self.order]
        # The last place that holds the same score, in the order of all examples and in that of the positives.
        self.ends = np.searchsorted(descending, descending[self.positions], side="right") - 1
        self.positive_ends = np.searchsorted(self.positions, self.ends, side="right") - 1

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Compute (r,) average precisions for weights (n, r); NaN for a weighting without positives."""
        ordered = weights[self.order]
        positives = ordered[self.positions]  # (n+, r)
        found = np.cumsum(positives, axis=0)
        totals = found[-1] if len(found) else np.zeros(weights.shape[1])
        taken = np.cumsum(ordered, axis=0, out=ordered)[self.ends]
        area = np.divide(
            positives * found[self.positive_ends], taken, out=np.zeros_like(positives), where=taken > 0
        ).sum(axis=0)
        return np.divide(area, totals, out=np.full(len(totals), np.nan), where=totals > 0)


def resampled_average_precisions(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the average precision of every column, and of every resample of the examples.

    Args:
        positive: (n, C) bool.
        scores: (n, C).
        weights: (n,), or None.
        resamples: How many; of very many examples and classes fewer are drawn.
        generator: Draws them.

    Returns:
        (C,) and (R, C); NaN for a column without positives.
    """
    rows, count = scores.shape
    if resamples > FEWEST_RESAMPLES:
        resamples = min(resamples, max(FEWEST_RESAMPLES, RANKING_STEPS // (rows * count)))
    columns = [(positive[:, number], scores[:, number]) for number in range(count)]
    exact = np.array([average_precision(*column, weights) for column in columns])
    resampled = [ResampledAveragePrecision(*column) for column in columns]
    drawn = [np.empty((0, count))]
    for counts in resampled_multiplicities(rows, resamples, generator):
        # Single precision is twice as fast, and its error far below that of a bound from a thousand resamples.
        weighted = (counts if weights is None else counts * weights[:, None]).astype(np.float32)
        drawn.append(np.stack([areas(weighted) for areas in resampled], axis=1))
    return exact, np.concatenate(drawn)
