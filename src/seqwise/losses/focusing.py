"""Losses that pay less for what is easy already: focal and asymmetric.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqwise.errors import DataError
from seqwise.losses.arguments import Numbers, are_labels, check_range
from seqwise.losses.compositions import Composition, compose
from seqwise.losses.cross_entropy import class_factors
from seqwise.losses.terms import AbsentTerm, FocalTerm


def compose_focal(
    logits: Tensor,
    labels: bool,
    *,
    gamma: float = 2.0,
    alpha: Numbers | float | None = None,
    counts: Numbers | None = None,
    **common: Any,
) -> Composition:
    """Return `focal` for logits of this shape, dtype and device; `common` as in `compose`."""
    check_range(gamma, "gamma", 0)
    if isinstance(alpha, int | float):
        if labels:
            check_range(1 - alpha, "1 - alpha", 0)
        alpha = [1 - alpha, alpha] if labels else [alpha] * logits.shape[-1]
    factors = class_factors(logits, labels, counts, alpha, "alpha")
    return compose(labels, term=FocalTerm(gamma), factors=factors, **common)


def focal(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Numbers | float | None = None,
    counts: Numbers | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return -alpha_y (1 - p_y)^gamma log p_y of each example, p_y the probability of what is true.

    Of classes p = softmax(z); of a label that holds p_y = sigmoid(z), of one that does not sigmoid(-z). gamma = 0 and
    alpha = None is cross entropy.

    When NOT to use it: with noisy labels, which it takes for the hard examples that deserve attention; where probabilities
    are used as they are (it keeps them away from 0 and 1: calibrate); and against imbalance alone, for it looks at how hard
    an example is, not at how rare its class: give alpha or counts too.

    Args:
        logits: z, (..., C), or of any shape for labels; any float dtype, computed in float32 at least.
        targets: class indices y, (...); or 0 and 1 in the shape of the logits, for two classes with one logit or for labels.
        gamma: at least 0; an example with p_y = .9 counts (1 - .9)^gamma times as much as in cross entropy.
        alpha: factor by class (C,), for labels a pair (2,) or (2, L); one number is the factor of every class, or of
            labels that hold, where those that do not have 1 - alpha.
        counts: examples of each class, as in `weighted_cross_entropy`: alpha becomes n / (K n_j). Excludes `alpha`.
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`.

    Raises:
        DataError: shapes do not fit together, or a number is out of its range.

    Source:
        Lin et al. 2017, Focal loss for dense object detection, equations 4 and 5.
    """
    composition = compose_focal(
        logits,
        are_labels(logits, targets),
        gamma=gamma,
        alpha=alpha,
        counts=counts,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def focal_gradient(logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: with u = log p_y and p = exp(u), t(u) = -(1 - p)^gamma u, so

        t'(u) = gamma p (1 - p)^(gamma - 1) u - (1 - p)^gamma

    and du/dz_k = [k = y] - p_k gives dL/dz_k = alpha_y t'(u) ([k = y] - p_k). Of a label that holds du/dz = 1 - p, of one
    that does not du/dz = -(1 - p), p being the probability that it does not.

    Args:
        logits: as in `focal`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `focal`.
    """
    return compose_focal(logits, are_labels(logits, targets), **arguments).gradient(logits, targets, sample_weight)


def focal_hessian(logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: dp/du = p once more gives

        t''(u) = gamma p (1 - p)^(gamma - 2) (2 (1 - p) + (1 - gamma p) u)
        d2L/dz_k dz_j = alpha_y (t''(u) ([k = y] - p_k) ([j = y] - p_j) - t'(u) p_k ([k = j] - p_j))

    For gamma > 0 it is not convex: examples that are far off pull with less than they would.

    Args:
        logits: as in `focal`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `focal`.
    """
    return compose_focal(logits, are_labels(logits, targets), **arguments).hessian(logits, targets, sample_weight)


def compose_asymmetric(
    logits: Tensor,
    labels: bool,
    *,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    margin: float | None = None,
    counts: Numbers | None = None,
    weights: Numbers | None = None,
    **common: Any,
) -> Composition:
    """Return `asymmetric` for logits of this shape, dtype and device; `common` as in `compose`."""
    check_range(gamma_pos, "gamma_pos", 0)
    check_range(gamma_neg, "gamma_neg", 0)
    factors = class_factors(logits, labels, counts, weights)
    if not labels:
        if margin:
            raise DataError(
                "margin belongs to labels; among classes that exclude each other there is no absent one to zero"
            )
        return compose(labels, term=FocalTerm(gamma_pos), others=AbsentTerm(gamma_neg), factors=factors, **common)
    margin = 0.05 if margin is None else margin
    check_range(margin, "margin", 0, 1)
    return compose(labels, term=FocalTerm(gamma_pos), no=FocalTerm(gamma_neg, margin), factors=factors, **common)


def asymmetric(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    margin: float | None = None,
    counts: Numbers | None = None,
    weights: Numbers | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return the asymmetric loss: labels that do not hold, the many, are paid for less than those that hold.

    Of a label, with p = sigmoid(z) and p_m = max(p - margin, 0):

        -(y (1 - p)^gamma_pos log p + (1 - y) p_m^gamma_neg log(1 - p_m))

    so that a label that does not hold costs nothing where p <= margin. Of classes that exclude each other, p = softmax(z),
    in the form of the authors' program: with the smoothed target q_k,

        -sum_k q_k a_k log p_k        a_y = (1 - p_y)^gamma_pos        a_k = p_k^gamma_neg for the others

    where gamma_neg matters only if labels are smoothed (the authors smooth by .1), and without smoothing it is focal. With
    all of gamma_pos, gamma_neg and margin 0 both are cross entropy.

    When NOT to use it: for labels that are about as often there as not; where labels that hold are often missing from the
    data it helps, where labels are wrongly there it hurts. Its probabilities are too high: choose thresholds on
    validation data, or calibrate.

    Args:
        logits: z, (..., C), or of any shape for labels; any float dtype, computed in float32 at least.
        targets: class indices y, (...), or 0 and 1 in the shape of the logits.
        gamma_pos: at least 0; how little labels that hold and are recognised count.
        gamma_neg: at least 0, usually more than gamma_pos; the same for those that do not hold.
        margin: m in [0, 1), None for .05; labels only.
        counts: as in `weighted_cross_entropy`. Excludes `weights`.
        weights: factor by class (C,), for labels a pair (2,) or (2, L).
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`.

    Raises:
        DataError: shapes do not fit together, a number is out of its range, or classes are given a margin.

    Source:
        Ridnik et al. 2021, Asymmetric loss for multi-label classification, equations 4 to 7.
    """
    composition = compose_asymmetric(
        logits,
        are_labels(logits, targets),
        gamma_pos=gamma_pos,
        gamma_neg=gamma_neg,
        margin=margin,
        counts=counts,
        weights=weights,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def asymmetric_gradient(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: for a label that holds it is that of focal with gamma_pos. For one that does not, with s = p_m, ds/dz =
    p (1 - p) where p > margin and else 0:

        dL/dz = p (1 - p) (s^gamma_neg / (1 - s) - gamma_neg s^(gamma_neg - 1) log(1 - s))

    At p = margin it has a kink unless gamma_neg > 0; there this is 0. Among classes, with u_k = log p_k:

        g_y = -q_y ((1 - p_y)^gamma_pos - gamma_pos p_y (1 - p_y)^(gamma_pos - 1) u_y)
        g_k = -q_k p_k^gamma_neg (1 + gamma_neg u_k) for the others        dL/dz_k = g_k - p_k sum_j g_j

    Args:
        logits: as in `asymmetric`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `asymmetric`.
    """
    return compose_asymmetric(logits, are_labels(logits, targets), **arguments).gradient(logits, targets, sample_weight)


def asymmetric_hessian(
    logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: in `seqwise.losses.softmax_composition` and `seqwise.losses.sigmoid_composition`, from the second derivatives
    of the terms in `seqwise.losses.terms`; they exist but at p = margin.

    Args:
        logits: as in `asymmetric`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `asymmetric`.
    """
    return compose_asymmetric(logits, are_labels(logits, targets), **arguments).hessian(logits, targets, sample_weight)
