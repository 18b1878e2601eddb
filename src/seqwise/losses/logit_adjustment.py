"""Log class shares in the logits: added in training, or subtracted after it.

The two are the same idea at two times. Added in training (`logit_adjusted`, `balanced_softmax`), the model's own logits have
to make up for them and become those of a world in which all classes are equally frequent. Subtracted after training
(`adjust_logits`), they turn the logits of an ordinary model into that. Never do both.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqwise.losses.arguments import Numbers, are_labels, at_least_float32, check_range, positive_counts
from seqwise.losses.compositions import Composition, compose


def compose_logit_adjusted(
    logits: Tensor, labels: bool, *, counts: Numbers | None = None, tau: float = 1.0, **common: Any
) -> Composition:
    """Return `logit_adjusted` for logits of this shape, dtype and device; `common` as in `compose`."""
    check_range(tau, "tau", 0)
    numbers = positive_counts(counts, logits, labels)
    if tau == 0:
        return compose(labels, **common)
    # A softmax does not see what is added to all logits: relative to the largest class, equal classes are shifted by 0.
    shift = tau * (numbers[1] / numbers[0] if labels else numbers / numbers.max()).log()
    return compose(labels, shift=shift, **common)


def logit_adjusted(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Numbers | None = None,
    tau: float = 1.0,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return -log softmax(z + tau log pi)_y of each example, pi_j = n_j / n the class shares of training.

    The minimiser's z ranks by p(x | y): its argmax has the least balanced error for tau = 1, without weights. Of labels,
    each is a decision between two classes: log sigmoid of z + tau log(pi / (1 - pi)). tau = 0, or equal counts, is cross
    entropy. Use the logits as they are for decisions: `adjust_logits` would correct them twice.

    When NOT to use it: where probabilities of the training data's world are wanted, or accuracy; where the counts do not
    describe what is trained on (after resampling, count what is drawn).

    Args:
        logits: z, (..., C), or of any shape for labels; any float dtype, computed in float32 at least.
        targets: class indices y, (...), or 0 and 1 in the shape of the logits.
        counts: n_j, as in `weighted_cross_entropy`, all above zero. Needed.
        tau: at least 0; more than 1 favours rare classes beyond equality.
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`.

    Raises:
        DataError: shapes do not fit together, or a number is missing or out of its range.

    Source:
        Menon et al. 2021, Long-tail learning via logit adjustment, equation 10.
    """
    composition = compose_logit_adjusted(
        logits,
        are_labels(logits, targets),
        counts=counts,
        tau=tau,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def logit_adjusted_gradient(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: z' = z + tau log pi has dz'_k/dz_k = 1, so it is that of cross entropy at z': softmax(z')_k - [k = y].

    Args:
        logits: as in `logit_adjusted`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `logit_adjusted`.
    """
    composition = compose_logit_adjusted(logits, are_labels(logits, targets), **arguments)
    return composition.gradient(logits, targets, sample_weight)


def logit_adjusted_hessian(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: that of cross entropy at z' = z + tau log pi: p_k ([k = j] - p_j) with p = softmax(z').

    Args:
        logits: as in `logit_adjusted`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `logit_adjusted`.
    """
    composition = compose_logit_adjusted(logits, are_labels(logits, targets), **arguments)
    return composition.hessian(logits, targets, sample_weight)


def compose_balanced_softmax(logits: Tensor, labels: bool, **arguments: Any) -> Composition:
    """Return `balanced_softmax` for logits of this shape, dtype and device; its keywords."""
    return compose_logit_adjusted(logits, labels, tau=1.0, **arguments)


def balanced_softmax(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Numbers | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return -log(n_y exp(z_y) / sum_k n_k exp(z_k)) of each example.

    The softmax that a world with equal classes needs when it is trained on one with n_j examples each. It is
    `logit_adjusted` with tau = 1, found independently. Equal counts make it cross entropy.

    When NOT to use it: as for `logit_adjusted`, which has a tau to choose on validation data.

    Args:
        logits: z, (..., C), or of any shape for labels; any float dtype, computed in float32 at least.
        targets: class indices y, (...), or 0 and 1 in the shape of the logits.
        counts: n_j, as in `weighted_cross_entropy`, all above zero. Needed.
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`.

    Raises:
        DataError: shapes do not fit together, or a number is missing or out of its range.

    Source:
        Ren et al. 2020, Balanced meta-softmax for long-tailed visual recognition, equation 4.
    """
    composition = compose_balanced_softmax(
        logits,
        are_labels(logits, targets),
        counts=counts,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def balanced_softmax_gradient(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: L = log sum_k n_k exp(z_k) - z_y - log n_y, so dL/dz_k = n_k exp(z_k) / sum_j n_j exp(z_j) - [k = y].

    Args:
        logits: as in `balanced_softmax`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `balanced_softmax`.
    """
    composition = compose_balanced_softmax(logits, are_labels(logits, targets), **arguments)
    return composition.gradient(logits, targets, sample_weight)


def balanced_softmax_hessian(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: p_k ([k = j] - p_j) with p_k = n_k exp(z_k) / sum_j n_j exp(z_j), by the quotient rule.

    Args:
        logits: as in `balanced_softmax`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `balanced_softmax`.
    """
    composition = compose_balanced_softmax(logits, are_labels(logits, targets), **arguments)
    return composition.hessian(logits, targets, sample_weight)


def adjust_logits(logits: Tensor, counts: Numbers, tau: float = 1.0) -> Tensor:
    """Return z - tau log pi: the correction after training, of a model that was trained with plain cross entropy.

    When NOT to use it: on a model that was trained by `logit_adjusted` or `balanced_softmax`, by class weights or on
    resampled data: those have corrected already.

    Args:
        logits: z, (..., C) or (..., L), any float dtype; float32 at least comes back.
        counts: examples of each class, (C,), all above zero; those without and with each label, (2, L), for
            z - tau log(pi / (1 - pi)).
        tau: 1 for the least balanced error.

    Raises:
        DataError: counts do not fit, or are not positive.

    Source:
        Menon et al. 2021, Long-tail learning via logit adjustment, equation 9.
    """
    logits = at_least_float32(logits)
    counts = torch.as_tensor(counts)
    labels = counts.ndim == 2
    numbers = positive_counts(counts, logits, labels)
    shares = numbers[1] / numbers[0] if labels else numbers / numbers.sum()
    return logits - tau * shares.log()
