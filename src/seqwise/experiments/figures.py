"""The figures of a model beside those of its baseline, and the sentence that says which of the two is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from seqwise.experiments.reading import Part
from seqwise.metrics import classification_metrics, paired_difference
from seqwise.prediction import Decisions


class Answers(Protocol):
    """Something that gives probabilities for texts."""

    def predict_proba(self, texts: Sequence[Any]) -> np.ndarray:
        """Return probabilities, (n, C)."""


@dataclass(frozen=True)
class Evaluated:
    """What model and baseline say of the examples of one part.

    Attributes:
        part: the examples.
        targets: class numbers, (n,).
        model: probabilities, (n, C).
        baseline: probabilities, (n, C).
        answers: class numbers that the model decides for, (n,).
    """

    part: Part
    targets: np.ndarray
    model: np.ndarray
    baseline: np.ndarray
    answers: np.ndarray

    @classmethod
    def of(cls, part: Part, classes: Sequence[str], model: np.ndarray, baseline: Answers, decisions: Decisions) -> Self:
        """Ask the baseline, decide, and turn labels into class numbers."""
        return cls(part, part.targets(classes), model, baseline.predict_proba(part.texts), decisions.decide(model))


def figures_beside_baseline(
    evaluated: Evaluated, classes: Sequence[str], *, positive: str | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return one block of `metrics.json`.

    Args:
        evaluated: n examples with probabilities.
        classes: the C names.
        positive: the class of interest.
        seed: of the bootstrap.

    Returns:
        The figures of the model; under `baseline` the same of the baseline; under `difference` macro F1 of the model less
        that of the baseline, with the interval of their paired difference.
    """
    targets, weights = evaluated.targets, evaluated.part.weights
    block, other = (
        classification_metrics(
            targets,
            probabilities,
            classes,
            predictions=answers,
            sample_weight=weights,
            positive=positive,
            seed=seed,
        )
        for probabilities, answers in ((evaluated.model, evaluated.answers), (evaluated.baseline, None))
    )
    difference = paired_difference(
        targets,
        evaluated.answers,
        evaluated.baseline.argmax(axis=1),
        "macro_f1",
        sample_weight=weights,
        seed=seed,
    )
    return {**block, "baseline": other, "difference": {"macro_f1": difference}}


def verdict(block: Mapping[str, Any], part: str) -> str:
    """Say in one sentence whether the model has earned its place.

    Args:
        block: what `figures_beside_baseline` returned.
        part: "validation" or "test".
    """
    difference = block["difference"]["macro_f1"]
    ours, theirs = block["macro_f1"]["value"], block["baseline"]["macro_f1"]["value"]
    gap, low, high = difference["value"], difference["low"], difference["high"]
    figures = f"macro F1 {ours:.3f} against {theirs:.3f} on the {part} examples"
    if low is None or high is None:
        return f"Too few examples to tell model and baseline apart: {figures}."
    interval = f"difference {gap:+.3f}, 95% interval {low:+.3f} to {high:+.3f}"
    if low > 0:
        return f"The model beats the baseline: {figures} ({interval})."
    if high < 0:
        return f"The baseline wins: {figures} ({interval}). The simple method serves these data better."
    if gap > 0:
        return f"The model is ahead of the baseline, but within chance: {figures} ({interval})."
    if gap < 0:
        return f"The baseline is ahead of the model, though within chance: {figures} ({interval})."
    return f"Model and baseline are equally good: {figures} ({interval})."
