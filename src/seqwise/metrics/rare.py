"""Figures of merit for rare classes: what a stated recall costs in precision, and how classes fare by their size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError
from seqwise.metrics.confusion import mean_defined
from seqwise.metrics.intervals import figure
from seqwise.metrics.ranking import precision_recall_curve

FEWEST_CLASSES = 6  # of which groups are made


def precision_at_recall(
    positive: ArrayLike, scores: ArrayLike, level: float, sample_weight: ArrayLike | None = None
) -> float:
    """The highest precision of any threshold that finds at least this share of the positives; NaN without positives.

    Args:
        positive: (n,) bool.
        scores: (n,) equal ones are taken together.
        level: The recall, above 0 and at most 1.
        sample_weight: (n,), or None.
    """
    if not _any(positive, sample_weight):
        return float("nan")
    precision, recall, _ = precision_recall_curve(positive, scores, sample_weight)
    return float(precision[recall >= level - 1e-12].max())


def recall_at_precision(
    positive: ArrayLike, scores: ArrayLike, level: float, sample_weight: ArrayLike | None = None
) -> float:
    """The highest recall of any threshold of whose answers at least this share is right; NaN without positives.

    It is 0 where no threshold is that precise.

    Args:
        positive: (n,) bool.
        scores: (n,) equal ones are taken together.
        level: The precision, above 0 and at most 1.
        sample_weight: (n,), or None.
    """
    if not _any(positive, sample_weight):
        return float("nan")
    precision, recall, _ = precision_recall_curve(positive, scores, sample_weight)
    return float(recall[precision >= level - 1e-12].max(initial=0.0))


def _any(positive: ArrayLike, sample_weight: ArrayLike | None) -> bool:
    belongs = np.asarray(positive, dtype=bool)
    return bool(belongs.any() if sample_weight is None else np.asarray(sample_weight)[belongs].any())


class ClassGroup(NamedTuple):
    """Classes of similar size."""

    name: str  # "head", "medium" or "tail"
    numbers: list[int]  # of the classes, the largest first
    fewest: int  # training examples of its smallest class
    most: int  # and of its largest


def class_groups(counts: ArrayLike, bounds: Sequence[int] | None = None) -> list[ClassGroup]:
    """Divide classes by their number of training examples into head, medium and tail.

    Args:
        counts: (C,) training examples of each class.
        bounds: (low, high): the tail has fewer than `low`, the head more than `high` examples; Liu et al. 2019 take 20 and
            100. None makes three groups of equally many classes, as far as that goes.

    Returns:
        The groups that are not empty, the head first. None at all of fewer than six classes without `bounds`: they are
        better looked at one by one.

    Raises:
        DataError: counts are not whole numbers of 0 or more, or the bounds are not two rising numbers.
    """
    sizes = np.asarray(counts)
    if sizes.ndim != 1 or not len(sizes) or not np.array_equal(sizes, np.maximum(np.round(sizes), 0)):
        raise DataError("counts must be the number of training examples of every class.")
    order = np.argsort(-sizes, kind="stable")
    if bounds is None:
        if len(sizes) < FEWEST_CLASSES:
            return []
        third = len(sizes) / 3
        parts = [order[: round(third)], order[round(third) : round(2 * third)], order[round(2 * third) :]]
    else:
        if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
            raise DataError(f"bounds must be two rising numbers of examples, not {bounds!r}.")
        low, high = bounds
        parts = [order[sizes[order] > high], order[(sizes[order] >= low) & (sizes[order] <= high)]]
        parts.append(order[sizes[order] < low])
    return [
        ClassGroup(name, part.tolist(), int(sizes[part].min()), int(sizes[part].max()))
        for name, part in zip(("head", "medium", "tail"), parts, strict=True)
        if len(part)
    ]


def group_figures(
    groups: Sequence[ClassGroup], names: Sequence[str], found: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """Average the figures of the classes of each group.

    Args:
        groups: as `class_groups` returns them.
        names: the C names.
        found: "precision", "recall" and "f1", each (1 + R, C): of the examples as they are, and of R resamples.

    Returns:
        By group: `classes`, `fewest` and `most` training examples, and macro `precision`, `recall` and `f1` with intervals.
    """
    blocks: dict[str, dict[str, Any]] = {}
    for group in groups:
        blocks[group.name] = {
            "classes": [names[number] for number in group.numbers],
            "fewest": group.fewest,
            "most": group.most,
        }
        for metric in ("precision", "recall", "f1"):
            means = mean_defined(found[metric][:, group.numbers])
            blocks[group.name][metric] = figure(float(means[0]), means[1:])
    return blocks
