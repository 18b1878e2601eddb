"""All figures of a classifier on labelled examples, each with its interval: one block of `metrics.json`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
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
from seqwise.metrics.ranking import affordable, ranked_figures
from seqwise.metrics.rare import ClassGroup, class_groups, group_figures

LEVELS = (0.9, 0.5, 0.8, 0.95, 0.99)  # of recall and of precision; the first for every class


def classification_metrics(
    targets: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    *,
    predictions: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    positive: str | None = None,
    costs: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute every figure that a report shows, with bootstrap 95% intervals.

    Definitions are scikit-learn's. A class that is never predicted has precision 0 and F1 0; what is undefined (the
    recall of a class without examples) is None and is left out of the averages. The expected calibration error is the
    top-label form with 15 bins; the class-wise one is the mean over the classes, which looks at rare ones as well. The Brier
    score sums over the classes.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C), each row summing to one.
        classes: The C names.
        predictions: (n,) class numbers where a threshold moved the decision; None takes the most probable class.
        sample_weight: (n,), multiplies each example in every figure but `support` and the confusion matrix's `counts`.
        positive: The class of interest of two or more: its figures are repeated at the top level.
        costs: (C, C) cost of answering j where i is true: adds the `expected_cost` of an answer.
        counts: (C,) training examples of each class: adds the figures of `class_groups`.
        resamples: How many bootstrap resamples. 0 leaves the bounds undefined, as does a single example.
        seed: Seed of the resampling; it touches no global state.

    Returns:
        A dict for JSON: `examples`; `accuracy`, `balanced_accuracy`, `g_mean`, `macro_f1`, `weighted_f1`, `mcc`, `log_loss`,
        `brier_score`, `expected_calibration_error`, `classwise_calibration_error` and `mean_average_precision`, each
        ``{"value", "low", "high"}``; `per_class` by class name, with `precision`, `recall`, `f1`, `pr_auc`,
        `calibration_error`, `support`, and `precision_at_recall` and `recall_at_precision` by level: .9, and more of them
        for the class of interest, which of two classes is the rarer one unless `positive` is given; `confusion_matrix`
        with `classes` and `counts` (rows are true classes). With sample weights also `weight` per class, and `weights` in
        the confusion matrix. With `positive` also `positive` and what `per_class` holds of it, support aside. With `costs`
        also `expected_cost`. With `counts`, of six classes or more, `groups`: "head", "medium" and "tail" with `classes`,
        the `fewest` and `most` training examples of a class, and macro `precision`, `recall` and `f1`.

    Raises:
        DataError: An argument has a wrong shape or a value out of its range.
    """
    examples = scored_examples(targets, probabilities, classes, predictions=predictions, sample_weight=sample_weight)
    if positive is not None and positive not in examples.classes:
        raise DataError(f"There is no class {positive!r}; the classes are {', '.join(map(repr, examples.classes))}.")
    if len(examples.targets) < 2:
        resamples = 0
    groups = [] if counts is None else class_groups(_one_each("counts", counts, (len(examples.classes),)))
    table = None if costs is None else _one_each("costs", costs, (len(examples.classes),) * 2)
    counting, scoring, ranking, calibrating = np.random.default_rng(seed).spawn(4)
    overall, per_class = _counted(examples, groups, resamples, counting)
    overall |= _scored(examples, table, resamples, scoring)
    overall["classwise_calibration_error"] = _calibrated(examples, per_class, resamples, calibrating)
    overall["mean_average_precision"] = _ranked(examples, per_class, positive, resamples, ranking)
    result: dict[str, Any] = {"examples": len(examples.targets), **overall}
    if positive is not None:
        result |= {"positive": positive, **per_class[positive]}
    return result | {"per_class": per_class, "confusion_matrix": _confusion(examples, per_class)}


def _counted(
    examples: ScoredExamples, sizes: Sequence[ClassGroup], resamples: int, generator: np.random.Generator
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The figures that follow from the confusion matrix: overall, by class, and by classes of one size."""
    count = len(examples.classes)
    groups = cells(examples.targets, examples.predictions, weights=examples.weights)
    of, predicted = groups.labels
    here = marginals(of, predicted, (groups.examples * groups.weight)[None], count)
    functions = OVERALL | PER_CLASS
    drawn: dict[str, list[np.ndarray]] = {name: [function(here)] for name, function in functions.items()}
    for sums in resampled_cells(groups, resamples, generator):
        block = marginals(of, predicted, sums, count)
        for name, function in functions.items():
            drawn[name].append(function(block))
    found = {name: np.concatenate(blocks) for name, blocks in drawn.items()}  # the first row: as they are
    overall: dict[str, Any] = {name: figure(float(found[name][0]), found[name][1:]) for name in OVERALL}
    per_class: dict[str, dict[str, Any]] = {
        name: {metric: figure(float(found[metric][0, j]), found[metric][1:, j]) for metric in PER_CLASS}
        for j, name in enumerate(examples.classes)
    }
    if sizes:
        overall["groups"] = group_figures(sizes, examples.classes, found)
    return overall, per_class


def _scored(
    examples: ScoredExamples, costs: np.ndarray | None, resamples: int, generator: np.random.Generator
) -> dict[str, Figure]:
    """The figures that are sums over examples: all resamples are one product with the multiplicities."""
    rows = np.arange(len(examples.targets))
    weights = np.ones(len(rows)) if examples.weights is None else examples.weights
    true = examples.probabilities[rows, examples.targets]
    parts = {
        "log_loss": log_losses(examples.targets, examples.probabilities),
        "brier_score": (examples.probabilities**2).sum(axis=1) - 2 * true + 1,
    }
    if costs is not None:
        parts["expected_cost"] = costs[examples.targets, examples.predictions]
    confidence, correct = examples.confidence, examples.predictions == examples.targets
    gaps = np.zeros((BINS, len(rows)))
    gaps[bin_numbers(confidence), rows] = confidence - correct
    sums = np.vstack([np.ones(len(rows)), *parts.values(), gaps]) * weights  # (1 + parts + bins, n)
    blocks = [sums @ counts for counts in resampled_multiplicities(len(rows), resamples, generator)]
    values = np.concatenate([sums.sum(axis=1, keepdims=True), *blocks], axis=1)  # the first column: as they are
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample in which every weight is zero
        means = values[1:] / values[0]
        error = np.abs(means[len(parts) :]).sum(axis=0)
    found = dict(zip(parts, means, strict=False))
    exact = expected_calibration_error(confidence, correct, examples.weights)
    return {name: figure(float(value[0]), value[1:]) for name, value in found.items()} | {
        "expected_calibration_error": figure(exact, error[1:])
    }


def _calibrated(
    examples: ScoredExamples, per_class: dict[str, dict[str, Any]], resamples: int, generator: np.random.Generator
) -> Figure:
    """The class-wise calibration error; that of every class is written to `per_class` on the way."""
    from scipy.sparse import csr_matrix

    rows, count = examples.probabilities.shape
    resamples = affordable(resamples, rows * count)
    weights = np.ones(rows) if examples.weights is None else examples.weights
    true = examples.targets[:, None] == np.arange(count)
    gaps = (examples.probabilities - true) * weights[:, None]
    # One row for each bin of each class, which holds few of the examples.
    places = bin_numbers(examples.probabilities) + BINS * np.arange(count)
    bins = csr_matrix((gaps.ravel(), (places.ravel(), np.repeat(np.arange(rows), count))), shape=(BINS * count, rows))
    errors = []
    for counts in chain([np.ones((rows, 1))], resampled_multiplicities(rows, resamples, generator)):
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample in which every weight is zero
            shares = np.abs(bins @ counts).reshape(count, BINS, -1).sum(axis=1) / (weights @ counts)
        errors.append(shares)
    found = np.concatenate(errors, axis=1)
    for name, values in zip(examples.classes, found, strict=True):
        per_class[name]["calibration_error"] = figure(float(values[0]), values[1:])
    means = found.mean(axis=0)
    return figure(float(means[0]), means[1:])


def _ranked(
    examples: ScoredExamples,
    per_class: dict[str, dict[str, Any]],
    positive: str | None,
    resamples: int,
    generator: np.random.Generator,
) -> Figure:
    """The mean area under the precision-recall curves; every class's figures are written to `per_class` on the way."""
    count = len(examples.classes)
    belongs = examples.targets[:, None] == np.arange(count)
    focus = examples.classes.index(positive) if positive is not None else -1
    if count == 2 and positive is None:
        focus = int(belongs.sum(axis=0).argmin())
    levels = [LEVELS if number == focus else LEVELS[:1] for number in range(count)]
    ranked = ranked_figures(belongs, examples.probabilities, examples.weights, levels, resamples, generator)
    for name, at, values in zip(examples.classes, levels, ranked, strict=True):
        figures = [figure(float(row[0]), row[1:]) for row in values]
        keys = [f"{level:g}" for level in at]
        per_class[name] |= {
            "pr_auc": figures[0],
            "precision_at_recall": dict(zip(keys, figures[1 : 1 + len(at)], strict=True)),
            "recall_at_precision": dict(zip(keys, figures[1 + len(at) :], strict=True)),
        }
    means = mean_defined(np.stack([values[0] for values in ranked], axis=1))
    return figure(float(means[0]), means[1:])


def _one_each(name: str, values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise DataError(f"{name} must be finite numbers of the shape {shape}, not {array.shape}.")
    return array


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
