"""Several columns of texts as one: what the lectures call concatenated inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seqwise.data.numbers import Numbers
from seqwise.data.tables import Chunk, Table
from seqwise.errors import DataError

PLUS = " + "
"""Between the names of columns that are joined: "title + body"."""
SEPARATOR = "\N{SYMBOL FOR RECORD SEPARATOR}"
"""Between their texts: one symbol of its own, whether words or characters are read."""


class JoinedTable(Table):
    """A table with one column more, whose texts are those of several columns one after the other.

    Args:
        table: that has the columns.
        name: of the further column: the names of the others joined by `PLUS`.
    """

    def __init__(self, table: Table, name: str) -> None:
        super().__init__(table.path)
        self._table, self._name, self._parts = table, name, name.split(PLUS)
        for part in self._parts:
            table.require(part, "text column")
        self.columns, self.rows = [*table.columns, name], table.rows
        self.rate, self.notes = table.rate, table.notes

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        for column in columns or ():
            self.require(column)
        wanted = self.columns if columns is None else list(columns)
        own = [name for name in wanted if name != self._name]
        needed = list(dict.fromkeys([*own, *(self._parts if self._name in wanted else [])]))
        for chunk in self._table.iter_chunks(size, needed):
            if self._name in wanted:
                rows = zip(*(chunk[part] for part in self._parts), strict=True)
                chunk[self._name] = [join_texts(row) for row in rows]
            yield {name: chunk[name] for name in wanted}
        self.rows = self._table.rows

    def numbers(self, column: str) -> Numbers:
        """See `Table.numbers`."""
        return self._table.numbers(column)

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return self._table.place(row)

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        types = self._table.types()
        return {**types, self._name: types[self._parts[0]]}


def join_texts(texts: Iterable[Any]) -> Any:
    """One text of several, or one list of tokens of several lists; a missing one is empty, None of none at all.

    Raises:
        DataError: something is neither a text nor a list, or both kinds are there.
    """
    given = list(texts)
    if all(text is None for text in given):
        return None
    if all(text is None or isinstance(text, str) for text in given):
        return f" {SEPARATOR} ".join(text or "" for text in given)
    if not all(text is None or isinstance(text, list | tuple) for text in given):
        raise DataError("columns that are joined are all texts, or all lists of tokens")
    joined = list(given[0] or [])
    for tokens in given[1:]:
        joined += [SEPARATOR, *(tokens or [])]
    return joined


def join_fields(fields: Mapping[str, Any], column: str) -> Any:
    """What a model of several columns reads of one example.

    Args:
        fields: the example: column -> text.
        column: of the model, such as "title + body".

    Raises:
        DataError: a column is missing.
    """
    names = column.split(PLUS)
    if missing := [name for name in names if name not in fields]:
        raise DataError(f"{missing[0]!r} is missing: the model reads {', '.join(names)}")
    return join_texts(fields[name] for name in names)
