"""Every loss whose gradient is known in closed form, with what `seqwise gradcheck` needs to check it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from seqwise.losses import regression


class ClosedForm(NamedTuple):
    """A loss on the scores of a linear model, and its gradient.

    Attributes:
        name: What people call the model.
        loss: loss(scores, targets): one value per example, (B,).
        gradient: gradient(scores, targets): d(loss of an example) / d(its scores), the shape of the scores.
        draw_targets: draw_targets(scores, generator): valid targets at which the loss is differentiable.
        classes: C, for scores (B, C); None for scores (B,).
    """

    name: str
    loss: Callable[[Tensor, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]
    draw_targets: Callable[[Tensor, torch.Generator], Tensor]
    classes: int | None = None


def _draw_near(scores: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers around the predictions, none so close that a finite difference could step over the kink at zero error."""
    error = torch.randn(scores.shape, generator=generator, dtype=scores.dtype)
    return scores + error + 0.1 * error.sign()


def _draw_two_classes(scores: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(2, scores.shape, generator=generator).to(scores.dtype)


def _draw_classes(scores: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(scores.shape[-1], scores.shape[:-1], generator=generator)


CLOSED_FORMS: dict[str, ClosedForm] = {
    form.name: form
    for form in (
        ClosedForm("linear_squared_error", regression.squared_error, regression.squared_error_gradient, _draw_near),
        ClosedForm("linear_absolute_error", regression.absolute_error, regression.absolute_error_gradient, _draw_near),
        ClosedForm(
            "logistic", regression.binary_cross_entropy, regression.binary_cross_entropy_gradient, _draw_two_classes
        ),
        ClosedForm(
            "softmax",
            regression.categorical_cross_entropy,
            regression.categorical_cross_entropy_gradient,
            _draw_classes,
            classes=4,
        ),
    )
}
"""The losses by name."""
