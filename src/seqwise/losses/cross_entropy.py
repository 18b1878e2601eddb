"""Cross entropy with class weights, the cost-sensitive loss of the lectures.

Axis letters: B examples, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.errors import DataError


def balanced_weights(counts: Tensor | Sequence[float]) -> Tensor:
    """Return the weights w_j = n / (K n_j) that give every class the same total weight.

    For two classes this is the lectures' n / (2 n_j). A class without examples gets weight 0 and is not counted in K.

    Args:
        counts: examples of each class, (C,).

    Raises:
        DataError: a count is negative, or all are zero.
    """
    counts = torch.as_tensor(counts, dtype=torch.get_default_dtype())
    if bool((counts < 0).any()) or not bool((counts > 0).any()):
        raise DataError(f"class counts must be non-negative and not all zero, got {counts.tolist()}")
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, weights, torch.zeros_like(weights))


def weighted_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Tensor | Sequence[float] | None = None,
    weights: Tensor | Sequence[float] | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
) -> Tensor:
    """Return -w_y log softmax(logits)_y of each example.

    With label smoothing e the target distribution is (1 - e) onehot(y) + e / C, and each class's term keeps its own
    weight, as in `torch.nn.functional.cross_entropy`. With neither counts nor weights this is plain cross entropy.

    Gradient with respect to logit k (no smoothing): w_y (softmax_k - [k = y]).

    When NOT to use it: with extreme ratios the few rare examples dominate every batch that holds one; gradients become
    noisy, and probabilities are no longer calibrated to the data's priors.

    Args:
        logits: (..., C), any float dtype; computed in float32 at least.
        targets: class indices, (...).
        counts: examples of each class, (C,): weights become n / (K n_j). Excludes `weights`.
        weights: one weight per class, (C,).
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, (...).
        ignore_index: targets with this value give 0.

    Returns:
        One value per example, (...). Reduce by the mean over n examples, as the lectures write it.

    Source:
        King and Zeng 2001, Logistic regression in rare events data.
    """
    if counts is not None and weights is not None:
        raise DataError("give counts or weights, not both: counts are turned into the weights n / (K n_j)")
    classes = logits.shape[-1]
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    if counts is not None:
        weights = balanced_weights(counts)
    if weights is not None:
        weights = torch.as_tensor(weights, dtype=logits.dtype, device=logits.device)
        if weights.shape != (classes,):
            raise DataError(f"weights must have shape ({classes},), one per class, got {tuple(weights.shape)}")
    loss = F.cross_entropy(
        logits.reshape(-1, classes),
        targets.reshape(-1),
        weight=weights,
        ignore_index=ignore_index,
        reduction="none",
        label_smoothing=label_smoothing,
    ).reshape(targets.shape)
    return loss if sample_weight is None else loss * sample_weight


class WeightedCrossEntropy(nn.Module):
    """`weighted_cross_entropy` as a module; `reduction` is "mean" (over n), "sum" or "none"."""

    weights: Tensor | None

    def __init__(
        self,
        weights: Tensor | Sequence[float] | None = None,
        *,
        counts: Tensor | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise DataError(f"reduction must be mean, sum or none, got {reduction!r}")
        if counts is not None and weights is not None:
            raise DataError("give counts or weights, not both: counts are turned into the weights n / (K n_j)")
        if counts is not None:
            weights = balanced_weights(counts)
        self.register_buffer("weights", None if weights is None else torch.as_tensor(weights, dtype=torch.float32))
        self.label_smoothing, self.ignore_index, self.reduction = label_smoothing, ignore_index, reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of (..., C) logits and (...) class indices."""
        loss = weighted_cross_entropy(
            logits,
            targets,
            weights=self.weights,
            label_smoothing=self.label_smoothing,
            ignore_index=self.ignore_index,
        )
        if self.reduction == "none":
            return loss
        return loss.mean() if self.reduction == "mean" else loss.sum()
