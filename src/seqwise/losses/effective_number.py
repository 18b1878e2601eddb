"""Class weights by the effective number of examples.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from seqwise.errors import DataError
from seqwise.losses.arguments import Numbers, are_labels, check_range, positive_counts
from seqwise.losses.compositions import Composition, OneAgainstRestComposition, compose
from seqwise.losses.sigmoid_composition import SigmoidComposition
from seqwise.losses.terms import FocalTerm

Base = Literal["softmax", "sigmoid"]


def effective_weights(counts: Numbers, beta: float) -> Tensor:
    """Return weights proportional to (1 - beta) / (1 - beta^n_j), scaled to mean one.

    (1 - beta^n) / (1 - beta) is the expected volume of n examples, each of which is news with a probability that falls by
    beta with every one before it. beta = 0 weighs all classes alike; beta towards 1 weighs by 1 / n_j.

    Args:
        counts: examples of each class, (C,), above zero; without and with each label, (2, L), whose pairs have mean one.
        beta: in [0, 1).

    Raises:
        DataError: a count is not positive, or beta is out of its range.

    Source:
        Cui et al. 2019, Class-balanced loss based on effective number of samples, equation 2 and section 4.
    """
    counts = torch.as_tensor(counts)
    counts = counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
    check_range(beta, "beta", 0, 1)
    if not bool((counts > 0).all()):
        raise DataError(f"effective numbers need at least one example of every class, got counts {counts.tolist()}")
    # 1 - beta^n, also where beta^n is nearly one
    weights = -1 / torch.expm1(counts * math.log(beta)) if beta else torch.ones_like(counts)
    return weights / weights.mean(0)


def compose_class_balanced(
    logits: Tensor,
    labels: bool,
    *,
    counts: Numbers | None = None,
    beta: float = 0.999,
    gamma: float = 0.0,
    base: Base = "softmax",
    **common: Any,
) -> Composition:
    """Return `class_balanced` for logits of this shape, dtype and device; `common` as in `compose`."""
    check_range(gamma, "gamma", 0)
    if base not in ("softmax", "sigmoid"):
        raise DataError(f"base must be softmax or sigmoid, got {base!r}")
    weights = effective_weights(positive_counts(counts, logits, labels), beta)
    term = FocalTerm(gamma)
    if labels or base == "softmax":
        return compose(labels, term=term, factors=weights, **common)
    ignore_index = common.pop("ignore_index", -100)
    compose(labels, **common)  # for its checks
    decisions = SigmoidComposition(term, term, label_smoothing=common.get("label_smoothing", 0.0), multilabel=True)
    return OneAgainstRestComposition(decisions, weights, ignore_index)


def class_balanced(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Numbers | None = None,
    beta: float = 0.999,
    gamma: float = 0.0,
    base: Base = "softmax",
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return w_y times a loss of each example, w proportional to (1 - beta) / (1 - beta^n_j) with mean one.

    The loss is cross entropy (base "softmax"), or the sum over all classes k of binary cross entropies that say [k = y]
    (base "sigmoid"); with gamma > 0 it is the focal loss of either. Of labels, each is a decision of its own between its
    two classes. beta = 0, or equal counts, with gamma = 0 is cross entropy.

    When NOT to use it: where every class has far fewer than 1 / (1 - beta) examples it is `weighted_cross_entropy`, where
    every one has far more it does nothing, so that beta has to fit the sizes; and it shares the faults of all weights:
    noisy gradients from the few, probabilities that are no longer those of the data.

    Args:
        logits: z, (..., C), or of any shape for labels; any float dtype, computed in float32 at least.
        targets: class indices y, (...), or 0 and 1 in the shape of the logits.
        counts: n_j, as in `weighted_cross_entropy`, all above zero. Needed.
        beta: in [0, 1); the paper uses .9, .99, .999 and .9999.
        gamma: of the focal loss, at least 0.
        base: "softmax" or "sigmoid"; labels are sigmoids in any case.
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`.

    Raises:
        DataError: shapes do not fit together, or a number is missing or out of its range.

    Source:
        Cui et al. 2019, Class-balanced loss based on effective number of samples, equations 2 and 10 to 15.
    """
    composition = compose_class_balanced(
        logits,
        are_labels(logits, targets),
        counts=counts,
        beta=beta,
        gamma=gamma,
        base=base,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def class_balanced_gradient(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: w_y does not depend on z, so it is w_y times the gradient of the base: p_k - [k = y] of both the softmax and
    the sigmoids (each with its own p), that of `focal` where gamma > 0.

    Args:
        logits: as in `class_balanced`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `class_balanced`.
    """
    composition = compose_class_balanced(logits, are_labels(logits, targets), **arguments)
    return composition.gradient(logits, targets, sample_weight)


def class_balanced_hessian(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: w_y times that of the base: p_k ([k = j] - p_j) of the softmax, p_k (1 - p_k) [k = j] of the sigmoids.

    Args:
        logits: as in `class_balanced`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `class_balanced`.
    """
    composition = compose_class_balanced(logits, are_labels(logits, targets), **arguments)
    return composition.hessian(logits, targets, sample_weight)
