"""Losses of classes that exclude each other: terms of log-probabilities, and the chain rule through the softmax.

With p = softmax(z'), u = log p, z' = s (z + shift - margin_y onehot(y)), a target distribution q over the classes and a
factor w_k for each,

    L = sum_k a_k t_k(u_k)        a_k = w_k q_k        du_k / dz'_j = [j = k] - p_j

where t_k is the term of class k (-u for cross entropy). With g_k = a_k t_k'(u_k) and h_k = a_k t_k''(u_k), and G and H their
sums over k,

    dL / dz_j         = s (g_j - p_j G)
    d2L / dz_j dz_i   = s^2 (h_j [i = j] - h_j p_i - p_j h_i + p_j p_i H - G p_j ([i = j] - p_i))

Axis letters: ... examples (any shape), C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seqwise.losses.arguments import Prepared, prepare_classes, weigh
from seqwise.losses.terms import CROSS_ENTROPY, Term


@dataclass(frozen=True)
class SoftmaxComposition:
    """A loss of classes that exclude each other.

    Attributes:
        term: of the target's probability.
        others: of the other classes' probabilities; None for the same. They count where labels are smoothed.
        factors: w, (C,); None for ones.
        shift: added to the logits, (C,); None for nothing.
        margins: subtracted from the logit of the target, (C,); None for nothing.
        scale: s.
        label_smoothing: e; the target distribution is (1 - e) onehot(y) + e / C.
        ignore_index: targets with this value give 0.
    """

    term: Term = CROSS_ENTROPY
    others: Term | None = None
    factors: Tensor | None = None
    shift: Tensor | None = None
    margins: Tensor | None = None
    scale: float = 1.0
    label_smoothing: float = 0.0
    ignore_index: int = -100

    def value(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of each example, (...)."""
        prepared = prepare_classes(logits, targets, self.ignore_index)
        moved = self._moved(prepared)
        if self.term.plain and self.others is None:  # PyTorch has this in one kernel
            flat = F.cross_entropy(
                moved.reshape(-1, moved.shape[-1]),
                prepared.targets.reshape(-1),
                weight=self.factors,
                reduction="none",
                label_smoothing=self.label_smoothing,
            )
            values = flat.reshape(targets.shape)
        elif self.label_smoothing:
            u = moved.log_softmax(-1)
            values = (self._amounts(prepared) * self._each(prepared, u, "value")).sum(-1)
        else:
            u = moved.log_softmax(-1).gather(-1, prepared.targets.unsqueeze(-1)).squeeze(-1)
            values = self.term.value(u)
            values = values if self.factors is None else values * self.factors[prepared.targets]
        return weigh(values.where(prepared.kept, 0), sample_weight)

    def gradient(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return s (g_j - p_j G), (..., C)."""
        prepared = prepare_classes(logits, targets, self.ignore_index)
        u = self._moved(prepared).log_softmax(-1)
        g = self._amounts(prepared) * self._each(prepared, u, "slope")
        slope = self.scale * (g - u.exp() * g.sum(-1, keepdim=True))
        return slope * self._multiplier(prepared, sample_weight).unsqueeze(-1)

    def hessian(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the second derivatives of each example's loss, (..., C, C)."""
        prepared = prepare_classes(logits, targets, self.ignore_index)
        u = self._moved(prepared).log_softmax(-1)
        p, amounts = u.exp(), self._amounts(prepared)
        g, h = (amounts * self._each(prepared, u, order) for order in ("slope", "bend"))
        total_g, total_h = g.sum(-1)[..., None, None], h.sum(-1)[..., None, None]
        row, column = p.unsqueeze(-2), p.unsqueeze(-1)
        crossed = h.unsqueeze(-1) * row
        hessian = torch.diag_embed(h) - crossed - crossed.mT + column * row * total_h
        hessian = hessian - total_g * (torch.diag_embed(p) - column * row)
        return self.scale**2 * hessian * self._multiplier(prepared, sample_weight)[..., None, None]

    def weight(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return w_y times the factor of the example, (...)."""
        prepared = prepare_classes(logits, targets, self.ignore_index)
        multiplier = self._multiplier(prepared, sample_weight)
        return multiplier if self.factors is None else multiplier * self.factors[prepared.targets]

    def kept(self, targets: Tensor) -> Tensor:
        """Return which examples have a target, (...)."""
        return targets != self.ignore_index

    def _moved(self, prepared: Prepared) -> Tensor:
        """z', (..., C)."""
        logits = prepared.logits if self.shift is None else prepared.logits + self.shift
        if self.margins is not None:
            logits = logits - self.margins * prepared.hot()
        return logits if self.scale == 1 else logits * self.scale

    def _amounts(self, prepared: Prepared) -> Tensor:
        """a = w q, (..., C)."""
        q = prepared.hot().to(prepared.logits.dtype)
        if self.label_smoothing:
            q = q * (1 - self.label_smoothing) + self.label_smoothing / q.shape[-1]
        return q if self.factors is None else q * self.factors

    def _each(self, prepared: Prepared, u: Tensor, order: str) -> Tensor:
        """The terms of all classes, or their derivatives, (..., C)."""
        target: Tensor = getattr(self.term, order)(u)
        if self.others is None:
            return target
        other: Tensor = getattr(self.others, order)(u)
        return target.where(prepared.hot(), other)

    def _multiplier(self, prepared: Prepared, sample_weight: Tensor | None) -> Tensor:
        return weigh(prepared.kept.to(prepared.logits.dtype), sample_weight)
