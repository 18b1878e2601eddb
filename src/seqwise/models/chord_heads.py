"""How probable a chord is: a set of pitches, given what the recurrent layers say at its step.

Axis letters: N steps, H hidden units, P pitches, K notes of a chord at most. Chords are lists of rising pitch numbers from 0
to P - 1, padded with -1. Both heads give every set of pitches a probability, and those of all 2^P sets sum to one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SILENT = -1  # in the place of a pitch


class IndependentPitches(nn.Module):
    """Every pitch sounds or not, whatever the others do: P(chord) = prod_p s_p^[p sounds] (1 - s_p)^[p is silent].

    Args:
        size: H.
        pitches: P.
    """

    def __init__(self, size: int, pitches: int) -> None:
        super().__init__()
        self.output = nn.Linear(size, pitches)

    def start_from_shares(self, shares: Tensor) -> None:
        """Start at the shares of the steps at which each pitch sounds, (P,) above 0 and below 1, in place."""
        with torch.no_grad():
            self.output.bias.copy_(shares.logit())

    def losses(self, outputs: Tensor, notes: Tensor) -> Tensor:
        """-log P of chords, (N,) in nats.

        Args:
            outputs: (N, H).
            notes: (N, K).
        """
        logits = widened(self.output(outputs))
        roll = rolled(notes, logits.shape[-1]).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, roll, reduction="none").sum(-1)

    def logits(self, outputs: Tensor) -> Tensor:
        """log-odds of every pitch, (N, P)."""
        return self.output(outputs)


class PitchChain(nn.Module):
    """Pitch after pitch from the lowest up, each given the step and those below it, then a mark that there are no more.

    P(chord) = prod_k P(n_k | n_1 ... n_(k-1)) P(no more | all): as a set has one rising order, this is the probability of
    the set itself. A pitch that is not above the one before it has none. The conditionals are those of a NADE over the notes
    (Larochelle and Murray 2011): h_k = relu(A x + sum_(j<k) W[n_j] + L[n_(k-1)]), softmax(V h_k + b).

    Args:
        size: H.
        pitches: P.
        hidden: units of h_k.
    """

    def __init__(self, size: int, pitches: int, hidden: int) -> None:
        super().__init__()
        self.pitches = pitches
        self.context = nn.Linear(size, hidden)
        self.below = nn.Parameter(torch.empty(pitches, hidden))  # W
        self.last = nn.Parameter(torch.empty(pitches + 1, hidden))  # L; its last row is for the first note
        self.output = nn.Linear(hidden, pitches + 1)
        for weight in (self.below, self.last):
            nn.init.normal_(weight, std=0.1)

    def start_from_shares(self, shares: Tensor) -> None:
        """Start at the shares of the steps at which each pitch sounds, (P,) above 0 and below 1, in place."""
        with torch.no_grad():
            self.output.bias[:-1].copy_(shares.log())
            self.output.bias[-1] = 0.0

    def losses(self, outputs: Tensor, notes: Tensor) -> Tensor:
        """-log P of chords, (N,) in nats; see `IndependentPitches.losses`."""
        count = (notes >= 0).sum(1)
        places = torch.arange(notes.shape[1] + 1, device=notes.device)
        step, place = (places <= count[:, None]).nonzero(as_tuple=True)  # every note, and the mark behind the last
        wanted = F.pad(notes, (0, 1), value=SILENT)[step, place]
        wanted = torch.where(wanted >= 0, wanted, self.pitches)
        last = F.pad(notes, (1, 0), value=SILENT)[step, place]
        known = F.embedding(notes.clamp(min=0), self.below) * (notes >= 0)[..., None]
        before = F.pad(known.cumsum(1), (0, 0, 1, 0))[step, place]
        logs = self._logs(self.context(outputs)[step], before, last)
        found = -logs.gather(1, wanted[:, None])[:, 0]
        return found.new_zeros(len(notes)).index_add(0, step, found)

    def next_note(self, outputs: Tensor, notes: Tensor) -> Tensor:
        """log P of each note that may follow those of a chord that is not complete, (N, P + 1); the last is "no more"."""
        live = notes >= 0
        before = (F.embedding(notes.clamp(min=0), self.below) * live[..., None]).sum(1)
        last = notes.amax(1) if notes.shape[1] else notes.new_full((len(notes),), SILENT)
        return self._logs(self.context(outputs), before, last)

    def _logs(self, context: Tensor, before: Tensor, last: Tensor) -> Tensor:
        hidden = torch.relu(context + before + F.embedding(torch.where(last >= 0, last, self.pitches), self.last))
        logits = widened(self.output(hidden))
        places = torch.arange(logits.shape[-1], device=logits.device)
        return logits.masked_fill(places <= last[:, None], -torch.inf).log_softmax(-1)


def widened(logits: Tensor) -> Tensor:
    """Logits in which sums of exponentials can be taken: at least float32."""
    return logits if logits.dtype == torch.float64 else logits.float()


def rolled(notes: Tensor, pitches: int) -> Tensor:
    """Chords (..., K) as (..., P) float32: 1 where a pitch sounds."""
    roll = torch.zeros((*notes.shape[:-1], pitches + 1), device=notes.device)
    places = torch.where(notes >= 0, notes, pitches)
    return roll.scatter(-1, places, 1.0)[..., :-1]
