"""A column of numbers as flat arrays: one number after the other, and where each row begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError
from seqwise.text.ragged import offsets_of


@dataclass(frozen=True)
class Numbers:
    """Rows of numbers, or of vectors, of unequal length.

    Attributes:
        values: (N,) the numbers of all rows, or (N, D) their vectors; missing ones are NaN.
        offsets: (n + 1,) int64, row i is `values[offsets[i]:offsets[i + 1]]`.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    @property
    def nested(self) -> bool:
        """Whether a row is a list of vectors; otherwise it is a list of numbers."""
        return self.values.ndim == 2

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) how many numbers or vectors each row has."""
        return np.diff(self.offsets)


def numbers_of_values(values: Iterable[Any], fail: Callable[[int, str], DataError]) -> Numbers:
    """The numbers of a column of lists, whatever file it came from.

    Args:
        values: of every row: a number, also as text; a list of numbers; or a list of lists of D numbers each. None within
            and an empty text are missing numbers.
        fail: number of a row (from 0) and what is wrong there -> the error to raise.

    Raises:
        DataError: a row holds something else.
    """
    parts: list[NDArray[Any]] = []
    empty: list[int] = []
    for row, value in enumerate(values):
        part = _array(value, row, fail)
        if part.size == 0:  # an empty list does not tell whether numbers or vectors are missing
            empty.append(row)
        parts.append(part)
    full = [(row, part) for row, part in enumerate(parts) if part.size]
    if not full:
        return Numbers(np.empty(0, np.float64), offsets_of([0] * len(parts)))
    shape = full[0][1].shape[1:]
    for row, part in full:
        if part.shape[1:] != shape:
            raise fail(row, f"{_kind(part.shape[1:])}, and the rows before it have {_kind(shape)}")
    joined = np.concatenate([part for _, part in full])
    return Numbers(joined, offsets_of([len(part) if part.size else 0 for part in parts]))


def _array(value: Any, row: int, fail: Callable[[int, str], DataError]) -> NDArray[Any]:
    if value is None:
        raise fail(row, "it is missing")
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.ndim in (1, 2):
        return value
    if isinstance(value, int | float | str):
        try:
            return np.array([float(value) if value != "" else np.nan])
        except ValueError:
            raise fail(row, f"it holds {value!r:.40}, and numbers are expected") from None
    if not isinstance(value, list | tuple):
        raise fail(row, f"a list of numbers is expected, got {value!r:.40}")
    try:
        array = np.asarray(value, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError):
        raise fail(row, _reason(value)) from None
    if array.ndim not in (1, 2):
        raise fail(row, f"lists are nested {array.ndim} deep, and numbers or lists of numbers are expected")
    return array


def _reason(value: Sequence[Any]) -> str:
    """What is wrong with a list that is no array of numbers."""
    widths = {len(step) if isinstance(step, list | tuple) else None for step in value}
    if len(widths) > 1 and None not in widths:
        first, other = len(value[0]), next(len(step) for step in value if len(step) != len(value[0]))
        return f"its steps have different numbers of channels, {first} and {other}"
    flat = [entry for step in value for entry in (step if isinstance(step, list | tuple) else [step])]
    wrong = next((entry for entry in flat if entry is not None and not isinstance(entry, int | float)), None)
    return f"it holds {wrong!r:.40}, and numbers are expected" if wrong is not None else "it holds no list of numbers"


def _kind(shape: tuple[int, ...]) -> str:
    return "numbers" if not shape else f"{shape[0]} channels"
