"""JSON: a file that is one list of objects, as many programs export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqwise.data.files import utf8_lines
from seqwise.data.json_lines import JsonLinesTable
from seqwise.data.tables import LineTable, Table
from seqwise.errors import DataError


def json_table(path: Path) -> Table:
    """The table of a .json file: one list of objects, or one object a line."""
    first = next((line for line in utf8_lines(path) if line.strip()), "")
    return JsonListTable(path) if first.lstrip().startswith("[") else JsonLinesTable(path)


class JsonListTable(LineTable):
    """The columns are the keys of all objects; a missing key is None. Each pass holds the whole list in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.columns = list(dict.fromkeys(key for _, values in self._records() for key in values))

    def place(self, row: int) -> str:
        """See `Table.place`; rows of a list have no lines of their own."""
        return f"row {row + 1}"

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            rows = json.loads("".join(utf8_lines(self.path)))
        except json.JSONDecodeError as error:
            raise DataError(f"{self.name}, line {error.lineno} is not JSON: {error.msg}") from None
        except RecursionError:
            raise DataError(f"{self.name} is not JSON: nested too deeply") from None
        for number, values in enumerate(rows, 1):
            if not isinstance(values, dict):
                raise DataError(f"{self.name}, row {number}: an object is expected, not {type(values).__name__}")
            yield number, values
