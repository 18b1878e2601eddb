"""The figures of a model beside those of its baseline, and the sentence that says which of the two is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from seqwise.experiments.parts import Part
from seqwise.metrics import (
    classification_metrics,
    cost_table,
    label_cost_tables,
    multilabel_metrics,
    paired_difference,
)
from seqwise.prediction import Decisions


class Answers(Protocol):
    """Something that gives probabilities for texts."""

    def predict_proba(self, texts: Sequence[Any]) -> np.ndarray:
        """Return probabilities, (n, C)."""

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return class numbers, (n,); or which labels, (n, L)."""


@dataclass(frozen=True)
class Evaluated:
    """What model and baseline say of the examples of one part.

    Attributes:
        part: the examples.
        targets: class numbers, (n,); or which labels each example has, (n, L), and so in what follows.
        model: probabilities, (n, C).
        baseline: probabilities, (n, C).
        answers: class numbers that the model decides for, (n,).
        baseline_answers: those of the baseline.
        uncalibrated: probabilities of the model before its calibration, (n, C); None if there is none.
    """

    part: Part
    targets: np.ndarray
    model: np.ndarray
    baseline: np.ndarray
    answers: np.ndarray
    baseline_answers: np.ndarray
    uncalibrated: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        part: Part,
        classes: Sequence[str],
        model: np.ndarray,
        baseline: Answers,
        decisions: Decisions,
        *,
        uncalibrated: np.ndarray | None = None,
    ) -> Self:
        """Ask the baseline, decide, and turn labels into class numbers."""
        theirs, targets = baseline.predict_proba(part.texts), part.targets(classes)
        return cls(part, targets, model, theirs, decisions.decide(model), baseline.decide(theirs), uncalibrated)


def figures_beside_baseline(
    evaluated: Evaluated,
    classes: Sequence[str],
    *,
    positive: str | None = None,
    counts: Sequence[float] | None = None,
    costs: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return one block of `metrics.json`.

    Args:
        evaluated: n examples with probabilities.
        classes: the C names.
        positive: the class of interest.
        counts: training examples of each class, (C,).
        costs: what mistakes cost, as `stated_costs` returns it.
        seed: of the bootstrap.

    Returns:
        The figures of the model; under `baseline` the same of the baseline; under `difference` macro F1 of the model less
        that of the baseline, with the interval of their paired difference.
    """
    targets, weights = evaluated.targets, evaluated.part.weights
    given: dict[str, Any] = {"positive": positive, "counts": counts, "costs": costs, "seed": seed}
    block, other = (
        figures_of(targets, probabilities, answers, classes, sample_weight=weights, **given)
        for probabilities, answers in (
            (evaluated.model, evaluated.answers),
            (evaluated.baseline, evaluated.baseline_answers),
        )
    )
    difference = paired_difference(
        targets,
        evaluated.answers,
        evaluated.baseline_answers,
        "macro_f1",
        sample_weight=weights,
        seed=seed,
    )
    return {**block, "baseline": other, "difference": {"macro_f1": difference}}


def figures_of(
    targets: np.ndarray,
    probabilities: np.ndarray,
    answers: np.ndarray,
    classes: Sequence[str],
    *,
    sample_weight: np.ndarray | None = None,
    positive: str | None = None,
    counts: Sequence[float] | None = None,
    costs: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the figures of one model: of classes, or of labels where the targets are (n, L)."""
    given: dict[str, Any] = {"predictions": answers, "sample_weight": sample_weight, "seed": seed}
    given |= {"counts": counts, "costs": costs}
    if targets.ndim == 2:
        return multilabel_metrics(targets, probabilities, classes, **given)
    return classification_metrics(targets, probabilities, classes, positive=positive, **given)


def stated_costs(labels: Mapping[str, Any]) -> np.ndarray | None:
    """Return the table of costs that the thresholds were chosen for, (C, C) or of labels (L, 2, 2); None without costs.

    Args:
        labels: the content of `labels.json`.
    """
    costs, classes = (labels.get("criterion") or {}).get("costs"), [str(name) for name in labels["classes"]]
    if not costs:
        return None
    if labels.get("kind") == "multilabel":
        return label_cost_tables(costs, classes)
    positive = labels.get("positive")
    number = None if positive is None else classes.index(str(positive))
    if number is None and len(classes) == 2:
        number = int(np.argmin(labels["counts"]))
    return cost_table(costs, classes, number)


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
