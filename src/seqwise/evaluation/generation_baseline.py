"""What a generator has to be better than: bigrams of each class, bigrams of chords, or the sequence of the nearest vector.

They read the same arrays as the model (`GeneratorExamples`), and give every sequence a probability too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError
from seqwise.models.generator_features import GeneratorExamples
from seqwise.text.vocabulary import EOS

PRIOR = 30.0  # observations that the distribution that is backed off to is worth; the best for names of 18 languages
CHORD_PRIOR = 30.0  # the same of chords; the best for chorales
Chord = tuple[int, ...]


class ClassBigrams:
    """P(symbol | the one before, class), backed off to P(symbol | the one before), and this to P(symbol).

    P(s | r, c) = (n(c, r, s) + a P(s | r)) / (n(c, r) + a), and so on, with a = 30: Dirichlet priors.

    Args:
        symbols: V.
        counts: (class, before, symbol) -> how often.
    """

    name = "bigrams of each class"
    kind = "class bigrams"

    def __init__(self, symbols: int, counts: Mapping[tuple[int, int, int], int]) -> None:
        self.symbols, self.counts = symbols, dict(counts)
        self._of_class: Counter[tuple[int, int]] = Counter()
        self._pairs: Counter[tuple[int, int]] = Counter()
        self._before: Counter[int] = Counter()
        self._single: Counter[int] = Counter()
        for (group, before, symbol), number in self.counts.items():
            self._of_class[group, before] += number
            self._pairs[before, symbol] += number
            self._before[before] += number
            self._single[symbol] += number
        self._total = self._single.total()

    @classmethod
    def fit(cls, examples: GeneratorExamples, symbols: int) -> ClassBigrams:
        """Count."""
        counts: Counter[tuple[int, int, int]] = Counter()
        for group, row in zip(_groups(examples), examples.steps, strict=True):
            before = EOS
            for symbol in row.tolist():
                counts[group, before, symbol] += 1
                before = symbol
        return cls(symbols, counts)

    def losses(self, examples: GeneratorExamples) -> list[np.ndarray]:
        """-log P of every symbol, (T,) of each sequence, in nats."""
        result = []
        for group, row in zip(_groups(examples), examples.steps, strict=True):
            values, before = [], EOS
            for symbol in row.tolist():
                values.append(self.probability(group, before, symbol))
                before = symbol
            result.append(-np.log(values))
        return result

    def probability(self, group: int, before: int, symbol: int) -> float:
        """P(symbol | the one before, class)."""
        single = (self._single[symbol] + 1) / (self._total + self.symbols - 1)  # padding is no symbol
        pair = (self._pairs[before, symbol] + PRIOR * single) / (self._before[before] + PRIOR)
        seen = self.counts.get((group, before, symbol), 0)
        return (seen + PRIOR * pair) / (self._of_class[group, before] + PRIOR)

    def sample(self, group: int, random: np.random.Generator, longest: int = 30) -> list[int]:
        """Draw symbols for a class, without <eos>; <unk> is rejected and drawn again."""
        drawn, before = list[int](), EOS
        choices = np.arange(EOS, self.symbols)
        while len(drawn) < longest:
            shares = np.array([self.probability(group, before, int(symbol)) for symbol in choices])
            before = int(random.choice(choices, p=shares / shares.sum()))
            if before == EOS:
                break
            drawn.append(before)
        return drawn

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        counts = [[*key, number] for key, number in self.counts.items()]
        return {"kind": self.kind, "symbols": self.symbols, "counts": counts}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> ClassBigrams:
        """Return what `to_dict` described."""
        return cls(int(saved["symbols"]), {(int(c), int(b), int(s)): int(n) for c, b, s, n in saved["counts"]})


class ChordBigrams:
    """P(chord | the one before), backed off to P(chord), and this to pitches that sound independently of each other.

    P(c | b) = (n(b, c) + a P(c)) / (n(b) + a), P(c) = (n(c) + a P0(c)) / (n + a), a = 30: every set of pitches has a
    probability, and those of all sets sum to one.

    Args:
        sounding: at how many steps each pitch sounds, (P,).
        counts: (chord before, chord) -> how often; None is before the first.
    """

    name = "bigrams of chords"
    kind = "chord bigrams"

    def __init__(self, sounding: NDArray[np.int64], counts: Mapping[tuple[Chord | None, Chord], int]) -> None:
        self.sounding, self.counts = sounding, dict(counts)
        self._before: Counter[Chord | None] = Counter()
        self._single: Counter[Chord] = Counter()
        for (before, chord), number in self.counts.items():
            self._before[before] += number
            self._single[chord] += number
        self._total = self._single.total()
        share = (sounding + 0.5) / (self._total + 1.0)
        self._on, self._off = np.log(share), np.log1p(-share)

    @classmethod
    def fit(cls, examples: GeneratorExamples) -> ChordBigrams:
        """Count."""
        counts: Counter[tuple[Chord | None, Chord]] = Counter()
        sounding = np.zeros(examples.pitches, np.int64)
        for row in examples.steps:
            before: Chord | None = None
            for chord in _chords(row):
                counts[before, chord] += 1
                sounding[list(chord)] += 1
                before = chord
        return cls(sounding, counts)

    def losses(self, examples: GeneratorExamples) -> list[np.ndarray]:
        """-log P of every chord, (T,) of each piece, in nats."""
        result = []
        for row in examples.steps:
            values, before = [], None
            for chord in _chords(row):
                values.append(self.probability(before, chord))
                before = chord
            result.append(-np.log(values))
        return result

    def independent_losses(self, examples: GeneratorExamples) -> list[np.ndarray]:
        """The same of the frequencies of the pitches alone."""
        return [np.array([-self._independent(chord) for chord in _chords(row)]) for row in examples.steps]

    def probability(self, before: Chord | None, chord: Chord) -> float:
        """P(chord | the one before)."""
        alone = (self._single[chord] + CHORD_PRIOR * np.exp(self._independent(chord))) / (self._total + CHORD_PRIOR)
        return (self.counts.get((before, chord), 0) + CHORD_PRIOR * alone) / (self._before[before] + CHORD_PRIOR)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        counts = [[None if b is None else list(b), list(c), number] for (b, c), number in self.counts.items()]
        return {"kind": self.kind, "sounding": self.sounding.tolist(), "counts": counts}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> ChordBigrams:
        """Return what `to_dict` described."""
        counts = {(None if b is None else tuple(b), tuple(c)): int(number) for b, c, number in saved["counts"]}
        return cls(np.array(saved["sounding"], np.int64), counts)

    def _independent(self, chord: Chord) -> float:
        """log P of a chord whose pitches sound independently."""
        places = list(chord)
        return float(self._off.sum() + (self._on[places] - self._off[places]).sum())


class NearestVector:
    """The sequence that belongs to the training vector with the smallest Euclidean distance.

    Args:
        vectors: (n, D), as the model reads them.
        answers: number of the sequence of each, (n,).
        sequences: the different sequences, as symbols.
    """

    name = "nearest training vector"
    kind = "nearest vector"

    def __init__(self, vectors: NDArray[np.float32], answers: NDArray[np.int64], sequences: list[list[int]]) -> None:
        self.vectors, self.answers, self.sequences = vectors, answers, sequences

    @classmethod
    def fit(cls, examples: GeneratorExamples) -> NearestVector:
        """Remember."""
        assert examples.conditions is not None
        places: dict[tuple[int, ...], int] = defaultdict(lambda: len(places))
        answers = np.array([places[tuple(row.tolist())] for row in examples.steps], np.int64)
        return cls(examples.conditions, answers, [list(row) for row in places])

    def exact(self, examples: GeneratorExamples) -> NDArray[np.bool_]:
        """Whether the sequence of the nearest is the right one, (n,)."""
        assert examples.conditions is not None
        squares = np.square(self.vectors).sum(1)
        right = []
        for vector, row in zip(examples.conditions, examples.steps, strict=True):
            nearest = int(np.argmin(squares - 2 * (self.vectors @ vector)))
            right.append(self.sequences[self.answers[nearest]] == row.tolist())
        return np.array(right)

    def majority_exact(self, examples: GeneratorExamples) -> NDArray[np.bool_]:
        """Whether the most frequent training sequence is the right one, (n,)."""
        common = self.sequences[int(np.bincount(self.answers).argmax())]
        return np.array([row.tolist() == common for row in examples.steps])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        vectors = [[float(f"{value:.6g}") for value in row] for row in self.vectors.tolist()]
        return {"kind": self.kind, "vectors": vectors, "answers": self.answers.tolist(), "sequences": self.sequences}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> NearestVector:
        """Return what `to_dict` described."""
        vectors, answers = np.array(saved["vectors"], np.float32), np.array(saved["answers"], np.int64)
        return cls(vectors, answers, [list(map(int, row)) for row in saved["sequences"]])


Baseline = ClassBigrams | ChordBigrams | NearestVector


def fit_generation_baseline(examples: GeneratorExamples, condition: str, symbols: int) -> Baseline:
    """Return the baseline of a generator: of chords, of vectors, or of classes and nothing.

    Args:
        examples: of training.
        condition: "class", "vector" or "none".
        symbols: V.
    """
    if examples.pitches:
        return ChordBigrams.fit(examples)
    return NearestVector.fit(examples) if condition == "vector" else ClassBigrams.fit(examples, symbols)


def load_generation_baseline(saved: Mapping[str, Any]) -> Baseline:
    """Return the baseline that its `to_dict` described.

    Raises:
        DataError: it described none.
    """
    kinds: dict[str, type[Baseline]] = {one.kind: one for one in (ClassBigrams, ChordBigrams, NearestVector)}
    try:
        return kinds[saved["kind"]].from_dict(saved)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"it describes no baseline of a generator: {error}") from None


def _groups(examples: GeneratorExamples) -> list[int]:
    return [0] * len(examples) if examples.conditions is None else examples.conditions.tolist()


def _chords(row: NDArray[np.int64]) -> list[Chord]:
    return [tuple(int(pitch) for pitch in chord if pitch >= 0) for chord in row]
