"""All figures of a classifier that gives every example any number of labels: one block of `metrics.json`.

Axis letters: n examples, L labels, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError
from seqwise.metrics.calibration import BINS, bin_numbers
from seqwise.metrics.confusion import PER_CLASS, Marginals, macro_f1, mean_defined, micro_f1, precision, recall
from seqwise.metrics.costs import checked_label_costs
from seqwise.metrics.examples import ScoredLabels, scored_labels
from seqwise.metrics.intervals import figure, resampled_multiplicities
from seqwise.metrics.ranking import ranked_figures
from seqwise.metrics.rare import ClassGroup, class_groups, group_figures

COUNTED: dict[str, Callable[[Marginals], np.ndarray]] = {
    "micro_f1": micro_f1,
    "macro_f1": macro_f1,
    "micro_precision": lambda m: precision(_together(m))[..., 0],
    "micro_recall": lambda m: recall(_together(m))[..., 0],
    "macro_precision": lambda m: mean_defined(precision(m)),
    "macro_recall": lambda m: mean_defined(recall(m)),
}


def multilabel_metrics(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    *,
    predictions: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    costs: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute every figure that a report shows of a multi-label classifier, with bootstrap 95% intervals.

    Definitions are scikit-learn's, with these choices: a label that is never predicted has precision 0; what is undefined
    (the recall of a label that no example has) is None and left out of the averages; an example without labels that gets
    none has F1 1. The log loss is the mean over all n times L decisions, and so is the calibration error: 15 bins of the
    probability of a label, each against the share of its decisions that are true.

    Args:
        targets: (n, L) of 0 and 1.
        probabilities: (n, L), each from 0 to 1 by itself.
        labels: The L names.
        predictions: (n, L) of 0 and 1 where thresholds moved the decisions; None answers yes from the probability .5 on.
        sample_weight: (n,), multiplies each example in every figure but `support`.
        costs: (2, 2) cost of answering j where i is true, for every label alike, or (L, 2, 2): adds the `expected_cost` of a
            decision.
        counts: (L,) training examples with each label: adds the figures of `class_groups`.
        resamples: How many bootstrap resamples. 0 leaves the bounds undefined, as does a single example.
        seed: Seed of the resampling; it touches no global state.

    Returns:
        A dict for JSON: `kind` ("multilabel"); `examples`; `micro_f1`, `macro_f1`, `samples_f1`, `micro_precision`,
        `micro_recall`, `macro_precision`, `macro_recall`, `mean_average_precision`, `subset_accuracy`, `hamming_loss`,
        `log_loss`, `expected_calibration_error`, `label_cardinality` (labels of an example, on average) and
        `predicted_cardinality`, each ``{"value", "low", "high"}``; `per_class` with `precision`, `recall`, `f1`, `pr_auc`
        (average precision), `support` and `predicted` by label, with sample weights also `weight`; `together`: how many
        examples have both labels, as `labels` and `counts` (L, L), whose diagonal is the support;
        with `costs` also `expected_cost`, with `counts` also `groups`, as `classification_metrics` returns them.

    Raises:
        DataError: An argument has a wrong shape or a value out of its range.
    """
    examples = scored_labels(targets, probabilities, labels, predictions=predictions, sample_weight=sample_weight)
    if len(examples.targets) < 2:
        resamples = 0
    counting, ranking = np.random.default_rng(seed).spawn(2)
    groups = [] if counts is None else class_groups(counts)
    if groups and sum(len(group.numbers) for group in groups) != len(examples.labels):
        raise DataError(f"counts must be one number for each of {len(examples.labels)} labels.")
    overall, per_class = _summed(examples, groups, costs, resamples, counting)
    ranked = ranked_figures(
        examples.targets, examples.probabilities, examples.weights, [()] * len(examples.labels), resamples, ranking
    )
    areas = np.stack([values[0] for values in ranked], axis=1)  # (1 + R, L)
    overall["mean_average_precision"] = figure(float(mean_defined(areas)[0]), mean_defined(areas)[1:])
    for number, name in enumerate(examples.labels):
        per_class[name] |= {
            "pr_auc": figure(float(areas[0, number]), areas[1:, number]),
            "support": int(examples.targets[:, number].sum()),
            "predicted": int(examples.predictions[:, number].sum()),
        }
        if examples.weights is not None:
            per_class[name]["weight"] = float(examples.weights @ examples.targets[:, number])
    together = examples.targets.T.astype(np.int64) @ examples.targets
    return {
        "kind": "multilabel",
        "examples": len(examples.targets),
        **overall,
        "per_class": per_class,
        "together": {"labels": examples.labels, "counts": together.tolist()},
    }


def label_marginals(
    targets: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None, counts: np.ndarray | None = None
) -> Marginals:
    """Count hits, examples and predictions of every label.

    Args:
        targets: (n, L) bool.
        predictions: (n, L) bool.
        weights: (n,), or None.
        counts: (n, R) how often each resample holds each example; None for the examples as they are.

    Returns:
        Three arrays (R, L), or (1, L).
    """
    rows = np.ones((len(targets), 1)) if counts is None else counts
    rows = rows if weights is None else rows * weights[:, None]
    return Marginals(*(rows.T @ of.astype(np.float64) for of in (targets & predictions, targets, predictions)))


def samples_f1(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """The F1 of each example's set of labels against the predicted set, (n, L) twice -> (n,); 1 where both are empty."""
    both = (targets & predictions).sum(axis=1)
    sizes = targets.sum(axis=1) + predictions.sum(axis=1)
    return np.divide(2.0 * both, sizes, out=np.ones(len(both)), where=sizes > 0)


def _summed(
    examples: ScoredLabels,
    groups: Sequence[ClassGroup],
    costs: ArrayLike | None,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The figures that are made of sums over examples, overall and by label."""
    true, said, weights = examples.targets, examples.predictions, examples.weights
    parts = {
        "samples_f1": samples_f1(true, said),
        "subset_accuracy": (true == said).all(axis=1).astype(np.float64),
        "hamming_loss": (true != said).mean(axis=1),
        "log_loss": binary_log_losses(true, examples.probabilities).mean(axis=1),
        "label_cardinality": true.sum(axis=1).astype(np.float64),
        "predicted_cardinality": said.sum(axis=1).astype(np.float64),
    }
    if costs is not None:
        tables = checked_label_costs(costs, true.shape[1])
        parts["expected_cost"] = tables[np.arange(true.shape[1]), true.astype(int), said.astype(int)].mean(axis=1)
    gaps = np.zeros((len(true), BINS))
    for number in range(true.shape[1]):  # one label at a time: no example meets a bin twice
        p = examples.probabilities[:, number]
        gaps[np.arange(len(true)), bin_numbers(p)] += (p - true[:, number]) / true.shape[1]
    stacked = np.stack([np.ones(len(true)), *parts.values()], axis=1)
    drawn: dict[str, list[np.ndarray]] = {}
    for counts in chain([None], resampled_multiplicities(len(true), resamples, generator)):
        m = label_marginals(true, said, weights, counts)
        rows = np.ones((len(true), 1)) if counts is None else counts
        rows = rows if weights is None else rows * weights[:, None]
        sums = rows.T @ stacked  # (r, 1 + parts)
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample in which every weight is zero
            means = sums[:, 1:] / sums[:, :1]
            error = np.abs(rows.T @ gaps).sum(axis=1) / sums[:, 0]
        values = {name: function(m) for name, function in (COUNTED | PER_CLASS).items()}
        values |= dict(zip(parts, means.T, strict=True)) | {"expected_calibration_error": error}
        for name, value in values.items():
            drawn.setdefault(name, []).append(value)
    found = {name: np.concatenate(blocks) for name, blocks in drawn.items()}  # the first row: as they are
    overall: dict[str, Any] = {
        name: figure(float(values[0]), values[1:]) for name, values in found.items() if name not in PER_CLASS
    }
    per_class = {
        name: {metric: figure(float(found[metric][0, j]), found[metric][1:, j]) for metric in PER_CLASS}
        for j, name in enumerate(examples.labels)
    }
    if groups:
        overall["groups"] = group_figures(groups, examples.labels, found)
    return overall, per_class


def binary_log_losses(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of every decision, in nats, (n, L) bool and (n, L) -> (n, L).

    A probability of exactly 0 or 1 that is wrong would cost infinity; as in scikit-learn it is moved by the smallest step of
    a float64, and costs 36.
    """
    tiny = np.finfo(np.float64).eps
    return -np.log(np.clip(np.where(targets, probabilities, 1 - probabilities), tiny, 1 - tiny))


def _together(m: Marginals) -> Marginals:
    """All labels as one."""
    return Marginals(*(values.sum(axis=-1, keepdims=True) for values in m))
