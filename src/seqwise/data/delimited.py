"""CSV and TSV files (RFC 4180 as Python's csv module reads it), with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqwise.data.files import format_of, utf8_lines
from seqwise.data.tables import LineTable
from seqwise.errors import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_FIELD_LIMIT = 2**31 - 1  # csv refuses fields above 128 KiB unless told otherwise; a text may well be longer


class DelimitedTable(LineTable):
    """Rows of text fields; the first row names the columns. Blank lines are skipped."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._delimiter = DELIMITERS[format_of(path)]
        header = next(self._fields(), None)
        if header is None:
            raise DataError(f"{path} has no header: its first row must name the columns")
        self.columns = header[1]
        repeated = [name for i, name in enumerate(self.columns) if name in self.columns[:i]]
        if repeated:
            raise DataError(f"{path}: the header names the column {repeated[0]!r} twice")

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = self._fields()
        next(rows)
        names = self.columns
        for line, fields in rows:
            if len(fields) != len(names):
                count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
                raise DataError(f"{self.name}, line {line}: {count}, and the header has {len(names)}")
            yield line, dict(zip(names, fields, strict=True))

    def _fields(self) -> Iterator[tuple[int, list[str]]]:
        """(line on which it begins, fields) of every row, header included."""
        if csv.field_size_limit() < _FIELD_LIMIT:
            csv.field_size_limit(_FIELD_LIMIT)
        reader = csv.reader(utf8_lines(self.path), delimiter=self._delimiter, strict=True)
        line = 1
        try:
            for fields in reader:
                if fields:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            if "new-line character" in str(error):
                reason = "lines end with a carriage return alone; a line feed is expected"
            elif "unexpected end of data" in str(error):
                reason = "a quoted field that begins here is never closed"
            else:
                reason = f'{error}; a field that begins with a quote ends with one, and quotes within are doubled ("")'
            raise DataError(f"{self.name}, line {line}: {reason}") from None
