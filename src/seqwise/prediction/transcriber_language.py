"""A saved language model as the search of a transcriber asks for it.

Axis letters: V symbols of the transcriber's network, L symbols of the language model but padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.errors import ConfigurationError
from seqwise.text.vocabulary import EOS

if TYPE_CHECKING:
    from seqwise.models.ctc_search import LanguageScores
    from seqwise.models.transcriber_features import TranscriberFeatures
    from seqwise.prediction.language import LanguagePredictor

WORDS = ("words", "whitespace", "tokens")
REMEMBERED = 50_000  # histories


def language_scores(predictor: LanguagePredictor, features: TranscriberFeatures) -> LanguageScores:
    """Return what scores the symbols of a transcriber.

    Args:
        predictor: of the language model.
        features: of the transcriber.

    Raises:
        ConfigurationError: the model is neither of the transcriber's symbols nor of words.
    """
    ours, theirs = features.pipeline.settings.unit, predictor.pipeline.settings.unit
    if ours == theirs or (ours in WORDS and theirs in WORDS):
        return SymbolLanguage(predictor, features)
    if theirs in WORDS:
        return WordLanguage(predictor, features)
    raise ConfigurationError(
        f"the language model is one of {theirs}, and the transcriber writes {ours}: a language model of {ours} or of words "
        "is needed"
    )


class Histories:
    """What a language model has read, numbered: log P of what comes next, and the states.

    A history is remembered, for utterances begin alike, and one is searched several times while weights are chosen.

    Args:
        predictor: of the language model.
    """

    def __init__(self, predictor: LanguagePredictor) -> None:
        self._network, self._first = predictor.network, predictor.opening
        self.ends = predictor.ends
        self._logs: list[np.ndarray] = []
        self._states: list[tuple[Any, ...]] = []
        self._known: dict[tuple[int, int], int] = {}

    def begin(self) -> int:
        """Return the number of the beginning of a text, 0; all others may be forgotten."""
        if not self._logs:
            self._add([self._first], self._network.start(1))
        elif len(self._logs) > REMEMBERED:
            del self._logs[1:], self._states[1:]
            self._known = {}
        return 0

    def logs(self, number: int) -> np.ndarray:
        """log P of every symbol that may come next, (L,)."""
        return self._logs[number]

    def end(self, number: int) -> float:
        """log P that the text ends there; 0 of a model that has not learned where texts end."""
        return float(self._logs[number][EOS - 1]) if self.ends else 0.0

    def read(self, before: Sequence[int], symbols: Sequence[int]) -> list[int]:
        """Read one symbol after each of some histories; return the numbers of the new ones."""
        pairs = list(zip(before, symbols, strict=True))
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        for pair, number in zip(new, range(len(self._logs), len(self._logs) + len(new)), strict=True):
            self._known[pair] = number
        if new and self._network.transformer is not None:  # what it has read is of several lengths: one by one
            for number, symbol in new:
                states = self._states[number]
                self._add([symbol], type(states)(*(state.clone() for state in states)))
        elif new:
            import torch

            parts = zip(*(self._states[number] for number, _ in new), strict=True)
            self._add([symbol for _, symbol in new], tuple(torch.cat(part, dim=1) for part in parts))
        return [self._known[pair] for pair in pairs]

    def _add(self, symbols: list[int], states: tuple[Any, ...]) -> None:
        """Read symbols, each with the states before it, which may be changed, and remember what comes out."""
        import torch

        device = self._network.embedding.weight.device
        logs, after = self._network.step(torch.tensor(symbols, device=device), states)
        self._logs += list(logs.double().cpu().numpy())
        if self._network.transformer is not None:
            self._states.append(after)
        else:
            self._states += [tuple(state[:, row : row + 1] for state in after) for row in range(len(symbols))]


class SymbolLanguage:
    """A language model of the transcriber's own symbols.

    Args:
        predictor: of the language model.
        features: of the transcriber.

    Raises:
        ConfigurationError: it knows none of the symbols.
    """

    def __init__(self, predictor: LanguagePredictor, features: TranscriberFeatures) -> None:
        pipeline = predictor.pipeline
        tokens = features.tokens
        written = [token.lower() for token in tokens] if pipeline.settings.lowercase else tokens
        if not any(token in pipeline.vocabulary for token in written):
            raise ConfigurationError("the language model knows none of the transcriber's symbols")
        self._numbers = np.concatenate([[0], pipeline.vocabulary.encode(written)]).astype(np.int64)
        self._places = np.maximum(self._numbers - 1, 0)
        self._histories = Histories(predictor)

    def begin(self) -> int:
        """See `LanguageScores`."""
        return self._histories.begin()

    def extensions(self, read: int) -> np.ndarray:
        """See `LanguageScores`."""
        return self._histories.logs(read)[self._places]

    def read(self, before: Sequence[int], symbols: Sequence[int]) -> list[int]:
        """See `LanguageScores`."""
        return self._histories.read(before, self._numbers[list(symbols)].tolist())

    def end(self, read: int) -> float:
        """See `LanguageScores`."""
        return self._histories.end(read)


class WordLanguage:
    """A language model of words beside a transcriber of characters or sub-words: a word counts once it is finished.

    Args:
        predictor: of the language model.
        features: of the transcriber.
    """

    def __init__(self, predictor: LanguagePredictor, features: TranscriberFeatures) -> None:
        self._pipeline = predictor.pipeline
        self._symbols = features.symbols
        self._finishes = features.word_marks
        self._histories = Histories(predictor)
        self._read: list[tuple[int, str]] = []  # the finished words, and the letters after them

    def begin(self) -> int:
        """See `LanguageScores`."""
        self._read = [(self._histories.begin(), "")]
        return 0

    def extensions(self, read: int) -> np.ndarray:
        """See `LanguageScores`."""
        history, word = self._read[read]
        return np.where(self._finishes, self._word(history, word), 0.0)

    def read(self, before: Sequence[int], symbols: Sequence[int]) -> list[int]:
        """See `LanguageScores`."""
        first = len(self._read)
        for number, symbol in zip(before, symbols, strict=True):
            history, word = self._read[number]
            spelled = self._symbols[symbol]
            if spelled.startswith(" "):
                history, word = self._after(history, word), ""
            self._read.append((history, word + spelled.lstrip(" ")))
        return list(range(first, len(self._read)))

    def end(self, read: int) -> float:
        """See `LanguageScores`."""
        history, word = self._read[read]
        return self._word(history, word) + self._histories.end(self._after(history, word))

    def _number(self, word: str) -> int:
        """Of a word in the language model's vocabulary; of what it would read as several, <unk>."""
        written = word.lower() if self._pipeline.settings.lowercase else word
        return int(self._pipeline.vocabulary.encode([written])[0])

    def _word(self, history: int, word: str) -> float:
        return float(self._histories.logs(history)[self._number(word) - 1]) if word else 0.0

    def _after(self, history: int, word: str) -> int:
        """The history that a finished word makes of another one."""
        return self._histories.read([history], [self._number(word)])[0] if word else history
