"""Is one model better than another on the same examples, or is the difference within chance?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics.confusion import OVERALL, marginals
from seqwise.metrics.examples import class_numbers, example_weights, label_matrix
from seqwise.metrics.intervals import Figure, cells, figure, resampled_cells, resampled_multiplicities
from seqwise.metrics.multilabel import COUNTED, label_marginals, samples_f1

MEANS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {  # figures of each example by itself
    "samples_f1": samples_f1,
    "subset_accuracy": lambda true, said: (true == said).all(axis=1).astype(np.float64),
    "hamming_loss": lambda true, said: (true != said).mean(axis=1),
}


def paired_difference(
    targets: ArrayLike,
    predictions_a: ArrayLike,
    predictions_b: ArrayLike,
    metric: str = "macro_f1",
    *,
    sample_weight: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure:
    """Subtract b's figure from a's, with a bootstrap 95% interval in which both always see the same examples.

    What both find easy or hard moves both figures together, so this interval is narrower than two separate ones
    suggest: it holds zero exactly when the data do not tell which of the two is better.

    Args:
        targets: (n,) class numbers; or, of many labels, (n, L) of 0 and 1.
        predictions_a: predicted by a, in the same form.
        predictions_b: predicted by b, in the same form.
        metric: `accuracy`, `balanced_accuracy`, `g_mean`, `macro_f1`, `weighted_f1` or `mcc`; of many labels `macro_f1`,
            `micro_f1`, `samples_f1`, `subset_accuracy`, `hamming_loss`, or precision or recall, `macro_` or `micro_`.
        sample_weight: (n,), or None.
        resamples: How many bootstrap resamples.
        seed: Seed of the resampling.

    Raises:
        ConfigurationError: No such metric.
        DataError: An argument has a wrong shape or a value out of its range.
    """
    known = [*COUNTED, *MEANS] if np.ndim(targets) == 2 else list(OVERALL)
    if metric not in known:
        raise ConfigurationError(f"There is no metric {metric!r}; choose from {', '.join(known)}.")
    size = len(np.atleast_1d(np.asarray(targets)))
    if not size:
        raise DataError("There are no examples to evaluate.")
    weights = example_weights(sample_weight, size)
    given = (("targets", targets), ("predictions_a", predictions_a), ("predictions_b", predictions_b))
    if np.ndim(targets) == 2:
        shape = np.shape(targets)
        labels, by_a, by_b = (label_matrix(name, values, shape) for name, values in given)
        return _of_labels(
            labels, by_a, by_b, metric, weights, resamples if size > 1 else 0, np.random.default_rng(seed)
        )
    true, a, b = (class_numbers(name, values, size) for name, values in given)
    groups = cells(true, a, b, weights=weights)
    count = int(max(true.max(), a.max(), b.max())) + 1
    function, (of, by_a, by_b) = OVERALL[metric], groups.labels

    def difference(sums: np.ndarray) -> np.ndarray:
        return function(marginals(of, by_a, sums, count)) - function(marginals(of, by_b, sums, count))

    here = float(difference((groups.examples * groups.weight)[None])[0])
    if size < 2:
        return figure(here)
    blocks = resampled_cells(groups, resamples, np.random.default_rng(seed))
    return figure(here, np.concatenate([difference(block) for block in blocks]))


def _of_labels(
    true: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    metric: str,
    weights: np.ndarray | None,
    resamples: int,
    generator: np.random.Generator,
) -> Figure:
    gap = None if metric in COUNTED else MEANS[metric](true, a) - MEANS[metric](true, b)

    def difference(counts: np.ndarray | None) -> np.ndarray:
        if gap is None:
            function = COUNTED[metric]
            ours, theirs = (function(label_marginals(true, of, weights, counts)) for of in (a, b))
            return ours - theirs
        rows = np.ones((len(true), 1)) if counts is None else counts
        rows = rows if weights is None else rows * weights[:, None]
        with np.errstate(invalid="ignore"):  # a resample in which every weight is zero
            return gap @ rows / rows.sum(axis=0)

    here = float(difference(None)[0])
    blocks = [difference(counts) for counts in resampled_multiplicities(len(true), resamples, generator)]
    return figure(here, np.concatenate(blocks) if blocks else None)
