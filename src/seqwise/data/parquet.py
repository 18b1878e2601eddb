"""Parquet files, read row group by row group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqwise.data.arrow_lists import is_list, numbers_of_lists
from seqwise.data.files import uncompressed
from seqwise.data.numbers import Numbers
from seqwise.data.tables import CHUNK_BYTES, Chunk, Table
from seqwise.errors import DataError, FileError


class ParquetTable(Table):
    """The columns and the number of rows are those of the file; a compressed file is unpacked beside the system's others.

    The unpacked copy is removed with the table.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = uncompressed(path, self)
        with self._open() as file:
            self.columns = list(file.schema_arrow.names)
            self.rows = file.metadata.num_rows
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            longest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
            self._rows_at_once = max(1, int(CHUNK_BYTES / max(longest, 1)))
            self._metadata = file.schema_arrow.metadata or {}
            self._types = {field.name: str(field.type) for field in file.schema_arrow}
        repeated = [name for i, name in enumerate(self.columns) if name in self.columns[:i]]
        if repeated:
            raise DataError(f"{path} has the column {repeated[0]!r} twice")

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        import pyarrow

        for column in columns or ():
            self.require(column)
        names = self.columns if columns is None else list(columns)
        with self._open() as file:
            try:
                for batch in file.iter_batches(min(size, self._rows_at_once), columns=names, use_threads=False):
                    yield {name: batch.column(name).to_pylist() for name in names}
            except pyarrow.ArrowMemoryError:
                raise
            except (pyarrow.ArrowException, OSError) as error:
                raise FileError(f"{self.name} is damaged: {_first_line(error)}") from None

    def numbers(self, column: str) -> Numbers:
        """See `Table.numbers`; the numbers are never Python objects."""
        import pyarrow

        self.require(column)
        with self._open() as file:
            try:
                chunks = file.read(columns=[column]).column(column).chunks
            except pyarrow.ArrowMemoryError:
                raise
            except (pyarrow.ArrowException, OSError) as error:
                raise FileError(f"{self.name} is damaged: {_first_line(error)}") from None
        if not is_list(self._types[column]):
            return super().numbers(column)

        def fail(row: int, what: str) -> DataError:
            return DataError(f"{self.name}, {self.place(row)}: column {column!r}: {what}")

        return numbers_of_lists(chunks, fail)

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return f"row {row + 1}"

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        return dict(self._types)

    def class_names(self) -> dict[str, list[str]]:
        """Column -> names of the classes that its numbers stand for, where the file says so (as the hub's files do)."""
        try:
            features = json.loads(self._metadata[b"huggingface"])["info"]["features"]
        except (KeyError, TypeError, ValueError):
            return {}
        names = {}
        for column, feature in features.items():
            while isinstance(feature, dict) and isinstance(feature.get("feature"), dict):  # lists of classes
                feature = feature["feature"]
            if isinstance(feature, dict) and isinstance(feature.get("names"), list):
                names[column] = [str(name) for name in feature["names"]]
        return names

    def _open(self) -> Any:
        import pyarrow
        import pyarrow.parquet

        try:
            # Buffered and not read ahead, a column is read a little at a time and not a row group at once.
            return pyarrow.parquet.ParquetFile(self._file, buffer_size=1 << 20, pre_buffer=False)
        except (pyarrow.ArrowException, OSError) as error:
            raise FileError(f"{self.name} is not a Parquet file, or damaged: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
