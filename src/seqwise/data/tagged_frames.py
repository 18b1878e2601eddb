"""Frames with a label for each step, from columns of lists."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqwise.data.frames import Frames, read_frames
from seqwise.data.parquet import ParquetTable
from seqwise.data.sources import DataSource
from seqwise.data.tables import Table
from seqwise.errors import DataError

Labels = list[str | None]


@dataclass(frozen=True)
class LabelledFrames:
    """Recordings and the labels of their steps.

    Attributes:
        frames: of every recording.
        labels: of every step; None where it is unlabelled, or its label is to be ignored.
        rows: number of each recording in its table, from 0.
        groups: what each has in common with others, its person, say; None where no column tells.
    """

    frames: Frames
    labels: list[Labels] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    groups: list[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def unlabelled(self) -> int:
        """How many steps have no label."""
        return sum(label is None for row in self.labels for label in row)

    def take(self, numbers: Sequence[int]) -> LabelledFrames:
        """These recordings."""
        groups = None if self.groups is None else [self.groups[i] for i in numbers]
        labels, rows = [self.labels[i] for i in numbers], [self.rows[i] for i in numbers]
        return LabelledFrames(self.frames.take(numbers), labels, rows, groups)


def read_labelled_frames(
    source: DataSource,
    table: Table,
    columns: Sequence[str],
    label: str,
    *,
    ignore: Collection[str] = (),
    group: str | None = None,
    rate: float | None = None,
) -> LabelledFrames:
    """Read recordings with a label for each step.

    Labels are a list as long as the recording, a text of so many words, or one label for all of it. Numbers become the names
    that `dataset.json` or the Parquet file gives them; numbers below 0 and what is missing are no labels.

    Args:
        source: where the table is from.
        table: a row a recording.
        columns: of the frames.
        label: column of the labels.
        ignore: labels, by number or by name, that are to count as none.
        group: column of what several recordings have in common.
        rate: of the frames, if the data do not say.

    Raises:
        DataError: steps and labels of different number, or something that is no label; names the row. No step has a label.
    """
    frames = read_frames(source, table, columns, rate=rate)
    names, left_out = _names(source, table, label), set(map(str, ignore))
    wanted = list(dict.fromkeys([label, *([group] if group else [])]))
    labels: list[Labels] = []
    groups: list[str] = []
    for chunk in table.iter_chunks(columns=wanted):
        for given in chunk[label]:
            number = len(labels)
            steps = int(frames.lengths[number])
            try:
                row = [_named(value, names, left_out) for value in _listed(given, steps)]
            except DataError as error:
                raise DataError(f"{table.name}, {table.place(number)}: {error}") from None
            if len(row) != steps:
                raise DataError(
                    f"{table.name}, {table.place(number)}: {steps} steps in {columns[0]!r} and {len(row)} labels in "
                    f"{label!r}; every step has one label"
                )
            labels.append(row)
        if group is not None:
            groups += map(str, chunk[group])
    if not any(value is not None for row in labels for value in row):
        raise DataError(f"{table.name}: no step has a label in column {label!r}")
    return LabelledFrames(frames, labels, list(range(len(labels))), groups if group is not None else None)


def _names(source: DataSource, table: Table, label: str) -> Mapping[str, str]:
    """Number of a class, as a text -> its name."""
    stated = source.metadata.get("classes")
    if isinstance(stated, Mapping):
        return {str(number): str(name) for number, name in stated.items()}
    if isinstance(table, ParquetTable):
        return {str(number): name for number, name in enumerate(table.class_names().get(label, ()))}
    return {}


def _listed(value: Any, steps: int) -> Sequence[Any]:
    if isinstance(value, str):
        if value.startswith("["):
            try:
                return _listed(json.loads(value), steps)
            except json.JSONDecodeError:
                raise DataError(f"labels are a list, and {value!r:.40} is none") from None
        words = value.split()
        return words if len(words) == steps else [value] * steps if len(words) == 1 else words
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, int | float):
        return [value] * steps
    raise DataError(f"labels are a list, got {type(value).__name__}")


def _named(value: Any, names: Mapping[str, str], left_out: Collection[str]) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == "" or (isinstance(value, int) and value < 0):
        return None
    if not isinstance(value, str | int):
        raise DataError(f"{value!r:.40} is no label: a text or a whole number is expected")
    number = str(int(value)) if isinstance(value, bool) else str(value)
    name = names.get(number, number)
    return None if name in left_out or number in left_out or _negative(number) else name


def _negative(number: str) -> bool:
    return number.startswith("-") and number[1:].isdigit()
