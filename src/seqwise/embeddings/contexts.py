"""Contexts of fixed length: for each kept word of a part of the text, the words of its context.

Between two sentences lie as many gaps as a context is long, so that a plain view of the text never sees two sentences; a
gap has the number V. Axis letters: V vocabulary, N words of the part, P places of a context, n `window`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seqwise.embeddings.settings import Context

PART = 1 << 19
"""Tokens of a part, about."""


def count_places(context: Context, window: int) -> int:
    """P."""
    return {"previous": window, "around": 2 * window, "nearby": 1}[context]


def find_end(tokens: NDArray[np.int32], start: int, size: int = PART) -> int:
    """Where the part from a position on ends: behind the last sentence within `size` tokens; after those where none ends."""
    if start + size >= len(tokens):
        return len(tokens)
    for stop in range(start + size, start, -4096):
        low = max(start, stop - 4096)
        ends = np.flatnonzero(tokens[low:stop] < 0)
        if len(ends):
            return low + int(ends[-1]) + 1
    return start + size


def drop_frequent(
    tokens: NDArray[np.int32], keep: NDArray[np.uint32], random: np.random.Generator
) -> NDArray[np.int32]:
    """Tokens without the words that sub-sampling drops; sentence ends stay.

    Args:
        tokens: word numbers, below 0 where a sentence ends.
        keep: (V,) a word is kept if 32 random bits are not above it.
        random: one draw a token.
    """
    bits = random.integers(0, 1 << 32, len(tokens), np.uint32)
    return tokens[(tokens < 0) | (bits <= keep[tokens])]


@dataclass(frozen=True)
class Contexts:
    """The words of a part and what stands around them.

    Attributes:
        text: word numbers with gaps.
        places: (N,) int64, where the words are.
        kind: which words belong to a context.
        window: n.
        gap: V.
    """

    text: NDArray[np.int32]
    places: NDArray[np.int64]
    kind: Context
    window: int
    gap: int

    @classmethod
    def of(cls, tokens: NDArray[np.int32], kind: Context, window: int, vocabulary: int) -> Contexts:
        """Of word numbers, below 0 where a sentence ends."""
        is_word = tokens >= 0
        # A sentence end takes the room of n gaps, and n more are before the first word and behind the last.
        places = np.arange(window, window + len(tokens)) + (window - 1) * np.cumsum(~is_word)
        places = places[is_word]
        size = int(places[-1]) + window + 1 if len(places) else 0
        text = np.full(size, vocabulary, np.int32)
        text[places] = tokens[is_word]
        return cls(text, places, kind, window, vocabulary)

    def __len__(self) -> int:
        return len(self.places)

    def take(
        self, chosen: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The contexts of some words, (B, P), and these words, (B,).

        What lies beyond the sentence is a gap. "nearby" draws one of the up to 2n words around, each equally likely, and
        leaves out a word that is alone in its sentence.
        """
        places = self.places[chosen]
        words = self.text[places]
        if self.kind == "previous":
            return sliding_window_view(self.text, self.window)[places - self.window], words
        around = sliding_window_view(self.text, 2 * self.window + 1)[places - self.window]
        around = np.concatenate([around[:, : self.window], around[:, self.window + 1 :]], 1)
        if self.kind == "around":
            return around, words
        there = around != self.gap
        counts = there.sum(1)
        nth = (random.random(len(words)) * counts).astype(np.int64)
        column = (there.cumsum(1) == nth[:, None] + 1).argmax(1)  # the first is the word itself
        company = counts > 0
        return np.take_along_axis(around, column[:, None], 1)[company], words[company]
