"""Losses of labels that can hold at once: terms of log-probabilities, and the chain rule through the sigmoid.

Each is a decision of its own with a target y between 0 and 1, and

    L = y w_1 t_1(u_1) + (1 - y) w_0 t_0(u_0)        u_1 = log sigmoid(x_1)    x_1 = s (z + shift - margin_1)
                                                     u_0 = log sigmoid(-x_0)   x_0 = s (z + shift + margin_0)

With v_1 = sigmoid(-x_1) and v_0 = sigmoid(x_0), du_1/dz = s v_1, du_0/dz = -s v_0, and dv/dz = -+ s v (1 - v):

    dL / dz    = s (y w_1 t_1' v_1 - (1 - y) w_0 t_0' v_0)
    d2L / dz2  = s^2 (y w_1 (t_1'' v_1^2 - t_1' v_1 (1 - v_1)) + (1 - y) w_0 (t_0'' v_0^2 - t_0' v_0 (1 - v_0)))

Axis letters: ... examples (any shape), L labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seqwise.losses.arguments import Prepared, prepare_labels, weigh
from seqwise.losses.terms import CROSS_ENTROPY, Term


@dataclass(frozen=True)
class SigmoidComposition:
    """A loss of labels that can hold at once, or of one decision between no and yes.

    What there is of a pair (2,) or (2, L) is that of no, then that of yes.

    Attributes:
        yes: term of the probability of a label that holds.
        no: term of the probability that a label does not hold, where it does not.
        factors: w, a pair; None for ones.
        shift: added to the logits, () or (L,); None for nothing.
        margins: a pair, by which a logit is moved against its target; None for nothing.
        scale: s.
        label_smoothing: e; a target y becomes (1 - e) y + e / 2.
        ignore_index: targets with this value give 0.
        multilabel: whether the last axis are the labels of one example, whose losses are added.
    """

    yes: Term = CROSS_ENTROPY
    no: Term = CROSS_ENTROPY
    factors: Tensor | None = None
    shift: Tensor | None = None
    margins: Tensor | None = None
    scale: float = 1.0
    label_smoothing: float = 0.0
    ignore_index: int = -100
    multilabel: bool = False

    def value(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of each decision, of the shape of the logits; without its last axis if multilabel."""
        prepared, y = self._prepare(logits, targets)
        if self.yes.plain and self.no.plain and self.factors is None and self.margins is None:
            values = F.binary_cross_entropy_with_logits(self._moved(prepared.logits), y, reduction="none")
        else:
            x1, x0 = self._sides(prepared.logits)
            with_label, without = y * self.yes.value(F.logsigmoid(x1)), (1 - y) * self.no.value(F.logsigmoid(-x0))
            if self.factors is not None:
                with_label, without = with_label * self.factors[1], without * self.factors[0]
            values = with_label + without
        values = values.where(prepared.kept, 0)
        return weigh(values.sum(-1) if self.multilabel else values, sample_weight)

    def gradient(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return s (y w_1 t_1' v_1 - (1 - y) w_0 t_0' v_0), of the shape of the logits."""
        prepared, y = self._prepare(logits, targets)
        x1, x0 = self._sides(prepared.logits)
        with_label = y * self.yes.slope(F.logsigmoid(x1)) * (-x1).sigmoid()
        without = (1 - y) * self.no.slope(F.logsigmoid(-x0)) * x0.sigmoid()
        return self.scale * self._sum(with_label, -without) * self._multiplier(prepared, sample_weight)

    def hessian(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the diagonal of the second derivatives, of the shape of the logits; the rest is 0."""
        prepared, y = self._prepare(logits, targets)
        x1, x0 = self._sides(prepared.logits)
        with_label, without = y * _bend(self.yes, x1), (1 - y) * _bend(self.no, -x0)
        return self.scale**2 * self._sum(with_label, without) * self._multiplier(prepared, sample_weight)

    def weight(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return y w_1 + (1 - y) w_0 times the factor of the example, of the shape of the values."""
        prepared, _ = self._prepare(logits, targets)
        counted = self._sum(prepared.targets, 1 - prepared.targets) * self._multiplier(prepared, sample_weight)
        return counted.sum(-1) if self.multilabel else counted

    def kept(self, targets: Tensor) -> Tensor:
        """Return which examples have a target, of the shape of the values."""
        kept = targets != self.ignore_index
        return kept.any(-1) if self.multilabel else kept

    def _prepare(self, logits: Tensor, targets: Tensor) -> tuple[Prepared, Tensor]:
        """The arguments, and the smoothed targets."""
        prepared = prepare_labels(logits, targets, self.ignore_index)
        if not self.label_smoothing:
            return prepared, prepared.targets
        return prepared, prepared.targets * (1 - self.label_smoothing) + self.label_smoothing / 2

    def _moved(self, logits: Tensor) -> Tensor:
        moved = logits if self.shift is None else logits + self.shift
        return moved if self.scale == 1 else moved * self.scale

    def _sides(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """x_1 and x_0."""
        moved = self._moved(logits)
        if self.margins is None:
            return moved, moved
        return moved - self.scale * self.margins[1], moved + self.scale * self.margins[0]

    def _sum(self, with_label: Tensor, without: Tensor) -> Tensor:
        if self.factors is None:
            return with_label + without
        return with_label * self.factors[1] + without * self.factors[0]

    def _multiplier(self, prepared: Prepared, sample_weight: Tensor | None) -> Tensor:
        """1 where kept and else 0, times the factor of the example, of the shape of the logits."""
        kept = prepared.kept.to(prepared.logits.dtype)
        if not self.multilabel:
            return weigh(kept, sample_weight)
        return kept * weigh(torch.ones_like(kept[..., 0]), sample_weight).unsqueeze(-1)


def _bend(term: Term, x: Tensor) -> Tensor:
    """t'' v^2 - t' v (1 - v) at u = log sigmoid(x), v = sigmoid(-x)."""
    u, v = F.logsigmoid(x), (-x).sigmoid()
    return term.bend(u) * v**2 - term.slope(u) * v * (1 - v)
