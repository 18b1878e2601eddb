"""What the losses of classes and labels check and prepare alike.

Axis letters: ... examples (any shape), C classes, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqwise.errors import DataError

Numbers = Tensor | np.ndarray | Sequence[float] | Sequence[Sequence[float]]

REDUCTIONS = ("mean", "weighted_mean", "sum", "none")


class Prepared(NamedTuple):
    """Logits in float32 at least, targets in range, and which of the targets count.

    Attributes:
        logits: (..., C), or of any shape for labels.
        targets: class indices (...), or yes and no as 1 and 0 of the shape and dtype of the logits; 0 where ignored.
        kept: false where the target is ignored, of the shape of the targets.
    """

    logits: Tensor
    targets: Tensor
    kept: Tensor

    def hot(self) -> Tensor:
        """Return [k = y] of class indices, (..., C)."""
        classes = torch.arange(self.logits.shape[-1], device=self.targets.device)
        return self.targets.unsqueeze(-1) == classes


def are_labels(logits: Tensor, targets: Tensor) -> bool:
    """Return whether every logit has a yes-or-no target of its own; else the last axis are classes that exclude each other.

    Raises:
        DataError: the shapes do not fit together.
    """
    if logits.shape == targets.shape:
        return True
    if logits.ndim and logits.shape[:-1] == targets.shape:
        return False
    raise DataError(
        f"targets must have the shape of the logits {tuple(logits.shape)} without its last axis (class indices) or all of "
        f"it (labels), got {tuple(targets.shape)}"
    )


def prepare_classes(logits: Tensor, targets: Tensor, ignore_index: int) -> Prepared:
    """Prepare logits (..., C) and class indices (...).

    Raises:
        DataError: the targets are no whole numbers.
    """
    if targets.is_floating_point():
        raise DataError(f"targets must be class indices (whole numbers), got {targets.dtype}")
    kept = targets != ignore_index
    return Prepared(at_least_float32(logits), targets.long().where(kept, 0), kept)


def prepare_labels(logits: Tensor, targets: Tensor, ignore_index: int) -> Prepared:
    """Prepare logits and targets of one shape."""
    logits, kept = at_least_float32(logits), targets != ignore_index
    return Prepared(logits, targets.to(logits.dtype).where(kept, 0), kept)


def at_least_float32(logits: Tensor) -> Tensor:
    """Return the logits, float16 and bfloat16 as float32."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def per_class(values: Numbers, name: str, logits: Tensor, labels: bool) -> Tensor:
    """Return one number a class, of the dtype (float32 at least) and on the device of the logits.

    Args:
        values: (C,) for classes. For labels a no and a yes, (2,) for all of them alike or (2, L).
        name: of the argument, for messages.
        logits: (..., C) or (..., L).
        labels: which of both.

    Raises:
        DataError: they are not as many, one is negative, or one is not finite.
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    numbers = torch.as_tensor(values, dtype=dtype, device=logits.device)
    last = tuple(logits.shape[-1:])
    if numbers.shape not in ({(2,), (2, *last)} if labels else {last}):
        expected = (
            f"(2,) or {(2, *last)}, those without and those with each label" if labels else f"{last}, one per class"
        )
        raise DataError(f"{name} must have shape {expected}, got {tuple(numbers.shape)}")
    if not bool(((numbers >= 0) & numbers.isfinite()).all()):
        raise DataError(f"{name} must be non-negative and finite, got {numbers.tolist()}")
    return numbers


def positive_counts(counts: Numbers | None, logits: Tensor, labels: bool) -> Tensor:
    """Return the examples of each class, as `per_class` does, all above zero.

    Raises:
        DataError: there are none, not as many as classes, or one is not positive.
    """
    if counts is None:
        raise DataError("this loss needs counts, the number of training examples of each class")
    numbers = per_class(counts, "counts", logits, labels)
    if not bool((numbers > 0).all()):
        raise DataError(f"counts must hold at least one example of every class, got {numbers.tolist()}")
    return numbers


def check_range(value: float, name: str, low: float, high: float = float("inf")) -> None:
    """Raise a DataError unless low <= value < high."""
    if not low <= value < high:
        limit = "" if high == float("inf") else f" and below {high:g}"
        raise DataError(f"{name} must be at least {low:g}{limit}, got {value:g}")


def weigh(values: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Return the values times the factor of each example.

    Raises:
        DataError: the factors have another shape.
    """
    if sample_weight is None:
        return values
    if sample_weight.shape != values.shape:
        raise DataError(
            f"sample_weight must have shape {tuple(values.shape)}, one per example, got {tuple(sample_weight.shape)}"
        )
    return values * sample_weight
