"""Do the probabilities mean what they say? Log-loss, expected calibration error, the bins of a reliability diagram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

BINS = 15  # the number that Guo et al. 2017 use, and most papers since


def log_losses(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of every example, in nats.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C).

    Returns:
        (n,). A probability of zero for the true class would cost infinity; as in scikit-learn it is raised to the
        smallest step of a float64, which costs 36.
    """
    tiny = np.finfo(np.float64).eps
    true = np.asarray(probabilities, dtype=np.float64)[np.arange(len(targets)), targets]
    return -np.log(np.clip(true, tiny, 1 - tiny))


def bin_numbers(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin of equal width, closed on the right, that each confidence falls in: (n,) from 0 to bins - 1."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)


class ReliabilityBins(NamedTuple):
    """The non-empty bins of a reliability diagram, from low confidence to high."""

    confidence: np.ndarray  # (bins,)  mean probability that was claimed
    accuracy: np.ndarray  # (bins,)  share that was right
    weight: np.ndarray  # (bins,)  share of all examples


def reliability_bins(
    confidence: ArrayLike, correct: ArrayLike, sample_weight: ArrayLike | None = None, *, bins: int = BINS
) -> ReliabilityBins:
    """Compare what was claimed with what was right, by bins of equal width.

    Args:
        confidence: (n,) probability of the predicted class.
        correct: (n,) bool.
        sample_weight: (n,), or None.
        bins: How many.
    """
    claimed = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    weights = np.ones(len(claimed)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    numbers = bin_numbers(claimed, bins)
    totals = np.bincount(numbers, weights=weights, minlength=bins)
    used = totals > 0
    sums = [np.bincount(numbers, weights=weights * value, minlength=bins)[used] for value in (claimed, right)]
    return ReliabilityBins(sums[0] / totals[used], sums[1] / totals[used], totals[used] / totals.sum())


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, sample_weight: ArrayLike | None = None, *, bins: int = BINS
) -> float:
    """The mean distance between claimed confidence and accuracy over the bins, weighted by their size.

    Naeini et al. 2015; the top-label form of Guo et al. 2017. From 0 (perfect) to 1; on few examples it is biased
    upwards.
    """
    found = reliability_bins(confidence, correct, sample_weight, bins=bins)
    return float(np.abs(found.confidence - found.accuracy) @ found.weight)
