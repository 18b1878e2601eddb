"""Pooling: the outputs of all steps become one vector.

Axis letters: B batch, T steps, K output features of a step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
        self.names = names.split("+")
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
