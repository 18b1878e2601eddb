"""Word vectors as text: a word and its numbers a line, after a line with both sizes or without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.word_list import WordList
from seqwise.errors import DataError, FileError

if TYPE_CHECKING:
    from seqwise.embeddings.vectors import WordVectors

LONGEST_LINE = 2**20  # bytes; 65,536 numbers fit
_ROWS = 4096


def read_text(
    stream: BinaryIO, path: Path, *, limit: int | None, duplicates: str, errors: str
) -> tuple[list[str], NDArray[np.float32]]:
    """Words and vectors of a word2vec, fastText or GloVe text file.

    The first line is a header if it is two whole numbers and nothing else.

    Raises:
        FileError: a line is not UTF-8, or the file ends before or goes on after the words that its header promises.
        DataError: a line has no numbers, too few or too many, or its word is there already; names the line.
    """
    words = WordList(path, "line", duplicates=duplicates, errors=errors)
    blocks: list[NDArray[np.float32]] = []
    rows: list[list[float]] = []
    promised = size = None
    lines = _lines(stream, path)
    first = next(lines, None)
    if first is None:
        raise FileError(f"{path} is empty")
    header = _header(first[1])
    if header is not None:
        promised, size = header
    pending = None if header is not None else first
    number, read = first[0], 0
    while True:
        if limit is not None and len(words) == limit:
            break
        line = pending or next(lines, None)
        pending = None
        if line is None:
            break
        number, raw = line
        if promised is not None and read == promised:
            raise DataError(f"{path}, line {number}: the header promises {promised:,} words, and the file goes on")
        if size is None:
            size = len(raw.split()) - 1
            if size < 1:
                raise DataError(f"{path}, line {number}: a word and its numbers are expected, not {_shown(raw)}")
        word, values = _parsed(raw, size, path, number, headed=promised is not None)
        read += 1
        if words.add(word, number):
            rows.append(values)
        if len(rows) == _ROWS:
            blocks.append(_block(rows, number, path))
            rows = []
    if promised is not None and read < promised and (limit is None or len(words) < limit):
        raise FileError(
            f"{path} ends after line {number}: its header promises {promised:,} words, and there are {read:,}"
        )
    if rows or not blocks:
        blocks.append(_block(rows, number, path) if rows else np.zeros((0, size or 1), np.float32))
    return words.words, np.concatenate(blocks)


def write_text(vectors: WordVectors, stream: BinaryIO, *, header: bool) -> None:
    """Writes a line a word, numbers with the nine digits that bring every float32 back unchanged."""
    if header:
        stream.write(f"{len(vectors)} {vectors.size}\n".encode())
    pattern = " ".join(["%s"] + ["%.9g"] * vectors.size) + "\n"
    for start in range(0, len(vectors), _ROWS):
        rows = vectors.vectors[start : start + _ROWS].tolist()
        some = vectors.words[start : start + _ROWS]
        text = "".join([pattern % (word, *row) for word, row in zip(some, rows, strict=True)])
        try:
            stream.write(text.encode())
        except UnicodeEncodeError:
            raise DataError("one of the words is no Unicode text: it holds half a surrogate pair") from None


def _lines(stream: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of every line that is not blank."""
    number = 0
    while raw := stream.readline(LONGEST_LINE):
        number += 1
        if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
            raise DataError(f"{path}, line {number}: it is longer than {LONGEST_LINE:,} bytes; is this a text file?")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if raw.strip():
            yield number, raw


def _header(raw: bytes) -> tuple[int, int] | None:
    """V and D, if the line is two whole numbers."""
    fields = raw.split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 16 for field in fields):
        return None
    words, size = map(int, fields)
    return (words, size) if size else None


def _parsed(raw: bytes, size: int, path: Path, number: int, *, headed: bool) -> tuple[bytes, list[float]]:
    fields = raw.rsplit(None, size)  # from the right: the words of some files hold spaces
    expected = f"the header says {size} numbers" if headed else f"the first line has {size} numbers"
    if len(fields) != size + 1:
        raise DataError(f"{path}, line {number}: {expected}, and this line has {len(fields) - 1}")
    word = fields[0].strip()
    inner = word.split()
    if len(inner) > 1 and _is_number(inner[-1]):
        more = sum(map(_is_number, inner[1:]))
        raise DataError(f"{path}, line {number}: {expected}, and this line has {size + more}")
    try:
        return word, list(map(float, fields[1:]))
    except ValueError:
        wrong = next(field for field in fields[1:] if not _is_number(field))
        raise DataError(f"{path}, line {number}: {expected} after the word, and {_shown(wrong)} is none") from None


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _block(rows: list[list[float]], number: int, path: Path) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        block = np.array(rows, np.float32)
    if not np.isfinite(block).all():
        raise DataError(f"{path}: a number near line {number} is NaN, infinite or too large for 32 bits")
    return block


def _shown(raw: bytes) -> str:
    return repr(raw.strip().decode("utf-8", "replace"))[:60]
