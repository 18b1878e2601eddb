"""The few figures that training looks at after every epoch: no intervals, no sorting, a few milliseconds."""

from __future__ import annotations

import numpy as np

from seqwise.metrics.calibration import log_losses
from seqwise.metrics.confusion import OVERALL, confusion_matrix, marginals

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
