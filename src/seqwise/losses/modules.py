"""The losses as modules, which drop into any PyTorch training loop.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqwise.errors import DataError
from seqwise.losses.arguments import REDUCTIONS, Numbers, are_labels
from seqwise.losses.compositions import Composition
from seqwise.losses.cross_entropy import compose_weighted_cross_entropy
from seqwise.losses.effective_number import Base, compose_class_balanced, effective_weights
from seqwise.losses.focusing import compose_asymmetric, compose_focal
from seqwise.losses.logit_adjustment import compose_balanced_softmax, compose_logit_adjusted
from seqwise.losses.margins import compose_ldam


class ComposedLoss(nn.Module):
    """A loss whose numbers are checked once, and kept on every device and in every dtype that it meets.

    Args:
        compose: (logits, labels, **arguments) -> the loss of logits of this shape, dtype and device.
        labels: whether the arguments are those of labels; (2, L) and multilabel are in any case.
        reduction: "mean" divides the sum by the number of examples that are not ignored, as the lectures write it;
            "weighted_mean" by the sum of their weights (class times sample), as `torch.nn.CrossEntropyLoss` does; "sum" and
            "none".
        **arguments: those of the loss.

    Raises:
        DataError: one is out of its range or missing.
    """

    def __init__(
        self, compose: Callable[..., Composition], *, reduction: str, labels: bool = False, **arguments: Any
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise DataError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
        self._compose, self._arguments, self.reduction = compose, arguments, reduction
        self._composed: dict[tuple[Any, ...], Composition] = {}
        shape = next(
            (
                torch.as_tensor(arguments[name]).shape
                for name in ("counts", "weights", "alpha")
                if _given(arguments, name)
            ),
            torch.Size([2]),
        )
        labels = labels or len(shape) == 2 or bool(arguments.get("multilabel"))
        self._composition(torch.empty(0, *shape[-1:]), labels)  # what is wrong is said here, not in the first step

    def forward(self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the reduced loss of logits (..., C) and class indices (...), or of labels in the shape of the logits."""
        composition = self._composition(logits, are_labels(logits, targets))
        values = composition.value(logits, targets, sample_weight)
        if self.reduction == "none":
            return values
        if self.reduction == "sum":
            return values.sum()
        if self.reduction == "mean":
            return values.sum() / composition.kept(targets).sum().clamp(min=1)
        total = composition.weight(logits, targets, sample_weight).sum()
        return values.sum() / total.where(total > 0, 1)

    def extra_repr(self) -> str:
        """Return what the loss was made with."""
        given = [f"{name}={value}" for name, value in self._arguments.items() if value is not None]
        return ", ".join([*given, f"reduction={self.reduction}"])

    def _composition(self, logits: Tensor, labels: bool) -> Composition:
        key = (labels, logits.shape[-1:], logits.dtype, logits.device)
        found = self._composed.get(key)
        if found is None:
            found = self._composed[key] = self._compose(logits, labels, **self._arguments)
        return found


class WeightedCrossEntropy(ComposedLoss):
    """`weighted_cross_entropy` as a module; `reduction` as in `ComposedLoss`."""

    def __init__(
        self,
        weights: Numbers | None = None,
        *,
        counts: Numbers | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            compose_weighted_cross_entropy,
            reduction=reduction,
            weights=weights,
            counts=counts,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )


class FocalLoss(ComposedLoss):
    """`focal` as a module; `reduction` as in `ComposedLoss`."""

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        alpha: Numbers | float | None = None,
        counts: Numbers | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            compose_focal,
            reduction=reduction,
            gamma=gamma,
            alpha=alpha,
            counts=counts,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )


class AsymmetricLoss(ComposedLoss):
    """`asymmetric` as a module; `reduction` as in `ComposedLoss`."""

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        margin: float | None = None,
        *,
        counts: Numbers | None = None,
        weights: Numbers | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            compose_asymmetric,
            reduction=reduction,
            labels=bool(margin),
            gamma_pos=gamma_pos,
            gamma_neg=gamma_neg,
            margin=margin,
            counts=counts,
            weights=weights,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )


class ClassBalancedLoss(ComposedLoss):
    """`class_balanced` as a module; `reduction` as in `ComposedLoss`."""

    def __init__(
        self,
        counts: Numbers,
        beta: float = 0.999,
        gamma: float = 0.0,
        *,
        base: Base = "softmax",
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            compose_class_balanced,
            reduction=reduction,
            counts=counts,
            beta=beta,
            gamma=gamma,
            base=base,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )


class LogitAdjustedLoss(ComposedLoss):
    """`logit_adjusted` as a module; `reduction` as in `ComposedLoss`."""

    def __init__(
        self,
        counts: Numbers,
        tau: float = 1.0,
        *,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            compose_logit_adjusted,
            reduction=reduction,
            counts=counts,
            tau=tau,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )


class BalancedSoftmaxLoss(ComposedLoss):
    """`balanced_softmax` as a module; `reduction` as in `ComposedLoss`."""

    def __init__(
        self,
        counts: Numbers,
        *,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            compose_balanced_softmax,
            reduction=reduction,
            counts=counts,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )


class LDAMLoss(nn.Module):
    """`ldam` as a module, with deferred re-weighting; `reduction` as in `ComposedLoss`.

    Args:
        counts: as in `ldam`; `margin` and `scale` too.
        margin: of the rarest class.
        scale: s.
        weights: class weights of the last part of the training; None for `effective_weights(counts, beta)`.
        beta: of those.
        deferred: share of the training after which they come in, from 0 to 1; 1 for never.
        label_smoothing: e in [0, 1).
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.
        reduction: "mean", "weighted_mean", "sum" or "none".
    """

    def __init__(
        self,
        counts: Numbers,
        margin: float = 0.5,
        *,
        scale: float = 1.0,
        weights: Numbers | None = None,
        beta: float = 0.9999,
        deferred: float = 0.8,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        multilabel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if not 0 <= deferred <= 1:
            raise DataError(f"deferred must be from 0 to 1, got {deferred:g}")
        self.deferred = deferred
        common: dict[str, Any] = {
            "counts": counts,
            "margin": margin,
            "scale": scale,
            "label_smoothing": label_smoothing,
            "ignore_index": ignore_index,
            "multilabel": multilabel,
        }
        self.first = ComposedLoss(compose_ldam, reduction=reduction, **common)
        chosen = effective_weights(torch.as_tensor(counts, dtype=torch.float64), beta) if weights is None else weights
        self.last = ComposedLoss(compose_ldam, reduction=reduction, weights=chosen, **common)

    def forward(
        self, logits: Tensor, targets: Tensor, sample_weight: Tensor | None = None, progress: float = 1.0
    ) -> Tensor:
        """Return the loss; `progress` is the share of the training that is done, from 0 to 1."""
        loss = self.last if self.deferred < 1 and progress >= self.deferred else self.first
        return loss(logits, targets, sample_weight)


def _given(arguments: dict[str, Any], name: str) -> bool:
    value = arguments.get(name)
    return value is not None and not isinstance(value, int | float)
