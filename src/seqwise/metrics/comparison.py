"""Is one model better than another on the same examples, or is the difference within chance?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics.confusion import OVERALL, marginals
from seqwise.metrics.examples import class_numbers, example_weights
from seqwise.metrics.intervals import Figure, cells, figure, resampled_cells


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
        targets: (n,) class numbers.
        predictions_a: (n,) class numbers predicted by a.
        predictions_b: (n,) class numbers predicted by b.
        metric: `accuracy`, `balanced_accuracy`, `macro_f1`, `weighted_f1` or `mcc`.
        sample_weight: (n,), or None.
        resamples: How many bootstrap resamples.
        seed: Seed of the resampling.

    Raises:
        ConfigurationError: No such metric.
        DataError: An argument has a wrong shape or a value out of its range.
    """
    if metric not in OVERALL:
        raise ConfigurationError(f"There is no metric {metric!r}; choose from {', '.join(OVERALL)}.")
    size = len(np.atleast_1d(np.asarray(targets)))
    if not size:
        raise DataError("There are no examples to evaluate.")
    true, a, b = (
        class_numbers(name, values, size)
        for name, values in (("targets", targets), ("predictions_a", predictions_a), ("predictions_b", predictions_b))
    )
    groups = cells(true, a, b, weights=example_weights(sample_weight, size))
    count = int(max(true.max(), a.max(), b.max())) + 1
    function, (of, by_a, by_b) = OVERALL[metric], groups.labels

    def difference(sums: np.ndarray) -> np.ndarray:
        return function(marginals(of, by_a, sums, count)) - function(marginals(of, by_b, sums, count))

    here = float(difference((groups.examples * groups.weight)[None])[0])
    if size < 2:
        return figure(here)
    blocks = resampled_cells(groups, resamples, np.random.default_rng(seed))
    return figure(here, np.concatenate([difference(block) for block in blocks]))
