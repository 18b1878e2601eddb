"""A conditional random field in NumPy: what `kernels.linear_chain` computes, for exported taggers.

As there everything rests on b[t, i], the log of the summed exponential scores of all ways to go on after tag i at step t.

Axis letters: B sequences, T steps, C tags.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FORBIDDEN = -5e3
"""A score below it forbids: the layer writes -10,000, and no learned score comes near."""


class Chain(NamedTuple):
    """The scores of a batch.

    Attributes:
        emissions: (B, T, C).
        following: (C, C), from the tag of the row to that of the column.
        first: (C,) of the first tag.
        last: (C,) of the last tag.
        lengths: (B,), 1 to T.
    """

    emissions: np.ndarray
    following: np.ndarray
    first: np.ndarray
    last: np.ndarray
    lengths: np.ndarray

    def cooled(self, temperature: float) -> Chain:
        """The chain with its scores divided by a temperature; what is forbidden stays so."""
        following, first, last = (
            np.where(of < FORBIDDEN, of, of / np.float32(temperature)) for of in (self.following, self.first, self.last)
        )
        return Chain(self.emissions / np.float32(temperature), following, first, last, self.lengths)

    @property
    def live(self) -> np.ndarray:
        """(B, T): the steps that exist."""
        exists: np.ndarray = np.arange(self.emissions.shape[1]) < self.lengths[:, None]
        return exists


def best_tags(chain: Chain) -> np.ndarray:
    """The most probable tags, (B, T) int64; 0 at padding (Viterbi 1967, from the end). Of equals the first is taken."""
    emissions, live = chain.emissions, chain.live
    batch, steps, count = emissions.shape
    ways = np.empty((steps, batch, count), np.int64)
    ends = np.broadcast_to(chain.last, (batch, count))
    after = ends
    for t in range(steps - 2, -1, -1):
        scores = emissions[:, t + 1] + after
        through = chain.following + (scores - scores.max(-1, keepdims=True))[:, None, :]
        ways[t] = through.argmax(-1)
        after = np.where(live[:, t + 1, None], through.max(-1), ends)
    result = np.zeros((batch, steps), np.int64)
    result[:, 0] = tag = (chain.first + emissions[:, 0] + after).argmax(-1)
    rows = np.arange(batch)
    for t in range(1, steps):
        tag = ways[t - 1, rows, tag]
        result[:, t] = np.where(live[:, t], tag, 0)
    return result


def marginals(chain: Chain) -> np.ndarray:
    """P(tag at t | x), (B, T, C); zero at padding."""
    after, live = _continuations(chain), chain.live
    result = np.zeros_like(chain.emissions)
    result[:, 0] = mass = np.exp(log_softmax(chain.first + chain.emissions[:, 0] + after[:, 0]))
    for t in range(1, result.shape[1]):
        scores = chain.following + (chain.emissions[:, t] + after[:, t])[:, None, :]
        mass = np.einsum("bi,bij->bj", mass, np.exp(log_softmax(scores)))
        result[:, t] = np.where(live[:, t, None], mass, 0)
    return result


def log_probabilities(chain: Chain, tags: np.ndarray) -> np.ndarray:
    """log P(tag | the tag before it, x) of the given tags (B, T), 0 at padding."""
    scores = chain.emissions + _continuations(chain)
    first = np.take_along_axis(log_softmax(chain.first + scores[:, 0]), tags[:, :1], -1)
    rows = chain.following[tags[:, :-1]] + scores[:, 1:]
    others = np.take_along_axis(log_softmax(rows), tags[:, 1:, None], -1)[..., 0]
    return np.where(chain.live, np.concatenate([first, others], axis=1), 0)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities that scores stand for, over the last axis."""
    shifted = scores - scores.max(-1, keepdims=True)
    found: np.ndarray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return found


def _continuations(chain: Chain) -> np.ndarray:
    """b of every step, (B, T, C), up to a constant of each step and sequence."""
    emissions, live = chain.emissions, chain.live
    result = np.empty_like(emissions)
    ends = np.broadcast_to(chain.last, emissions[:, 0].shape)
    result[:, -1] = after = ends
    for t in range(emissions.shape[1] - 2, -1, -1):
        scores = emissions[:, t + 1] + after
        through = chain.following + (scores - scores.max(-1, keepdims=True))[:, None, :]
        top = through.max(-1)
        found = top + np.log(np.exp(through - top[..., None]).sum(-1))
        result[:, t] = after = np.where(live[:, t + 1, None], found, ends)
    return result
