"""Corpora as blocks of UTF-8 bytes: files, compressed or not, standard input, columns of Parquet, Python iterables.

Every block ends where a word does, so that it can be split on its own; no more than a block is held, or the longest run of
bytes without white space.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from seqwise.data.files import COMPRESSIONS, format_of, opened
from seqwise.errors import ConfigurationError, DataError, FileError

Corpus = str | Path | Iterable[str | Path] | Iterable[Sequence[str]]
Errors = Literal["strict", "replace"]

BLOCK = 1 << 22
"""Bytes of a block."""
_PACKED = (".zip", ".bz2", ".tar", ".tgz", ".7z")


def read_blocks(
    paths: Sequence[str | Path], *, column: str | None, errors: Errors, clean: Callable[[str], str] | None = None
) -> Iterator[tuple[bytes, int]]:
    """The blocks of some files, one after the other.

    Args:
        paths: files; "-" is standard input; .parquet (also compressed) needs a column, all others are text.
        column: which column of Parquet files.
        errors: "strict", or "replace" turns what is not UTF-8 into U+FFFD.
        clean: applied to each block as text.

    Yields:
        A block, and how many bytes of its file's content (uncompressed; of Parquet, of texts) were read with it.

    Raises:
        FileError: a file is missing, damaged or not UTF-8 (names the byte).
        DataError: there is no such column, or it holds no texts.
    """
    for path in map(Path, paths):
        if format_of(path) == ".parquet":
            yield from encode_blocks(_parquet_texts(path, column), clean)
            continue
        if column is not None:
            raise ConfigurationError(f"column: {path} is read as text, which has no columns")
        if path.suffix.lower() in _PACKED:
            raise FileError(
                f"{path} cannot be read: unpack it first; of packed files {' '.join(COMPRESSIONS)} are read"
            )
        if str(path) == "-":
            raw = _cut(sys.stdin.buffer)
            yield from _as_text(raw, "standard input", errors, clean)
            continue
        with opened(path) as stream:
            yield from _as_text(_cut(stream), str(path), errors, clean)


def encode_blocks(
    sentences: Iterable[str | Sequence[str]], clean: Callable[[str], str] | None = None
) -> Iterator[tuple[bytes, int]]:
    """Blocks from texts, or lists of words, each of them a sentence or more (line breaks end sentences).

    Raises:
        DataError: an item is neither; a word of a list holds white space.
    """
    lines: list[str] = []
    size = 0
    for number, sentence in enumerate(sentences):
        line = sentence if isinstance(sentence, str) else _join(sentence, number)
        lines.append(line)
        size += len(line) + 1
        if size >= BLOCK:
            yield _finish(lines, clean)
            lines, size = [], 0
    if lines:
        yield _finish(lines, clean)


def _finish(lines: list[str], clean: Callable[[str], str] | None) -> tuple[bytes, int]:
    text = "\n".join(lines) + "\n"
    try:
        block = (text if clean is None else clean(text)).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"a sentence holds {text[error.start]!r}, which is no character") from None
    return block, len(block)


def _join(words: Sequence[str], number: int) -> str:
    try:
        line = " ".join(words)
    except TypeError:
        raise DataError(f"sentence {number + 1}: a text or a list of words is expected, not {words!r:.60}") from None
    if len(line.split()) != len(words):
        wrong = next((word for word in words if len(word.split()) != 1), "")
        raise DataError(
            f"sentence {number + 1}: the word {wrong!r:.60} is empty or holds white space, which separates words"
        )
    return line


def _parquet_texts(path: Path, column: str | None) -> Iterator[str | Sequence[str]]:
    from seqwise.data.parquet import ParquetTable

    if not path.is_file():
        raise FileError(f"{path} cannot be read: there is no such file")
    table = ParquetTable(path)
    if column is None:
        raise ConfigurationError(f"column: which one of {path} holds the texts? It has {', '.join(table.columns)}")
    for chunk in table.iter_chunks(columns=[column]):
        for text in chunk[column]:
            if text is None:
                continue
            if not isinstance(text, str | list):
                raise DataError(f"{path}: column {column!r} holds {type(text).__name__}, not texts or lists of words")
            yield text


def _cut(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a stream, cut behind white space."""
    parts: list[bytes] = []  # of a run that goes on
    while block := stream.read(BLOCK):
        cut = block.rfind(b"\n") + 1 or block.rfind(b" ") + 1  # where possible a line stays whole: it is cleaned as one
        if cut:
            yield b"".join([*parts, block[:cut]])
            parts = [block[cut:]]
        else:
            parts.append(block)
    if rest := b"".join(parts):
        yield rest


def _as_text(
    blocks: Iterable[bytes], name: str, errors: Errors, clean: Callable[[str], str] | None
) -> Iterator[tuple[bytes, int]]:
    """Blocks that are UTF-8, without a byte order mark, and cleaned."""
    offset = 0
    for block in blocks:
        size = len(block)
        if offset == 0:
            block = block.removeprefix(b"\xef\xbb\xbf")
        if clean is not None or not block.isascii():
            try:
                text = block.decode("utf-8", errors)
            except UnicodeDecodeError as error:
                place = offset + size - len(block) + error.start
                raise FileError(
                    f"{name} is not UTF-8: byte {place} is 0x{block[error.start]:02x}; save it as UTF-8, or ask for "
                    'errors="replace" (--errors replace)'
                ) from None
            if clean is not None:
                block = clean(text).encode()
            elif errors == "replace":
                block = text.encode()
        yield block, size
        offset += size
