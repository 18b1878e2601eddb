"""Tables in long form: a row is one step of a sequence, and a column tells which sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.data.numbers import Numbers
from seqwise.data.tables import Chunk, Table
from seqwise.errors import DataError
from seqwise.text.ragged import offsets_of

REGULAR = 0.01  # of the usual distance: how far the others may be from it


class LongTable(Table):
    """A table with a row for each sequence, made of one with a row for each step.

    Sequences stand in the order in which they first occur, their steps in the order of time. A column whose values do not
    change within any sequence has that value; another has the list of the values. `numbers` gives every column step by step.

    Steps at irregular times are taken one after the other, and a note says so; with `every` the numbers are interpolated
    linearly at regular times, from the first step of the sequence on, and what is no number is taken from the step before.

    Args:
        table: of the steps; it is held in memory.
        identity: column that tells which sequence a step belongs to.
        time: column of its time: numbers, taken for seconds, or dates and times (ISO 8601). None takes steps as they stand.
        every: seconds from step to step.

    Attributes:
        rate: steps a second, where the times are regular; otherwise None.
        notes: sentences on irregular times.

    Raises:
        DataError: a column is not there, a sequence has no name, or a time is missing, malformed, or there twice; names the
            row.
    """

    def __init__(self, table: Table, identity: str, time: str | None = None, every: float | None = None) -> None:
        super().__init__(table.path)
        for column in (identity, *([time] if time else [])):
            table.require(column)
        self._identity, self._time = identity, time
        self.columns = list(table.columns)
        cells: dict[str, list[Any]] = {name: [] for name in self.columns}
        for chunk in table.iter_chunks():
            for name, values in chunk.items():
                cells[name] += values
        groups = self._groups(table, cells[identity])
        moments = None if time is None else self._moments(table, cells[time], time)
        order = np.lexsort((np.arange(len(groups)) if moments is None else moments, groups))
        self._offsets = offsets_of(np.bincount(groups))
        self.rows = len(self._offsets) - 1
        self._cells = {name: [values[i] for i in order] for name, values in cells.items()}
        self.notes: tuple[str, ...] = ()
        if moments is not None:
            self._arrange(table, moments[order], order, every)
        self._constant = {name for name, values in self._cells.items() if self._is_constant(values)}

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        for column in columns or ():
            self.require(column)
        for start in range(0, self.rows or 0, size):
            rows = range(start, min(start + size, self.rows or 0))
            yield {name: [self._value(name, row) for row in rows] for name in columns or self.columns}

    def numbers(self, column: str) -> Numbers:
        """See `Table.numbers`."""
        self.require(column)
        values = np.empty(len(self._cells[column]))
        for step, cell in enumerate(self._cells[column]):
            number = _number(cell)
            if number is None:
                row = int(np.searchsorted(self._offsets, step, side="right")) - 1
                raise DataError(f"{self.name}, {self.place(row)}: column {column!r} holds {cell!r:.40}, and no number")
            values[step] = number
        return Numbers(values, self._offsets)

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return f"the rows with {self._identity} {self._cells[self._identity][self._offsets[row]]!r}"

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        return {
            name: type(values[0]).__name__ if name in self._constant else "list" for name, values in self._cells.items()
        }

    def _value(self, name: str, row: int) -> Any:
        start, stop = self._offsets[row], self._offsets[row + 1]
        return self._cells[name][start] if name in self._constant else self._cells[name][start:stop]

    def _groups(self, table: Table, names: list[Any]) -> NDArray[np.int64]:
        """Number of the sequence of every step, in the order of first occurrence."""
        if not names:
            raise DataError(f"{table.name} has columns but no rows")
        numbers: dict[Any, int] = {}
        for row, name in enumerate(names):
            if name is None or name == "":
                raise DataError(f"{table.name}, {table.place(row)}: column {self._identity!r} is empty")
            numbers.setdefault(name, len(numbers))
        return np.array([numbers[name] for name in names], dtype=np.int64)

    def _moments(self, table: Table, cells: list[Any], column: str) -> NDArray[np.float64]:
        """Seconds."""
        moments = np.empty(len(cells))
        for row, cell in enumerate(cells):
            number = _number(cell)
            if number is None or math.isnan(number):
                number = _seconds(cell)
            if number is None or not math.isfinite(number):
                raise DataError(f"{table.name}, {table.place(row)}: column {column!r} holds {cell!r:.40}, and no time")
            moments[row] = number
        return moments

    def _arrange(
        self, table: Table, moments: NDArray[np.float64], order: NDArray[np.int64], every: float | None
    ) -> None:
        """Check sorted times, learn their rate, and make them regular if that is wanted."""
        gaps = np.diff(moments)
        gaps[self._offsets[1:-1] - 1] = np.nan  # from one sequence to the next
        if len(twice := np.flatnonzero(gaps == 0)):
            raise DataError(
                f"{table.name}, {table.place(int(order[twice[0] + 1]))}: the time in column {self._time!r} is there twice "
                f"with one {self._identity}"
            )
        if every is not None:
            self._interpolate(moments, every)
            self.rate = 1 / every
            return
        within = gaps[~np.isnan(gaps)]
        usual = float(np.median(within)) if len(within) else 0.0
        if usual and (np.abs(within - usual) <= REGULAR * usual).all():
            self.rate = 1 / usual
        elif usual:
            self.notes = (
                f"The times in column {self._time!r} are irregular, from {within.min():g} to {within.max():g} apart; steps "
                "are taken one after the other (data.every makes them regular).",
            )

    def _interpolate(self, moments: NDArray[np.float64], every: float) -> None:
        grids, before = [], []
        for start, stop in pairwise(self._offsets):
            times = moments[start:stop]
            grid = times[0] + every * np.arange(math.floor((times[-1] - times[0]) / every + 1e-9) + 1)
            grids.append(grid)
            before.append(start + np.searchsorted(times, grid + 1e-9 * every, side="right") - 1)
        place = np.concatenate(before)
        for name, cells in self._cells.items():
            numbers = [_number(cell) for cell in cells]
            if name == self._identity or any(number is None for number in numbers):
                self._cells[name] = [cells[i] for i in place]
                continue
            values = np.array(numbers, dtype=np.float64)
            parts = []
            for grid, (start, stop) in zip(grids, pairwise(self._offsets), strict=True):
                known = start + np.flatnonzero(~np.isnan(values[start:stop]))
                parts.append(
                    np.interp(grid, moments[known], values[known]) if len(known) else np.full(len(grid), np.nan)
                )
            self._cells[name] = np.concatenate(parts).tolist()
        self._offsets = offsets_of([len(grid) for grid in grids])

    def _is_constant(self, values: list[Any]) -> bool:
        lengths = np.diff(self._offsets)
        first = np.repeat(self._offsets[:-1], lengths).tolist()
        return all(value == values[begin] for value, begin in zip(values, first, strict=True))


def _number(cell: Any) -> float | None:
    """A number; NaN of an empty cell, None of one that is no number."""
    if cell is None or cell == "":
        return math.nan
    if isinstance(cell, int | float | str):
        try:
            return float(cell)
        except ValueError:
            return None
    return None


def _seconds(cell: Any) -> float | None:
    """Seconds since 1970 of a date and time; one without a zone is taken for universal time."""
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
