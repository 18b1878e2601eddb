"""All figures of a classifier on labelled examples, each with its interval: one block of `metrics.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError
from seqwise.metrics.calibration import BINS, bin_numbers, expected_calibration_error, log_losses
from seqwise.metrics.confusion import OVERALL, PER_CLASS, confusion_matrix, marginals, mean_defined
from seqwise.metrics.examples import ScoredExamples, scored_examples
from seqwise.metrics.intervals import (
    Figure,
    cells,
    figure,
    resampled_cells,
    resampled_multiplicities,
)
from seqwise.metrics.ranking import resampled_average_precisions


def classification_metrics(
    targets: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    *,
    predictions: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    positive: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute every figure that a report shows, with bootstrap 95% intervals.

    Definitions are scikit-learn's. A class that is never predicted has precision 0 and F1 0; what is undefined (the
    recall of a class without examples) is None and is left out of the averages. Calibration error is the top-label form
    with 15 bins.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C), each row summing to one.
        classes: The C names.
        predictions: (n,) class numbers where a threshold moved the decision; None takes the most probable class.
        sample_weight: (n,), multiplies each example in every figure but `support` and the confusion matrix's `counts`.
        positive: The class of interest of two or more: its figures are repeated at the top level.
        resamples: How many bootstrap resamples. 0 leaves the bounds undefined, as does a single example.
        seed: Seed of the resampling; it touches no global state.

    Returns:
        A dict for JSON: `examples`; `accuracy`, `balanced_accuracy`, `g_mean`, `macro_f1`, `weighted_f1`, `mcc`, `log_loss`,
        `expected_calibration_error` and `mean_average_precision`, each ``{"value", "low", "high"}``; `per_class` with
        `precision`, `recall`, `f1`, `pr_auc` and `support` by class name; `confusion_matrix` with `classes` and `counts`
        (rows are true classes). With sample weights also `weight` per class, and `weights` in the confusion matrix. With
        `positive` also `positive`, `precision`, `recall`, `f1`, `pr_auc`.

    Raises:
        DataError: An argument has a wrong shape or a value out of its range.
    """
    examples = scored_examples(targets, probabilities, classes, predictions=predictions, sample_weight=sample_weight)
    if positive is not None and positive not in examples.classes:
        raise DataError(f"There is no class {positive!r}; the classes are {', '.join(map(repr, examples.classes))}.")
    if len(examples.targets) < 2:
        resamples = 0
    counting, scoring, ranking = np.random.default_rng(seed).spawn(3)
    overall, per_class = _counted(examples, resamples, counting)
    overall |= _scored(examples, resamples, scoring)
    belongs = examples.targets[:, None] == np.arange(len(examples.classes))
    areas, drawn = resampled_average_precisions(belongs, examples.probabilities, examples.weights, resamples, ranking)
    overall["mean_average_precision"] = figure(float(mean_defined(areas)), mean_defined(drawn))
    for number, name in enumerate(examples.classes):
        per_class[name]["pr_auc"] = figure(float(areas[number]), drawn[:, number])
    result: dict[str, Any] = {"examples": len(examples.targets), **overall}
    if positive is not None:
        result |= {"positive": positive}
        result |= {key: per_class[positive][key] for key in ("precision", "recall", "f1", "pr_auc")}
    return result | {"per_class": per_class, "confusion_matrix": _confusion(examples, per_class)}


def _counted(
    examples: ScoredExamples, resamples: int, generator: np.random.Generator
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The figures that follow from the confusion matrix: overall, and by class."""
    count = len(examples.classes)
    groups = cells(examples.targets, examples.predictions, weights=examples.weights)
    of, predicted = groups.labels
    here = marginals(of, predicted, (groups.examples * groups.weight)[None], count)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in (*OVERALL, *PER_CLASS)}
    for sums in resampled_cells(groups, resamples, generator):
        block = marginals(of, predicted, sums, count)
        for name, function in (OVERALL | PER_CLASS).items():
            drawn[name].append(function(block))
    replicates = {name: np.concatenate(blocks) if blocks else None for name, blocks in drawn.items()}
    overall = {name: figure(float(function(here)[0]), replicates[name]) for name, function in OVERALL.items()}
    per_class: dict[str, dict[str, Any]] = {name: {} for name in examples.classes}
    for metric, function in PER_CLASS.items():
        values, stacked = function(here)[0], replicates[metric]
        for number, name in enumerate(examples.classes):
            per_class[name][metric] = figure(float(values[number]), None if stacked is None else stacked[:, number])
    return overall, per_class


def _scored(examples: ScoredExamples, resamples: int, generator: np.random.Generator) -> dict[str, Figure]:
    """The figures that are sums over examples: all resamples are one product with the multiplicities."""
    weights = np.ones(len(examples.targets)) if examples.weights is None else examples.weights
    losses = log_losses(examples.targets, examples.probabilities)
    confidence, correct = examples.confidence, examples.predictions == examples.targets
    gaps = np.zeros((BINS, len(weights)))
    gaps[bin_numbers(confidence), np.arange(len(weights))] = weights * (confidence - correct)
    sums = np.vstack([weights, weights * losses, gaps])  # (2 + bins, n)
    blocks = [sums @ counts for counts in resampled_multiplicities(len(weights), resamples, generator)]
    values = np.concatenate([sums.sum(axis=1, keepdims=True), *blocks], axis=1)  # the first column: as they are
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample in which every weight is zero
        loss, error = values[1] / values[0], np.abs(values[2:]).sum(axis=0) / values[0]
    exact = expected_calibration_error(confidence, correct, examples.weights)
    return {
        "log_loss": figure(float(loss[0]), loss[1:]),
        "expected_calibration_error": figure(exact, error[1:]),
    }


def _confusion(examples: ScoredExamples, per_class: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The matrix itself; the support of every class is written to `per_class` on the way."""
    size = len(examples.classes)
    counts = confusion_matrix(examples.targets, examples.predictions, size)
    block: dict[str, Any] = {"classes": examples.classes, "counts": counts.tolist()}
    for name, row in zip(examples.classes, counts, strict=True):
        per_class[name]["support"] = int(row.sum())
    if examples.weights is not None:
        weights = confusion_matrix(examples.targets, examples.predictions, size, examples.weights)
        block["weights"] = weights.tolist()
        for name, sums in zip(examples.classes, weights, strict=True):
            per_class[name]["weight"] = float(sums.sum())
    return block
