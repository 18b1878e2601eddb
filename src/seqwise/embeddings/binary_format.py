"""Word vectors in the binary format of word2vec.c."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.word_list import WordList
from seqwise.errors import DataError, FileError

if TYPE_CHECKING:
    from seqwise.embeddings.vectors import WordVectors

LONGEST_WORD = 2**14  # bytes
_CHUNK = 2**20
_ROWS = 4096
_FASTTEXT_MODEL = (793712314).to_bytes(4, "little")


def read_binary(
    stream: BinaryIO, path: Path, *, limit: int | None, duplicates: str, errors: str
) -> tuple[list[str], NDArray[np.float32]]:
    """Words and vectors of a word2vec binary file.

    The line break that word2vec.c writes after each vector may be there or not.

    Raises:
        FileError: the file is truncated, or goes on after the words that its header promises; names the byte.
        DataError: it has no header, is a fastText model, or holds a word twice; names the word's number.
    """
    source = _Source(stream)
    header = source.until(b"\n", 64)
    if header is None or len(fields := header.split()) != 2 or not all(field.isdigit() for field in fields):
        if (header or source.rest()).startswith(_FASTTEXT_MODEL):
            raise DataError(f"{path} is a model of fastText, not its vectors: give the .vec file beside it")
        raise DataError(f'{path} does not begin with a line "V D": it is no word2vec binary file')
    promised, size = map(int, fields)
    if size < 1:
        raise DataError(f"{path}: its header says vectors of {size} numbers")
    words = WordList(path, "word", duplicates=duplicates, errors=errors)
    blocks: list[NDArray[np.float32]] = []
    kept: list[bytes] = []
    for number in range(1, promised + 1):
        if limit is not None and len(words) == limit:
            break
        start = source.position
        raw = source.until(b" ", LONGEST_WORD)
        values = None if raw is None else source.exactly(4 * size)
        if values is None:
            if raw is None and len(source.rest()) > LONGEST_WORD:
                raise DataError(
                    f"{path}: at byte {start:,}, where word {number:,} of {promised:,} is expected, there is none: "
                    f"its vectors may not have the {size} numbers that the header says"
                )
            raise FileError(
                f"{path} is truncated: it ends at byte {source.position + len(source.rest()):,}, in word {number:,} of the "
                f"{promised:,} that its header promises"
            )
        if words.add((raw or b"").lstrip(b"\r\n"), number):
            kept.append(values)
        if len(kept) == _ROWS:
            blocks.append(_block(kept, size, number, path))
            kept = []
    else:
        if source.rest().strip(b"\r\n"):
            raise DataError(
                f"{path}: its header promises {promised:,} words of {size} numbers, which end at byte "
                f"{source.position:,}, and the file goes on"
            )
    blocks.append(_block(kept, size, len(words), path))
    return words.words, np.concatenate(blocks)


def write_binary(vectors: WordVectors, stream: BinaryIO) -> None:
    """Writes the header, then each word, a space, its float32 numbers and a line break, as word2vec.c does."""
    stream.write(f"{len(vectors)} {vectors.size}\n".encode())
    for start in range(0, len(vectors), _ROWS):
        rows = np.ascontiguousarray(vectors.vectors[start : start + _ROWS], "<f4")
        some = vectors.words[start : start + _ROWS]
        try:
            parts = [word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(some, rows, strict=True)]
        except UnicodeEncodeError:
            raise DataError("one of the words is no Unicode text: it holds half a surrogate pair") from None
        stream.write(b"".join(parts))


class _Source:
    """A stream read through a buffer, in which a byte can be looked for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._dropped = 0

    @property
    def position(self) -> int:
        """The byte of the file that comes next."""
        return self._dropped + self._at

    def until(self, end: bytes, longest: int) -> bytes | None:
        """What comes before `end`, which is skipped; None if that is not among the next `longest` bytes."""
        place = self._buffer.find(end, self._at, self._at + longest)
        if place < 0:
            self._fill(longest)
            place = self._buffer.find(end, self._at, self._at + longest)
        if place < 0:
            return None
        found = self._buffer[self._at : place]
        self._at = place + 1
        return found

    def exactly(self, count: int) -> bytes | None:
        """The next bytes; None if there are fewer."""
        self._fill(count)
        if len(self._buffer) - self._at < count:
            return None
        found = self._buffer[self._at : self._at + count]
        self._at += count
        return found

    def rest(self) -> bytes:
        """What comes next, at least some of it if there is any."""
        self._fill(LONGEST_WORD + 1)
        return self._buffer[self._at :]

    def _fill(self, count: int) -> None:
        if len(self._buffer) - self._at >= count:
            return
        self._dropped += self._at
        parts = [self._buffer[self._at :]]
        held = len(parts[0])
        while held < count and (more := self._stream.read(_CHUNK)):
            parts.append(more)
            held += len(more)
        self._buffer, self._at = b"".join(parts), 0


def _block(rows: list[bytes], size: int, number: int, path: Path) -> NDArray[np.float32]:
    block = np.frombuffer(b"".join(rows), "<f4").astype(np.float32).reshape(len(rows), size)
    if not np.isfinite(block).all():
        raise DataError(f"{path}: a vector near word {number:,} holds NaN or an infinite number")
    return block
