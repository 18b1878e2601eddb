"""Texts or frames with the numbers that are to be learned from them, from the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqwise.data.frames import Frames, read_frames
from seqwise.data.settings import DataSettings
from seqwise.data.sources import DataSource
from seqwise.data.tables import Table
from seqwise.errors import DataError

TARGET_COLUMNS = ("target", "rating", "stars", "score", "value", "y")
TEXT_COLUMNS = ("text", "review", "sentence", "name")


@dataclass(frozen=True)
class NumberedExamples:
    """Inputs and their numbers.

    Attributes:
        inputs: texts, or `Frames`.
        targets: (n, K) float64, finite.
        names: of the K targets.
        weights: (n,) or None.
        rows: number of each example in its table, from 0.
    """

    inputs: Any
    targets: np.ndarray
    names: tuple[str, ...]
    weights: np.ndarray | None
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> NumberedExamples:
        """These examples."""
        inputs = self.inputs.take(rows) if isinstance(self.inputs, Frames) else [self.inputs[i] for i in rows]
        weights = None if self.weights is None else self.weights[rows]
        return NumberedExamples(inputs, self.targets[rows], self.names, weights, self.rows[rows])


def target_columns(table: Table, given: str | None) -> tuple[str, ...]:
    """The columns of the numbers: one, or several with commas between; one of a usual name if none is given.

    Raises:
        DataError: there is no such column; names those that there are.
    """
    if given is None:
        given = next((name for name in TARGET_COLUMNS if name in table.columns), TARGET_COLUMNS[0])
    if given in table.columns:
        return (given,)
    names = tuple(part.strip() for part in given.split(","))
    for name in names:
        table.require(name, "column of the targets")
    return names


def read_numbered(
    source: DataSource, table: Table, settings: DataSettings, *, tokens: bool = False
) -> NumberedExamples:
    """Read what a regressor learns from.

    Args:
        source: where the table is from.
        table: an example a row.
        settings: the section `data`, its columns decided.
        tokens: a text may be a list of tokens.

    Raises:
        DataError: a column is not there, or a row has no text, or a target or weight that is no finite number; names the
            row.
    """
    names = target_columns(table, settings.target)
    texts: list[Any] = []
    columns = list(dict.fromkeys([*names, *([settings.weight] if settings.weight else [])]))
    if settings.frames is None:
        assert settings.text is not None
        table.require(settings.text, "column of the texts")
        columns.append(settings.text)
    numbers: dict[str, list[float]] = {name: [] for name in columns if name != settings.text or name in names}
    row = 0
    for chunk in table.iter_chunks(columns=columns):
        for place in range(len(chunk[columns[0]])):
            for name, of in numbers.items():
                of.append(_number(chunk[name][place], table, row, name))
            if settings.frames is None:
                texts.append(_text(chunk[str(settings.text)][place], table, row, str(settings.text), tokens=tokens))
            row += 1
    if not row:
        raise DataError(f"{table.name} has columns but no rows")
    inputs: Any = texts if settings.frames is None else read_frames(source, table, settings.frames)
    weights = None if settings.weight is None else np.array(numbers[settings.weight])
    if weights is not None and (weights < 0).any():
        wrong = int((weights < 0).argmax())
        raise DataError(
            f"{table.name}, {table.place(wrong)}: the weight is {weights[wrong]:g}: weights are not negative"
        )
    return NumberedExamples(inputs, np.array([numbers[name] for name in names]).T, names, weights, np.arange(row))


def _number(value: Any, table: Table, row: int, column: str) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise DataError(f"{table.name}, {table.place(row)}: {column!r} is missing, and a number is expected")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{table.name}, {table.place(row)}: {column!r} is {value!r:.40}, and a finite number is expected"
        )
    return number


def _text(value: Any, table: Table, row: int, column: str, *, tokens: bool) -> str | Sequence[str]:
    if isinstance(value, str) or (tokens and isinstance(value, list)):
        return value
    what = "missing" if value is None else f"{value!r:.40}"
    raise DataError(f"{table.name}, {table.place(row)}: {column!r} is {what}, and a text is expected")
