"""Finding and counting n-grams in flat integer sequences, exactly and without a loop over positions.

An n-gram is a path in a tree: level k holds one number for every known k-gram, `parent * symbols + last symbol`,
sorted, where `parent` is the place of its first k-1 symbols in level k-1. So all windows of a text are looked up by one
binary search a level, only windows whose beginning was found go on, and no number exceeds int64 whatever n is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqwise.text.ragged import Ragged

Ints = NDArray[np.int64]
_MERGE_ABOVE = 4_000_000  # distinct counts that wait, besides as many as there are in all


@dataclass(frozen=True)
class Sequences:
    """A chunk of symbol sequences and the documents that contain them.

    Attributes:
        rows: the sequences, symbols as ids from 0 on.
        documents: row d lists the sequences of document d; None when every sequence is a document.
        anchored: n-grams begin only at the first symbol of a sequence.
    """

    rows: Ragged
    documents: Ragged | None = None
    anchored: bool = False

    def per_document(self, row: Ints, code: Ints) -> tuple[Ints, Ints]:
        """(document, code) pairs from the (sequence, code) pairs of all n-grams, `row` in ascending order."""
        if self.documents is None:
            return row, code
        found = Ragged(code, np.searchsorted(row, np.arange(len(self.rows) + 1))).take(self.documents.ids)
        ends = found.offsets[self.documents.offsets]
        return np.repeat(np.arange(len(self.documents)), np.diff(ends)), found.ids.astype(np.int64, copy=False)

    def __len__(self) -> int:
        return len(self.rows if self.documents is None else self.documents)


class NgramTrie:
    """Sorted levels of n-grams over `symbols` different symbols."""

    def __init__(self, symbols: int) -> None:
        self.symbols = symbols
        self.levels: list[Ints] = []

    @classmethod
    def build(cls, ngrams: dict[int, Ints], symbols: int) -> tuple[NgramTrie, list[Ints]]:
        """A trie of exactly these n-grams and their prefixes.

        Args:
            ngrams: by n, (count, n) symbols.
            symbols: how many different symbols there are.

        Returns:
            The trie, and for every level the (nodes,) index of the node's n-gram among all of them, counted in order of
            n; -1 for a mere prefix.
        """
        trie = cls(symbols)
        index: list[Ints] = []
        parents = {n: np.zeros(len(table), np.int64) for n, table in ngrams.items()}
        before = {n: sum(len(ngrams[m]) for m in ngrams if m < n) for n in ngrams}
        for level in range(1, max(ngrams, default=0) + 1):
            codes = {n: parents[n] * symbols + ngrams[n][:, level - 1] for n in ngrams if n >= level}
            nodes = np.unique(np.concatenate(list(codes.values())))
            for n, code in codes.items():
                parents[n] = np.searchsorted(nodes, code)
            owner = np.full(len(nodes), -1, np.int64)
            if level in ngrams:
                owner[parents[level]] = before[level] + np.arange(len(ngrams[level]))
            trie.levels.append(nodes)
            index.append(owner)
        return trie, index

    def spell(self, level: int, nodes: Ints) -> Ints:
        """(count, level) the symbols of these nodes of a level (from 1)."""
        table = np.empty((len(nodes), level), np.int64)
        for column in range(level - 1, -1, -1):
            nodes, table[:, column] = np.divmod(self.levels[column][nodes], self.symbols)
        return table

    def walk(self, sequences: Sequences, visit: Callable[[int, Ints, Ints], None]) -> tuple[Ints, Ints]:
        """Looks up every window of the sequences, level by level.

        Args:
            sequences: where to look.
            visit: called for every level with (level, the window's sequence, its node), in order of position.

        Returns:
            The sequence and the code of every window that is one symbol longer than the deepest level: the candidates
            for the next one.
        """
        rows = sequences.rows
        symbols = rows.ids.astype(np.int64)
        row_of = np.repeat(np.arange(len(rows)), rows.lengths)
        last = rows.offsets[1:][row_of]  # where the row of each position ends
        starts = rows.offsets[:-1][rows.lengths > 0] if sequences.anchored else np.arange(len(symbols))
        codes = symbols[starts]
        for level, nodes in enumerate(self.levels, 1):
            known, node = _find(nodes, codes)
            starts, node = starts[known], node[known]
            visit(level, row_of[starts], node)
            longer = starts + level < last[starts]
            starts, node = starts[longer], node[longer]
            codes = node * self.symbols + symbols[starts + level]
        return row_of[starts], codes


def count_ngrams(
    chunks: Callable[[], Iterable[Sequences]],
    low: int,
    high: int,
    symbols: int,
    *,
    min_documents: int,
    max_features: int | None,
) -> tuple[dict[int, Ints], Ints]:
    """The n-grams, low <= n <= high, that the most documents contain.

    An n-gram is in no more documents than its prefix, so every level is cut before the next is counted, and the result
    is exact all the same.

    Args:
        chunks: gives the training sequences, as often as it is called.
        low: the shortest n.
        high: the longest n.
        symbols: how many different symbols there are.
        min_documents: rarer n-grams are left out.
        max_features: how many are kept; at equal counts the shorter, then the smaller symbols come first.

    Returns:
        By n the (count, n) symbols of the kept n-grams, most frequent first, and the document counts in the same order.
    """
    trie = NgramTrie(symbols)
    counts: list[Ints] = []
    for level in range(1, high + 1):
        totals = _Totals()
        for chunk in chunks():
            row, code = trie.walk(chunk, lambda *_: None)
            totals.add(*_document_counts(*chunk.per_document(row, code), len(chunk)))
        codes, count = totals.result()
        keep = count >= min_documents
        if max_features is not None and level >= low and keep.sum() > max_features:
            best = np.argsort(-count, kind="stable")[:max_features]
            keep &= np.isin(np.arange(len(count)), best)
        trie.levels.append(codes[keep])
        counts.append(count[keep])
    sizes = [len(count) for count in counts[low - 1 :]]
    level_of = np.repeat(np.arange(low, high + 1), sizes)
    node_of = np.concatenate([np.arange(size) for size in sizes])
    all_counts = np.concatenate(counts[low - 1 :])
    best = np.argsort(-all_counts, kind="stable")[:max_features]
    ngrams: dict[int, Ints] = {}
    order = []
    for level in range(low, high + 1):
        mine = best[level_of[best] == level]
        if len(mine):
            ngrams[level] = trie.spell(level, node_of[mine])
            order.append(all_counts[mine])
    return ngrams, np.concatenate([np.empty(0, np.int64), *order])


def _find(nodes: Ints, codes: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Whether each code is among the sorted nodes, and where."""
    if not len(nodes):
        return np.zeros(len(codes), np.bool_), np.zeros(len(codes), np.int64)
    place = np.searchsorted(nodes, codes)
    np.minimum(place, len(nodes) - 1, out=place)
    return nodes[place] == codes, place


def _document_counts(document: Ints, code: Ints, documents: int) -> tuple[Ints, Ints]:
    """In how many documents of a chunk each code occurs: (codes in order, counts)."""
    pairs = np.sort(code * documents + document)
    codes = pairs[_changes(pairs)] // documents
    first = np.flatnonzero(_changes(codes))
    return codes[first], np.diff(first, append=len(codes))


def _changes(values: Ints) -> NDArray[np.bool_]:
    """True where a sorted value differs from the one before."""
    changed = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return changed


class _Totals:
    """Adds up (codes, counts) of many chunks, merging now and then so that memory follows the distinct codes."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints]] = []
        self._pending = 0
        self._merged = 0

    def add(self, codes: Ints, counts: Ints) -> None:
        self._parts.append((codes, counts))
        self._pending += len(codes)
        if self._pending > _MERGE_ABOVE + self._merged:
            self._merge()

    def _merge(self) -> None:
        codes = np.concatenate([np.empty(0, np.int64), *(codes for codes, _ in self._parts)])
        counts = np.concatenate([np.empty(0, np.int64), *(counts for _, counts in self._parts)])
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        first = np.flatnonzero(_changes(codes))
        sums = np.add.reduceat(counts[order], first) if len(first) else counts
        self._parts, self._pending, self._merged = [(codes[first], sums)], 0, len(first)

    def result(self) -> tuple[Ints, Ints]:
        self._merge()
        return self._parts[0]
