"""From the configuration section `imbalance` to the loss that training minimises.

Axis letters: B examples, C classes or labels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqwise.errors import ConfigurationError
from seqwise.losses.arguments import Numbers
from seqwise.losses.cross_entropy import label_pairs
from seqwise.losses.modules import (
    AsymmetricLoss,
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    FocalLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    WeightedCrossEntropy,
)
from seqwise.losses.settings import BALANCED_BY_COUNTS, ImbalanceSettings


class TrainingLoss(nn.Module):
    """The loss of each example of a batch, at a given time of the training.

    Args:
        loss: a loss with reduction "none".
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self._deferred = isinstance(loss, LDAMLoss)

    def forward(self, logits: Tensor, targets: Tensor, progress: float = 1.0) -> Tensor:
        """Return the losses, (B,).

        Args:
            logits: (B, C).
            targets: class indices (B,), or labels as 1 and 0, (B, C).
            progress: share of the training that is done, from 0 to 1.
        """
        losses: Tensor = self.loss(logits, targets, progress=progress) if self._deferred else self.loss(logits, targets)
        return losses


def make_loss(
    settings: ImbalanceSettings,
    counts: Numbers,
    weights: Numbers | None = None,
    *,
    multilabel: bool = False,
    examples: float | None = None,
) -> TrainingLoss:
    """Return the loss that the settings describe, for classes or labels of these sizes.

    Args:
        settings: `loss`, its parameters, `label_smoothing`.
        counts: training examples of each class (their total sample weight, where there are weights), (C,). A class
            without any is treated as if it had as many as the rarest that has.
        weights: class weights, (C,), or of labels the factors where they do not hold and where they hold, (2, C); None for
            ones.
        multilabel: whether the classes are labels that can hold at once.
        examples: n, needed with `multilabel`, where the counts do not add up to it.

    Raises:
        ConfigurationError: `multilabel` without `examples`, or class weights for a loss that balances by counts.
        DataError: counts or weights do not fit.
    """
    if settings.loss in BALANCED_BY_COUNTS and weights is not None:
        raise ConfigurationError(
            f"the loss {settings.loss} balances the classes itself; class weights would do it twice"
        )
    numbers = torch.as_tensor(counts, dtype=torch.float64)
    if multilabel:
        if examples is None:
            raise ConfigurationError("the loss of labels needs the number of training examples beside the counts")
        numbers = label_pairs(numbers, examples)
    numbers = without_zeros(numbers)
    common: dict[str, Any] = {
        "label_smoothing": settings.label_smoothing,
        "multilabel": multilabel,
        "reduction": "none",
    }
    parameters: dict[str, Any] = settings.loss_parameters()
    match settings.loss:
        case "cross_entropy":
            return TrainingLoss(WeightedCrossEntropy(weights, **common))
        case "focal":
            return TrainingLoss(FocalLoss(alpha=weights, **parameters, **common))
        case "asymmetric":
            if not multilabel:
                if settings.margin:
                    raise ConfigurationError(
                        "imbalance.margin of the asymmetric loss is for examples with several labels"
                    )
                parameters["margin"] = None
            return TrainingLoss(AsymmetricLoss(weights=weights, **parameters, **common))
        case "class_balanced":
            return TrainingLoss(ClassBalancedLoss(numbers, **parameters, **common))
        case "logit_adjusted":
            return TrainingLoss(LogitAdjustedLoss(numbers, **parameters, **common))
        case "ldam":
            return TrainingLoss(LDAMLoss(numbers, weights=weights, **parameters, **common))
        case "balanced_softmax":
            return TrainingLoss(BalancedSoftmaxLoss(numbers, **common))


def without_zeros(counts: Tensor) -> Tensor:
    """Return the counts with the smallest that is above zero in place of zeros; ones if all are zero.

    No training example is of such a class, but its logit has a share in the loss of all others.
    """
    present = counts > 0
    smallest = counts[present].min() if bool(present.any()) else counts.new_ones(())
    return counts.where(present | (counts < 0), smallest)  # what is negative is refused later, and named
