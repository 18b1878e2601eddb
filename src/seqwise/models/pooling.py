"""Pooling: the outputs of all steps become one vector.

Axis letters: B batch, T steps, K output features of a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Pooled(NamedTuple):
    """What is kept of the steps so far, where they come one by one.

    Attributes:
        steps: how many.
        total: of the outputs, (B, K).
        largest: of each output, (B, K).
        score: the largest of attention so far, (B, 1).
        weight: total of exp(score of a step - `score`), (B, 1).
        weighted: total of the outputs times these, (B, K).
    """

    steps: int
    total: Tensor
    largest: Tensor
    score: Tensor
    weight: Tensor
    weighted: Tensor


class Pooling(nn.Module):
    """One or more of last, mean, max and attention, concatenated in the order of their names.

    Padding steps never count. "last" is the final state of each direction: the forward state after the last symbol and
    the backward state after the first. "attention" weighs step t by softmax(v . tanh(W y_t)) (Bahdanau et al. 2015,
    with one learned query instead of a decoder's state).

    Args:
        names: pooling names joined by "+".
        features: K.
    """

    def __init__(self, names: str, features: int) -> None:
        super().__init__()
        self.names, self.features = names.split("+"), features
        self.size = features * len(self.names)
        if "attention" in self.names:
            self.key = nn.Linear(features, features)
            self.query = nn.Linear(features, 1, bias=False)

    def forward(self, outputs: Tensor, last: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, K * names) from outputs (B, T, K), final states (B, K) and lengths (B,)."""
        valid = (torch.arange(outputs.shape[1], device=outputs.device) < lengths[:, None]).unsqueeze(-1)
        outputs = torch.where(valid, outputs, 0)  # not a product: 0 * NaN is NaN
        return torch.cat([getattr(self, f"_{name}")(outputs, last, lengths, valid) for name in self.names], dim=-1)

    def _last(self, outputs: Tensor, last: Tensor, lengths: Tensor, valid: Tensor) -> Tensor:
        return last

    def _mean(self, outputs: Tensor, last: Tensor, lengths: Tensor, valid: Tensor) -> Tensor:
        return outputs.sum(1) / lengths.unsqueeze(-1)

    def _max(self, outputs: Tensor, last: Tensor, lengths: Tensor, valid: Tensor) -> Tensor:
        return torch.where(valid, outputs, -torch.inf).amax(1)

    def _attention(self, outputs: Tensor, last: Tensor, lengths: Tensor, valid: Tensor) -> Tensor:
        scores = torch.where(valid, self.query(torch.tanh(self.key(outputs))), -torch.inf)
        return (outputs * scores.softmax(1)).sum(1)

    def start(self, batch: int, like: Tensor) -> Pooled:
        """What is kept before the first step of B sequences; type and device are those of `like`."""
        nothing, lowest = like.new_zeros(batch, self.features), like.new_full((batch, 1), -torch.inf)
        return Pooled(0, nothing, lowest.expand(batch, self.features), lowest, like.new_zeros(batch, 1), nothing)

    def step(self, output: Tensor, kept: Pooled) -> tuple[Tensor, Pooled]:
        """Take a step in, (B, K), and return what `forward` gives for all so far, whose last state is the step's output.

        Attention is kept as sums relative to the largest score so far (Milakov and Gimelshein 2018).
        """
        score, weight, weighted = kept[3:]
        if "attention" in self.names:
            own = self.query(torch.tanh(self.key(output)))
            score = torch.maximum(kept.score, own)
            fading, share = (kept.score - score).exp(), (own - score).exp()
            weight, weighted = kept.weight * fading + share, kept.weighted * fading + output * share
        kept = Pooled(kept.steps + 1, kept.total + output, torch.maximum(kept.largest, output), score, weight, weighted)
        found = {"last": output, "mean": kept.total / kept.steps, "max": kept.largest, "attention": weighted / weight}
        return torch.cat([found[name] for name in self.names], dim=-1), kept
