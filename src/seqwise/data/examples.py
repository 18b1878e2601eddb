"""Texts, labels and weights of a table, in memory or, if the file is large, with the texts left on disk."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from seqwise.data.frames import Frames
from seqwise.data.labels import find_separator, label_name, label_set
from seqwise.data.tables import Table
from seqwise.errors import DataError

STREAM_ABOVE = 256 * 2**20  # bytes of text; a larger column stays on disk
Text = str | list[str]
Label = str | tuple[str, ...]
AUTO = "auto"  # separator: look whether there is one


class StreamedColumn(Sequence[Text]):
    """A column that is read from the file every time it is iterated, a chunk at a time.

    Single rows can be had too (`column[3]`, `column.rows([3, 17])`), at the cost of reading the file up to them.

    Args:
        table: the table.
        column: the name of the column.
        chosen: the ascending numbers (from 0) of the rows that this column consists of; None is all.
        count: how many rows the table has.
    """

    def __init__(self, table: Table, column: str, count: int, chosen: NDArray[np.int64] | None = None) -> None:
        self._table, self._column, self._chosen = table, column, chosen
        self._count = count

    def __len__(self) -> int:
        return self._count if self._chosen is None else len(self._chosen)

    def __iter__(self) -> Iterator[Text]:
        for values in self.iter_chunks():
            yield from values

    def iter_chunks(self, size: int = 8192) -> Iterator[list[Text]]:
        """The texts, in lists of at most `size`."""
        first = 0
        for chunk in self._table.iter_chunks(size, [self._column]):
            values = chunk[self._column]
            if self._chosen is not None:
                start, stop = np.searchsorted(self._chosen, [first, first + len(values)])
                here = self._chosen[start:stop] - first
                first += len(values)
                values = [values[place] for place in here]
            if values:
                yield values

    def take(self, indices: Sequence[int] | NDArray[Any]) -> StreamedColumn:
        """These rows, still on disk.

        Args:
            indices: ascending, each once: a streamed column is read from front to back.

        Raises:
            ValueError: if they are not.
        """
        rows = np.asarray(indices, dtype=np.int64)
        if len(rows) and (rows[0] < 0 or rows[-1] >= len(self) or (np.diff(rows) <= 0).any()):
            raise ValueError(f"rows of a streamed column are taken in ascending order, from 0 to {len(self) - 1}")
        chosen = rows if self._chosen is None else self._chosen[rows]
        return StreamedColumn(self._table, self._column, self._count, chosen)

    def rows(self, indices: Sequence[int] | NDArray[Any]) -> list[Text]:
        """These rows in this order, in memory; one pass over the file."""
        wanted, place = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
        texts = list(self.take(wanted)) if len(wanted) else []
        return [texts[i] for i in place]

    @overload
    def __getitem__(self, index: int) -> Text: ...
    @overload
    def __getitem__(self, index: slice) -> StreamedColumn: ...
    def __getitem__(self, index: int | slice) -> Text | StreamedColumn:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return next(iter(self.take([index % len(self)])))


@dataclass(frozen=True)
class Examples:
    """What a classifier learns from.

    Attributes:
        texts: strings, or lists of strings; a `StreamedColumn` if the file is large; or `Frames`.
        labels: (rows,) strings; tuples of strings, sorted, where an example may have several labels; None if no label column
            was asked for.
        weights: (rows,) float64, finite and not negative, or None.
        name: where they came from.
        separator: of several labels in one text of the label column; None where they are lists, or each is one.
    """

    texts: Sequence[Any]
    labels: NDArray[np.object_] | None
    weights: NDArray[np.float64] | None
    name: str
    separator: str | None = None

    @property
    def rows(self) -> int:
        """How many examples there are."""
        return len(self.texts)

    @property
    def multilabel(self) -> bool:
        """Whether an example may have several labels, or none."""
        return self.labels is not None and isinstance(self.labels[0], tuple)


def load_examples(
    table: Table,
    text: str | None,
    label: str | None = None,
    weight: str | None = None,
    *,
    separator: str | None = None,
    frames: Frames | None = None,
    stream_above: int = STREAM_ABOVE,
) -> Examples:
    """Reads and checks the columns that are needed, in one pass.

    Args:
        table: where from.
        text: column of the texts (strings, or lists of strings); None reads none.
        label: column of the classes, of any type, see `label_name`; or of lists of labels.
        separator: of several labels in one text of the label column; None takes the text as one label, "auto" looks whether
            there evidently are several, see `find_separator`.
        weight: column of the sample weights.
        frames: the examples themselves where they are no texts: one for each row.
        stream_above: bytes of text above which the texts stay on disk and are read again in every pass.

    Raises:
        DataError: if a column is missing, there is no row, or a row has no text, no label or no proper weight; names the
            first such row and says how many there are.
        FileError: if the file cannot be read.
    """
    if text is None and frames is None:
        raise ValueError("there is neither a column of texts nor frames")
    columns: list[str] = []
    for column, what in ((text, "text column"), (label, "label column"), (weight, "weight column")):
        if column is not None:
            table.require(column, what)
            columns.append(column)
    texts: list[Text] | None = [] if frames is None else None
    size = count = 0
    names: dict[Label, Label] = {}  # one object a class, or a set of labels, however many rows have it
    labels: list[Label | None] = []
    weights = array("d")
    problems, stated = _Problems(table), None if separator == AUTO else separator
    for chunk in table.iter_chunks(columns=list(dict.fromkeys(columns))):
        if text is not None:
            for row, value in enumerate(chunk[text], count):
                size += _checked_text(value, row, text, problems)
            if texts is not None:
                texts += chunk[text]
                if size > stream_above:
                    texts = None
        if label is not None:
            labels += [
                _checked_label(value, row, label, stated, names, problems)
                for row, value in enumerate(chunk[label], count)
            ]
        if weight is not None:
            weights.extend(
                _checked_weight(value, row, weight, problems) for row, value in enumerate(chunk[weight], count)
            )
        count += len(next(iter(chunk.values()), ()))
    if count == 0:
        raise DataError(f"{table.name} has columns but no rows")
    if separator == AUTO:
        stated = find_separator(name for name in labels if isinstance(name, str))
        if stated is not None:
            labels = [label_set(name, stated) for name in labels]
            problems.forget(_missing(str(label)))
    problems.report()
    if weight is not None and not any(weights):
        raise DataError(f"{table.name}: all weights in column {weight!r} are zero")
    return Examples(
        texts=_examples(table, text, count, texts, frames),
        labels=None if label is None else np.fromiter(labels, dtype=object, count=count),
        weights=None if weight is None else np.array(weights, dtype=np.float64),
        name=table.name,
        separator=stated,
    )


def _examples(
    table: Table, text: str | None, count: int, texts: list[Text] | None, frames: Frames | None
) -> Sequence[Any]:
    if frames is not None:
        return frames
    assert text is not None
    return StreamedColumn(table, text, count) if texts is None else texts


class _Problems:
    """The first row of each kind of problem, and how many rows have it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._first: dict[str, tuple[int, int]] = {}

    def add(self, row: int, what: str) -> None:
        first, count = self._first.get(what, (row, 0))
        self._first[what] = first, count + 1

    def fail(self, row: int, what: str) -> DataError:
        return DataError(f"{self._table.name}, {self._table.place(row)}: {what}")

    def forget(self, what: str) -> None:
        self._first.pop(what, None)

    def report(self) -> None:
        if self._first:
            what, (row, count) = min(self._first.items(), key=lambda item: item[1][0])
            more = f" ({count} such rows in all)" if count > 1 else ""
            raise self.fail(row, what + more)


def _checked_text(value: Any, row: int, column: str, problems: _Problems) -> int:
    """The size of a text in bytes or thereabouts."""
    if isinstance(value, str):
        if not value:
            problems.add(row, f"the text in column {column!r} is empty")
        return len(value)
    if value is None:
        problems.add(row, f"the text in column {column!r} is missing")
        return 0
    if isinstance(value, list) and all(isinstance(token, str) for token in value):
        if not value:
            problems.add(row, f"the list in column {column!r} is empty")
        return sum(map(len, value))
    raise problems.fail(row, f"column {column!r} holds {value!r:.40}, and a text is expected")


def _checked_label(
    value: Any, row: int, column: str, separator: str | None, names: dict[Label, Label], problems: _Problems
) -> Label | None:
    several = separator is not None or isinstance(value, list)
    try:
        name = label_set(value, None if isinstance(value, list) else separator) if several else label_name(value)
    except DataError as error:
        raise problems.fail(row, f"column {column!r}: {error}") from None
    if names and name is not None and isinstance(name, tuple) != isinstance(next(iter(names)), tuple):
        raise problems.fail(row, f"column {column!r} holds lists of labels in some rows and single labels in others")
    if name is None:
        problems.add(row, _missing(column))
        return None
    return names.setdefault(name, name)


def _missing(column: str) -> str:
    return f"the label in column {column!r} is missing"


def _checked_weight(value: Any, row: int, column: str, problems: _Problems) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        raise problems.fail(row, f"the weight in column {column!r} is {value!r:.40}, not a number") from None
    if not (math.isfinite(weight) and weight >= 0):
        raise problems.fail(row, f"the weight in column {column!r} is {weight}; weights are finite and not negative")
    return weight
