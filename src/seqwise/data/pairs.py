"""Pairs of texts: what is translated, and its translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from seqwise.data.examples import Text, load_examples
from seqwise.data.tables import Table

SOURCE_COLUMNS = ("source", "text")
TARGET_COLUMNS = ("target", "translation")


@dataclass(frozen=True)
class TextPairs:
    """Sources and targets.

    Attributes:
        sources: texts.
        targets: as many.
        rows: number of each pair in its table, from 0.
    """

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, numbers: Sequence[int]) -> TextPairs:
        """The pairs of these numbers, in their order."""
        sources, targets = ([of[i] for i in numbers] for of in (self.sources, self.targets))
        return TextPairs(sources, targets, [self.rows[i] for i in numbers])


def find_pair_columns(table: Table, source: str | None, target: str | None) -> tuple[str, str]:
    """The columns of sources and targets: those named, or those with a usual name.

    Raises:
        DataError: there is none; names the columns that there are.
    """
    found = []
    for named, usual, what in (
        (source, SOURCE_COLUMNS, "column of the texts (--text)"),
        (target, TARGET_COLUMNS, "column of their translations (--target)"),
    ):
        chosen = named or next((name for name in usual if name in table.columns), usual[0])
        table.require(chosen, what)
        found.append(chosen)
    return found[0], found[1]


def read_pairs(table: Table, source: str, target: str) -> TextPairs:
    """Read pairs; a list of tokens is joined with spaces.

    Raises:
        DataError: a text is missing, empty, or no text; names the row.
    """
    sources, targets = ([_joined(text) for text in load_examples(table, column).texts] for column in (source, target))
    return TextPairs(sources, targets, list(range(len(sources))))


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else " ".join(text)
