"""Character n-grams of words and their vectors, so that a word never seen has a vector too (fastText).

A word is put between "<" and ">", and its n-grams are those of this text, in Unicode characters. An n-gram is known by its
32-bit FNV-1a hash (of its UTF-8 bytes taken as signed numbers, which is what fastText computes) modulo the number of
buckets. There are rows only for buckets that the vocabulary has n-grams in: others would stay as random as they began.

Axis letters: V vocabulary, M buckets in use, D size of a vector.

Source: Bojanowski et al. 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqwise.errors import DataError

LONGEST_WORD = 100
"""Characters; of a longer word only the n-grams of so many, the first ones, are taken."""
_BASIS, _PRIME = 2166136261, 16777619
_WORDS_AT_ONCE = 1 << 15


def find_buckets(
    words: Sequence[str], lengths: tuple[int, int], buckets: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The buckets of the n-grams of words.

    Args:
        words: the words.
        lengths: of the shortest and the longest n-gram, in characters; "<" or ">" alone is none.
        buckets: how many there are.

    Returns:
        Where the n-grams of each word begin, and behind the last one, (len(words) + 1,), and their buckets.
    """
    counts, found = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)]
    for first in range(0, len(words), _WORDS_AT_ONCE):
        some = words[first : first + _WORDS_AT_ONCE]
        owners, hashes = _hashes([f"<{word[:LONGEST_WORD]}>".encode() for word in some], lengths)
        counts.append(np.bincount(owners, minlength=len(some)))
        found.append(hashes[np.argsort(owners, kind="stable")].astype(np.int64) % buckets)
    return np.cumsum(np.concatenate(counts)), np.concatenate(found)


def _hashes(texts: list[bytes], lengths: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The text and the hash of every n-gram; all n-grams grow by one byte at a time."""
    text = np.frombuffer(b"".join(texts), np.uint8)
    ends = np.cumsum([len(one) for one in texts])
    owners = np.repeat(np.arange(len(texts)), np.diff(ends, prepend=0))
    begins = (text & 0xC0) != 0x80  # a character begins at this byte
    at_end = np.zeros(len(text) + 1, bool)
    at_end[ends] = True
    character_ends = np.append(begins[1:], True) | at_end[1:]  # behind this byte a character ends
    edge = at_end[:-1] | at_end[1:]  # the first "<" but for text 0, and every ">"
    edge[:1] = True
    signed = text.view(np.int8).astype(np.int32).astype(np.uint32)
    starts = np.flatnonzero(begins)  # of the n-grams that still grow
    places, count = starts.copy(), np.zeros(len(starts), np.int64)  # the next byte, and the characters so far
    hashed = np.full(len(starts), _BASIS, np.uint32)
    found: list[tuple[NDArray[np.int64], NDArray[np.uint32]]] = []
    while len(starts):
        hashed = (hashed ^ signed[places]) * np.uint32(_PRIME)
        whole = character_ends[places]
        count += whole
        wanted = whole & (count >= lengths[0]) & ~((count == 1) & edge[starts])
        found.append((owners[starts[wanted]], hashed[wanted]))
        on = ~(at_end[places + 1] | (whole & (count == lengths[1])))
        starts, places, count, hashed = starts[on], places[on] + 1, count[on], hashed[on]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.uint32)
    owner, hashes = (np.concatenate(part) for part in zip(*found, strict=True))
    return owner, hashes


@dataclass(frozen=True)
class Subwords:
    """The rows of each word of a vocabulary: its own, numbered as the word, and those of its n-grams, from V on.

    Attributes:
        lengths: of the shortest and the longest n-gram.
        buckets: how many there are.
        used: the buckets in use, rising, (M,); the n-grams of bucket used[m] have the row V + m.
        offsets: where the rows of each word begin, and behind the last one, (V + 1,).
        rows: int32.
    """

    lengths: tuple[int, int]
    buckets: int
    used: NDArray[np.int64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, words: Sequence[str], lengths: tuple[int, int], buckets: int) -> Subwords:
        """Of a vocabulary."""
        offsets, found = find_buckets(words, lengths, buckets)
        used, numbers = np.unique(found, return_inverse=True)
        rows = np.insert(numbers + len(words), offsets[:-1], np.arange(len(words)))
        return cls(lengths, buckets, used, offsets + np.arange(len(words) + 1), rows.astype(np.int32))

    @property
    def longest(self) -> int:
        """The rows of the word that has most."""
        return int(np.diff(self.offsets).max())

    def average(self, vectors: NDArray) -> NDArray:
        """The vectors of the words from those of all rows, (V + M, D) -> (V, D): means."""
        words = len(self.offsets) - 1
        result = np.empty((words, vectors.shape[1]), vectors.dtype)
        for first in range(0, words, 1 << 12):
            bounds = self.offsets[first : first + (1 << 12) + 1]
            sums = np.add.reduceat(vectors[self.rows[bounds[0] : bounds[-1]]], bounds[:-1] - bounds[0], axis=0)
            result[first : first + (1 << 12)] = sums / np.diff(bounds)[:, None]
        return result


class NgramVectors:
    """Vectors of n-grams, from which those of unknown words are made.

    Args:
        lengths: of the shortest and the longest n-gram, in characters.
        buckets: how many there are.
        used: those that have a vector, rising, (M,).
        vectors: (M, D).

    Raises:
        DataError: shapes or numbers do not agree.
    """

    def __init__(self, lengths: tuple[int, int], buckets: int, used: ArrayLike, vectors: ArrayLike) -> None:
        self.lengths, self.buckets = lengths, buckets
        self.used: NDArray[np.int64] = np.asarray(used, np.int64)
        self.vectors: NDArray[np.float32] = np.asanyarray(vectors, np.float32)
        if not 1 <= lengths[0] <= lengths[1] or buckets < 1:
            raise DataError(f"n-grams of {lengths[0]} to {lengths[1]} characters in {buckets} buckets: there are none")
        if self.vectors.ndim != 2 or self.used.shape != self.vectors.shape[:1]:
            raise DataError(f"n-grams: {self.used.shape} buckets and vectors of the shape {self.vectors.shape}")
        if len(self.used) and (self.used[0] < 0 or self.used[-1] >= buckets or (np.diff(self.used) <= 0).any()):
            raise DataError(f"n-grams: their buckets are not rising numbers below {buckets}")

    def rows(self, word: str) -> NDArray[np.int64]:
        """The rows of the n-grams of a word, those that have one; as often as they stand in the word."""
        if not len(self.used):
            return np.zeros(0, np.int64)
        _, found = find_buckets([word], self.lengths, self.buckets)
        places = np.minimum(np.searchsorted(self.used, found), len(self.used) - 1)
        return places[self.used[places] == found]

    def vector(self, word: str) -> NDArray[np.float32] | None:
        """The mean of the vectors of a word's n-grams, (D,), in lower case if more are known so; None where none is."""
        rows, lower = self.rows(word), self.rows(word.lower())
        rows = lower if len(lower) > len(rows) else rows
        return np.asarray(self.vectors[rows]).mean(0, dtype=np.float64).astype(np.float32) if len(rows) else None
