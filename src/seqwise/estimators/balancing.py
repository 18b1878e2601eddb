"""What a treatment of rare classes means for the parts of a model that are not trained by the loss itself.

The recurrent part sees a treatment in its loss and in what its batches are drawn from: afterwards its logits are those of
a world in which class j is c_j times as frequent. The linear part is fitted to the data as they are (its solver's class
weights were tried: slower by times, and worse), so the parts are joined in the data's world, log c taken off the recurrent
part's logits, and the answer is given in the treated one: log c is added to the sum. Of labels, of which an example may have
several, each has a shift that is fitted with the scales, and a threshold: there is nothing to add.
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


def shift_of_treatment(imbalance: ImbalanceSettings, classes: Sequence[Any], counts: np.ndarray) -> np.ndarray:
    """Return log c, (C,): by how much a treatment moves the logits of the recurrent part towards rare classes.

    Args:
        imbalance: class weights, samplers and synthetic examples multiply what a class counts by c; a loss that adds
            tau log(class share) to the logits in training leaves them short of it.
        classes: the C classes.
        counts: training examples of each, (C,).
    """
    factors = class_factors(imbalance, classes, counts)
    shift = np.zeros(len(counts)) if factors is None else np.log(np.maximum(factors, 1e-12))
    tau = {"logit_adjusted": imbalance.loss_parameters().get("tau", 0.0), "balanced_softmax": 1.0}.get(
        imbalance.loss, 0.0
    )
    return shift - tau * log_shares(counts)


def log_shares(counts: np.ndarray) -> np.ndarray:
    """Return the log of each class's share of the training examples, (C,), as if there were one more of each."""
    return np.log((counts + 1) / (counts.sum() + len(counts)))


def check_linear(imbalance: ImbalanceSettings, *, multilabel: bool) -> None:
    """Refuse a treatment that a model without a recurrent part has no place for.

    Raises:
        ConfigurationError: it is one that only the recurrent part can follow.
    """
    for name in ("loss", "class_weight", "sampler") if multilabel else ("loss",):
        value = getattr(imbalance, name)
        if value in ("focal", "asymmetric", "ldam") or (
            multilabel and value not in ("cross_entropy", None, "instance")
        ):
            raise ConfigurationError(
                f"imbalance.{name} {value} needs a recurrent part: the linear part is solved by squared hinge loss"
            )
