"""One kind of n-gram features: of words, of characters, or of characters at fixed positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError
from seqwise.text.ngram_corpus import END, START, Corpus, bounded_words, code_points
from seqwise.text.ngram_trie import Ints, NgramTrie, Sequences, count_ngrams
from seqwise.text.ragged import Ragged, offsets_of
from seqwise.text.vocabulary import checked_counts, checked_strings

Kind = Literal["words", "word characters", "characters", "positions"]
_CODE_POINTS = 0x110000
_MARKS = {"word characters": (" ",), "characters": (START, END)}  # alone in every text: no features
_MAX_POSITIONS = 4096  # n-grams that begin further on are no features


class NgramBlock:
    """The n-grams, low <= n <= high, of one kind.

    Args:
        kind: "words" (of a text's tokens), "word characters" (inside words, a space marking where one begins or ends),
            "characters" (of whole texts, START and END marking their ends), "positions" (of whole texts, each n-gram
            with the place where it begins, counted from 1).
        low: the shortest n.
        high: the longest n.

    Attributes:
        features: the n-grams as strings: words joined by a space, characters as they are, positions as "3:GT".
        counts: (features,) the number of training documents that contain each.
    """

    def __init__(self, kind: Kind, low: int, high: int) -> None:
        self.kind, self.low, self.high = kind, low, high
        self.features: list[str] = []
        self.counts: Ints = np.empty(0, np.int64)
        self._words: dict[str, int] = {}
        self._trie = NgramTrie(1)
        self._owners: list[Ints] = []

    def fit(self, corpus: Corpus, *, min_documents: int, max_features: int | None) -> None:
        """Chooses the features: the n-grams in the most documents."""
        self._words = {word: i for i, word in enumerate(sorted(corpus.types))} if self.kind == "words" else {}
        extra = self.kind == "positions"  # the first symbol is the position
        ngrams, counts = count_ngrams(
            lambda: map(self._sequences, corpus.parts()),
            self.low + extra,
            self.high + extra,
            self._symbols,
            min_documents=min_documents,
            max_features=max_features,
        )
        names = list(self._words)
        features = [self._spelled(row, names) for table in ngrams.values() for row in table.tolist()]
        useful = [i for i, feature in enumerate(features) if feature not in _MARKS.get(self.kind, ())]
        self._assemble([features[i] for i in useful], counts[useful])

    def occurrences(self, corpus: Corpus) -> list[tuple[Ints, Ints]]:
        """(document, feature) of every occurrence of a feature, in several pairs of arrays."""
        sequences = self._sequences(corpus)
        found: list[tuple[Ints, Ints]] = []

        def visit(level: int, row: Ints, node: Ints) -> None:
            feature = self._owners[level - 1][node]
            is_feature = feature >= 0
            found.append(sequences.per_document(row[is_feature], feature[is_feature]))

        self._trie.walk(sequences, visit)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Kind, features and counts, ready for JSON."""
        return {
            "kind": self.kind,
            "low": self.low,
            "high": self.high,
            "features": self.features,
            "counts": self.counts.tolist(),
        }

    def load(self, features: Any, counts: Any) -> None:
        """Takes features and counts that were saved.

        Raises:
            DataError: if they cannot be this block's.
        """
        what = f"n-grams of {self.kind}"
        features, counts = checked_strings(features, what), checked_counts(counts, what)
        if len(features) != len(counts):
            raise DataError(f"{what}: there are {len(features)} features but {len(counts)} counts")
        self._assemble(features, np.array(counts, np.int64))

    @property
    def _symbols(self) -> int:
        # One more than there are: the last one stands for whatever is unknown, and no n-gram holds it.
        known = len(self._words) if self.kind == "words" else _CODE_POINTS
        return known + (_MAX_POSITIONS if self.kind == "positions" else 0) + 1

    def _sequences(self, corpus: Corpus) -> Sequences:
        if self.kind == "words":
            assert corpus.words is not None
            unknown = len(self._words)
            local = np.array([self._words.get(word, unknown) for word in corpus.types], np.int64)
            return Sequences(Ragged(local[corpus.words.ids], corpus.words.offsets))
        if self.kind == "word characters":
            return Sequences(bounded_words(corpus.types), corpus.words)
        assert corpus.characters is not None
        if self.kind == "characters":
            return Sequences(corpus.characters)
        return _positioned(corpus.characters, self.high)

    def _spelled(self, symbols: list[int], words: Sequence[str]) -> str:
        if self.kind == "words":
            return " ".join([words[i] for i in symbols])
        if self.kind == "positions":
            return f"{symbols[0] - _CODE_POINTS + 1}:{''.join(map(chr, symbols[1:]))}"
        return "".join(map(chr, symbols))

    def _parsed(self, feature: str) -> list[int]:
        """The symbols of an n-gram of words or positions."""
        if self.kind == "words":
            return [self._words.setdefault(word, len(self._words)) for word in feature.split(" ")]
        place, colon, ngram = feature.partition(":")
        if not (colon and place.isascii() and place.isdigit() and 1 <= int(place[:9]) <= _MAX_POSITIONS):
            raise DataError(f"n-grams of positions: {feature!r} does not begin with a position")
        return [_CODE_POINTS + int(place) - 1, *map(ord, ngram)]

    def _assemble(self, features: list[str], counts: Ints) -> None:
        self._words = {}
        if self.kind in ("words", "positions"):
            by_length = self._tables(features)
        else:  # every character is a symbol: all n-grams at once
            lengths = np.fromiter(map(len, features), np.int64, len(features))
            symbols, starts = code_points("".join(features)).astype(np.int64), offsets_of(lengths)[:-1]
            by_length = {}
            for n in np.flatnonzero(
                np.bincount(lengths)
            ).tolist():  # np.unique would import numpy.ma, a tenth of the start
                places = np.flatnonzero(lengths == n)
                self._check_length(n, features[places[0]])
                by_length[n] = places, symbols[starts[places, None] + np.arange(n)]
        tables = {n: by_length[n][1] for n in sorted(by_length)}
        self._trie, owners = NgramTrie.build(tables, self._symbols)
        order = np.concatenate([*(by_length[n][0] for n in tables), [-1]])  # the last is "no feature"
        self._owners = [order[owner] for owner in owners]
        self.features, self.counts = features, counts

    def _tables(self, features: list[str]) -> dict[int, tuple[Ints, Ints]]:
        """By length in symbols: the numbers of the features, and their symbols."""
        found: dict[int, tuple[list[int], list[list[int]]]] = {}
        for number, feature in enumerate(features):
            symbols = self._parsed(feature)
            self._check_length(len(symbols) - (self.kind == "positions"), feature)
            numbers, rows = found.setdefault(len(symbols), ([], []))
            numbers.append(number)
            rows.append(symbols)
        return {n: (np.array(numbers, np.int64), np.array(rows, np.int64)) for n, (numbers, rows) in found.items()}

    def _check_length(self, length: int, feature: str) -> None:
        if not self.low <= length <= self.high:
            raise DataError(f"n-grams of {self.kind}: {feature!r} is not from {self.low} to {self.high} long")


def _positioned(texts: Ragged, high: int) -> Sequences:
    """For every place of every text a sequence: the place, then the (up to `high`) characters that begin there."""
    lengths = texts.lengths - 2  # without the marks
    places = np.minimum(lengths, _MAX_POSITIONS)
    place = _ranges(places)
    row = np.repeat(np.arange(len(texts)), places)
    widths = 1 + np.minimum(high, lengths[row] - place)
    offsets = offsets_of(widths)
    step = _ranges(widths)
    sequence = np.repeat(np.arange(len(widths)), widths)
    source = texts.offsets[row][sequence] + 1 + place[sequence] + np.maximum(step - 1, 0)
    symbols = np.where(step == 0, _CODE_POINTS + place[sequence], texts.ids[source])
    documents = Ragged(np.arange(len(widths)), offsets_of(places))
    return Sequences(Ragged(symbols, offsets), documents, anchored=True)


def _ranges(lengths: NDArray[np.int64]) -> Ints:
    """0, 1, ..., length - 1 for every length, one after the other."""
    starts = offsets_of(lengths)[:-1]
    return np.arange(lengths.sum()) - np.repeat(starts, lengths)
