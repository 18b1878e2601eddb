"""The configuration section `regression`: which error is minimised, and how much rare values count.

Axis letters: B examples, K targets.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from seqwise.losses.regression import absolute_error, huber_error, squared_error


class RegressionSettings(BaseModel):
    """How numbers are learned.

    Attributes:
        loss: "squared" asks for the mean, "absolute" for the median, "huber" is squared near the target and absolute beyond
            `delta`: see `seqwise.losses.squared_error`, `absolute_error`, `huber_error`.
        delta: of "huber", in standard deviations of the training targets.
        rare: how much rare values count. "none": every example alike; "inverse_frequency" weighs an example by one over the
            number of training examples in its bin, so that all bins together count alike; "square_root" by one over its
            root.
        bins: of equal width between the least and the greatest training target, for `rare` and for figures by value; a
            target of so few distinct values has one bin each.
        bounds: "training" cuts answers to the range of the training targets (stars from 1 to 10); "none" leaves them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: Literal["squared", "absolute", "huber"] = "squared"
    delta: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    rare: Literal["none", "inverse_frequency", "square_root"] = "none"
    bins: int = Field(default=10, ge=2, le=1000)
    bounds: Literal["none", "training"] = "none"

    @model_validator(mode="after")
    def _delta_is_that_of_huber(self) -> Self:
        if self.delta is not None and self.loss != "huber":
            raise ValueError(f"delta is a parameter of the loss huber, not of {self.loss}")
        return self


def target_losses(settings: RegressionSettings, predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the error of each example and target that the settings name, of the shape of both.

    Args:
        settings: `loss` and `delta`.
        predictions: (B, K), standardised.
        targets: of the same shape.

    Raises:
        DataError: the shapes differ.
    """
    match settings.loss:
        case "squared":
            return squared_error(predictions, targets)
        case "absolute":
            return absolute_error(predictions, targets)
        case "huber":
            return huber_error(predictions, targets, 1.0 if settings.delta is None else settings.delta)


def bin_edges(targets: np.ndarray, bins: int) -> np.ndarray:
    """Return the inner edges of the bins of one target, ascending; a target of few distinct values has one bin each.

    Args:
        targets: (n,), finite, not all alike.
        bins: how many, at most.
    """
    distinct = np.unique(targets)
    if len(distinct) <= bins:
        return (distinct[:-1] + distinct[1:]) / 2
    return np.linspace(distinct[0], distinct[-1], bins + 1)[1:-1]


def target_weights(settings: RegressionSettings, targets: np.ndarray) -> np.ndarray | None:
    """Return the weight of each example for each target, (n, K) with mean one, or None where all count alike.

    Args:
        settings: `rare` and `bins`.
        targets: (n, K).
    """
    if settings.rare == "none":
        return None
    columns = []
    for column in np.asarray(targets, dtype=np.float64).T:
        of = np.searchsorted(bin_edges(column, settings.bins), column, side="right")
        weights = 1.0 / np.bincount(of)[of]
        weights = np.sqrt(weights) if settings.rare == "square_root" else weights
        columns.append(weights / weights.mean())
    return np.stack(columns, axis=1)


def weighted_losses(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over the targets of each example, (B,), from losses and weights (B, K)."""
    return (losses if weights is None else losses * weights.to(losses.dtype)).mean(-1)


def as_tensor(values: np.ndarray) -> Tensor:
    """Return the values as a float32 tensor, which is what a model's answers are."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
