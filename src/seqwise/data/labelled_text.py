"""fastText's format: a text a line, its class as `__label__NAME` before it (or anywhere in it)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqwise.data.files import utf8_lines
from seqwise.data.tables import LineTable
from seqwise.errors import DataError

PREFIX = "__label__"


class LabelledTextTable(LineTable):
    """The columns are "text" and "label". Blank lines are skipped; a line without a label has the label None."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.columns = ["text", "label"]

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(utf8_lines(self.path), 1):
            text = line.strip()
            if not text:
                continue
            label = None
            if PREFIX in text:
                labels = [word for word in text.split() if word.startswith(PREFIX)]
                if len(labels) > 1:
                    raise DataError(
                        f"{self.name}, line {number} has {len(labels)} labels; more than one label for a text "
                        "is not supported yet by this task"
                    )
                if labels:
                    before, _, after = text.partition(labels[0])
                    text = f"{before.rstrip()} {after.lstrip()}".strip()
                    label = labels[0].removeprefix(PREFIX)
            yield number, {"text": text, "label": label}
