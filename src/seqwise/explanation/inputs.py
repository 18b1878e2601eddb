"""What a model reads, in pieces that can be covered: a text without some of its tokens, frames without some of their steps.

What is covered is still there, but says nothing: in a text the sign for an unknown character stands in its place, which no
vocabulary has; in frames the mean of each channel. So nothing changes its place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from seqwise.data.frames import Frames
from seqwise.errors import DataError
from seqwise.explanation.answers import Token
from seqwise.text import Tokenizer
from seqwise.text.ngram_places import placed_words

COVER = "\N{REPLACEMENT CHARACTER}"


class Pieces(Protocol):
    """An input and its tokens."""

    @property
    def text(self) -> str:
        """That the places of the tokens are counted in; empty of frames."""

    @property
    def tokens(self) -> list[Token]:
        """That can be covered."""

    def covered(self, numbers: Collection[int]) -> Any:
        """The input with these tokens covered."""


@dataclass(frozen=True)
class TextPieces:
    """A string."""

    text: str
    tokens: list[Token]

    def covered(self, numbers: Collection[int]) -> str:
        """The text with a sign for the unknown in the place of these tokens."""
        parts, last = [], 0
        for number in sorted(numbers):
            _, start, end = self.tokens[number]
            if start >= last:  # several tokens may have been made of one character
                parts += [self.text[last:start], COVER]
            last = max(last, end)
        return "".join([*parts, self.text[last:]])


@dataclass(frozen=True)
class ListPieces:
    """A list of tokens; of those that the model drops none is a piece."""

    given: list[str]
    places: list[int]
    text: str
    tokens: list[Token]

    def covered(self, numbers: Collection[int]) -> list[str]:
        """The list with a sign for the unknown in the place of these tokens."""
        hidden = {self.places[number] for number in numbers}
        return [COVER if place in hidden else token for place, token in enumerate(self.given)]


@dataclass(frozen=True)
class FramePieces:
    """Frames of one sequence, step by step as the model reads them.

    Attributes:
        frames: of one sequence.
        tokens: the steps.
        fill: what stands in the place of a covered step, (D,).
    """

    frames: Frames
    tokens: list[Token]
    fill: np.ndarray
    text: str = ""

    def covered(self, numbers: Collection[int]) -> Frames:
        """The frames with the mean in the place of these steps."""
        values = self.frames.values.copy()
        for number in numbers:
            values[self.tokens[number].start : self.tokens[number].end] = self.fill
        return Frames(values, self.frames.offsets, self.frames.rate, self.frames.names)


@dataclass(frozen=True)
class ChannelPieces:
    """One frame, number by number: what a model without recurrence reads."""

    frames: Frames
    tokens: list[Token]
    fill: np.ndarray
    text: str = ""

    def covered(self, numbers: Collection[int]) -> Frames:
        """The frame with the mean in the place of these numbers."""
        values = self.frames.values.copy()
        for number in numbers:
            values[:, number] = self.fill[number]
        return Frames(values, self.frames.offsets, self.frames.rate, self.frames.names)


def text_pieces(given: Any, tokenizer: Tokenizer) -> TextPieces | ListPieces:
    """The tokens of a string, or of a list of tokens.

    Raises:
        DataError: it is neither.
    """
    if isinstance(given, str):
        return TextPieces(given, [Token(given[start:end], start, end) for _, start, end in tokenizer.spans(given)])
    if not isinstance(given, Sequence | np.ndarray) or not all(isinstance(token, str) for token in given):
        raise DataError(f"a text, or a list of tokens, is expected, not {type(given).__name__}")
    tokens = [str(token) for token in given]
    starts = {start: place for place, start in enumerate(np.cumsum([0, *(len(t) + 1 for t in tokens)])[:-1].tolist())}
    placed = placed_words(tokenizer, tokens)
    return ListPieces(
        tokens,
        [starts[start] for _, start, _ in placed],
        " ".join(tokens),
        [Token(tokens[starts[start]], start, end) for _, start, end in placed],
    )


def one_sequence(given: Any) -> Frames:
    """Frames of one sequence.

    Raises:
        DataError: there is not exactly one sequence, or it is none of numbers.
    """
    if isinstance(given, str):
        raise DataError("the model reads frames of numbers, and got a text")
    frames = given if isinstance(given, Frames) else Frames.from_rows([given])
    if len(frames) != 1 or not len(frames.values):
        raise DataError(
            f"one sequence of frames is explained at a time, got {len(frames)} with {len(frames.values)} steps"
        )
    return frames


def frame_pieces(frames: Frames, steps: int, fill: np.ndarray, described: Any = None) -> FramePieces:
    """The steps that a model reads.

    Args:
        frames: of one sequence.
        steps: how many are read.
        fill: mean of each channel, (D,).
        described: the model's `FrameFeatures`, of which a step may stand for several given ones; None: each for one.
    """
    rate, step = frames.rate, 1.0
    if described is not None:
        rate = frames.rate or described.rate
        step = described.reduction * (1.0 if rate is None or described.rate is None else rate / described.rate)
    edges = np.minimum(np.round(np.arange(steps + 1) * step), len(frames.values)).astype(int).tolist()
    names = (f"{start / rate:.2f} s" if rate else f"step {number}" for number, start in enumerate(edges[:-1], 1))
    return FramePieces(frames, [Token(*of) for of in zip(names, edges[:-1], edges[1:], strict=True)], fill)
