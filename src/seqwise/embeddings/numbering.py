"""Words get numbers: the vocabulary as it grows, the kernel that looks words up in it, and files of numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.corpus_cache import HEADER
from seqwise.kernels.cpu import word_numbers
from seqwise.kernels.cpu.target import host

ROOM = 1 << 19
"""Numbers that are held before they are written."""
PART = 1 << 20
"""Numbers of a file that are changed at once."""
RARE = -2
"""Stands for a word that is too rare, until it is dropped."""


class Numbering:
    """The vocabulary as it grows, and the kernel that looks words up in it."""

    def __init__(self, newline: int) -> None:
        self._kernel = word_numbers.load(host())
        self._index = word_numbers.FIELDS.index
        self._block = np.zeros(len(self._index), np.int64)
        self._numbers = np.empty(ROOM, np.int32)
        self._hashes, self._counts = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)
        self._places, self._spellings = np.zeros((1 << 16) + 1, np.int64), np.zeros(1 << 20, np.uint8)
        self._set(newline=newline, numbers=self._numbers.ctypes.data, room=ROOM)
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
        """Words and counts in their final order, and the new number of each old one, RARE for rare words."""
        counts = self._counts[: self._get("words")]
        old = np.flatnonzero(counts >= min_count)
        spelled = self._spellings.tobytes()
        words = {int(i): spelled[self._places[i] : self._places[i + 1]].decode() for i in old}
        return in_order(words, counts)

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


def in_order(
    words: dict[int, str], counts: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int32]]:
    """The final order of some words, given by their numbers: by falling count; ties in code point order.

    Returns:
        Words and counts in that order, and the new number of each old one, RARE for those that are not given.
    """
    order = sorted(words, key=lambda i: (-counts[i], words[i]))
    renumbered = np.full(len(counts), RARE, np.int32)
    renumbered[order] = np.arange(len(order), dtype=np.int32)
    return [words[i] for i in order], counts[order], renumbered


def _enlarged(array: NDArray, size: int) -> NDArray:
    """A copy with room for at least `size`, and for twice as many as before."""
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


def rewrite(file: BinaryIO, change: Callable[[NDArray[np.int32], bool], tuple[NDArray[np.int32], int]]) -> None:
    """Change the numbers of a file, part by part and in place; none may become more than there were before.

    Args:
        file: the numbers begin at `HEADER`.
        change: numbers, and whether they are the last -> new numbers, and how many of the old ones they stand for; the
            others are given again, with what follows them.
    """
    end = file.seek(0, io.SEEK_END)
    read = written = HEADER
    while read < end:
        file.seek(read)
        part = np.frombuffer(file.read(4 * PART), np.int32)
        new, used = change(part, read + part.nbytes >= end)
        read += 4 * used
        file.seek(written)
        file.write(new.tobytes())
        written += new.nbytes
    file.truncate(written)


def renumber(file: BinaryIO, table: NDArray[np.int32], drop: bool = True) -> None:
    """Give all numbers of a file their new values; RARE among the new ones is dropped, or stays."""
    values = np.append(table, np.array([RARE, -1], np.int32))  # -1, the end of a sentence, is the last entry
    after_end = True

    def change(part: NDArray[np.int32], last: bool) -> tuple[NDArray[np.int32], int]:
        nonlocal after_end
        new = values[part]
        if drop:
            new = new[new != RARE]
            ends = new == -1  # of sentences that have lost all their words: only the first of several ends stays
            before = np.append(after_end, ends[:-1])[: len(ends)]
            after_end = bool(ends[-1]) if len(ends) else after_end
            new = new[~(ends & before)]
        return new, len(part)

    rewrite(file, change)
