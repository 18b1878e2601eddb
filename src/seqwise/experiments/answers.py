"""Answers of any model as a file, complete or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from seqwise.data import write_table
from seqwise.data.tables import Chunk
from seqwise.errors import FileError


def write_answers(output: Path, chunks: Iterable[Chunk], *, overwrite: bool = False) -> int:
    """Write rows to a file, which appears under its name when it is complete; return their number.

    Args:
        output: .csv, .tsv, .jsonl or .parquet.
        chunks: of rows.
        overwrite: replace a file that is there.

    Raises:
        FileError: there is such a file and `overwrite` is false, or it cannot be written.
        DataError: there are no rows.
    """
    if output.exists() and not overwrite:
        raise FileError(f"{output} exists; --overwrite replaces it")
    if not output.parent.is_dir():
        raise FileError(f"there is no folder {output.parent} to write {output.name} to")
    rows = 0

    def counted() -> Iterator[Chunk]:
        nonlocal rows
        for chunk in chunks:
            rows += len(next(iter(chunk.values()), []))
            yield chunk

    # The suffix decides the format, so the unfinished file keeps it.
    unfinished = output.with_name(f".unfinished-{os.getpid()}-{output.name}")
    try:
        write_table(unfinished, counted())
        os.replace(unfinished, output)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows
