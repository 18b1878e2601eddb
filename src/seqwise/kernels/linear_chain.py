"""A linear chain over tags: log probabilities of given tags, marginals, the best tags, and gradients in closed form.

Everything rests on one recursion from the end, b[t, i] = log of the summed exponential scores of all ways to go on after
tag i at step t. What follows from it are conditional probabilities,

    log P(j at t | i at t - 1, x) = transition[i, j] + emission[t, j] + b[t, j] - b[t - 1, i],

and a chain of them is as exact after 10,000 steps as after one: no small difference of two large sums is ever formed. b is
kept without its largest part, which cancels. The gradient of b[t - 1, i] by emission[t, j] is that probability, so that
backpropagation carries a mass forward through the chain; with one unit of it from the start, the mass is the marginals.

Axis letters: B sequences, T steps, C tags. Padding holds no NaN here; the op sees to that.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Chain(NamedTuple):
    """The scores of a batch.

    Attributes:
        emissions: (T, B, C).
        transitions: (C, C), from the tag of the row to that of the column.
        first: (C,) of the first tag.
        last: (C,) of the last tag.
        lengths: (B,), 1 to T.
    """

    emissions: Tensor
    transitions: Tensor
    first: Tensor
    last: Tensor
    lengths: Tensor

    @property
    def live(self) -> Tensor:
        """(T, B): the steps that exist."""
        return torch.arange(len(self.emissions), device=self.lengths.device)[:, None] < self.lengths


def continuations(chain: Chain) -> Tensor:
    """b of every step, (T, B, C), up to a constant of each step and sequence."""
    emissions, transitions = chain.emissions, chain.transitions
    result = torch.empty_like(emissions)
    ends = chain.last.expand_as(emissions[0])
    result[-1] = after = ends
    goes_on = chain.live[1:, :, None]
    for t in range(len(emissions) - 2, -1, -1):
        scores = emissions[t + 1] + after  # (B, C)
        scores = scores - scores.amax(-1, keepdim=True)
        found = torch.logsumexp(transitions + scores[:, None, :], dim=-1)
        result[t] = after = torch.where(goes_on[t], found, ends)
    return result


def conditionals(chain: Chain, after: Tensor, t: int) -> Tensor:
    """P(tag at step t | tag before), (B, C, C); rows sum to one. `after` is from `continuations`; t is at least 1."""
    return torch.softmax(chain.transitions + (chain.emissions[t] + after[t])[:, None, :], dim=-1)


def log_likelihoods(chain: Chain, after: Tensor, tags: Tensor) -> Tensor:
    """log P(tag | the tag before it, x) of every step, (T, B); 0 at padding. Their sum is log P(tags | x).

    Args:
        chain: the scores.
        after: from `continuations`.
        tags: (T, B).
    """
    scores = chain.emissions + after
    first = torch.log_softmax(chain.first + scores[0], dim=-1).gather(-1, tags[:1].T).T
    rows = chain.transitions[tags[:-1]] + scores[1:]  # (T - 1, B, C): only the rows of the given tags
    others = torch.log_softmax(rows, dim=-1).gather(-1, tags[1:, :, None])[..., 0]
    return torch.where(chain.live, torch.cat([first, others]), 0.0)


def log_likelihood_gradients(
    chain: Chain, after: Tensor, tags: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of the upstream-weighted sum of `log_likelihoods` by emissions, transitions, first and last.

    The log probability at step t holds +b[t, its tag] and -b[t - 1, the tag before]: a tag's b has the coefficient
    upstream[t] - upstream[t + 1], which is 0 inside a sequence of equal weights.

    Args:
        chain: the scores.
        after: from `continuations`.
        tags: (T, B).
        upstream: (T, B).
    """
    steps, _, count = chain.emissions.shape
    upstream = torch.where(chain.live, upstream, 0.0)
    following = torch.cat([upstream[1:], torch.zeros_like(upstream[:1])])
    given = torch.nn.functional.one_hot(tags, count).to(chain.emissions.dtype)  # (T, B, C)
    by_emission = upstream[..., None] * given
    by_transition = torch.zeros_like(chain.transitions)
    if steps > 1:
        by_transition.index_put_((tags[:-1].flatten(), tags[1:].flatten()), upstream[1:].flatten(), accumulate=True)
    by_after = (upstream - following)[..., None] * given
    start = -upstream[0, :, None] * torch.softmax(chain.first + chain.emissions[0] + after[0], dim=-1)
    by_emission[0] += start
    by_first = by_emission[0].sum(0)
    mass = by_after[0] + start  # (B, C): what reaches b[t]
    ended = torch.where(chain.lengths[:, None] == 1, mass, 0.0)
    for t in range(1, steps):
        flow = torch.where(chain.live[t, :, None, None], mass[:, :, None] * conditionals(chain, after, t), 0.0)
        by_transition += flow.sum(0)
        arrived = flow.sum(1)
        by_emission[t] += arrived
        mass = by_after[t] + arrived
        ended = torch.where(chain.lengths[:, None] == t + 1, mass, ended)
    return by_emission, by_transition, by_first, ended.sum(0)


def marginals(chain: Chain, after: Tensor) -> Tensor:
    """P(tag at step t | x), (T, B, C); zero at padding. `after` is from `continuations`."""
    result = torch.zeros_like(chain.emissions)
    result[0] = mass = torch.softmax(chain.first + chain.emissions[0] + after[0], dim=-1)
    live = chain.live[..., None]
    for t in range(1, len(result)):
        mass = torch.bmm(mass[:, None, :], conditionals(chain, after, t))[:, 0]
        result[t] = torch.where(live[t], mass, 0.0)
    return result


def best_tags(chain: Chain) -> Tensor:
    """The most probable tags, (T, B) int64; 0 at padding (Viterbi 1967, from the end). Of equals the first is taken."""
    emissions, transitions = chain.emissions, chain.transitions
    steps, batch, count = emissions.shape
    following = torch.empty(steps, batch, count, dtype=torch.int64, device=emissions.device)
    ends = chain.last.expand_as(emissions[0])
    after, live = ends, chain.live
    for t in range(steps - 2, -1, -1):
        scores = emissions[t + 1] + after
        found, following[t] = (transitions + (scores - scores.amax(-1, keepdim=True))[:, None, :]).max(-1)
        after = torch.where(live[t + 1, :, None], found, ends)
    result = torch.zeros(steps, batch, dtype=torch.int64, device=emissions.device)
    result[0] = tag = (chain.first + emissions[0] + after).argmax(-1)
    for t in range(1, steps):
        tag = following[t - 1].gather(-1, tag[:, None])[:, 0]
        result[t] = torch.where(live[t], tag, 0)
    return result
