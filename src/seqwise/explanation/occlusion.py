"""Occlusion: what the output loses when a token is covered (Zeiler and Fergus 2014). It needs answers, and no gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqwise.explanation.question import Question

TOGETHER = 64  # inputs that are answered at a time


class Occluded(NamedTuple):
    """What occlusion gives.

    Attributes:
        values: output less that without the token, for each token.
        output: with all tokens.
        baseline: with none.
    """

    values: np.ndarray
    output: float
    baseline: float


def occlusion(question: Question) -> Occluded:
    """Cover one token at a time."""
    tokens = range(len(question.tokens))
    sets = [(), tuple(tokens), *((number,) for number in tokens)]
    parts = [question.covered(sets[first : first + TOGETHER]) for first in range(0, len(sets), TOGETHER)]
    output, baseline, *others = np.concatenate(parts).tolist()
    return Occluded(output - np.array(others, np.float64), output, baseline)
