"""The confusion of targets with predictions, and every figure that can be counted from it.

All of them need only three numbers a class, so that a thousand resampled confusion matrices are three small arrays.
Axis letters: C classes, K distinct cells, R resamples; a leading ``...`` is whatever is stacked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Marginals(NamedTuple):
    """What the figures are computed from, summed over examples (or over their weights)."""

    hits: np.ndarray  # (..., C)  of class c and predicted as c: the diagonal
    support: np.ndarray  # (..., C)  of class c: the row sums
    predicted: np.ndarray  # (..., C)  predicted as c: the column sums


def confusion_matrix(
    targets: ArrayLike, predictions: ArrayLike, classes: int, sample_weight: ArrayLike | None = None
) -> np.ndarray:
    """Count (or sum the weights of) the examples of class i that are predicted as class j.

    Args:
        targets: (n,) class numbers.
        predictions: (n,) class numbers.
        classes: The number of classes, C.
        sample_weight: (n,), or None for counts.

    Returns:
        (C, C): int64 counts, or float64 sums of weights; a row is a true class, a column a predicted one.
    """
    cells = np.asarray(targets, dtype=np.int64) * classes + np.asarray(predictions, dtype=np.int64)
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return np.bincount(cells, weights=weights, minlength=classes * classes).reshape(classes, classes)


def marginals(cell_targets: np.ndarray, cell_predictions: np.ndarray, sums: np.ndarray, classes: int) -> Marginals:
    """Add up cells to the three numbers a class.

    Args:
        cell_targets: (K,) class of each cell.
        cell_predictions: (K,) predicted class of each cell.
        sums: (R, K) how much lies in each cell, for R matrices at once.
        classes: The number of classes, C.

    Returns:
        Three arrays (R, C).
    """
    rows = len(sums)
    hit = cell_targets == cell_predictions

    def by_class(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
        flat = (np.arange(rows)[:, None] * classes + labels[None, :]).ravel()
        return np.bincount(flat, weights=values.ravel(), minlength=rows * classes).reshape(rows, classes)

    return Marginals(
        hits=by_class(cell_targets[hit], sums[:, hit]),
        support=by_class(cell_targets, sums),
        predicted=by_class(cell_predictions, sums),
    )


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where there is nothing to divide by."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def mean_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1).astype(np.float64))


def precision(m: Marginals) -> np.ndarray:
    """Per class: the share of the predictions that are right; 0 when never predicted, NaN when never there either."""
    undefined = (m.predicted <= 0) & (m.support > 0)
    return np.where(undefined, 0.0, _ratio(m.hits, m.predicted))


def recall(m: Marginals) -> np.ndarray:
    """Per class: the share of its examples that are found; NaN for a class without examples."""
    return _ratio(m.hits, m.support)


def f1(m: Marginals) -> np.ndarray:
    """Per class: the harmonic mean of precision and recall; NaN for a class neither there nor predicted."""
    return _ratio(2 * m.hits, m.support + m.predicted)


def accuracy(m: Marginals) -> np.ndarray:
    """The share of all examples that is right."""
    return _ratio(m.hits.sum(-1), m.support.sum(-1))


def balanced_accuracy(m: Marginals) -> np.ndarray:
    """The mean recall of the classes that have examples."""
    return mean_defined(recall(m))


def g_mean(m: Marginals) -> np.ndarray:
    """The geometric mean of the recalls of the classes that have examples: 0 as soon as one class is never found."""
    with np.errstate(divide="ignore"):
        return np.exp(mean_defined(np.log(recall(m))))


def macro_f1(m: Marginals) -> np.ndarray:
    """The plain mean of F1 over the classes that are there or predicted: each class counts alike, however rare."""
    return mean_defined(f1(m))


def weighted_f1(m: Marginals) -> np.ndarray:
    """The mean of F1 weighted by the support of the class."""
    return _ratio((np.nan_to_num(f1(m)) * m.support).sum(-1), m.support.sum(-1))


def mcc(m: Marginals) -> np.ndarray:
    """Matthews' correlation coefficient for C classes (Gorodkin 2004); 0 when one side holds a single class only."""
    total = m.support.sum(-1)
    covariance = m.hits.sum(-1) * total - (m.support * m.predicted).sum(-1)
    variance_true = total**2 - (m.support**2).sum(-1)
    variance_predicted = total**2 - (m.predicted**2).sum(-1)
    product = variance_true * variance_predicted
    # Sums of weights leave a rounding error where the variance is zero: compare with the size of what was subtracted.
    defined = product > 1e-12 * total**4
    return np.where(defined, covariance / np.sqrt(np.where(defined, product, 1.0)), np.where(total > 0, 0.0, np.nan))


def micro_f1(m: Marginals) -> np.ndarray:
    """F1 of all decisions taken together: of single labels it is the accuracy, of many labels a figure of its own."""
    return _ratio(2 * m.hits.sum(-1), m.support.sum(-1) + m.predicted.sum(-1))


OVERALL: dict[str, Callable[[Marginals], np.ndarray]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "g_mean": g_mean,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
    "mcc": mcc,
}
PER_CLASS: dict[str, Callable[[Marginals], np.ndarray]] = {"precision": precision, "recall": recall, "f1": f1}
