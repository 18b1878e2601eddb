"""Series of numbers for forecasts: a list a row, a sequence of rows each, or one row a step of a single series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqwise.data.frames import Frames, read_frames
from seqwise.data.long_form import LongTable
from seqwise.data.settings import DataSettings
from seqwise.data.sources import DataSource
from seqwise.data.tables import Chunk, Table
from seqwise.errors import DataError

SERIES = "series"  # identity of the rows of a file that is one series
SERIES_COLUMNS = ("frames", "value", "values", "y", "target")


@dataclass(frozen=True)
class Series:
    """Series, and what is known of their steps beforehand.

    Attributes:
        values: (T, D) of each series.
        known: (T, E) of the same steps, or None.
    """

    values: Frames
    known: Frames | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def steps(self) -> int:
        """Of all series together."""
        return len(self.values.values)


class OneSeries(Table):
    """A table of which every row is a step of the one series that it holds: with a column that says so.

    Args:
        table: of the steps.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table.path)
        self._table = table
        self.columns = [*table.columns, SERIES]

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        wanted = None if columns is None else [name for name in columns if name != SERIES]
        for chunk in self._table.iter_chunks(size, wanted):
            yield {**chunk, SERIES: [SERIES] * len(next(iter(chunk.values())))}

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return self._table.place(row)

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        return {**self._table.types(), SERIES: "str"}


def series_columns(source: DataSource, table: Table, settings: DataSettings) -> tuple[str, ...]:
    """The columns of the series: those named as frames or target, the data set's sequence, or one of a usual name.

    Raises:
        DataError: there is no such column; names those that there are.
    """
    if settings.frames is not None:
        names = settings.frames
    elif settings.target is not None:
        target = settings.target
        names = (target,) if target in table.columns else tuple(part.strip() for part in target.split(","))
    else:
        usual = source.metadata.get("sequence")
        usual = usual or next((name for name in SERIES_COLUMNS if name in table.columns), SERIES_COLUMNS[0])
        names = (str(usual),)
    for name in (*names, *(settings.known or ())):
        table.require(name, "column of numbers")
    if both := set(names) & set(settings.known or ()):
        raise DataError(f"column {min(both)!r} is to be forecast and cannot be known beforehand too (data.known)")
    return names


def read_series(source: DataSource, table: Table, settings: DataSettings) -> Series:
    """Read series.

    Columns hold a list of numbers, or of vectors, in every row; or a number, and then every row is a step: of the series
    that the column `data.id` names, or of a single one, in the order of the column `data.time` if there is one.

    Args:
        source: where the table is from.
        table: see above.
        settings: the section `data`; `frames` names the columns of the series.

    Raises:
        DataError: a column is not there, or holds something else; names the row.
    """
    names = series_columns(source, table, settings)
    types = table.types()
    if not isinstance(table, LongTable) and not any("list" in types.get(name, "") for name in names):
        if settings.id is not None:
            table = LongTable(table, settings.id, settings.time, settings.every)
        else:
            table = LongTable(OneSeries(table), SERIES, settings.time, settings.every)
    values = read_frames(source, table, names)
    if settings.known is None:
        return Series(values)
    known = read_frames(source, table, settings.known)
    wrong = np.flatnonzero(values.lengths != known.lengths)
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{table.name}, {table.place(row)}: {values.lengths[row]} steps in column {names[0]!r} and {known.lengths[row]} "
            f"in {settings.known[0]!r}; what is known beforehand is known of every step"
        )
    return Series(values, replace(known, rate=values.rate))
