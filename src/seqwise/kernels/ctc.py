"""Connectionist temporal classification (Graves et al. 2006): all ways to spread a target over the steps of an input.

A path through the 2 U + 1 states blank, y_1, blank, y_2, ..., y_U, blank goes at every step to the same state, the next
one, or past a blank to the one after it where the two symbols differ; it begins in one of the first two states and ends
in one of the last two. P(target | x) is the sum over all paths of the product of their symbols' probabilities.

As with the linear chain, everything rests on one recursion from the end, a[t, s] = log of the summed probabilities of
all ways to go on after state s at step t, of which the largest part is taken out at every step and summed apart: what
is left is as exact after 10,000 steps as after one. The probability of the next state given this one follows from it,
and a mass of one carried forward by these probabilities is the posterior of every state at every step, which is all
that a gradient needs:

    d log P(target | x) / d logit[t, v] = sum of the posteriors of the states of symbol v  -  softmax(logits)[t, v].

Axis letters: B sequences, T steps, V symbols, U symbols of the longest target, S = 2 U + 1 states. Padding holds no NaN
here; the op sees to that.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

IMPOSSIBLE = -1e30
"""log of a probability of zero: finite, so that no difference of two of them is NaN."""


class Lattice(NamedTuple):
    """What a batch of targets and the outputs of a network make together.

    Attributes:
        emissions: (T, B, S) log P of the symbol of each state at each step.
        symbols: (B, S) symbol of each state, the blank at even places.
        skips: (B, S) bool, whether a path may go from the state to the one after the next.
        states: (B,) how many of the states exist.
        lengths: (B,), 1 to T.
    """

    emissions: Tensor
    symbols: Tensor
    skips: Tensor
    states: Tensor
    lengths: Tensor

    @property
    def live(self) -> Tensor:
        """(T, B): the steps that exist."""
        return torch.arange(len(self.emissions), device=self.lengths.device)[:, None] < self.lengths

    @property
    def ends(self) -> Tensor:
        """(B, S): 0 in the states that a path may end in, the last two, elsewhere `IMPOSSIBLE`."""
        places = torch.arange(self.symbols.shape[1], device=self.states.device)
        back = self.states[:, None] - places
        return torch.where((back == 1) | (back == 2), 0.0, IMPOSSIBLE).to(self.emissions.dtype)

    @property
    def starts(self) -> Tensor:
        """(B, S): 0 in the states that a path may begin in, the first two, elsewhere `IMPOSSIBLE`."""
        places = torch.arange(self.symbols.shape[1], device=self.states.device)
        real = (places < 2) & (places < self.states[:, None])
        return torch.where(real, 0.0, IMPOSSIBLE).to(self.emissions.dtype)


def make_lattice(logs: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, blank: int) -> Lattice:
    """Return the lattice of a batch.

    Args:
        logs: (T, B, V) log P of every symbol at every step.
        targets: (B, U) symbols, none of them the blank; what stands beyond a target is any symbol.
        lengths: (B,).
        target_lengths: (B,), 0 to U.
        blank: number of the blank.
    """
    batch, longest = targets.shape
    symbols = targets.new_full((batch, 2 * longest + 1), blank)
    symbols[:, 1::2] = targets
    skips = torch.zeros(symbols.shape, dtype=torch.bool, device=targets.device)
    skips[:, 1:-2:2] = targets[:, 1:] != targets[:, :-1]
    emissions = logs.gather(2, symbols.expand(len(logs), -1, -1))
    return Lattice(emissions, symbols, skips, 2 * target_lengths + 1, lengths)


def steps_needed(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """(B,): the fewest steps that hold each target: its symbols, and a blank between equal neighbours."""
    places = torch.arange(1, max(targets.shape[1], 1), device=targets.device)
    repeats = (targets[:, 1:] == targets[:, :-1]) & (places < target_lengths[:, None])
    return target_lengths + repeats.sum(1)


def continuations(lattice: Lattice) -> tuple[Tensor, Tensor]:
    """Run from the end to the beginning.

    Returns:
        a of every step up to a constant of each step and sequence, (T, B, S); and log P(target | x), (B,).
    """
    emissions, ends, goes_on = lattice.emissions, lattice.ends, lattice.live[1:, :, None]
    result = torch.empty_like(emissions)
    result[-1] = after = ends
    total = torch.zeros_like(emissions[0, :, 0])
    for t in range(len(emissions) - 2, -1, -1):
        found = torch.logsumexp(_successors(emissions[t + 1] + after, lattice.skips), dim=0)
        largest = found.amax(-1, keepdim=True)
        result[t] = after = torch.where(goes_on[t], found - largest, ends)
        total = total + torch.where(goes_on[t], largest, 0.0)[:, 0]
    return result, total + torch.logsumexp(lattice.starts + emissions[0] + after, dim=-1)


def posteriors(lattice: Lattice, after: Tensor) -> Tensor:
    """P(state at step t | x, target), (T, B, S); zero at padding. `after` is from `continuations`."""
    result = torch.zeros_like(after)
    result[0] = mass = torch.softmax(lattice.starts + lattice.emissions[0] + after[0], dim=-1)
    live = lattice.live[..., None]
    for t in range(1, len(after)):
        flow = mass * torch.softmax(_successors(lattice.emissions[t] + after[t], lattice.skips), dim=0)  # (3, B, S)
        mass = flow[0]
        mass[:, 1:] += flow[1, :, :-1]
        mass[:, 2:] += flow[2, :, :-2]
        result[t] = torch.where(live[t], mass, 0.0)
    return result


def of_symbols(lattice: Lattice, values: Tensor, count: int) -> Tensor:
    """Sum values of states, (T, B, S), by their symbol: (T, B, V).

    Args:
        lattice: that the states belong to.
        values: of each step and state.
        count: V.
    """
    steps, batch, _ = values.shape
    return values.new_zeros(steps, batch, count).scatter_add(2, lattice.symbols.expand(steps, -1, -1), values)


def best_states(lattice: Lattice) -> Tensor:
    """The most probable path, (T, B) int64 places in 0 to S - 1; -1 at padding (Viterbi 1967, from the end).

    Of equals the path that stays longer in the earlier state is taken.
    """
    emissions, ends, live = lattice.emissions, lattice.ends, lattice.live
    steps, batch, _ = emissions.shape
    strides = torch.zeros(emissions.shape, dtype=torch.int64, device=emissions.device)
    after = ends
    for t in range(steps - 2, -1, -1):
        found, strides[t] = _successors(emissions[t + 1] + after, lattice.skips).max(0)
        found = found - found.amax(-1, keepdim=True)
        after = torch.where(live[t + 1, :, None], found, ends)
    result = torch.full((steps, batch), -1, dtype=torch.int64, device=emissions.device)
    result[0] = place = (lattice.starts + emissions[0] + after).argmax(-1)
    for t in range(1, steps):
        place = place + strides[t - 1].gather(-1, place[:, None])[:, 0] * live[t]
        result[t] = torch.where(live[t], place, -1)
    return result


def _successors(scores: Tensor, skips: Tensor) -> Tensor:
    """Of every state what the same, the next and the one after the next score, (3, B, S), from (B, S)."""
    result = scores.new_full((3, *scores.shape), IMPOSSIBLE)
    result[0] = scores
    result[1, :, :-1] = scores[:, 1:]
    result[2, :, :-2] = torch.where(skips[:, :-2], scores[:, 2:], IMPOSSIBLE)
    return result
