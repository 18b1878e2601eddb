"""What every loss of classes or labels is made of.

A loss is a weighted sum of terms of log-probabilities (`terms`), taken through a softmax of classes that exclude each
other (`softmax_composition`) or through sigmoids of labels that can hold at once (`sigmoid_composition`). Its derivatives
are derived there.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seqwise.errors import DataError
from seqwise.losses.arguments import at_least_float32, check_range, prepare_classes, weigh
from seqwise.losses.sigmoid_composition import SigmoidComposition
from seqwise.losses.softmax_composition import SoftmaxComposition
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
        hot = prepare_classes(logits, targets, self.ignore_index).hot()
        return hot.to(at_least_float32(logits).dtype)


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
