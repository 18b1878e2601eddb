"""The labels that a person hands to `fit`, as numbers, and numbers as labels again.

Axis letters: n examples, C classes or labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqwise.data import label_matrix
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.sections import AUTO


@dataclass(frozen=True)
class LabelCode:
    """How labels are numbered.

    Attributes:
        classes: the C classes or labels, sorted.
        multilabel: whether an example may have several labels, or none.
        indicator: whether these came as a matrix of 1 and 0, and are to be returned as one; otherwise as tuples of labels.
    """

    classes: np.ndarray
    multilabel: bool = False
    indicator: bool = False

    @classmethod
    def of(cls, y: Any, rows: int, multilabel: bool | str = False) -> tuple[Self, np.ndarray]:
        """Find the classes of y and number its labels.

        Args:
            y: one label a row of any type that sorts; or a list, tuple or set of labels a row; or a matrix of 1 and 0,
                (n, C).
            rows: n.
            multilabel: whether a row has several labels; "auto" looks.

        Returns:
            The code, and the targets: class indices (n,) int64, or which labels each row has (n, C) bool.

        Raises:
            DataError: y has another length than X, missing labels, or one class only.
            ConfigurationError: `multilabel` is neither true, false nor "auto".
        """
        if multilabel not in (True, False, AUTO):
            raise ConfigurationError(f"multilabel is true, false or 'auto', not {multilabel!r}")
        values = y if hasattr(y, "dtype") or isinstance(y, Sequence) else list(y)
        if rows == 0:
            raise DataError("there is no example to learn from")
        several = _is_matrix(values) or _is_list(values[0] if len(values) else None)
        if several and not multilabel:
            raise DataError("y holds several labels a row: a multi-label classifier is needed (multilabel=True)")
        if multilabel is True and not several:
            raise DataError("multi-label needs a list of labels in every row of y, or a matrix of 1 and 0")
        if len(values) != rows:
            raise DataError(f"X has {rows} rows, y has {len(values)}: one entry a row is needed")
        code = cls(*_found(values, several))
        if len(code.classes) < 2:
            there = f"only one class, {code.classes.tolist()[0]!r}" if len(code.classes) else "no label at all"
            raise DataError(f"there is {there}: a classifier needs at least two")
        return code, code.targets_of(values, rows)

    def targets_of(self, y: Any, rows: int) -> np.ndarray:
        """Number the labels of other examples, (n,) or (n, C) as in `of`.

        Raises:
            DataError: y has another length, or a label that was not seen in training; names its row.
        """
        values = y if hasattr(y, "dtype") or isinstance(y, Sequence) else list(y)
        if len(values) != rows or (self.indicator and np.shape(values) != (rows, len(self.classes))):
            raise DataError(f"there are {rows} texts and labels of shape {np.shape(values)}")
        if self.indicator:
            return np.asarray(values, dtype=bool)
        if not self.multilabel:
            labels = np.asarray(values)
            if labels.ndim != 1:
                raise DataError(f"one label a row is needed, got labels of shape {labels.shape}")
            known = np.searchsorted(self.classes, labels).clip(max=len(self.classes) - 1)
            unseen = np.flatnonzero(self.classes[known] != labels)
            if len(unseen):
                raise DataError(f"row {unseen[0] + 1} has the label {labels[unseen[0]]!r}, unseen in training")
            return known.astype(np.int64)
        names = self.classes.tolist()
        for row, labels in enumerate(values, start=1):
            if not _is_list(labels):
                raise DataError(f"row {row} holds {labels!r:.40}, and a list of labels is expected")
            if unknown := [label for label in labels if label not in names]:
                raise DataError(f"row {row} has the label {unknown[0]!r}, unseen in training")
        return label_matrix([tuple(labels) for labels in values], names)

    def labels_of(self, chosen: np.ndarray) -> np.ndarray:
        """Return the labels of class indices (n,), or of a matrix of chosen labels (n, C), as they came."""
        if not self.multilabel:
            return self.classes[chosen]
        if self.indicator:
            return chosen.astype(np.int64)
        return np.fromiter((tuple(self.classes[row].tolist()) for row in chosen), dtype=object, count=len(chosen))


def describe_labels(
    classes: np.ndarray, counts: np.ndarray, positive: Any = None, *, examples: int | None = None
) -> dict[str, Any]:
    """Return what `labels.json` holds of a fitted classifier.

    Args:
        classes: the C classes.
        counts: training examples of each, (C,).
        positive: the class of interest.
        examples: n, where an example may have several labels; None where it has one.
    """
    several = {} if examples is None else {"examples": examples}
    return {
        "kind": "classes" if examples is None else "multilabel",
        **several,
        "classes": classes.tolist(),
        "counts": counts.tolist(),
        "priors": (counts / (counts.sum() if examples is None else examples)).tolist(),
        "thresholds": None,
        "positive": positive,
        "calibration": None,
    }


def _found(values: Any, several: bool) -> tuple[np.ndarray, bool, bool]:
    if _is_matrix(values):
        matrix = np.asarray(values)
        if not np.isin(matrix, (0, 1)).all():
            raise DataError("y has two axes, and holds something else than 1 and 0")
        return np.arange(matrix.shape[1]), True, True
    if several:
        for row, labels in enumerate(values, start=1):
            if not _is_list(labels):
                raise DataError(f"row {row} of y holds {labels!r:.40}, and a list of labels is expected")
            if any(label is None or label != label for label in labels):
                raise DataError(f"row {row} of y has a label that is missing")
        return np.unique([label for labels in values for label in labels]), True, False
    labels = np.asarray(values)
    if labels.ndim != 1:
        raise DataError(f"one label a row is needed, got labels of shape {labels.shape}")
    missing = [i for i, label in enumerate(labels.tolist(), start=1) if label is None or label != label]
    if missing:
        raise DataError(f"row {missing[0]} of y has no label ({len(missing)} in all)")
    return np.unique(labels), False, False


def _is_matrix(values: Any) -> bool:
    return getattr(values, "ndim", 1) == 2


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) or (isinstance(value, np.ndarray) and value.ndim == 1)
