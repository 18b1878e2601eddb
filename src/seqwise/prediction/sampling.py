"""How symbols are drawn from their distribution, and put together to a text: by whatever model they are.

Axis letter: V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seqwise.errors import ConfigurationError
from seqwise.text.vocabulary import UNK

_CLOSING = frozenset(".,;:!?)]}%'\"…")


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is drawn.

    Attributes:
        temperature: logits are divided by it; 0 takes the most probable symbol.
        top_k: only the k most probable; None: all.
        top_p: only the most probable that together have at least this probability; 1: all.
        max_tokens: of a text.
        seed: of the draws.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    max_tokens: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = {
            "temperature is a number from 0 on": not 0 <= self.temperature < math.inf,
            "top-k is at least 1": self.top_k is not None and self.top_k < 1,
            "top-p is above 0 and at most 1": not 0 < self.top_p <= 1,
            "max-tokens is at least 1": self.max_tokens < 1,
            "seed is not below 0": self.seed < 0,
        }
        for rule, broken in wrong.items():
            if broken:
                raise ConfigurationError(rule)


def draw(logs: np.ndarray, sampling: Sampling, random: np.random.Generator) -> int:
    """Draw a symbol.

    Args:
        logs: log P of every symbol but padding, (V - 1,).
        sampling: temperature, top_k, top_p.
        random: where chance comes from.

    Returns:
        The symbol's number; never that of <unk>, which is rejected and drawn again, unless nothing else can come.
    """
    scores = logs.copy()
    if np.isfinite(np.delete(scores, UNK - 1)).any():
        scores[UNK - 1] = -np.inf  # to reject and redraw is to draw from the others
    return choose(scores, sampling, random) + 1


def choose(logs: np.ndarray, sampling: Sampling, random: np.random.Generator) -> int:
    """Draw one of several.

    Args:
        logs: log P of each, up to a constant; -inf for what cannot come.
        sampling: temperature, top_k, top_p.
        random: where chance comes from.

    Returns:
        Its place.
    """
    if sampling.temperature == 0:
        return int(logs.argmax())
    scores = (logs - logs.max()) / sampling.temperature
    order = np.argsort(-scores, kind="stable")
    if sampling.top_k is not None:
        order = order[: sampling.top_k]
    shares = np.exp(scores[order])
    shares /= shares.sum()
    if sampling.top_p < 1:
        enough = int(np.searchsorted(np.cumsum(shares), sampling.top_p)) + 1
        order, shares = order[:enough], shares[:enough] / shares[:enough].sum()
    return int(random.choice(order, p=shares))


class Joining:
    """From symbols to text, piece by piece: words with spaces between them, characters and sub-words without.

    Args:
        unit: of the text pipeline.
        begins: whether the first piece begins the text.
    """

    def __init__(self, unit: str, *, begins: bool) -> None:
        self._unit, self._begins = unit, begins

    def next(self, token: str) -> str:
        """Return what a symbol adds to the text."""
        begins, self._begins = self._begins, False
        if self._unit == "characters":
            return token
        if self._unit in ("bpe", "unigram"):
            piece = token.replace("▁", " ")
            return piece.removeprefix(" ") if begins else piece
        return token if begins or (self._unit == "words" and token in _CLOSING) else f" {token}"
