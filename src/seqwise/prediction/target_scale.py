"""Targets of a regression in two units: their own, and standard deviations from their mean.

Axis letters: n examples, K targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqwise.errors import DataError

FIELDS = ("mean", "deviation", "low", "high")


@dataclass(frozen=True)
class TargetScale:
    """What is saved of the training targets.

    Attributes:
        names: of the K targets.
        mean: of each, (K,).
        deviation: standard deviation of each, (K,), above 0.
        low: the least of each, (K,).
        high: the greatest of each, (K,).
        bounded: whether answers are cut to `low` and `high`.
        edges: inner edges of the ranges of values of each, by which errors are reported.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bounded: bool = False
    edges: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(
        cls,
        targets: np.ndarray,
        names: Sequence[str],
        weights: np.ndarray | None = None,
        *,
        bounded: bool = False,
        edges: Sequence[np.ndarray] | None = None,
    ) -> Self:
        """Measure the training targets.

        Args:
            targets: (n, K), finite.
            names: of the K.
            weights: (n,), or None.
            bounded: see the attributes.
            edges: see the attributes; None for one range.

        Raises:
            DataError: a target is the same number in every example.
        """
        mean = np.average(targets, axis=0, weights=weights)
        deviation = np.sqrt(np.average(np.square(targets - mean), axis=0, weights=weights))
        low, high = targets.min(axis=0), targets.max(axis=0)
        # A weighted constant may leave a rounding error: judged by the size of the numbers.
        constant = (low == high) | (deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-300))
        if constant.any():
            place = int(constant.argmax())
            raise DataError(
                f"{names[place]} is {low[place]:g} in every training example that counts: there is nothing to learn"
            )
        inner = tuple(np.empty(0) for _ in names) if edges is None else tuple(edges)
        return cls(tuple(names), mean, deviation, low, high, bounded, inner)

    def standardised(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets (n, K) in standard deviations from their means."""
        return (targets - self.mean) / self.deviation

    def restored(self, standardised: np.ndarray) -> np.ndarray:
        """Return answers (n, K) in the targets' own unit, cut to the range of the training targets if `bounded`."""
        answers = np.asarray(standardised, dtype=np.float64) * self.deviation + self.mean
        return np.clip(answers, self.low, self.high) if self.bounded else answers

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "names": list(self.names),
            **{name: getattr(self, name).tolist() for name in FIELDS},
            "bounded": self.bounded,
            "edges": [of.tolist() for of in self.edges],
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described.

        Raises:
            DataError: it is no such description.
        """
        try:
            names = tuple(map(str, saved["names"]))
            mean, deviation, low, high = (np.array(saved[name], dtype=np.float64) for name in FIELDS)
            bounded = bool(saved["bounded"])
            edges = tuple(np.array(of, dtype=np.float64) for of in saved["edges"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the description of the targets is damaged: {error}") from None
        parts = (mean, deviation, low, high)
        if len(edges) != len(names) or any(of.ndim != 1 for of in edges):
            raise DataError("the description of the targets is damaged: not one list of edges for each of them")
        if not names or any(part.shape != (len(names),) or not np.isfinite(part).all() for part in parts):
            raise DataError("the description of the targets is damaged: not one finite number for each of them")
        if not (deviation > 0).all():
            raise DataError("the description of the targets is damaged: a standard deviation is not above 0")
        return cls(names, mean, deviation, low, high, bounded, edges)


def checked_targets(y: Any, rows: int, names: Sequence[str] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return targets as (n, K) float64, and their names.

    Args:
        y: (n,) or (n, K) numbers, or texts of numbers.
        rows: n.
        names: of the K; None: those of y's columns if it has such, "target", or "target 1" and so on.

    Raises:
        DataError: another number of rows, or something that is no finite number; names the row.
    """
    if names is None and hasattr(y, "columns"):
        names = [str(name) for name in y.columns]
    values = y if isinstance(y, np.ndarray) else np.asarray(y if hasattr(y, "__array__") else list(y), dtype=object)
    if values.ndim not in (1, 2) or len(values) != rows:
        raise DataError(f"X has {rows} rows, y has the shape {values.shape}: (n,) or (n, targets) is expected")
    columns = values.reshape(rows, -1)
    if not columns.size:
        raise DataError("there are no examples to learn from" if not rows else "y has no target")
    if names is None:
        names = ["target"] if columns.shape[1] == 1 else [f"target {i + 1}" for i in range(columns.shape[1])]
    if len(names) != columns.shape[1]:
        raise DataError(f"there are {len(names)} names and {columns.shape[1]} targets")
    if columns.dtype.kind in "fiub":
        found = columns.astype(np.float64)
    else:
        found = np.empty(columns.shape)
        for (row, place), value in np.ndenumerate(columns):
            found[row, place] = as_number(value, f"{names[place]} of row {row + 1}")
    wrong = ~np.isfinite(found)
    if wrong.any():
        row, place = (int(part[0]) for part in np.nonzero(wrong))
        raise DataError(f"{names[place]} of row {row + 1} is {found[row, place]}, and a finite number is expected")
    return found, tuple(names)


def as_number(value: Any, what: str) -> float:
    """Return a number, given as one or as its text.

    Raises:
        DataError: it is neither; `what` names it.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise DataError(f"{what} is missing, and a number is expected")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"{what} is {str(value)[:40]!r}, and a number is expected") from None
