"""What is asked of a model: an output as a function of its input, in tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.errors import ConfigurationError, nearest
from seqwise.explanation.answers import Token

if TYPE_CHECKING:
    from torch import Tensor

CERTAIN = 1e-12  # a probability is no closer to 0 or 1 than this: its log-odds stay finite


@dataclass(frozen=True)
class Differentiable:
    """The output of a question as a function that has gradients.

    Attributes:
        output: from inputs with K rows to (K,).
        inputs: (1, T, D), or (1, N) where each number is by itself.
        baselines: of the same shapes, where every token is covered.
        spread: from a value for each step or number of the inputs to one for each token.
    """

    output: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    spread: Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Question:
    """What is to be explained.

    Attributes:
        text: see `Explanation`.
        tokens: see `Explanation`.
        target: see `Explanation`.
        position: see `Explanation`.
        covered: the output where some tokens are covered, for each of several such sets.
        differentiable: gives the same as a function with gradients; None of a model that has none.
    """

    text: str
    tokens: list[Token]
    target: str
    covered: Callable[[Sequence[Collection[int]]], np.ndarray]
    differentiable: Callable[[], Differentiable] | None = None
    position: int | None = None


def number_of(name: Any, names: Sequence[Any], what: str) -> int:
    """The number of a name among those that there are.

    Raises:
        ConfigurationError: it is none of them.
    """
    known = [str(of) for of in names]
    if str(name) not in known:
        raise ConfigurationError(f"the model has no {what} {str(name)[:60]!r}; {nearest(str(name), known)}")
    return known.index(str(name))


def log_odds_of(probabilities: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p))."""
    held = np.clip(np.asarray(probabilities, np.float64), CERTAIN, 1 - CERTAIN)
    return np.log(held) - np.log1p(-held)
