"""Every loss whose gradient is known in closed form, with what `seqwise gradcheck` needs to check it.

Axis letters: B examples, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from seqwise.losses import regression

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

CLOSED_FORMS: dict[str, ClosedForm] = {form.name: form for form in _REGRESSIONS}
"""The losses by name."""
