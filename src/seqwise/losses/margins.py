"""Label-distribution-aware margins: the rarer a class, the further it has to be from the others.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqwise.losses.arguments import Numbers, are_labels, check_range, per_class, positive_counts
from seqwise.losses.compositions import Composition, compose


def compose_ldam(
    logits: Tensor,
    labels: bool,
    *,
    counts: Numbers | None = None,
    margin: float = 0.5,
    scale: float = 1.0,
    weights: Numbers | None = None,
    **common: Any,
) -> Composition:
    """Return `ldam` for logits of this shape, dtype and device; `common` as in `compose`."""
    check_range(margin, "margin", 0)
    numbers = positive_counts(counts, logits, labels)
    margins = margin * (numbers.amin(0) / numbers) ** 0.25 if margin else None
    factors = None if weights is None else per_class(weights, "weights", logits, labels)
    return compose(labels, margins=margins, scale=scale, factors=factors, **common)


def ldam(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Numbers | None = None,
    margin: float = 0.5,
    scale: float = 1.0,
    weights: Numbers | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    multilabel: bool = False,
) -> Tensor:
    """Return -w_y log softmax(s (z - D_y onehot(y)))_y of each example, D_j = C / n_j^(1/4) with C such that max D = margin.

    Of labels, each is a decision between two classes, and its logit is moved by D against the target. margin = 0 and
    s = 1 without weights is cross entropy. Deferred re-weighting means: no weights first, in the last part of the training
    those of `effective_weights` (`LDAMLoss` does it).

    When NOT to use it: where nothing bounds the logits. The margins are distances in logits; the paper normalises the last
    layer, so that all logits are cosines, and takes s = 30. With an ordinary head, a model that grows its logits makes any
    margin small. And it has more to choose than `logit_adjusted`, which is usually as good.

    Args:
        logits: z, (..., C), or of any shape for labels; any float dtype, computed in float32 at least.
        targets: class indices y, (...), or 0 and 1 in the shape of the logits.
        counts: n_j, as in `weighted_cross_entropy`, all above zero. Needed.
        margin: D of the rarest class, at least 0; of labels, of the rarer one of yes and no.
        scale: s, at least 0.
        weights: factor by class (C,), for labels a pair (2,) or (2, L).
        label_smoothing: e in [0, 1).
        sample_weight: factor per example, of the shape of the result.
        ignore_index: targets with this value give 0.
        multilabel: add the losses of the last axis, the labels of one example.

    Returns:
        One value per example, (...); for labels of the shape of the logits, without its last axis if `multilabel`.

    Raises:
        DataError: shapes do not fit together, or a number is missing or out of its range.

    Source:
        Cao et al. 2019, Learning imbalanced datasets with label-distribution-aware margin loss, equations 12 and 13.
    """
    composition = compose_ldam(
        logits,
        are_labels(logits, targets),
        counts=counts,
        margin=margin,
        scale=scale,
        weights=weights,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    return composition.value(logits, targets, sample_weight)


def ldam_gradient(logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any) -> Tensor:
    """Return the gradient of the sum of the losses with respect to the logits, of their shape.

    Derivation: z' = s (z - D_y onehot(y)) has dz'_k/dz_k = s, so it is s times that of cross entropy at z':
    s w_y (softmax(z')_k - [k = y]).

    Args:
        logits: as in `ldam`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `ldam`.
    """
    return compose_ldam(logits, are_labels(logits, targets), **arguments).gradient(logits, targets, sample_weight)


def ldam_hessian(logits: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **arguments: Any) -> Tensor:
    """Return the second derivatives: (..., C, C); of labels the diagonal, of the shape of the logits.

    Derivation: s^2 times that of cross entropy at z': s^2 w_y p_k ([k = j] - p_j) with p = softmax(z').

    Args:
        logits: as in `ldam`; all others too.
        targets: y.
        sample_weight: factor per example.
        **arguments: the keywords of `ldam`.
    """
    return compose_ldam(logits, are_labels(logits, targets), **arguments).hessian(logits, targets, sample_weight)
