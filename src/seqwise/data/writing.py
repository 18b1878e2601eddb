"""Writing tables, chunk by chunk."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TextIO, cast

from seqwise.data.delimited import DELIMITERS
from seqwise.data.files import COMPRESSIONS, compression_of, format_of
from seqwise.data.tables import Chunk
from seqwise.errors import DataError, FileError

WRITTEN = (".csv", ".tsv", ".jsonl", ".parquet")


def write_table(path: str | Path, chunks: Iterable[Chunk]) -> None:
    """Writes rows to a file, in the format that its name says.

    Args:
        path: .csv, .tsv or .jsonl, each also .gz, .xz or .zst; or .parquet. An existing file is replaced.
        chunks: dictionaries of column -> list of values; all have the columns of the first.

    Raises:
        FileError: if the suffix is not known, or the file cannot be written.
        DataError: if there is no chunk, or the columns or types of a later one differ.
    """
    path = Path(path)
    kind = format_of(path)
    if kind not in WRITTEN or (kind == ".parquet" and compression_of(path)):
        packed = " ".join(COMPRESSIONS)
        raise FileError(f"{path}: tables are written as {' '.join(WRITTEN)} (all but .parquet also {packed})")
    iterator = iter(chunks)
    first = next(iterator, None)
    if first is None:
        raise DataError(f"there are no rows to write to {path}")
    checked = _checked(chain([first], iterator), list(first), path)
    try:
        if kind == ".parquet":
            _write_parquet(path, checked)
        elif kind == ".jsonl":
            with _text_stream(path) as stream:
                _write_json_lines(stream, checked)
        else:
            with _text_stream(path) as stream:
                _write_delimited(stream, checked, list(first), DELIMITERS[kind])
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from None


def _checked(chunks: Iterable[Chunk], columns: list[str], path: Path) -> Iterator[Chunk]:
    for chunk in chunks:
        if list(chunk) != columns:
            raise DataError(f"rows for {path}: the columns {list(chunk)} are not those of the first rows, {columns}")
        if len({len(values) for values in chunk.values()}) > 1:
            raise DataError(f"rows for {path}: the columns of a chunk are not of one length")
        yield chunk


@contextmanager
def _text_stream(path: Path) -> Iterator[TextIO]:
    with path.open("wb") as raw:
        match compression_of(path):
            case ".gz":
                binary: Any = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
            case ".xz":
                binary = lzma.LZMAFile(raw, "wb", preset=2)  # noqa: SIM115
            case ".zst":
                import zstandard

                binary = zstandard.ZstdCompressor().stream_writer(raw)
            case _:
                binary = raw
        # A lone surrogate, which JSON can smuggle in, has no UTF-8 form: it is written as "?".
        with io.TextIOWrapper(cast(Any, binary), encoding="utf-8", newline="", errors="replace") as text:
            yield text


def _write_delimited(stream: TextIO, chunks: Iterable[Chunk], columns: list[str], delimiter: str) -> None:
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    for chunk in chunks:
        writer.writerows(zip(*([_cell(value) for value in values] for values in chunk.values()), strict=True))


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _write_json_lines(stream: TextIO, chunks: Iterable[Chunk]) -> None:
    for chunk in chunks:
        for values in zip(*chunk.values(), strict=True):
            stream.write(json.dumps(dict(zip(chunk, values, strict=True)), ensure_ascii=False, default=str) + "\n")


def _write_parquet(path: Path, chunks: Iterable[Chunk]) -> None:
    import pyarrow
    import pyarrow.parquet

    writer = None
    try:
        for chunk in _told(chunks):
            try:
                if writer is None:
                    schema = pyarrow.Table.from_pydict(chunk).schema
                    # A column without any value yet is taken for text.
                    known = [
                        field.with_type(pyarrow.string()) if pyarrow.types.is_null(field.type) else field
                        for field in schema
                    ]
                    writer = pyarrow.parquet.ParquetWriter(path, pyarrow.schema(known))
                table = pyarrow.Table.from_pydict(chunk, schema=writer.schema)
            except (pyarrow.ArrowException, UnicodeEncodeError) as error:
                raise DataError(f"rows for {path} do not fit into Parquet columns: {error}") from None
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _told(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks, the first ones together until none of their columns has nothing but empty lists: of what, is not known."""
    first: Chunk = {}
    iterator = iter(chunks)
    for chunk in iterator:
        first = {name: [*first.get(name, ()), *values] for name, values in chunk.items()}
        if not any(_all_empty(values) for values in first.values()):
            break
    yield first
    yield from iterator


def _all_empty(values: list[Any]) -> bool:
    lists = [value for value in values if isinstance(value, list)]
    return bool(lists) and not any(lists)
