"""CoNLL files: a token a line, its columns beside it, a blank line between sentences. A sentence is a row of lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from seqwise.data.files import format_of, utf8_lines
from seqwise.data.tables import LineTable
from seqwise.errors import DataError

_UNIVERSAL = ("id", "tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_DOCUMENT = "-DOCSTART-"


class ConllTable(LineTable):
    """The columns hold lists, one entry a token.

    Of .conllu the columns are id, tokens, lemma, upos, xpos, feats, head, deprel, deps and misc; comments, tokens of several
    words and empty nodes are left out. Of .conll, .bio and .iob the first column is "tokens", the last one "tags", and those
    between are "column2" and so on; columns are separated by tabs or spaces, and the marks between documents are left out.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._universal = format_of(path) == ".conllu"
        first = next(islice(self._lines(), 1), None)
        if first is None:
            raise DataError(f"{path} has no line with a token")
        self._width = len(_UNIVERSAL) if self._universal else len(first[1])
        if self._width < 2:
            raise DataError(f"{path}, line {first[0]} has one column, and a token and its tag are expected")
        between = [f"column{number}" for number in range(2, self._width)]
        self.columns = list(_UNIVERSAL) if self._universal else ["tokens", *between, "tags"]

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Number and columns of every line; of a blank one no columns, but not of those at the beginning."""
        begun = False
        for number, line in enumerate(utf8_lines(self.path), 1):
            line = line.rstrip("\r\n")
            if not line.strip():
                if begun:
                    yield number, []
                continue
            if line.startswith("#") and (self._universal or not begun):
                continue
            begun = True
            yield number, line.split("\t") if "\t" in line or self._universal else line.split()

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        begins, rows = 0, list[list[str]]()
        for number, cells in self._lines():
            if not cells:
                if rows:
                    yield begins, self._row(rows)
                rows = []
                continue
            if len(cells) != self._width:
                raise DataError(f"{self.name}, line {number} has {len(cells)} columns, not {self._width}")
            if self._universal and not cells[0].isdecimal():  # "3-4" or "5.1"
                continue
            if cells[0] == _DOCUMENT:
                continue
            begins = begins if rows else number
            rows.append(cells)
        if rows:
            yield begins, self._row(rows)

    def _row(self, rows: list[list[str]]) -> dict[str, Any]:
        return {name: list(column) for name, column in zip(self.columns, zip(*rows, strict=True), strict=True)}
