"""Losses: logits and targets in, one value per example out; thin modules that drop into any PyTorch loop."""

from seqwise.losses.closed_forms import CLOSED_FORMS, ClosedForm
from seqwise.losses.cross_entropy import (
    balanced_weights,
    weighted_cross_entropy,
    weighted_cross_entropy_gradient,
    weighted_cross_entropy_hessian,
)
from seqwise.losses.effective_number import (
    class_balanced,
    class_balanced_gradient,
    class_balanced_hessian,
    effective_weights,
)
from seqwise.losses.focusing import (
    asymmetric,
    asymmetric_gradient,
    asymmetric_hessian,
    focal,
    focal_gradient,
    focal_hessian,
)
from seqwise.losses.logit_adjustment import (
    adjust_logits,
    balanced_softmax,
    balanced_softmax_gradient,
    balanced_softmax_hessian,
    logit_adjusted,
    logit_adjusted_gradient,
    logit_adjusted_hessian,
)
from seqwise.losses.making import TrainingLoss, make_loss
from seqwise.losses.margins import ldam, ldam_gradient, ldam_hessian
from seqwise.losses.modules import (
    AsymmetricLoss,
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    FocalLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    WeightedCrossEntropy,
)
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
    "AsymmetricLoss",
    "BalancedSoftmaxLoss",
    "ClassBalancedLoss",
    "ClosedForm",
    "FocalLoss",
    "ImbalanceSettings",
    "LDAMLoss",
    "LinearGradients",
    "LogitAdjustedLoss",
    "TrainingLoss",
    "Treatment",
    "WeightedCrossEntropy",
    "absolute_error",
    "absolute_error_gradient",
    "adjust_logits",
    "asymmetric",
    "asymmetric_gradient",
    "asymmetric_hessian",
    "balanced_softmax",
    "balanced_softmax_gradient",
    "balanced_softmax_hessian",
    "balanced_weights",
    "binary_cross_entropy",
    "binary_cross_entropy_gradient",
    "categorical_cross_entropy",
    "categorical_cross_entropy_gradient",
    "class_balanced",
    "class_balanced_gradient",
    "class_balanced_hessian",
    "effective_weights",
    "find_treatment",
    "focal",
    "focal_gradient",
    "focal_hessian",
    "ldam",
    "ldam_gradient",
    "ldam_hessian",
    "linear_gradients",
    "linear_scores",
    "logit_adjusted",
    "logit_adjusted_gradient",
    "logit_adjusted_hessian",
    "make_loss",
    "squared_error",
    "squared_error_gradient",
    "weighted_cross_entropy",
    "weighted_cross_entropy_gradient",
    "weighted_cross_entropy_hessian",
]
