"""The few figures that training looks at after every epoch: no intervals, no sorting, a few milliseconds."""

from __future__ import annotations

import numpy as np

from seqwise.metrics.calibration import log_losses
from seqwise.metrics.confusion import OVERALL, confusion_matrix, macro_f1, marginals, mean_defined, micro_f1
from seqwise.metrics.multilabel import binary_log_losses, label_marginals
from seqwise.metrics.ranking import average_precision

WATCHED = ("accuracy", "balanced_accuracy", "macro_f1")


def quick_figures(
    targets: np.ndarray, probabilities: np.ndarray, sample_weight: np.ndarray | None = None
) -> dict[str, float]:
    """Return accuracy, balanced_accuracy, macro_f1 and log_loss; the definitions are those of `classification_metrics`.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C), each row summing to one; the most probable class is the prediction.
        sample_weight: (n,) or None.
    """
    classes = probabilities.shape[1]
    matrix = confusion_matrix(targets, probabilities.argmax(axis=1), classes, sample_weight).astype(np.float64)
    true, predicted = np.indices(matrix.shape)
    counted = marginals(true.ravel(), predicted.ravel(), matrix.reshape(1, -1), classes)
    figures = {name: float(OVERALL[name](counted)[0]) for name in WATCHED}
    figures["log_loss"] = float(np.average(log_losses(targets, probabilities), weights=sample_weight))
    return figures


def quick_label_figures(
    targets: np.ndarray, probabilities: np.ndarray, sample_weight: np.ndarray | None = None
) -> dict[str, float]:
    """Return macro_f1, micro_f1, mean_average_precision and log_loss; the definitions are those of `multilabel_metrics`.

    Args:
        targets: (n, L) bool.
        probabilities: (n, L); the answer is yes from .5 on. The mean average precision needs no threshold, and so tells more
            of a model whose thresholds are chosen later.
        sample_weight: (n,) or None.
    """
    counted = label_marginals(targets, probabilities >= 0.5, sample_weight)
    areas = [average_precision(targets[:, j], probabilities[:, j], sample_weight) for j in range(targets.shape[1])]
    losses = binary_log_losses(targets, probabilities).mean(axis=1)
    return {
        "macro_f1": float(macro_f1(counted)[0]),
        "micro_f1": float(micro_f1(counted)[0]),
        "mean_average_precision": float(mean_defined(np.array(areas))),
        "log_loss": float(np.average(losses, weights=sample_weight)),
    }
