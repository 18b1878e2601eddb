"""The worst mistakes: what a person should look at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqwise.errors import InputError
from seqwise.explanation import explain
from seqwise.explanation.shading import Shaded, shaded
from seqwise.metrics.multilabel import binary_log_losses

MISTAKE_LENGTH = 300
LONGEST = 20_000  # characters of a text that is explained
FEWEST_STEPS, MOST_STEPS, READ = 16, 64, 2**15  # gradients of an explanation; and these times the length of the text


def worst_mistakes(
    texts: Sequence[str],
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    limit: int = 20,
    rows: Sequence[int] | None = None,
    predictions: np.ndarray | None = None,
    predictor: Any = None,
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
        predictor: of the model, by which the texts are explained: why the wrong class, or the worst wrong or missed label?

    Returns:
        Worst first: "text" (at most 300 characters), "row", "true", "predicted", "probability" (of the predicted class)
        and "true_probability". Of labels "true" and "predicted" are sets of names joined by commas, and beside
        "text" and "row" there are only "missed" and "wrong": names with the probability of the label that is missing, or
        that should not be there. Where a text was explained, "pieces" are it, shaded; and "explained" is the class.
    """
    if np.ndim(targets) == 2:
        found = _worst_sets(texts, np.asarray(targets) > 0, probabilities, classes, limit, rows, predictions)
    else:
        found = _worst(texts, targets, probabilities, classes, limit, rows, predictions)
    for number, mistake in found if predictor is not None else ():
        mistake |= explained(predictor, texts[number], _asked(mistake))
    return [mistake for _, mistake in found]


def explained(predictor: Any, text: Any, target: str) -> dict[str, Any]:
    """The first characters of a text, shaded by integrated gradients; {} of one that is too long or cannot be explained.

    Args:
        predictor: of the model.
        text: that it reads.
        target: the class that is asked about.

    Returns:
        "pieces" and "explained", the class.
    """
    length = len(text if isinstance(text, str) else " ".join(text))
    if length > LONGEST:
        return {}
    steps = min(MOST_STEPS, max(FEWEST_STEPS, READ // max(length, 1)))
    try:
        explanation = explain(predictor, text, target=target, most_steps=steps)
    except InputError:
        return {}
    if len(explanation.text) <= MISTAKE_LENGTH:
        return {"pieces": shaded(explanation), "explained": target}
    return {"pieces": [*shaded(explanation, MISTAKE_LENGTH - 1), Shaded("…")], "explained": target}


def _asked(mistake: dict[str, Any]) -> str:
    """The class that was said, or of labels the one of the worst decision."""
    if "wrong" not in mistake:
        return str(mistake["predicted"])
    doubts = [(chance, name) for name, chance in mistake["wrong"]]
    return max(doubts + [(1 - chance, name) for name, chance in mistake["missed"]])[1]


def _worst(
    texts: Sequence[str],
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    limit: int,
    rows: Sequence[int] | None,
    predictions: np.ndarray | None,
) -> list[tuple[int, dict[str, Any]]]:
    predicted = probabilities.argmax(axis=1) if predictions is None else np.asarray(predictions)
    chances = probabilities[np.arange(len(targets)), targets]
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(chances[wrong], kind="stable")][:limit]
    return [
        (
            int(n),
            {
                "text": shortened(str(texts[n])),
                "row": int(rows[n]) if rows is not None else int(n) + 1,
                "true": classes[int(targets[n])],
                "predicted": classes[int(predicted[n])],
                "probability": float(probabilities[n, predicted[n]]),
                "true_probability": float(chances[n]),
            },
        )
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
) -> list[tuple[int, dict[str, Any]]]:
    said = probabilities >= 0.5 if predictions is None else np.asarray(predictions) > 0
    # Only the decisions that are wrong count: many labels that are rightly not given would drown them.
    losses = np.where(true != said, binary_log_losses(true, probabilities), 0.0).sum(axis=1)
    wrong = np.flatnonzero((true != said).any(axis=1))
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:limit]

    def named(row: int, which: np.ndarray) -> list[tuple[str, float]]:
        return [(labels[int(j)], float(probabilities[row, j])) for j in np.flatnonzero(which)]

    return [
        (
            int(n),
            {
                "text": shortened(str(texts[n])),
                "row": int(rows[n]) if rows is not None else int(n) + 1,
                "true": ", ".join(name for name, _ in named(n, true[n])),
                "predicted": ", ".join(name for name, _ in named(n, said[n])),
                "missed": named(n, true[n] & ~said[n]),
                "wrong": named(n, said[n] & ~true[n]),
            },
        )
        for n in worst
    ]


def shortened(text: str) -> str:
    """At most 300 characters of a text."""
    return text if len(text) <= MISTAKE_LENGTH else text[: MISTAKE_LENGTH - 1].rstrip() + "…"
