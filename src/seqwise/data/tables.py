"""Tables: files of rows with named columns, read in chunks and never whole."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from seqwise.data.files import COMPRESSIONS, compression_of, format_of
from seqwise.data.numbers import Numbers, numbers_of_values
from seqwise.errors import DataError, FileError

Chunk = dict[str, list[Any]]
CHUNK_BYTES = 4 * 2**20  # a chunk of long rows ends when it has about so many bytes


class Table(ABC):
    """A file of rows; every pass reads the file again.

    Attributes:
        path: the file.
        columns: the names of the columns.
        rows: how many rows there are, if the file says so; otherwise None until one pass has ended.
        rate: steps a second of its lists, if the file says so.
        notes: sentences on what had to be done to read it.
    """

    columns: list[str]
    rate: float | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: int | None = None

    @property
    def name(self) -> str:
        """The path, as messages show it."""
        return str(self.path)

    @abstractmethod
    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """The rows as dictionaries of column -> list of values.

        Args:
            size: rows in a chunk at most; there are fewer in the last one, and where rows are long (see CHUNK_BYTES).
            columns: only these; None reads all.

        Raises:
            FileError: if the file cannot be read; names the line or byte.
            DataError: if a row is malformed (names the line) or a column does not exist.
        """

    @abstractmethod
    def place(self, row: int) -> str:
        """Where row number `row` (from 0) stands, for messages: "row 3", or "row 3 (line 5)" in text files."""

    @abstractmethod
    def types(self) -> dict[str, str]:
        """Column -> type of its values, as far as the file or its first rows tell."""

    def numbers(self, column: str) -> Numbers:
        """A column of lists of numbers, or of lists of vectors, as flat arrays in memory.

        Raises:
            DataError: a row holds something else; names it.
        """
        values = (value for chunk in self.iter_chunks(columns=[column]) for value in chunk[column])
        return numbers_of_values(
            values, lambda row, what: DataError(f"{self.name}, {self.place(row)}: column {column!r}: {what}")
        )

    def require(self, column: str, what: str = "column") -> None:
        """Checks that a column exists.

        Raises:
            DataError: if it does not; names the columns there are and the nearest one.
        """
        if column in self.columns:
            return
        lowered = {name.lower(): name for name in self.columns}
        near = difflib.get_close_matches(column.lower(), list(lowered), 1, 0.6)
        hint = f"; did you mean {lowered[near[0]]}?" if near else ""
        there = ", ".join(map(repr, self.columns))
        raise DataError(f"{self.name} has no {what} {column!r}; its columns are {there}{hint}")


class LineTable(Table):
    """A text file of rows, read with the number of the line on which each begins.

    A subclass gives `_records`: (line number, {column: value}) for every row.
    """

    @abstractmethod
    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]: ...

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        for column in columns or ():
            self.require(column)
        names = self.columns if columns is None else list(columns)
        rows = 0
        for chunk in _chunks(self._records(), size):
            if columns is None:
                self._check_columns(chunk)
            rows += len(chunk)
            yield {name: [values.get(name) for _, values in chunk] for name in names}
        self.rows = rows

    def place(self, row: int) -> str:
        """See `Table.place`."""
        line, _ = next(islice(self._records(), row, None))
        return f"row {row + 1} (line {line})"

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        first = [values for _, values in islice(self._records(), 100)]
        return {name: _type_name([values.get(name) for values in first]) for name in self.columns}

    def _check_columns(self, chunk: list[tuple[int, dict[str, Any]]]) -> None:
        known = set(self.columns)
        for line, values in chunk:
            if not values.keys() <= known:
                extra = min(map(str, values.keys() - known))
                raise DataError(f"{self.name}, line {line}: the key {extra!r} is in none of the first rows")


def _chunks(records: Iterator[tuple[int, dict[str, Any]]], size: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    chunk, held = [], 0
    for record in records:
        chunk.append(record)
        held += sum([len(value) for value in record[1].values() if isinstance(value, str | list)])
        if len(chunk) == size or held >= CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _type_name(values: list[Any]) -> str:
    kinds = {type(value).__name__ for value in values if value is not None}
    return " or ".join(sorted(kinds)) or "nothing"


def open_table(path: str | Path) -> Table:
    """The table in a file, whatever its format.

    Args:
        path: a .csv, .tsv, .jsonl (one object a line), .json (the same, or one list of objects), .parquet, fastText .txt,
            CoNLL (.conll, .conllu, .bio, .iob), MIDI (.mid), .npy, .npz or .wav file; each may be compressed as .gz, .xz or
            .zst, except .wav.

    Raises:
        FileError: if the file is missing, a folder, empty, unreadable, or of an unknown kind.
        DataError: if its header or first rows are malformed.
    """
    path = Path(path)
    readers = _readers()
    if path.is_dir():
        raise FileError(f"{path} is a folder, and a file is expected")
    if not path.exists():
        raise FileError(f"there is no file {path}")
    reader = readers.get(format_of(path))
    if reader is None:
        known, packed = " ".join(readers), " ".join(COMPRESSIONS)
        raise FileError(f"{path}: the suffix {path.suffix!r} is not one of {known} (each also {packed})")
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty")
    return reader(path)


def is_table(path: Path) -> bool:
    """Whether the name is that of a file that `open_table` reads."""
    return format_of(path) in _readers()


def stem_of(path: Path) -> str:
    """The name without the suffixes of format and compression."""
    return (path.with_suffix("") if compression_of(path) else path).stem


def _readers() -> dict[str, Callable[[Path], Table]]:
    from seqwise.data.arrays import ArrayTable
    from seqwise.data.conll import ConllTable
    from seqwise.data.delimited import DelimitedTable
    from seqwise.data.json_lines import JsonLinesTable
    from seqwise.data.json_list import json_table
    from seqwise.data.labelled_text import LabelledTextTable
    from seqwise.data.midi import MidiTable
    from seqwise.data.parquet import ParquetTable
    from seqwise.data.wav import SoundTable

    return {
        ".csv": DelimitedTable,
        ".tsv": DelimitedTable,
        ".jsonl": JsonLinesTable,
        ".json": json_table,
        ".parquet": ParquetTable,
        ".txt": LabelledTextTable,
        ".conll": ConllTable,
        ".conllu": ConllTable,
        ".bio": ConllTable,
        ".iob": ConllTable,
        ".mid": MidiTable,
        ".midi": MidiTable,
        ".npy": ArrayTable,
        ".npz": ArrayTable,
        ".wav": SoundTable,
    }
