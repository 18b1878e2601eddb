"""Texts as the integer sequences in which n-grams are counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.text.chunking import by_size
from seqwise.text.ragged import Ragged, RaggedWriter, offsets_of
from seqwise.text.settings import TextSettings
from seqwise.text.tokenizer import Tokenizer

START, END = "\x02", "\x03"  # stand before and behind a whole text in its character n-grams
_WORD_BUDGET, _CHARACTER_BUDGET = 200_000, 1_000_000  # what one chunk holds: bounds the memory of counting


@dataclass(frozen=True)
class Corpus:
    """Texts, as far as the n-grams need them.

    Attributes:
        types: the different words.
        words: a row of indices into `types` for every text, or None.
        characters: a row of code points for every text, START and END included, or None.
    """

    types: list[str]
    words: Ragged | None
    characters: Ragged | None

    def __len__(self) -> int:
        return len(self.words if self.words is not None else self.characters)  # type: ignore[arg-type]

    def parts(self) -> Iterator[Corpus]:
        """The corpus cut into chunks of bounded size, each with its own list of types."""
        cuts = {len(self)}
        for rows, budget in ((self.words, _WORD_BUDGET), (self.characters, _CHARACTER_BUDGET)):
            if rows is not None and len(self):
                goals = np.arange(budget, rows.offsets[-1], budget)
                cuts.update(np.searchsorted(rows.offsets, goals).tolist())
        start = 0
        for stop in sorted(cuts):
            if stop > start:
                yield self._part(start, stop)
                start = stop

    def _part(self, start: int, stop: int) -> Corpus:
        types, words = self.types, None
        if self.words is not None:
            rows = self.words.part(start, stop)
            used, local = np.unique(rows.ids, return_inverse=True)
            types, words = [self.types[i] for i in used], Ragged(local, rows.offsets)
        characters = None if self.characters is None else self.characters.part(start, stop)
        return Corpus(types, words, characters)


class CorpusReader:
    """Reads texts into a `Corpus`.

    Args:
        unit: "words" are found by the tokenizer; "tokens" are given.
        lowercase: whether case is ignored.
        clean: steps of cleaning.
        words: whether words are needed.
        characters: whether the characters of whole texts are needed.
        forms: values of `stop_words`, `keep_words`, `lemmas` and `stems`, or None.

    Attributes:
        tokenizer: that finds the words.
    """

    def __init__(
        self,
        *,
        unit: str,
        lowercase: bool,
        clean: Sequence[str],
        words: bool,
        characters: bool,
        forms: dict[str, Any] | None = None,
    ) -> None:
        settings = TextSettings(unit=unit, lowercase=lowercase, clean=clean, **(forms or {}))  # type: ignore[arg-type]
        self.tokenizer = Tokenizer(settings)
        self._need_words, self._need_characters = words, characters

    def read(self, texts: Iterable[str | Sequence[str]], folder: str | Path | None = None) -> Corpus:
        """All texts in one corpus; with a folder, its sequences are memory-mapped files there."""
        words = RaggedWriter(folder) if self._need_words else None
        characters = RaggedWriter(folder) if self._need_characters else None
        types: dict[str, int] = {}
        for chunk in by_size(texts):
            if words is not None:
                ids: list[int] = []
                lengths = []
                for text in chunk:
                    tokens = self.tokenizer(text)
                    ids += [types.setdefault(token, len(types)) for token in tokens]
                    lengths.append(len(tokens))
                words.append(np.array(ids, np.int32), lengths)
            if characters is not None:
                strings = [START + self._string(text) + END for text in chunk]
                characters.append(code_points("".join(strings)), [len(string) for string in strings])
        return Corpus(
            list(types),
            None if words is None else words.finish(),
            None if characters is None else characters.finish(),
        )

    def _string(self, text: str | Sequence[str]) -> str:
        whole = text if isinstance(text, str) else " ".join(self.tokenizer(text))
        return self.tokenizer.clean(whole).strip()


def code_points(string: str) -> NDArray[np.int32]:
    """(len(string),) the Unicode number of every character."""
    return np.frombuffer(string.encode("utf-32-le", "surrogatepass"), np.int32)


def bounded_words(types: Sequence[str]) -> Ragged:
    """One row of code points a word, with a space on either side."""
    return Ragged(code_points("".join([f" {word} " for word in types])), offsets_of([len(w) + 2 for w in types]))
