"""What the losses of classes and labels have in common: terms of log-probabilities, and the chain rule through both.

Classes that exclude each other. With p = softmax(z'), u = log p, z' = s (z + shift - margin_y onehot(y)), a target
distribution q over the classes and a factor w_k for each,

    L = sum_k a_k t_k(u_k)        a_k = w_k q_k        du_k / dz'_j = [j = k] - p_j

where t_k is the term of class k (-u for cross entropy). With g_k = a_k t_k'(u_k) and h_k = a_k t_k''(u_k), and G and H their
sums over k,

    dL / dz_j         = s (g_j - p_j G)
    d2L / dz_j dz_i   = s^2 (h_j [i = j] - h_j p_i - p_j h_i + p_j p_i H - G p_j ([i = j] - p_i))

Labels that can hold at once: each is a decision of its own with a target y between 0 and 1, and

    L = y w_1 t_1(u_1) + (1 - y) w_0 t_0(u_0)        u_1 = log sigmoid(x_1)    x_1 = s (z + shift - margin_1)
                                                     u_0 = log sigmoid(-x_0)   x_0 = s (z + shift + margin_0)

With v_1 = sigmoid(-x_1) and v_0 = sigmoid(x_0), du_1/dz = s v_1, du_0/dz = -s v_0, and dv/dz = -+ s v (1 - v):

    dL / dz    = s (y w_1 t_1' v_1 - (1 - y) w_0 t_0' v_0)
    d2L / dz2  = s^2 (y w_1 (t_1'' v_1^2 - t_1' v_1 (1 - v_1)) + (1 - y) w_0 (t_0'' v_0^2 - t_0' v_0 (1 - v_0)))

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from seqwise.errors import DataError
from seqwise.losses.arguments import (
    Prepared,
    at_least_float32,
    check_range,
    prepare_classes,
    prepare_labels,
    weigh,
)
from seqwise.losses.terms import CROSS_ENTROPY, Term


class Composition(Protocol):
    """A loss with its numbers checked, on the device and of the dtype of the logits."""

    def value(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of each example."""

    def gradient(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the gradient of the sum of the losses with respect to the logits, of their shape."""

    def hessian(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the second derivatives: (..., C, C) of classes, of labels the diagonal, of the shape of the logits."""

    def weight(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return how much each example counts: the factor of its class or labels times its own; 0 if ignored."""

    def kept(self, targets: Tensor) -> Tensor:
        """Return which examples have a target."""


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
            logits = logits - self.margins * _hot(prepared)
        return logits if self.scale == 1 else logits * self.scale

    def _amounts(self, prepared: Prepared) -> Tensor:
        """a = w q, (..., C)."""
        q = _hot(prepared).to(prepared.logits.dtype)
        if self.label_smoothing:
            q = q * (1 - self.label_smoothing) + self.label_smoothing / q.shape[-1]
        return q if self.factors is None else q * self.factors

    def _each(self, prepared: Prepared, u: Tensor, order: str) -> Tensor:
        """The terms of all classes, or their derivatives, (..., C)."""
        target: Tensor = getattr(self.term, order)(u)
        if self.others is None:
            return target
        other: Tensor = getattr(self.others, order)(u)
        return target.where(_hot(prepared), other)

    def _multiplier(self, prepared: Prepared, sample_weight: Tensor | None) -> Tensor:
        return weigh(prepared.kept.to(prepared.logits.dtype), sample_weight)


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


@dataclass(frozen=True)
class OneAgainstRestComposition:
    """A loss of classes that exclude each other, each decided for itself: w_y sum_k of labels that say [k = y].

    Attributes:
        labels: the loss of the decisions, multilabel.
        factors: w, (C,).
        ignore_index: targets with this value give 0.
    """

    labels: SigmoidComposition
    factors: Tensor
    ignore_index: int = -100

    def value(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of each example, (...)."""
        return self.labels.value(logits, self._hot(logits, targets), self.weight(logits, targets, sample_weight))

    def gradient(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the gradient of the sum of the losses, (..., C)."""
        return self.labels.gradient(logits, self._hot(logits, targets), self.weight(logits, targets, sample_weight))

    def hessian(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the second derivatives of each example's loss, (..., C, C); they are 0 beside the diagonal."""
        weight = self.weight(logits, targets, sample_weight)
        return torch.diag_embed(self.labels.hessian(logits, self._hot(logits, targets), weight))

    def weight(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return w_y times the factor of the example, (...)."""
        prepared = prepare_classes(logits, targets, self.ignore_index)
        return weigh(self.factors[prepared.targets].where(prepared.kept, 0), sample_weight)

    def kept(self, targets: Tensor) -> Tensor:
        """Return which examples have a target, (...)."""
        return targets != self.ignore_index

    def _hot(self, logits: Tensor, targets: Tensor) -> Tensor:
        hot = _hot(prepare_classes(logits, targets, self.ignore_index))
        return hot.to(at_least_float32(logits).dtype)


def _hot(prepared: Prepared) -> Tensor:
    """[k = y], (..., C)."""
    classes = torch.arange(prepared.logits.shape[-1], device=prepared.targets.device)
    return prepared.targets.unsqueeze(-1) == classes


def _bend(term: Term, x: Tensor) -> Tensor:
    """t'' v^2 - t' v (1 - v) at u = log sigmoid(x), v = sigmoid(-x)."""
    u, v = F.logsigmoid(x), (-x).sigmoid()
    return term.bend(u) * v**2 - term.slope(u) * v * (1 - v)


def compose(
    labels: bool,
    *,
    multilabel: bool = False,
    term: Term = CROSS_ENTROPY,
    no: Term | None = None,
    others: Term | None = None,
    factors: Tensor | None = None,
    shift: Tensor | None = None,
    margins: Tensor | None = None,
    scale: float = 1.0,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Composition:
    """Return the loss of labels or of classes with these parts.

    Args:
        labels: which of both.
        multilabel: see `SigmoidComposition`.
        term: of the target's probability; of a label, where it holds.
        no: of labels that do not hold; None for `term`.
        others: of classes that are not the target; None for `term`.
        factors: (C,), or a pair for labels; `margins` too.
        shift: (C,), () or (L,).
        margins: see both.
        scale: at least 0.
        label_smoothing: in [0, 1).
        ignore_index: of targets that do not count.

    Raises:
        DataError: a number is out of range, or `multilabel` meets class indices.
    """
    check_range(label_smoothing, "label_smoothing", 0, 1)
    check_range(scale, "scale", 0)
    if labels:
        return SigmoidComposition(
            term, no or term, factors, shift, margins, scale, label_smoothing, ignore_index, multilabel
        )
    if multilabel:
        raise DataError("multilabel=True needs targets of the shape of the logits, 1 where a label holds, else 0")
    return SoftmaxComposition(term, others, factors, shift, margins, scale, label_smoothing, ignore_index)
