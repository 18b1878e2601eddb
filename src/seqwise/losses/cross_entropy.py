"""Cross entropy with class weights, the cost-sensitive loss of the lectures.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqwise.errors import DataError
from seqwise.losses.arguments import Numbers, are_labels, per_class
from seqwise.losses.compositions import Composition, compose


def balanced_weights(counts: Numbers) -> Tensor:
    """Return the weights w_j = n / (K n_j) that give every class the same total weight.

    For two classes this is the lectures' n / (2 n_j). A class without examples gets weight 0 and is not counted in K.

    Args:
        counts: examples of each class, (C,); without and with each label, (2, L).

    Raises:
        DataError: a count is negative, or all are zero.
    """
    counts = torch.as_tensor(counts)
    counts = counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
    present = counts > 0
    if bool((counts < 0).any()) or not bool(present.any()):
        raise DataError(f"class counts must be non-negative and not all zero, got {counts.tolist()}")
    return (counts.sum(0) / (present.sum(0) * counts.where(present, 1))).where(present, 0)


def label_pairs(counts: Numbers, examples: float) -> Tensor:
    """Return the examples without and with each label, (2, L) float64: what the losses of labels call counts.

    Args:
        counts: examples that have each label (or their total weight), (L,).
        examples: n (or its total weight).

    Raises:
        DataError: a count is negative, or above n.
    """
    held = torch.as_tensor(counts, dtype=torch.float64)
    rest = examples - held
    rounding = 1e-9 * abs(examples)  # total weights that were added in another order
    if bool((held < 0).any()) or bool((rest < -rounding).any()):
        raise DataError(f"labels must be held by 0 to {examples:g} examples, got {held.tolist()}")
    return torch.stack([rest.where(rest > rounding, 0), held])


def class_factors(
    logits: Tensor, labels: bool, counts: Numbers | None, weights: Numbers | None, name: str = "weights"
) -> Tensor | None:
    """Return the factors of the classes or labels: those given, or n / (K n_j) of the counts, or None for ones.

    Raises:
        DataError: both are given, or one does not fit.
    """
    if counts is not None and weights is not None:
        raise DataError(f"give counts or {name}, not both: counts are turned into the weights n / (K n_j)")
    if counts is not None:
        return balanced_weights(per_class(counts, "counts", logits, labels))
    return None if weights is None else per_class(weights, name, logits, labels)


def compose_weighted_cross_entropy(
    logits: Tensor, labels: bool, *, counts: Numbers | None = None, weights: Numbers | None = None, **common: Any
) -> Composition:
    """Return `weighted_cross_entropy` for logits of this shape, dtype and device; `common` as in `compose`."""
    return compose(labels, factors=class_factors(logits, labels, counts, weights), **common)


def weighted_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Numbers | None = None,
    weights: Numbers | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return -w_y log softmax(z)_y of each example; of labels, -(w_1 y log p + w_0 (1 - y) log(1 - p)), p = sigmoid(z).

    With label smoothing e the target distribution is (1 - e) onehot(y) + e / C, and each class's term keeps its own
    weight, as in `torch.nn.functional.cross_entropy`. With neither counts nor weights this is plain cross entropy.

    When NOT to use it: with extreme ratios the few rare examples dominate every batch that holds one; gradients become
    noisy, and probabilities are no longer calibrated to the data's priors. A model that can fit every example in the end
    ignores the weights (Byrd and Lipton 2019).

    Args:
        logits: z, (..., C), any float dtype; computed in float32 at least.
        targets: class indices y, (...); or of the shape of the logits, numbers from 0 to 1: then each logit is a decision
            of its own, of two classes or of one label.
        counts: examples of each class, (C,): weights become n / (K n_j). Excludes `weights`. Here and in the other losses
            what is given by class has for labels the shape (2,) or (2, L): those without, then those with the label.
        weights: w, one per class, (C,).
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`. Reduce
        by the mean over n examples, as the lectures write it.

    Raises:
        DataError: shapes do not fit together, or a number is out of its range.

    Source:
        King and Zeng 2001, Logistic regression in rare events data.
    """
    composition = compose_weighted_cross_entropy(
        logits,
        are_labels(logits, targets),
        counts=counts,
        weights=weights,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def weighted_cross_entropy_gradient(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: dp_y/dz_k = p_y ([k = y] - p_k), so that

        dL/dz_k = -w_y / p_y  p_y ([k = y] - p_k) = w_y (p_k - [k = y])

    With a smoothed target q it is W p_k - w_k q_k, W = sum_k w_k q_k. Of a label, with dp/dz = p (1 - p),

        dL/dz = -w_1 y (1 - p) + w_0 (1 - y) p

    Args:
        logits: as in `weighted_cross_entropy`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `weighted_cross_entropy`.
    """
    composition = compose_weighted_cross_entropy(logits, are_labels(logits, targets), **arguments)
    return composition.gradient(logits, targets, sample_weight)


def weighted_cross_entropy_hessian(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: of w_y (p_k - [k = y]) only p depends on z, so d2L/dz_k dz_j = w_y p_k ([k = j] - p_j) with W for w_y where
    labels are smoothed; it is positive semidefinite: the loss is convex in z. Of a label (w_1 y + w_0 (1 - y)) p (1 - p).

    Args:
        logits: as in `weighted_cross_entropy`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `weighted_cross_entropy`.
    """
    composition = compose_weighted_cross_entropy(logits, are_labels(logits, targets), **arguments)
    return composition.hessian(logits, targets, sample_weight)
