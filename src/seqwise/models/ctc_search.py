"""From the outputs of a CTC network to symbols: greedily, or by prefix beam search with a word list and a language model.

Prefix beam search (Graves 2008; Hannun et al. 2014, arXiv:1408.2873) sums over all paths of a prefix: of each it keeps the
probability of those paths that end in a blank and of those that end in its last symbol. All prefixes of a step are extended
by all symbols at once. A language model and a word list join in where a prefix grows (shallow fusion):

    score = log P(prefix | x) + weight log P_language(prefix) + bonus (its words, or its symbols without a word in view).

Axis letters: T steps, V symbols, K prefixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from seqwise.errors import ConfigurationError
from seqwise.models.lexicon import BEGIN, DEAD, Lexicon

NEVER = -np.inf


class LanguageScores(Protocol):
    """A language model as the search asks for it. What has been read is a number that the model gives out."""

    def begin(self) -> int:
        """Forget all numbers; return that of what has been read before the first symbol."""

    def extensions(self, read: int) -> np.ndarray:
        """log P of every symbol of the network after what has been read, (V,), 0 where it is no word's end."""

    def read(self, before: Sequence[int], symbols: Sequence[int]) -> list[int]:
        """Read one symbol after each of what has been read."""

    def end(self, read: int) -> float:
        """log P that the text ends after what has been read, the word included that is not finished yet."""


@dataclass(frozen=True)
class SearchSettings:
    """How is searched.

    Attributes:
        beam: K.
        weight: of the language model's log P.
        bonus: for every symbol that `Searcher.counted` counts.
        cutoff: symbols whose probability at a step is below this extend no prefix; 0: all do.

    Raises:
        ConfigurationError: a number is out of its range.
    """

    beam: int = 16
    weight: float = 0.0
    bonus: float = 0.0
    cutoff: float = 1e-5

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise ConfigurationError(f"a beam keeps at least one prefix, not {self.beam}")
        if not (np.isfinite(self.weight) and self.weight >= 0 and np.isfinite(self.bonus)):
            raise ConfigurationError(
                f"weight is a number from 0 on, bonus a number, not {self.weight} and {self.bonus}"
            )
        if not 0 <= self.cutoff < 1:
            raise ConfigurationError(f"cutoff is from 0 to below 1, not {self.cutoff}")


class Found(NamedTuple):
    """An answer.

    Attributes:
        symbols: without blanks.
        score: what it was chosen by.
        log_probability: log P(symbols | x), as far as the search has kept its paths.
    """

    symbols: list[int]
    score: float
    log_probability: float


@dataclass
class Searcher:
    """Prefix beam search.

    Attributes:
        settings: see `SearchSettings`.
        blank: number of the blank.
        lexicon: only its words are spelled; None: everything is.
        language: a language model; None: none.
        counted: (V,) 1 for symbols that earn the bonus, those that begin or end a word, say; None: all do.
    """

    settings: SearchSettings
    blank: int = 0
    lexicon: Lexicon | None = None
    language: LanguageScores | None = None
    counted: np.ndarray | None = None
    _prefixes: list[tuple[int, int]] = field(default_factory=list, repr=False)  # parent and last symbol of every prefix
    _numbers: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)

    def search(self, logs: np.ndarray, best: int = 1) -> list[Found]:
        """Find the most probable symbols.

        Args:
            logs: (T, V) log P of every symbol at every step.
            best: answers at most.

        Returns:
            The best first. Where the search has kept no prefix that consists of whole words, the best one is cut back to
            its last whole word.
        """
        self._prefixes, self._numbers = [(-1, self.blank)], {}
        beam = _Beam.start(self.blank, self.language, self.lexicon)
        for step in np.asarray(logs, np.float64):
            beam = self._advance(beam, step)
        return self._answers(beam, best)

    def _advance(self, beam: _Beam, logs: np.ndarray) -> _Beam:
        """One step of the network."""
        settings, count = self.settings, len(beam.numbers)
        kept = np.flatnonzero(logs >= np.log(settings.cutoff)) if settings.cutoff else np.arange(len(logs))
        kept = kept[kept != self.blank]
        total = np.logaddexp(beam.blank, beam.symbol)
        staying = total + logs[self.blank]
        # The same symbol again is still the prefix; to become another one it needs a blank between.
        again = np.where(beam.last == self.blank, NEVER, beam.symbol + logs[beam.last])
        growing = np.where(kept == beam.last[:, None], beam.blank[:, None], total[:, None]) + logs[kept]  # (K, kept)
        bonus = np.full(growing.shape, settings.bonus)
        if self.counted is not None:
            bonus = bonus * self.counted[kept]
        places = None
        if self.lexicon is not None:
            places = np.stack([self.lexicon.after(place)[kept] for place in beam.places.tolist()])
            growing = np.where(places == DEAD, NEVER, growing)
        if self.language is not None and settings.weight:
            said = np.stack([self.language.extensions(read)[kept] for read in beam.read])
            bonus = bonus + settings.weight * said
        again = self._merge(beam, again, growing, kept)

        paths = np.logaddexp(staying, again)
        scores = np.concatenate([paths + beam.bonus, (growing + (beam.bonus[:, None] + bonus)).ravel()])
        chosen = _largest(scores, settings.beam)
        old, new = chosen[chosen < count], chosen[chosen >= count] - count
        parents, columns = new // max(len(kept), 1), new % max(len(kept), 1)
        symbols = kept[columns]
        return _Beam(
            numbers=np.concatenate([beam.numbers[old], self._number(beam.numbers[parents], symbols)]),
            last=np.concatenate([beam.last[old], symbols]),
            blank=np.concatenate([staying[old], np.full(len(new), NEVER)]),
            symbol=np.concatenate([again[old], growing[parents, columns]]),
            bonus=np.concatenate([beam.bonus[old], beam.bonus[parents] + bonus[parents, columns]]),
            places=beam.places if places is None else np.concatenate([beam.places[old], places[parents, columns]]),
            read=self._read(beam, old, parents, symbols),
        )

    def _read(self, beam: _Beam, old: np.ndarray, parents: np.ndarray, symbols: np.ndarray) -> list[int]:
        """What the language model has read of the prefixes that stay, and of those that are new."""
        if self.language is None:
            return []
        return [beam.read[i] for i in old] + self.language.read([beam.read[i] for i in parents], symbols.tolist())

    def _merge(self, beam: _Beam, again: np.ndarray, growing: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Prefixes that are in the beam already get the paths by which their parent grows into them."""
        rows = {number: row for row, number in enumerate(beam.numbers.tolist())}
        columns = {symbol: column for column, symbol in enumerate(kept.tolist())}
        for row, number in enumerate(beam.numbers.tolist()):
            parent, symbol = self._prefixes[number]
            if parent in rows and symbol in columns:
                cell = rows[parent], columns[symbol]
                again[row] = np.logaddexp(again[row], growing[cell])
                growing[cell] = NEVER
        return again

    def _number(self, parents: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """The numbers of prefixes, (.,) int64; a prefix has one, whenever it comes up."""
        result = np.empty(len(parents), np.int64)
        for place, pair in enumerate(zip(parents.tolist(), symbols.tolist(), strict=True)):
            number = self._numbers.get(pair)
            if number is None:
                number = self._numbers[pair] = len(self._prefixes)
                self._prefixes.append(pair)
            result[place] = number
        return result

    def _answers(self, beam: _Beam, best: int) -> list[Found]:
        paths = np.logaddexp(beam.blank, beam.symbol)
        scores = paths + beam.bonus
        if self.lexicon is not None:
            whole = np.array([self.lexicon.ends(place) for place in beam.places.tolist()])
            scores = np.where(whole, scores, NEVER)
        if self.language is not None and self.settings.weight:
            scores = scores + self.settings.weight * np.array([self.language.end(read) for read in beam.read])
        order = [row for row in np.argsort(-scores, kind="stable").tolist()[:best] if scores[row] > NEVER]
        if not order:
            row = int((paths + beam.bonus).argmax())
            return [Found(self._whole(self._symbols(int(beam.numbers[row]))), NEVER, NEVER)]
        numbers = beam.numbers.tolist()
        return [Found(self._symbols(numbers[row]), float(scores[row]), float(paths[row])) for row in order]

    def _whole(self, symbols: list[int]) -> list[int]:
        """The symbols up to the last whole word."""
        assert self.lexicon is not None
        place, end = BEGIN, 0
        for count, symbol in enumerate(symbols, 1):
            place = int(self.lexicon.after(place)[symbol])
            end = count if self.lexicon.ends(place) else end
        return symbols[:end]

    def _symbols(self, number: int) -> list[int]:
        symbols = []
        while number:
            number, symbol = self._prefixes[number]
            symbols.append(symbol)
        return symbols[::-1]


@dataclass
class _Beam:
    """The prefixes of a step: K of everything."""

    numbers: np.ndarray
    last: np.ndarray  # symbol; of the empty prefix the blank
    blank: np.ndarray  # log P of the paths that end in a blank
    symbol: np.ndarray  # log P of those that end in the last symbol
    bonus: np.ndarray  # what language model and bonus have added
    places: np.ndarray  # in the lexicon
    read: list[int]  # of the language model

    @classmethod
    def start(cls, blank: int, language: LanguageScores | None, lexicon: Lexicon | None) -> _Beam:
        """The empty prefix."""
        return cls(
            numbers=np.zeros(1, np.int64),
            last=np.full(1, blank),
            blank=np.zeros(1),
            symbol=np.full(1, NEVER),
            bonus=np.zeros(1),
            places=np.full(1 if lexicon is not None else 0, BEGIN),
            read=[] if language is None else [language.begin()],
        )


def greedy(logs: np.ndarray, blank: int = 0) -> list[int]:
    """The symbols of the most probable path: repeats joined, blanks left out.

    Args:
        logs: (T, V) log P of every symbol at every step, or what rises with it.
        blank: number of the blank.
    """
    path = logs.argmax(-1)
    begins = np.concatenate([np.ones(min(len(path), 1), bool), path[1:] != path[:-1]])
    return path[begins & (path != blank)].tolist()


def _largest(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` largest finite scores, in rising order."""
    finite = np.flatnonzero(scores > NEVER)
    if len(finite) > count:
        order = np.argsort(-scores[finite], kind="stable")[:count]
        finite = np.sort(finite[order])
    return finite
