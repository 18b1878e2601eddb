"""Evaluated examples, checked once: every figure is computed from these and may rely on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError

SUM_TOLERANCE = 1e-3  # a softmax in bfloat16 sums to one within about this


class ScoredExamples(NamedTuple):
    """Targets with what a model says of them."""

    targets: np.ndarray  # (n,) int64
    probabilities: np.ndarray  # (n, C) float64
    predictions: np.ndarray  # (n,) int64
    weights: np.ndarray | None  # (n,) float64
    classes: list[str]

    @property
    def confidence(self) -> np.ndarray:
        """(n,) the probability of the predicted class."""
        return self.probabilities[np.arange(len(self.targets)), self.predictions]


def scored_examples(
    targets: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    *,
    predictions: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> ScoredExamples:
    """Check the arguments of every metric and bring them to one form.

    Args:
        targets: (n,) class numbers from 0 to C - 1.
        probabilities: (n, C), each row summing to one.
        classes: The C names.
        predictions: (n,) class numbers; None takes the most probable class.
        sample_weight: (n,) not negative and not all zero, or None.

    Raises:
        DataError: An argument has a wrong shape or a value out of its range; the message names argument and row.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    names = [str(name) for name in classes]
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise DataError(f"probabilities must have the shape (examples, {len(names)} classes), not {scores.shape}.")
    if not len(scores):
        raise DataError("There are no examples to evaluate.")
    wrong = np.asarray(~np.isfinite(scores).all(axis=1) | (scores < -SUM_TOLERANCE).any(axis=1))
    if wrong.any():
        raise DataError(f"probabilities of example {_first(wrong)} are not numbers between 0 and 1.")
    wrong = np.abs(scores.sum(axis=1) - 1) > SUM_TOLERANCE
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"probabilities of example {row + 1} sum to {scores[row].sum():.6g}, not to 1.")
    true = class_numbers("targets", targets, len(scores), len(names))
    predicted = (
        scores.argmax(axis=1)
        if predictions is None
        else class_numbers("predictions", predictions, len(scores), len(names))
    )
    return ScoredExamples(true, scores, predicted, example_weights(sample_weight, len(scores)), names)


class ScoredLabels(NamedTuple):
    """The same where every example has any number of L labels: n times L yes-or-no decisions."""

    targets: np.ndarray  # (n, L) bool
    probabilities: np.ndarray  # (n, L) float64
    predictions: np.ndarray  # (n, L) bool
    weights: np.ndarray | None  # (n,) float64
    labels: list[str]


def scored_labels(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str] | None = None,
    *,
    predictions: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> ScoredLabels:
    """Check the arguments of every multi-label metric and bring them to one form.

    Args:
        targets: (n, L) of 0 and 1: does the example have the label?
        probabilities: (n, L), each from 0 to 1 by itself.
        labels: The L names; None numbers them.
        predictions: (n, L) of 0 and 1; None answers yes from the probability .5 on.
        sample_weight: (n,) not negative and not all zero, or None.

    Raises:
        DataError: An argument has a wrong shape or a value out of its range; the message names argument and row.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    names = [str(j) for j in range(scores.shape[-1] if scores.ndim == 2 else 0)] if labels is None else list(labels)
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise DataError(f"probabilities must have the shape (examples, {len(names)} labels), not {scores.shape}.")
    if not scores.size:
        raise DataError("There are no examples to evaluate.")
    wrong = np.asarray(((scores < 0) | (scores > 1) | np.isnan(scores)).any(axis=1))
    if wrong.any():
        raise DataError(f"probabilities of example {_first(wrong)} are not numbers between 0 and 1.")
    true = label_matrix("targets", targets, scores.shape)
    predicted = scores >= 0.5 if predictions is None else label_matrix("predictions", predictions, scores.shape)
    return ScoredLabels(true, scores, predicted, example_weights(sample_weight, len(scores)), [str(n) for n in names])


def label_matrix(name: str, values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Check which example has which label, and return it as bool.

    Raises:
        DataError: Not an array of this shape that holds 0 and 1.
    """
    matrix = np.asarray(values)
    if matrix.shape != shape:
        raise DataError(f"{name} must have the shape {shape}, not {matrix.shape}.")
    wrong = np.asarray(np.isin(matrix, (0, 1), invert=True).any(axis=1))
    if wrong.any():
        raise DataError(f"{name} of example {_first(wrong)} are not all 0 or 1.")
    return matrix.astype(bool)


def class_numbers(name: str, values: ArrayLike, examples: int, classes: int | None = None) -> np.ndarray:
    """Check an array of class numbers.

    Raises:
        DataError: Not (examples,) whole numbers from 0 to classes - 1.
    """
    numbers = np.asarray(values)
    if numbers.shape != (examples,):
        raise DataError(f"{name} must have the shape ({examples},), not {numbers.shape}.")
    if not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"{name} must be class numbers (integers), not {numbers.dtype}.")
    wrong = numbers < 0 if classes is None else (numbers < 0) | (numbers >= classes)
    if wrong.any():
        row = int(np.argmax(wrong))
        limit = "" if classes is None else f" of 0 to {classes - 1}"
        raise DataError(f"{name} holds {numbers[row]} at example {row + 1}, which is not a class number{limit}.")
    return numbers.astype(np.int64)


def example_weights(values: ArrayLike | None, examples: int) -> np.ndarray | None:
    """Check sample weights.

    Raises:
        DataError: Not (examples,) finite numbers that are zero or more and not all zero.
    """
    if values is None:
        return None
    weights = np.asarray(values, dtype=np.float64)
    if weights.shape != (examples,):
        raise DataError(f"sample_weight must have the shape ({examples},), not {weights.shape}.")
    wrong = ~np.isfinite(weights) | (weights < 0)
    if wrong.any():
        raise DataError(f"sample_weight of example {_first(wrong)} is {weights[np.argmax(wrong)]}: expected 0 or more.")
    if not weights.any():
        raise DataError("sample_weight is zero for every example.")
    return weights


def _first(wrong: np.ndarray) -> int:
    """The number, as a person counts, of the first example that is wrong."""
    return int(np.argmax(wrong)) + 1
