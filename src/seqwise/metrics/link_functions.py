"""From scores to probabilities and back, in float64 and without overflow."""

from __future__ import annotations

import numpy as np

STEEP = 40.0  # log odds beyond this are not told apart: float64 writes 1 - 4e-18 as 1


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (n, C) in float64 that sum to one as exactly as float64 can."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)), the probability of each label on its own, float64."""
    return 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))


def probabilities_of(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    """Return the probabilities of classes, of which one is right, or of labels, of which any may be."""
    return sigmoid(logits) if multilabel else softmax(logits)


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return log p / (1 - p), kept within +-`STEEP`."""
    with np.errstate(divide="ignore"):
        return np.clip(np.log(probabilities) - np.log1p(-probabilities), -STEEP, STEEP)


def class_log_odds(logs: np.ndarray) -> np.ndarray:
    """Return log p_j / (1 - p_j) of classes from log p, (n, C).

    1 - p_j is summed from the other classes, which is exact where p_j is nearly one.
    """
    odds = np.empty_like(logs)
    for number in range(logs.shape[1]):
        others = np.delete(logs, number, axis=1)
        top = others.max(axis=1, keepdims=True)
        odds[:, number] = logs[:, number] - top[:, 0] - np.log(np.exp(others - top).sum(axis=1))
    return odds
