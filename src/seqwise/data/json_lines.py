"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from seqwise.data.files import utf8_lines
from seqwise.data.tables import LineTable
from seqwise.errors import DataError

_LOOK_AHEAD = 1000  # rows whose keys are the columns


class JsonLinesTable(LineTable):
    """The columns are the keys of the first thousand rows; a missing key is None. Blank lines are skipped."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        names: dict[str, None] = {}
        for _, values in islice(self._records(), _LOOK_AHEAD):
            names.update(dict.fromkeys(values))
        self.columns = list(names)

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(utf8_lines(self.path), 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
                if number == 1 and line.lstrip().startswith("["):
                    reason = "the file is one JSON list; one object a line is expected, or the suffix .json"
                raise DataError(f"{self.name}, line {number} is not JSON: {reason}") from None
            if not isinstance(values, dict):
                raise DataError(f"{self.name}, line {number}: an object is expected, not {type(values).__name__}")
            yield number, values
