"""Losses: logits and targets in, one value per example out; thin modules that drop into any PyTorch loop."""

from seqwise.losses.closed_forms import CLOSED_FORMS, ClosedForm
from seqwise.losses.cross_entropy import WeightedCrossEntropy, balanced_weights, weighted_cross_entropy
from seqwise.losses.regression import (
    LinearGradients,
    absolute_error,
    absolute_error_gradient,
    binary_cross_entropy,
    binary_cross_entropy_gradient,
    categorical_cross_entropy,
    categorical_cross_entropy_gradient,
    linear_gradients,
    linear_scores,
    squared_error,
    squared_error_gradient,
)
from seqwise.losses.settings import LOSS_PARAMETERS, LOSSES, SAMPLERS, ImbalanceSettings
from seqwise.losses.treatments import TREATMENTS, Treatment, find_treatment

__all__ = [
    "CLOSED_FORMS",
    "LOSSES",
    "LOSS_PARAMETERS",
    "SAMPLERS",
    "TREATMENTS",
    "ClosedForm",
    "ImbalanceSettings",
    "LinearGradients",
    "Treatment",
    "WeightedCrossEntropy",
    "absolute_error",
    "absolute_error_gradient",
    "balanced_weights",
    "binary_cross_entropy",
    "binary_cross_entropy_gradient",
    "categorical_cross_entropy",
    "categorical_cross_entropy_gradient",
    "find_treatment",
    "linear_gradients",
    "linear_scores",
    "squared_error",
    "squared_error_gradient",
    "weighted_cross_entropy",
]
