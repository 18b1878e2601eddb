"""The figures of a comparison: means with intervals, paired differences, and p-values corrected for their number.

What varies in every interval is both the test examples and the seeds: a replicate draws the examples with replacement and
the seeds with replacement, the same for all variants, so that what all find easy or hard cancels in a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seqwise.metrics.confusion import OVERALL, PER_CLASS, Marginals, macro_f1, marginals, micro_f1
from seqwise.metrics.intervals import Figure, cells, figure, resampled_cells, resampled_multiplicities
from seqwise.metrics.multilabel import label_marginals, samples_f1

RESAMPLES = 2000  # the smallest p-value is 1/1000: seventeen treatments can still be told apart after the correction
ALPHA = 0.05

# What several labels an example are compared by: counted label by label, or a mean over the examples.
LABELS: dict[str, Callable[[Marginals], np.ndarray]] = {"macro_f1": macro_f1, "micro_f1": micro_f1}
EXAMPLES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "samples_f1": samples_f1,
    "subset_accuracy": lambda true, said: (true == said).all(axis=1).astype(np.float64),
}


@dataclass(frozen=True)
class Compared:
    """The figures of one variant beside the reference.

    Attributes:
        seeds: how many are complete.
        value: mean of the metric over the seeds.
        difference: mean of variant less reference over the seeds that both have; None for the reference itself.
        p: two-sided, of no difference; None as above, or where there can be none.
    """

    seeds: int
    value: Figure
    difference: Figure | None = None
    p: float | None = None


def compare_with(
    targets: np.ndarray,
    variant: Mapping[int, np.ndarray],
    reference: Mapping[int, np.ndarray] | None,
    metric: str,
    *,
    sample_weight: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Compared:
    """Compute the mean of a metric over seeds, and its paired difference to the reference.

    Args:
        targets: (n,) class numbers; of several labels an example (n, C) of 0 and 1.
        variant: seed -> what was predicted, in the same form; not empty.
        reference: the same of the reference; None gives the figures of the variant alone.
        metric: a name of `metrics_of`.
        sample_weight: (n,) or None.
        resamples: how many replicates.
        seed: of the resampling.
    """
    seeds = sorted(variant)
    common = [] if reference is None else [s for s in seeds if s in reference]
    columns = [variant[s] for s in seeds] + [reference[s] for s in common if reference is not None]
    of_examples, of_seeds = np.random.default_rng(seed).spawn(2)
    if len(targets) < 2:
        resamples = 0
    function = label_replicates if np.ndim(targets) == 2 else class_replicates
    here, drawn = function(targets, columns, metric, sample_weight, resamples, of_examples)
    mine, paired = here[: len(seeds)], [seeds.index(s) for s in common]
    value = float(mine.mean())
    gap = float((mine[paired] - here[len(seeds) :]).mean()) if common else float("nan")
    if not resamples:
        return Compared(len(seeds), figure(value), figure(gap) if common else None)
    values = (drawn[: len(seeds)] * _multiplicities(len(seeds), resamples, of_seeds)).sum(axis=0)
    if not common:
        return Compared(len(seeds), figure(value, values))
    gaps = drawn[paired] - drawn[len(seeds) :]
    gaps = (gaps * _multiplicities(len(common), resamples, of_seeds)).sum(axis=0)
    return Compared(len(seeds), figure(value, values), figure(gap, gaps), _two_sided(gaps))


def metrics_of(multilabel: bool) -> list[str]:
    """Return the names of the metrics to compare by, of classes or of several labels an example."""
    return [*LABELS, *EXAMPLES] if multilabel else list(OVERALL)


def class_replicates(
    targets: np.ndarray,
    columns: Sequence[np.ndarray],
    metric: str,
    weights: np.ndarray | None,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute a metric of each column of predicted classes.

    Returns:
        On the examples as they are, (columns,); and on each resample, (columns, R).
    """
    count = 1 + int(max(targets.max(), *(column.max() for column in columns)))
    groups = cells(targets, *columns, weights=weights)
    of, *predicted = groups.labels

    def by_column(sums: np.ndarray) -> np.ndarray:  # (columns, R)
        return np.stack([OVERALL[metric](marginals(of, column, sums, count)) for column in predicted])

    here = by_column((groups.examples * groups.weight)[None])[:, 0]
    blocks = [by_column(block) for block in resampled_cells(groups, resamples, generator)] if resamples else []
    return here, np.concatenate(blocks, axis=1) if blocks else np.empty((len(columns), 0))


def label_replicates(
    targets: np.ndarray,
    columns: Sequence[np.ndarray],
    metric: str,
    weights: np.ndarray | None,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute a metric of each column of predicted labels, as `class_replicates` does of classes."""
    true = targets > 0

    def by_column(counts: np.ndarray | None) -> np.ndarray:  # (columns, R)
        return np.stack([_label_metric(metric, true, column > 0, weights, counts) for column in columns])

    drawn = resampled_multiplicities(len(targets), resamples, generator) if resamples else ()
    blocks = [by_column(counts) for counts in drawn]
    return by_column(None)[:, 0], np.concatenate(blocks, axis=1) if blocks else np.empty((len(columns), 0))


def _label_metric(
    metric: str, true: np.ndarray, said: np.ndarray, weights: np.ndarray | None, counts: np.ndarray | None
) -> np.ndarray:
    if metric in LABELS:
        return LABELS[metric](label_marginals(true, said, weights, counts))
    rows = np.ones((len(true), 1)) if counts is None else counts
    rows = rows if weights is None else rows * weights[:, None]
    return EXAMPLES[metric](true, said) @ rows / rows.sum(axis=0)


def _multiplicities(seeds: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the seeds with replacement: the share of each in each replicate, (seeds, R)."""
    return generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples).T / seeds


def _two_sided(replicates: np.ndarray) -> float | None:
    """Return the p-value at which the percentile interval would begin to hold zero."""
    replicates = replicates[np.isfinite(replicates)]
    if not len(replicates):
        return None
    tail = min((replicates <= 0).sum(), (replicates >= 0).sum())
    return float(min(1.0, 2 * (tail + 1) / (len(replicates) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values so that the chance of any false discovery among them stays below alpha (Holm 1979).

    Args:
        p_values: k of them; the smallest is multiplied by k, the next by k - 1, and none falls below one before it.

    Returns:
        The corrected values, in the same order, at most 1.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def mean_over_seeds(
    targets: np.ndarray, predictions: Mapping[int, np.ndarray], sample_weight: np.ndarray | None = None
) -> dict[str, float | None]:
    """Return every overall figure, averaged over seeds."""
    several = np.ndim(targets) == 2
    function, columns = label_replicates if several else class_replicates, list(predictions.values())
    nothing = np.random.default_rng(0)  # no resample is drawn
    values = {
        name: function(targets, columns, name, sample_weight, 0, nothing)[0].mean() for name in metrics_of(several)
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def class_means(
    targets: np.ndarray,
    predictions: Mapping[int, np.ndarray],
    classes: Sequence[str],
    sample_weight: np.ndarray | None = None,
) -> dict[str, dict[str, float | None]]:
    """Return precision, recall and F1 of every class, averaged over seeds; None where undefined."""
    every = [_counted(targets, column, len(classes), sample_weight) for column in predictions.values()]
    by_class: dict[str, dict[str, float | None]] = {name: {} for name in classes}
    for metric, function in PER_CLASS.items():
        values = np.stack([function(counted)[0] for counted in every])
        for number, name in enumerate(classes):
            column = values[:, number]
            defined = column[np.isfinite(column)]
            by_class[name][metric] = float(defined.mean()) if len(defined) else None
    return by_class


def _counted(targets: np.ndarray, predictions: np.ndarray, classes: int, weights: np.ndarray | None) -> Marginals:
    if np.ndim(targets) == 2:
        return label_marginals(targets > 0, predictions > 0, weights)
    groups = cells(targets, predictions, weights=weights)
    return marginals(groups.labels[0], groups.labels[1], (groups.examples * groups.weight)[None], classes)
