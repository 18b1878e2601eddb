"""A corpus as numbers: read once, encoded into a memory-mapped file in the cache.

The first pass gives every word the number of its first occurrence and counts it; the second, over the encoded file, drops
rare words and renumbers the others by falling count. What is held in memory is the vocabulary and a block of text.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.sources import Corpus, Errors, encode_blocks, read_blocks
from seqwise.errors import DataError
from seqwise.kernels.cpu import word_numbers
from seqwise.kernels.cpu.compiler import cache_folder
from seqwise.kernels.cpu.target import host

_ROOM = 1 << 19  # numbers that are held before they are written
_NO_BYTE = 256


class EncodedCorpus:
    """Words as numbers.

    Attributes:
        words: the vocabulary, by falling count; ties in code point order.
        counts: (V,) int64.
        tokens: (N,) int32, memory-mapped: word numbers, -1 behind the last word of a sentence.
        total: words of the corpus, the rare ones included.
        kept: words of the corpus that are in the vocabulary.
        options: how it was read, name -> value, all of them for JSON.
    """

    def __init__(
        self, path: Path, words: list[str], counts: NDArray[np.int64], total: int, options: dict[str, Any]
    ) -> None:
        self.words, self.counts, self.total, self.options = words, counts, total, options
        self.kept = int(counts.sum())
        self.tokens: NDArray[np.int32] = np.memmap(path, np.int32, "r")
        self._path = path

    def fingerprint(self) -> str:
        """A checksum of words, counts and tokens: equal for equal texts; all of the file is read."""
        check = zlib.crc32("\n".join(self.words).encode())
        check = zlib.crc32(self.counts.tobytes(), check)
        for start in range(0, len(self.tokens), _ROOM):
            check = zlib.crc32(self.tokens[start : start + _ROOM].tobytes(), check)
        return f"{check:08x}-{len(self.tokens)}-{len(self.words)}"

    def close(self) -> None:
        """Delete the file."""
        self.tokens = np.zeros(0, np.int32)
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> EncodedCorpus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode(
    corpus: Corpus,
    *,
    min_count: int = 5,
    running: bool = False,
    column: str | None = None,
    errors: Errors = "strict",
    clean: Callable[[str], str] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> EncodedCorpus:
    """Number the words of a corpus.

    Words are separated by white space (ASCII, control characters included). A line is a sentence, unless `running`.

    Args:
        corpus: the path of a file, or several; "-" is standard input; or an iterable of sentences, each a text or a list of
            words. A `str` is a path, and so are the items of a list of `pathlib.Path`.
        min_count: a word seen less often is dropped, and its neighbours move together.
        running: line breaks mean nothing.
        column: of Parquet files.
        errors: "strict", or "replace" turns what is not UTF-8 into U+FFFD.
        clean: applied to blocks of text, which end behind a word; may change anything but must keep line breaks.
        report: called with the bytes and the words that were read.

    Raises:
        FileError: a file is missing, damaged or not UTF-8 (names the byte).
        DataError: there is no text, or no word is frequent enough.
    """
    numbering = _Numbering(_NO_BYTE if running else ord("\n"))
    folder = cache_folder().parent / "corpora"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(".tokens", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "r+b") as file:
            size = 0
            for block, length in _blocks(corpus, column, errors, clean):
                for numbers in numbering.number(block):
                    file.write(numbers)
                size += length
                if report is not None:
                    report(size, numbering.total)
            words, counts, renumbered = numbering.vocabulary(min_count)
            _renumber(file, renumbered)
        if not words:
            raise DataError(
                f"no word is there {min_count} times or more (of {numbering.total:,} words): nothing to learn from"
                if numbering.total
                else "the corpus has no words"
            )
        options = {"running": running, "column": column, "errors": errors, "clean": _name_of(clean)}
        return EncodedCorpus(path, words, counts, numbering.total, options)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _name_of(clean: Callable[[str], str] | None) -> str | None:
    """What tells one way of cleaning from another, as far as that is possible."""
    if clean is None:
        return None
    return str(getattr(clean, "name", None) or getattr(clean, "__qualname__", type(clean).__qualname__))


def _blocks(
    corpus: Corpus, column: str | None, errors: Errors, clean: Callable[[str], str] | None
) -> Iterator[tuple[bytes, int]]:
    if isinstance(corpus, str | Path):
        return read_blocks([corpus], column=column, errors=errors, clean=clean)
    if isinstance(corpus, list | tuple) and corpus and all(isinstance(item, Path) for item in corpus):
        return read_blocks(corpus, column=column, errors=errors, clean=clean)
    return encode_blocks(_sentences(corpus), clean)


def _sentences(corpus: Any) -> Iterable[str | Sequence[str]]:
    if not isinstance(corpus, Iterable):
        raise DataError(f"corpus: a path or an iterable of sentences is expected, not {type(corpus).__name__}")
    return corpus


class _Numbering:
    """The vocabulary as it grows, and the kernel that looks words up in it."""

    def __init__(self, newline: int) -> None:
        self._kernel = word_numbers.load(host())
        self._index = word_numbers.FIELDS.index
        self._block = np.zeros(len(self._index), np.int64)
        self._numbers = np.empty(_ROOM, np.int32)
        self._hashes, self._counts = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)
        self._places, self._spellings = np.zeros((1 << 16) + 1, np.int64), np.zeros(1 << 20, np.uint8)
        self._set(newline=newline, numbers=self._numbers.ctypes.data, room=_ROOM)
        self._point()

    @property
    def total(self) -> int:
        """Words that were read."""
        return int(self._counts.sum())

    def number(self, block: bytes) -> Iterator[bytes]:
        """The numbers of a block that ends where a word does, in parts."""
        text = np.frombuffer(block, np.uint8)
        self._set(text=text.ctypes.data if len(text) else 0, position=0, end=len(text))
        while self._get("position") < len(text):
            words = self._get("words")
            left = len(text) - self._get("position")
            if words == len(self._hashes):
                self._grow_words()
            if self._places[words] + left > len(self._spellings):
                self._spellings = _enlarged(self._spellings, int(self._places[words]) + left)
                self._set(spellings=self._spellings.ctypes.data)
            self._set(written=0)
            self._kernel(self._block.ctypes.data)
            yield self._numbers[: self._get("written")].tobytes()

    def vocabulary(self, min_count: int) -> tuple[list[str], NDArray[np.int64], NDArray[np.int32]]:
        """Words and counts in their final order, and the new number of each old one, -2 for rare words."""
        counts = self._counts[: self._get("words")]
        old = np.flatnonzero(counts >= min_count)
        spelled = self._spellings.tobytes()
        words = {int(i): spelled[self._places[i] : self._places[i + 1]].decode() for i in old}
        order = sorted(words, key=lambda i: (-counts[i], words[i]))
        renumbered = np.full(len(counts), -2, np.int32)
        renumbered[order] = np.arange(len(order), dtype=np.int32)
        return [words[i] for i in order], counts[order], renumbered

    def _grow_words(self) -> None:
        size = 2 * len(self._hashes)
        self._hashes, self._counts = _enlarged(self._hashes, size), _enlarged(self._counts, size)
        self._places = _enlarged(self._places, size + 1)
        self._point()

    def _point(self) -> None:
        """Tell the kernel where things are, and make a table of twice as many entries as there may be words."""
        words = self._get("words")
        hashes = self._hashes[:words]
        self._table = np.zeros(2 * len(self._hashes), np.uint64)
        mask = np.uint64(len(self._table) - 1)
        entries = (hashes & np.uint64(0xFFFFFFFF00000000)) | np.arange(1, words + 1, dtype=np.uint64)
        slots, waiting = hashes & mask, np.arange(words)
        while len(waiting):  # all at once: of those that want one free slot the last gets it, the others go on
            free = waiting[self._table[slots[waiting]] == 0]
            self._table[slots[free]] = entries[free]
            waiting = waiting[self._table[slots[waiting]] != entries[waiting]]
            slots[waiting] = (slots[waiting] + np.uint64(1)) & mask
        arrays = {"table": self._table, "hashes": self._hashes, "counts": self._counts, "places": self._places}
        self._set(mask=int(mask), most=len(self._hashes), spellings=self._spellings.ctypes.data)
        self._set(**{name: array.ctypes.data for name, array in arrays.items()})

    def _get(self, name: str) -> int:
        return int(self._block[self._index[name]])

    def _set(self, **fields: int) -> None:
        for name, value in fields.items():
            self._block[self._index[name]] = value


def _enlarged(array: NDArray, size: int) -> NDArray:
    """A copy with room for at least `size`, and for twice as many as before."""
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


def _renumber(file: Any, renumbered: NDArray[np.int32]) -> None:
    """Give all numbers of a file their new values, in place; what is dropped shortens it."""
    table = np.append(renumbered, np.int32(-1))  # -1, the end of a sentence, is the last entry
    read = written = 0
    after_end = True
    while True:
        file.seek(read)
        part = np.frombuffer(file.read(1 << 22), np.int32)
        if not len(part):
            break
        read += part.nbytes
        new = table[part]
        new = new[new != -2]
        ends = new == -1  # of sentences that have lost all their words: only the first of several ends stays
        before = np.append(after_end, ends[:-1])[: len(ends)]
        after_end = bool(ends[-1]) if len(ends) else after_end
        new = new[~(ends & before)]
        file.seek(written)
        file.write(new.tobytes())
        written += new.nbytes
    file.truncate(written)
