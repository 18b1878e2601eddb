"""The worst mistakes: what a person should look at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqwise.metrics.multilabel import binary_log_losses

MISTAKE_LENGTH = 300


def worst_mistakes(
    texts: Sequence[str],
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    limit: int = 20,
    rows: Sequence[int] | None = None,
    predictions: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Choose the mistakes with the highest loss.

    Args:
        texts: the n texts.
        targets: (n,) class numbers; or (n, L) of 0 and 1.
        probabilities: (n, C).
        classes: the C names.
        limit: how many at most.
        rows: number of each text in its file; by default they are counted from 1.
        predictions: what the model decides for, in the form of the targets; None takes the most probable class, or every
            label from .5 on.

    Returns:
        Worst first: "text" (at most 300 characters), "row", "true", "predicted", "probability" (of the predicted class)
        and "true_probability". Of labels "true" and "predicted" are sets of names joined by commas, and beside
        "text" and "row" there are only "missed" and "wrong": names with the probability of the label that is missing, or
        that should not be there.
    """
    if np.ndim(targets) == 2:
        return _worst_sets(texts, np.asarray(targets) > 0, probabilities, classes, limit, rows, predictions)
    predicted = probabilities.argmax(axis=1) if predictions is None else np.asarray(predictions)
    chances = probabilities[np.arange(len(targets)), targets]
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(chances[wrong], kind="stable")][:limit]
    return [
        {
            "text": shortened(str(texts[n])),
            "row": int(rows[n]) if rows is not None else int(n) + 1,
            "true": classes[int(targets[n])],
            "predicted": classes[int(predicted[n])],
            "probability": float(probabilities[n, predicted[n]]),
            "true_probability": float(chances[n]),
        }
        for n in worst
    ]


def _worst_sets(
    texts: Sequence[str],
    true: np.ndarray,
    probabilities: np.ndarray,
    labels: Sequence[str],
    limit: int,
    rows: Sequence[int] | None,
    predictions: np.ndarray | None,
) -> list[dict[str, Any]]:
    said = probabilities >= 0.5 if predictions is None else np.asarray(predictions) > 0
    # Only the decisions that are wrong count: many labels that are rightly not given would drown them.
    losses = np.where(true != said, binary_log_losses(true, probabilities), 0.0).sum(axis=1)
    wrong = np.flatnonzero((true != said).any(axis=1))
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:limit]

    def named(row: int, which: np.ndarray) -> list[tuple[str, float]]:
        return [(labels[int(j)], float(probabilities[row, j])) for j in np.flatnonzero(which)]

    return [
        {
            "text": shortened(str(texts[n])),
            "row": int(rows[n]) if rows is not None else int(n) + 1,
            "true": ", ".join(name for name, _ in named(n, true[n])),
            "predicted": ", ".join(name for name, _ in named(n, said[n])),
            "missed": named(n, true[n] & ~said[n]),
            "wrong": named(n, said[n] & ~true[n]),
        }
        for n in worst
    ]


def shortened(text: str) -> str:
    """At most 300 characters of a text."""
    return text if len(text) <= MISTAKE_LENGTH else text[: MISTAKE_LENGTH - 1].rstrip() + "…"
