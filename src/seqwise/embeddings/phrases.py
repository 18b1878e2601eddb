"""Phrases: two words that stand together more often than their frequencies would have it become one, new_york.

score(a b) = (count(a b) - delta) / (count(a) count(b)) * N

(Mikolov et al. 2013b, equation 6; the factor N, the words of the corpus, is that of the published program, and makes
thresholds mean the same in small and large corpora. gensim's default has the size of the vocabulary in its place.)

Pairs are counted exactly in a bounded memory. First all of them go into a table of counters by their hash, which several
pairs share: a counter is never less than the count of any of its pairs, so that a pair whose counter is too low for the
threshold is none. The few others are then counted one by one; in several rounds where they are many.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.corpus_cache import HEADER
from seqwise.embeddings.numbering import in_order, renumber, rewrite

BUCKETS = 1 << 23
"""Counters of the table, a power of two."""
CANDIDATES = 1 << 22
"""Pairs that are counted one by one in a round."""
PART = 1 << 18
"""Tokens that are looked at at once."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth's multiplicative hash)

Numbers = NDArray[np.int64]


def join_phrases(
    file: BinaryIO,
    words: list[str],
    counts: NDArray[np.int64],
    total: int,
    min_count: int,
    passes: int,
    threshold: float,
) -> tuple[list[str], NDArray[np.int64]]:
    """Join the phrases of an encoded corpus, in place; then drop what is rare.

    From left to right, a word goes with the one behind it if the two are a phrase; a rare word and the end of a sentence
    stand between. Each pass counts anew, so that phrases of a pass become parts of longer ones in the next.

    Args:
        file: the tokens begin at `HEADER`; -1 ends a sentence, RARE is a rare word. Afterwards there are none of these.
        words: the vocabulary.
        counts: of each word.
        total: N, the words of the corpus.
        min_count: delta; and words, also phrases, that are there less often in the end are left out.
        passes: how many.
        threshold: of the last pass; twice as high in the one before it, and so on.

    Returns:
        Words and counts in their final order.
    """
    words, counts = list(words), counts.copy()
    for number in range(passes):
        found = find_phrases(file, counts, total, min_count, threshold * 2.0 ** (passes - 1 - number))
        if not len(found):
            continue  # a later pass has a lower threshold
        numbers, first, second = {word: i for i, word in enumerate(words)}, found // len(counts), found % len(counts)
        joined = np.empty(len(found), np.int32)
        for i, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            phrase = f"{words[a]}_{words[b]}"  # which may be there already: in the text, or of other parts
            joined[i] = numbers.setdefault(phrase, len(numbers))
            if joined[i] == len(words):
                words.append(phrase)
        counts = _join(file, found, joined, len(counts), len(words))
    frequent = {i: word for i, word in enumerate(words) if counts[i] >= min_count}
    words, counts, table = in_order(frequent, counts)
    renumber(file, table)
    return words, counts


def find_phrases(file: BinaryIO, counts: NDArray[np.int64], total: int, discount: int, threshold: float) -> Numbers:
    """The pairs of words whose score is above a threshold, each as first * V + second, sorted.

    Args:
        file: tokens, as in `join_phrases`.
        counts: (V,) of the words.
        total: N.
        discount: delta.
        threshold: of score.
    """
    size = len(counts)
    table = np.zeros(BUCKETS, np.uint32)
    for pairs in _pairs(file, size):
        np.add.at(table, _bucket(pairs), np.uint32(1))

    def high(pairs: Numbers, together: NDArray) -> NDArray[np.bool_]:
        product = counts[pairs // size].astype(np.float64) * counts[pairs % size]
        return np.asarray((together.astype(np.float64) - discount) * total > threshold * product)

    rounds = 1
    while True:
        found = []
        for number in range(rounds):
            part = _count(_candidates(file, size, table, high, number, rounds))
            if part is None:
                break
            pairs, together = part
            found.append(pairs[high(pairs, together)])
        else:
            return np.sort(np.concatenate(found))
        rounds *= 2


def _candidates(
    file: BinaryIO,
    size: int,
    table: NDArray[np.uint32],
    high: Callable[[Numbers, NDArray], NDArray[np.bool_]],
    number: int,
    rounds: int,
) -> Iterator[Numbers]:
    """Those pairs of a round that may have a high score."""
    for pairs in _pairs(file, size):
        mine = pairs if rounds == 1 else pairs[pairs % rounds == number]
        yield mine[high(mine, table[_bucket(mine)])]


def _count(parts: Iterator[Numbers]) -> tuple[Numbers, Numbers] | None:
    """Pairs, sorted, and how often each is there; None if there are too many."""
    pairs, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    waiting: list[tuple[Numbers, Numbers]] = []
    size = 0
    for part in parts:
        waiting.append(np.unique(part, return_counts=True))
        size += len(waiting[-1][0])
        if size > max(PART, len(pairs)):
            pairs, counts = _merged([(pairs, counts), *waiting])
            waiting, size = [], 0
            if len(pairs) > CANDIDATES:
                return None
    pairs, counts = _merged([(pairs, counts), *waiting])
    return None if len(pairs) > CANDIDATES else (pairs, counts)


def _merged(parts: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    pairs, where = np.unique(np.concatenate([pairs for pairs, _ in parts]), return_inverse=True)
    counts = np.zeros(len(pairs), np.int64)
    np.add.at(counts, where, np.concatenate([counts for _, counts in parts]))
    return pairs, counts


def _pairs(file: BinaryIO, size: int) -> Iterator[Numbers]:
    """All pairs of neighbours, both of which are words: first * V + second."""
    end = file.seek(0, io.SEEK_END)
    for start in range(HEADER, end, 4 * PART):
        file.seek(start)
        tokens = np.frombuffer(file.read(4 * PART + 4), np.int32).astype(np.int64)  # one more: the last one's neighbour
        first, second = tokens[:-1], tokens[1:]
        both = (first >= 0) & (second >= 0)
        yield first[both] * size + second[both]


def _bucket(pairs: Numbers) -> Numbers:
    return ((pairs.astype(np.uint64) * _MULTIPLIER) >> np.uint64(64 - BUCKETS.bit_length() + 1)).astype(np.int64)


def _join(file: BinaryIO, found: Numbers, joined: NDArray[np.int32], size: int, words: int) -> NDArray[np.int64]:
    """Replace pairs by their joined numbers; how often each number is there now."""
    begins, ends = np.zeros(size, bool), np.zeros(size, bool)
    begins[found // size] = ends[found % size] = True
    counts = np.zeros(words, np.int64)

    def change(part: NDArray[np.int32], last: bool) -> tuple[NDArray[np.int32], int]:
        first, second = part[:-1], part[1:]
        maybe = np.flatnonzero((first >= 0) & (second >= 0) & begins[first] & ends[second])
        pairs = first[maybe].astype(np.int64) * size + second[maybe]
        places = np.minimum(np.searchsorted(found, pairs), len(found) - 1)
        right = found[places] == pairs
        maybe, places = maybe[right], places[right]
        # Of pairs that overlap, every second one from the first on.
        starts = np.append(True, np.diff(maybe) > 1)[: len(maybe)]
        run = np.maximum.accumulate(np.where(starts, maybe, 0)) if len(maybe) else maybe
        chosen = (maybe - run) % 2 == 0
        at, new = maybe[chosen], joined[places[chosen]]
        used = len(part)
        if not last:  # the last word may go with the one behind it, unless it went with the one before
            used -= 1
            if len(at) and at[-1] == used - 1:
                at, new, used = at[:-1], new[:-1], used - 1
        kept = np.ones(used, bool)
        kept[at + 1] = False
        result = part[:used].copy()
        result[at] = new
        result = result[kept]
        counts[:] += np.bincount(result[result >= 0], minlength=words)
        return result, used

    rewrite(file, change)
    return counts
