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
from seqwise.metrics.costs import cost_table, label_cost_tables
from seqwise.metrics.intervals import Figure, describe
from seqwise.metrics.label_calibration import LabelCalibration, check_label_method, fit_label_calibration
from seqwise.metrics.label_thresholds import LabelThresholds, choose_label_thresholds
from seqwise.metrics.multilabel import multilabel_metrics
from seqwise.metrics.priors import (
    check_label_priors,
    check_priors,
    correct_priors,
    estimate_priors_bbse,
    estimate_priors_em,
    implied_priors,
)
from seqwise.metrics.quick import quick_figures, quick_label_figures
from seqwise.metrics.ranking import average_precision, precision_recall_curve
from seqwise.metrics.rare import ClassGroup, class_groups, precision_at_recall, recall_at_precision
from seqwise.metrics.thresholds import (
    Criterion,
    Thresholds,
    choose_thresholds,
    criterion_figure,
    decide,
    parse_criterion,
)

__all__ = [
    "Calibration",
    "ClassGroup",
    "Criterion",
    "Figure",
    "LabelCalibration",
    "LabelThresholds",
    "ReliabilityBins",
    "Thresholds",
    "average_precision",
    "brier_score",
    "check_label_method",
    "check_label_priors",
    "check_method",
    "check_priors",
    "choose_label_thresholds",
    "choose_thresholds",
    "class_groups",
    "classification_metrics",
    "classwise_calibration_error",
    "confusion_matrix",
    "correct_priors",
    "cost_table",
    "criterion_figure",
    "decide",
    "describe",
    "estimate_priors_bbse",
    "estimate_priors_em",
    "expected_calibration_error",
    "fit_calibration",
    "fit_label_calibration",
    "implied_priors",
    "label_cost_tables",
    "multilabel_metrics",
    "paired_difference",
    "parse_criterion",
    "precision_at_recall",
    "precision_recall_curve",
    "quick_figures",
    "quick_label_figures",
    "recall_at_precision",
    "reliability_bins",
]
