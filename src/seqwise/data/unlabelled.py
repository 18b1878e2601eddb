"""Texts that nobody has labelled: lines of a text file, a column of a table, or the unlabelled part of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seqwise.data.catalogue import is_name, local_folder
from seqwise.data.examples import Text
from seqwise.data.files import format_of, utf8_lines
from seqwise.data.tables import Table, is_table, open_table, stem_of
from seqwise.errors import DataError, FileError

PART = "unlabelled"


class UnlabelledTexts:
    """Texts that are read from their file every time they are iterated; empty and missing ones are passed over.

    Args:
        data: the path of a file, or the name of a data set whose folder has a file `unlabelled.*`. A .txt file (also
            compressed) has a text a line; any other is a table.
        column: of a table.

    Raises:
        FileError: there is no such file, or no such part.
        DataError: a table without the column.
    """

    def __init__(self, data: str, column: str) -> None:
        self.path, self.column = _find(data), column
        self._table: Table | None = None
        if format_of(self.path) != ".txt":
            self._table = open_table(self.path)
            self._table.require(column, "text column")

    def __iter__(self) -> Iterator[Text]:
        if self._table is None:
            yield from (line for line in map(str.strip, utf8_lines(self.path)) if line)
            return
        values = (text for chunk in self._table.iter_chunks(columns=[self.column]) for text in chunk[self.column])
        for row, text in enumerate(values, 1):
            if text is not None and not isinstance(text, str | list):
                raise DataError(
                    f"{self.path}, row {row}: column {self.column!r} holds {text!r:.40}, and a text is expected"
                )
            if text:
                yield text


def _find(data: str) -> Path:
    path = Path(data)
    if path.is_file():
        return path
    if path.is_dir() or not is_name(data):
        raise FileError(f"unlabelled texts: there is no file {data}")
    local = local_folder(data)
    if local is None:
        raise FileError(f"unlabelled texts: there is no file {data}, and no data set of this name on this machine")
    for found in sorted(local[1].iterdir()):
        if is_table(found) and stem_of(found) == PART:
            return found
    raise FileError(f"unlabelled texts: the data set {data} has no part {PART!r}")
