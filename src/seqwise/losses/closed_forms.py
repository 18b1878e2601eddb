"""Every loss whose gradient is known in closed form, with what `seqwise gradcheck` needs to check it.

Axis letters: B examples, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqwise.losses import cross_entropy, effective_number, focusing, logit_adjustment, margins, regression

_B, _D, _C = 12, 3, 4


class ClosedForm(NamedTuple):
    """A loss and its gradient.

    Attributes:
        name: What people call it.
        loss: loss(*arguments): one value per example, (B,); runs under `torch.func.vmap`, as finite differences need it.
        gradient: gradient(*arguments): of the sum of the values, with respect to each of the first `differentiable`
            arguments, of its shape.
        draw: draw(generator): arguments, float64 where they are no class indices, at which the loss is differentiable.
        differentiable: How many of the arguments, counted from the first, have a gradient.
    """

    name: str
    loss: Callable[..., Tensor]
    gradient: Callable[..., tuple[Tensor, ...]]
    draw: Callable[[torch.Generator], tuple[Tensor, ...]]
    differentiable: int


def _make_regression(
    name: str,
    loss: Callable[[Tensor, Tensor], Tensor],
    slope: Callable[[Tensor, Tensor], Tensor],
    draw_targets: Callable[[Tensor, torch.Generator], Tensor],
    *classes: int,
) -> ClosedForm:
    """A linear model below a loss of its scores: the arguments are weight, bias, features and targets.

    Args:
        name: What people call it.
        loss: loss(scores, targets): one value per example.
        slope: slope(scores, targets): delta, the gradient of each example's value with respect to its scores.
        draw_targets: draw_targets(scores, generator).
        classes: C, for scores (B, C); nothing for scores (B,).
    """

    def value(weight: Tensor, bias: Tensor, features: Tensor, targets: Tensor) -> Tensor:
        return loss(regression.linear_scores(features, weight, bias), targets)

    def gradient(weight: Tensor, bias: Tensor, features: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        delta = slope(regression.linear_scores(features, weight, bias), targets)
        return regression.linear_gradients(features, delta)

    def draw(generator: torch.Generator) -> tuple[Tensor, ...]:
        shapes = ((*classes, _D), classes, (_B, _D))
        weight, bias, features = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
        targets = draw_targets(regression.linear_scores(features, weight, bias), generator)
        return weight, bias, features, targets

    return ClosedForm(name, value, gradient, draw, differentiable=2)


def _draw_near(scores: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers around the predictions, none so close that a finite difference could step over the kink at zero error."""
    error = torch.randn(scores.shape, generator=generator, dtype=scores.dtype)
    return scores + error + 0.1 * error.sign()


def _draw_two_classes(scores: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(2, scores.shape, generator=generator).to(scores.dtype)


def _draw_classes(scores: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(scores.shape[-1], scores.shape[:-1], generator=generator)


_REGRESSIONS = (
    _make_regression("linear_squared_error", regression.squared_error, regression.squared_error_gradient, _draw_near),
    _make_regression(
        "linear_absolute_error", regression.absolute_error, regression.absolute_error_gradient, _draw_near
    ),
    _make_regression("linear_huber_error", regression.huber_error, regression.huber_error_gradient, _draw_near),
    _make_regression(
        "logistic", regression.binary_cross_entropy, regression.binary_cross_entropy_gradient, _draw_two_classes
    ),
    _make_regression(
        "softmax",
        regression.categorical_cross_entropy,
        regression.categorical_cross_entropy_gradient,
        _draw_classes,
        _C,
    ),
)

_COUNTS = (40.0, 3.0, 11.0, 7.0)
_PAIRS = ((37.0, 50.0, 58.0, 30.0), (24.0, 11.0, 3.0, 31.0))


def _make_classification(
    name: str, loss: Callable[..., Tensor], gradient: Callable[..., Tensor], *, labels: bool = False, **arguments: Any
) -> ClosedForm:
    """A loss of logits (B, C): the arguments are logits, targets and a weight for each example."""

    def value(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return loss(logits, targets, sample_weight=weights, **arguments)

    def slope(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        return (gradient(logits, targets, sample_weight=weights, **arguments),)

    def draw(generator: torch.Generator) -> tuple[Tensor, ...]:
        logits = 2 * torch.randn((_B, _C), generator=generator, dtype=torch.float64)
        targets = _draw_two_classes(logits, generator) if labels else _draw_classes(logits, generator)
        return logits, targets, torch.rand(_B, generator=generator, dtype=torch.float64)

    return ClosedForm(name, value, slope, draw, differentiable=1)


_of_labels = partial(_make_classification, labels=True, multilabel=True)
_weighted = (cross_entropy.weighted_cross_entropy, cross_entropy.weighted_cross_entropy_gradient)
_focal = (focusing.focal, focusing.focal_gradient)
_asymmetric = (focusing.asymmetric, focusing.asymmetric_gradient)
_effective = (effective_number.class_balanced, effective_number.class_balanced_gradient)
_adjusted = (logit_adjustment.logit_adjusted, logit_adjustment.logit_adjusted_gradient)
_balanced = (logit_adjustment.balanced_softmax, logit_adjustment.balanced_softmax_gradient)
_ldam = (margins.ldam, margins.ldam_gradient)

_CLASSIFICATIONS = (
    _make_classification("weighted_cross_entropy", *_weighted, counts=_COUNTS, label_smoothing=0.1),
    _of_labels("weighted_cross_entropy_labels", *_weighted, counts=_PAIRS),
    _make_classification("focal", *_focal, gamma=2.0, counts=_COUNTS),
    _of_labels("focal_labels", *_focal, gamma=2.0, alpha=0.25),
    _make_classification("asymmetric", *_asymmetric, gamma_pos=1.0, label_smoothing=0.1),
    _of_labels("asymmetric_labels", *_asymmetric, gamma_pos=1.0),
    _make_classification("class_balanced", *_effective, counts=_COUNTS, beta=0.9),
    _make_classification("class_balanced_sigmoid", *_effective, counts=_COUNTS, beta=0.9, base="sigmoid", gamma=1.0),
    _of_labels("class_balanced_labels", *_effective, counts=_PAIRS, beta=0.9),
    _make_classification("logit_adjusted", *_adjusted, counts=_COUNTS, tau=1.5),
    _of_labels("logit_adjusted_labels", *_adjusted, counts=_PAIRS, tau=1.5),
    _make_classification("ldam", *_ldam, counts=_COUNTS, scale=3.0, weights=(1.0, 2.0, 3.0, 4.0)),
    _of_labels("ldam_labels", *_ldam, counts=_PAIRS, scale=3.0),
    _make_classification("balanced_softmax", *_balanced, counts=_COUNTS),
)

CLOSED_FORMS: dict[str, ClosedForm] = {form.name: form for form in (*_REGRESSIONS, *_CLASSIFICATIONS)}
"""The losses by name."""
