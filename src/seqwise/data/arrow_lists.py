"""Arrow's list columns as NumPy arrays, without a Python object a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.data.numbers import Numbers
from seqwise.errors import DataError
from seqwise.text.ragged import offsets_of

Fail = Callable[[int, str], DataError]


def is_list(type_name: str) -> bool:
    """Whether the name of an Arrow type is that of some list."""
    return type_name.startswith(("list<", "large_list<", "fixed_size_list<"))


def numbers_of_lists(chunks: Sequence[Any], fail: Fail) -> Numbers:
    """The numbers of a list column, whose lists have fixed or variable sizes and hold numbers, or lists of numbers.

    Args:
        chunks: of the column.
        fail: number of a row (from 0) and what is wrong there -> the error to raise.

    Raises:
        DataError: a row is missing, its inner lists have different sizes, or it holds no numbers.
    """
    begins = offsets_of([len(chunk) for chunk in chunks])
    parts = [_numbers(chunk, partial(_later, fail, int(begin))) for chunk, begin in zip(chunks, begins, strict=False)]
    full = [(part.values, int(begin)) for part, begin in zip(parts, begins, strict=False) if len(part.values)]
    for values, begin in full:
        if values.shape[1:] != full[0][0].shape[1:]:
            raise fail(
                begin, f"its steps have {values.shape[1]} channels, those of the first row {full[0][0].shape[1]}"
            )
    values = np.concatenate([values for values, _ in full]) if full else np.empty(0, np.float64)
    return Numbers(values, offsets_of(np.concatenate([np.empty(0, np.int64), *[part.lengths for part in parts]])))


def _later(fail: Fail, before: int, row: int, what: str) -> DataError:
    """Fail in a row of a chunk that has so many rows before it."""
    return fail(before + row, what)


def _numbers(chunk: Any, fail: Fail) -> Numbers:
    lengths = _lengths(chunk, lambda row: fail(row, "it is missing"))
    offsets, inner = offsets_of(lengths), chunk.flatten()  # without what the slice does not hold

    def row_of(step: int) -> int:
        return int(np.searchsorted(offsets, step, side="right")) - 1

    if not is_list(str(inner.type)):
        return Numbers(_array(inner, fail), offsets)
    widths = _lengths(inner, lambda step: fail(row_of(step), f"step {step - offsets[row_of(step)] + 1} is missing"))
    if len(wrong := np.flatnonzero(widths != widths[:1])):
        step = int(wrong[0])
        row = row_of(step)
        which = f"step {step - offsets[row] + 1} has {widths[step]} channels"
        raise fail(row, f"{which}, and the first step of all has {widths[0]}")
    width = int(widths[0]) if len(widths) else 0
    if len(widths) and not width:
        raise fail(0, "its steps have no channel")
    numbers = inner.flatten()
    if is_list(str(numbers.type)):
        raise fail(0, "lists are nested more than two deep, and lists of vectors are expected")
    return Numbers(_array(numbers, fail).reshape(len(widths), width or 1), offsets)


def _lengths(lists: Any, missing: Callable[[int], DataError]) -> NDArray[np.int64]:
    if lists.null_count:
        raise missing(int(np.flatnonzero(lists.is_null().to_numpy(zero_copy_only=False))[0]))
    return np.asarray(lists.value_lengths().to_numpy(zero_copy_only=False), dtype=np.int64)


def _array(numbers: Any, fail: Fail) -> NDArray[Any]:
    """A flat array; missing numbers become NaN."""
    array = numbers.to_numpy(zero_copy_only=False)
    if array.dtype.kind not in "iufb":
        raise fail(0, f"it holds values of type {numbers.type}, and numbers are expected")
    return array
