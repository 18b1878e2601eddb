"""Figures of merit, and decisions on validation examples: arrays in, numbers out. Importing it needs numpy only."""

from seqwise.metrics.calibration import ReliabilityBins, expected_calibration_error, reliability_bins
from seqwise.metrics.calibrators import (
    Calibration,
    brier_score,
    check_method,
    classwise_calibration_error,
    fit_calibration,
)
from seqwise.metrics.classification import classification_metrics
from seqwise.metrics.comparison import paired_difference
from seqwise.metrics.confusion import confusion_matrix
from seqwise.metrics.costs import cost_table
from seqwise.metrics.intervals import Figure, describe
from seqwise.metrics.priors import (
    check_priors,
    correct_priors,
    estimate_priors_bbse,
    estimate_priors_em,
    implied_priors,
)
from seqwise.metrics.quick import quick_figures
from seqwise.metrics.ranking import average_precision, precision_recall_curve
from seqwise.metrics.thresholds import Criterion, Thresholds, choose_thresholds, decide, parse_criterion

__all__ = [
    "Calibration",
    "Criterion",
    "Figure",
    "ReliabilityBins",
    "Thresholds",
    "average_precision",
    "brier_score",
    "check_method",
    "check_priors",
    "choose_thresholds",
    "classification_metrics",
    "classwise_calibration_error",
    "confusion_matrix",
    "correct_priors",
    "cost_table",
    "decide",
    "describe",
    "estimate_priors_bbse",
    "estimate_priors_em",
    "expected_calibration_error",
    "fit_calibration",
    "implied_priors",
    "paired_difference",
    "parse_criterion",
    "precision_recall_curve",
    "quick_figures",
    "reliability_bins",
]
