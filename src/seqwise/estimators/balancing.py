"""What a treatment of rare classes means for the parts of a model that are not trained by the loss itself.

The recurrent part sees a treatment in its loss and in what its batches are drawn from. The linear part is solved by squared
hinge loss, and the parts are joined by log loss on held-out examples: both follow as far as the treatment says how much a
class counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqwise.errors import ConfigurationError
from seqwise.estimators.fitting import class_weights
from seqwise.losses import ImbalanceSettings

EVEN = ("oversample", "undersample", "class_balanced", "progressive")  # samplers that end with equal class shares


def class_factors(imbalance: ImbalanceSettings, classes: Sequence[Any], counts: np.ndarray) -> np.ndarray | None:
    """Return how much more than in the data each class counts in training, (C,); None where all count alike.

    Args:
        imbalance: class weights, the loss `class_balanced`, samplers and synthetic examples tell it.
        classes: the C classes.
        counts: training examples of each, (C,).
    """
    factors = np.ones(len(counts))
    weights = class_weights(imbalance, classes, counts)
    if weights is not None:
        factors *= weights.numpy()
    there = np.maximum(counts, 1)
    if imbalance.loss == "class_balanced":  # Cui et al. 2019: the inverse of the effective number of examples
        beta = imbalance.loss_parameters()["beta"]
        factors *= (1 - beta) / (1 - beta**there)
    if imbalance.sampler in EVEN or imbalance.synthetic is not None:
        factors /= there
    elif imbalance.sampler == "square_root":
        factors /= np.sqrt(there)
    if np.ptp(factors) == 0:
        return None
    return factors * counts.sum() / (factors * counts).sum()  # mean one over the examples


def logit_adjustment(imbalance: ImbalanceSettings, counts: np.ndarray) -> np.ndarray:
    """Return what the loss adds to the logits in training, (C,): without it the logits are those of even class shares."""
    tau = {"logit_adjusted": imbalance.loss_parameters().get("tau", 0.0), "balanced_softmax": 1.0}.get(
        imbalance.loss, 0.0
    )
    return tau * log_shares(counts)


def log_shares(counts: np.ndarray) -> np.ndarray:
    """Return the log of each class's share of the training examples, (C,), as if there were one more of each."""
    return np.log((counts + 1) / (counts.sum() + len(counts)))


def check_linear(imbalance: ImbalanceSettings) -> None:
    """Refuse a treatment that a model without a recurrent part has no place for.

    Raises:
        ConfigurationError: the loss is one that only the recurrent part can minimise.
    """
    if imbalance.loss in ("focal", "asymmetric", "ldam"):
        raise ConfigurationError(
            f"imbalance.loss {imbalance.loss} needs a recurrent part: the linear part is solved by squared hinge loss"
        )
