"""Figures of merit: arrays in, numbers out. Needs numpy and nothing else."""

from seqwise.metrics.calibration import ReliabilityBins, expected_calibration_error, reliability_bins
from seqwise.metrics.classification import classification_metrics
from seqwise.metrics.comparison import paired_difference
from seqwise.metrics.confusion import confusion_matrix
from seqwise.metrics.intervals import Figure, describe
from seqwise.metrics.quick import quick_figures
from seqwise.metrics.ranking import average_precision, precision_recall_curve

__all__ = [
    "Figure",
    "ReliabilityBins",
    "average_precision",
    "classification_metrics",
    "confusion_matrix",
    "describe",
    "expected_calibration_error",
    "paired_difference",
    "precision_recall_curve",
    "quick_figures",
    "reliability_bins",
]
