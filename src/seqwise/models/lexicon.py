"""A list of words as an automaton: which symbols may follow, so that what is spelled consists of its words.

Axis letters: V symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from seqwise.errors import ConfigurationError

DEAD, BEGIN, BETWEEN = -1, 0, 1
"""Places: nowhere; before the first symbol; after a space, where a word must begin. All others are within words."""


class Lexicon:
    """Words, and the symbols that spell them.

    Args:
        words: without white space within.
        spellings: what each of the V symbols adds to a text, a space where a word ends: "a", " ", or " word" for symbols
            that begin a word themselves (then a text begins with a space, which vanishes).

    Raises:
        ConfigurationError: there is no word, or none that the symbols can spell.
    """

    def __init__(self, words: Iterable[str], spellings: Sequence[str]) -> None:
        self.words = sorted({word for word in words if word})
        self._spellings = list(spellings)
        self._leading = any(spelling.startswith(" ") and len(spelling) > 1 for spelling in spellings)
        self._children: list[dict[str, int]] = [{}, {}]
        self._ends = [True, False]
        self._rows: dict[int, np.ndarray] = {}
        letters = {letter for spelling in spellings for letter in spelling}
        for word in self.words:
            if set(word) <= letters:
                self._add(word)
        if not self._children[BETWEEN]:
            raise ConfigurationError(
                "the word list has no word that the model can spell"
                if self.words
                else "the word list is empty: a word list has one word a line"
            )

    def __len__(self) -> int:
        return len(self.words)

    def after(self, place: int) -> np.ndarray:
        """Where each symbol leads from a place, (V,) int64; `DEAD` where no word goes on so."""
        row = self._rows.get(place)
        if row is None:
            row = np.array([self._walk(place, spelling) for spelling in self._spellings], np.int64)
            self._rows[place] = row
        return row

    def ends(self, place: int) -> bool:
        """Whether a text may end at a place: after a whole word, or before the first."""
        return self._ends[place]

    def _add(self, word: str) -> None:
        place = BETWEEN
        for letter in word:
            following = self._children[place].get(letter)
            if following is None:
                following = len(self._children)
                self._children[place][letter] = following
                self._children.append({})
                self._ends.append(False)
            place = following
        self._ends[place] = True

    def _walk(self, place: int, spelling: str) -> int:
        for letter in spelling:
            if letter == " ":
                if not self._ends[place] or (place == BEGIN and not self._leading):
                    return DEAD
                place = BETWEEN
                continue
            if place == BEGIN:
                if self._leading:
                    return DEAD
                place = BETWEEN
            place = self._children[place].get(letter, DEAD)
            if place == DEAD:
                return DEAD
        return place
