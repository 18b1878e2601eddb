"""Figures of numbers: mean absolute error, root mean squared error, R2, Spearman's correlation; all with intervals.

Axis letters: n examples, K targets, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError
from seqwise.metrics.examples import example_weights
from seqwise.metrics.intervals import Figure, figure, resampled_multiplicities

RESAMPLES = 1000
NAMES = ("mae", "rmse", "r2", "spearman", "macro_mae")
LOWER_IS_BETTER = frozenset({"mae", "rmse", "macro_mae"})


class Numbers(NamedTuple):
    """True numbers and what a model says of them, (n, K) float64 each, and weights (n,) or None."""

    targets: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray | None


def numbers(targets: ArrayLike, predictions: ArrayLike, sample_weight: ArrayLike | None = None) -> Numbers:
    """Check the arguments and bring them to one form.

    Args:
        targets: (n,) or (n, K).
        predictions: of the same shape.
        sample_weight: (n,), not negative and not all zero, or None.

    Raises:
        DataError: the shapes differ, there is no example, or something is no finite number.
    """
    true, said = (np.asarray(values, dtype=np.float64) for values in (targets, predictions))
    if true.shape != said.shape or true.ndim not in (1, 2):
        raise DataError(
            f"targets and predictions must have one shape, (n,) or (n, K), got {true.shape} and {said.shape}"
        )
    if not len(true):
        raise DataError("There are no examples to evaluate.")
    for name, values in (("targets", true), ("predictions", said)):
        if not np.isfinite(values).all():
            row = int(np.argmax(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
            raise DataError(f"{name} of example {row + 1} are not finite numbers")
    true, said = (values.reshape(len(values), -1) for values in (true, said))
    return Numbers(true, said, example_weights(sample_weight, len(true)))


def mean_absolute_error(of: Numbers, counts: np.ndarray | None = None) -> np.ndarray:
    """Return sum w |z - y| / sum w, averaged over the targets, of each resample, (R,).

    Args:
        of: the examples.
        counts: how often each example was drawn, (n, R); None for once each.
    """
    w = _weights(of, counts)
    return (np.abs(of.predictions - of.targets).mean(axis=1) @ w) / w.sum(axis=0)


def root_mean_squared_error(of: Numbers, counts: np.ndarray | None = None) -> np.ndarray:
    """Return the root of the mean squared error, of several targets the mean of the roots, of each resample, (R,)."""
    w = _weights(of, counts)
    return np.sqrt(np.square(of.predictions - of.targets).T @ w / w.sum(axis=0)).mean(axis=0)


def r2_score(of: Numbers, counts: np.ndarray | None = None) -> np.ndarray:
    """Return 1 - SSE / SST, the share of the variance that is explained, averaged over the targets, (R,).

    It is NaN for a target that does not vary.
    """
    w = _weights(of, counts)
    centred = of.targets - of.targets.mean(axis=0)  # the second moment of large numbers would lose its digits
    mean = centred.T @ w / w.sum(axis=0)
    total = np.square(centred).T @ w - mean**2 * w.sum(axis=0)
    errors = np.square(of.predictions - of.targets).T @ w
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 1e-12 * np.square(centred).sum(axis=0)[:, None], 1 - errors / total, np.nan).mean(
            axis=0
        )


def spearman_correlation(of: Numbers, counts: np.ndarray | None = None) -> np.ndarray:
    """Return the correlation of the ranks, ties sharing their mean rank, averaged over the targets, (R,).

    It is NaN where targets or predictions do not vary.
    """
    w = _weights(of, counts)
    columns = [
        _correlation(_ranks(true, w), _ranks(said, w), w)
        for true, said in zip(of.targets.T, of.predictions.T, strict=True)
    ]
    return np.mean(columns, axis=0)


def macro_absolute_error(of: Numbers, groups: Sequence[np.ndarray], counts: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of the mean absolute errors of every bin of values: rare values count as much as frequent ones, (R,).

    Args:
        of: the examples.
        groups: inner edges of the bins of each target.
        counts: how often each example was drawn, (n, R).
    """
    w = _weights(of, counts)
    columns = []
    for true, said, edges in zip(of.targets.T, of.predictions.T, groups, strict=True):
        belongs = np.eye(len(edges) + 1)[np.searchsorted(edges, true, side="right")].T  # (bins, n)
        with np.errstate(invalid="ignore"):
            each = (belongs * np.abs(said - true)) @ w / (belongs @ w)
        there = np.isfinite(each)
        columns.append(np.where(there, each, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    return np.mean(columns, axis=0)


def quick_regression_figures(
    targets: ArrayLike, predictions: ArrayLike, sample_weight: ArrayLike | None = None
) -> dict[str, float]:
    """Return mae, rmse and r2, as an epoch's validation has them."""
    of = numbers(targets, predictions, sample_weight)
    named = {"mae": mean_absolute_error, "rmse": root_mean_squared_error, "r2": r2_score}
    return {name: float(function(of)[0]) for name, function in named.items()}


def regression_metrics(
    targets: ArrayLike,
    predictions: ArrayLike,
    baselines: Mapping[str, ArrayLike] | None = None,
    *,
    names: Sequence[str],
    groups: Sequence[np.ndarray],
    sample_weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return a block of `metrics.json`.

    Args:
        targets: (n, K).
        predictions: the model's, (n, K).
        baselines: name -> predictions; the first is the baseline that the model is compared with.
        names: of the K targets.
        groups: inner edges of the bins of each target, see `macro_absolute_error`.
        sample_weight: (n,) or None.
        resamples: how many bootstrap resamples.
        seed: of the resampling.

    Returns:
        "examples", the figures of `NAMES` with 95% intervals, "per_target" of several targets, "per_value" (bins of each
        target with number, mean absolute error and mean difference), and for the first baseline "baseline" (the same) and
        "difference" (model minus baseline in mae, on the same resamples); "others" has the figures of further baselines.
    """
    ours = numbers(targets, predictions, sample_weight)
    theirs = {name: numbers(targets, said, sample_weight) for name, said in (baselines or {}).items()}
    columns = {name: _column(ours, place) for place, name in enumerate(names)} if len(names) > 1 else {}
    entries: dict[str, tuple[Callable[[np.ndarray | None], np.ndarray], ...]] = {
        "": _functions(ours, groups),
        **{f"baseline {name}": _functions(of, groups) for name, of in theirs.items()},
        **{f"target {name}": _functions(of, [groups[i]]) for i, (name, of) in enumerate(columns.items())},
    }
    here = {key: [function(None) for function in of] for key, of in entries.items()}
    drawn: dict[str, list[list[np.ndarray]]] = {key: [[] for _ in NAMES] for key in entries}
    if len(ours.targets) > 1:
        for counts in resampled_multiplicities(len(ours.targets), resamples, np.random.default_rng(seed)):
            for key, of in entries.items():
                for place, function in enumerate(of):
                    drawn[key][place].append(function(counts))
    replicates = {key: [np.concatenate(of) if of else None for of in columns_] for key, columns_ in drawn.items()}

    def figures(key: str) -> dict[str, Figure]:
        return {
            name: figure(float(value[0]), of) for name, value, of in zip(NAMES, here[key], replicates[key], strict=True)
        }

    block: dict[str, Any] = {"kind": "regression", "examples": len(ours.targets), "targets": list(names), **figures("")}
    if columns:
        block["per_target"] = {name: figures(f"target {name}") for name in columns}
    block["per_value"] = {name: values_table(_column(ours, i), groups[i]) for i, name in enumerate(names)}
    if theirs:
        first, *others = theirs
        block["baseline"] = {
            "name": first,
            **figures(f"baseline {first}"),
            "per_value": {name: values_table(_column(theirs[first], i), groups[i]) for i, name in enumerate(names)},
        }
        a, b = replicates[""][0], replicates[f"baseline {first}"][0]
        apart = None if a is None or b is None else a - b
        gap = float(here[""][0][0] - here[f"baseline {first}"][0][0])
        block["difference"] = {"metric": "mae", **figure(gap, apart)}
        block["others"] = {name: figures(f"baseline {name}") for name in others}
    return block


def values_table(of: Numbers, edges: np.ndarray) -> list[dict[str, Any]]:
    """Return for each bin of one target: from, to, number of examples, mean absolute error, mean of answer minus target."""
    true, said = of.targets[:, 0], of.predictions[:, 0]
    place, rows = np.searchsorted(edges, true, side="right"), []
    for number in range(len(edges) + 1):
        chosen = place == number
        if chosen.any():
            error = said[chosen] - true[chosen]
            rows.append(
                {
                    "low": float(true[chosen].min()),
                    "high": float(true[chosen].max()),
                    "examples": int(chosen.sum()),
                    "mae": float(np.abs(error).mean()),
                    "bias": float(error.mean()),
                }
            )
    return rows


def _functions(of: Numbers, groups: Sequence[np.ndarray]) -> tuple[Callable[[np.ndarray | None], np.ndarray], ...]:
    return (
        lambda counts: mean_absolute_error(of, counts),
        lambda counts: root_mean_squared_error(of, counts),
        lambda counts: r2_score(of, counts),
        lambda counts: spearman_correlation(of, counts),
        lambda counts: macro_absolute_error(of, groups, counts),
    )


def _column(of: Numbers, place: int) -> Numbers:
    return Numbers(of.targets[:, [place]], of.predictions[:, [place]], of.weights)


def _weights(of: Numbers, counts: np.ndarray | None) -> np.ndarray:
    rows = np.ones((len(of.targets), 1)) if counts is None else counts
    return rows if of.weights is None else rows * of.weights[:, None]


def _ranks(values: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Rank of each example among examples of which each is there `w` times, (n, R); equal values share the mean rank."""
    order = np.argsort(values, kind="stable")
    first = np.concatenate([[True], np.diff(values[order]) != 0])
    totals = np.add.reduceat(w[order], np.flatnonzero(first), axis=0)
    middle = np.cumsum(totals, axis=0) - totals / 2
    ranks = np.empty(w.shape)
    ranks[order] = middle[np.cumsum(first) - 1]
    return ranks


def _correlation(a: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weighted Pearson correlation of each column, (R,)."""
    total = w.sum(axis=0)
    a, b = a - (w * a).sum(axis=0) / total, b - (w * b).sum(axis=0) / total
    spread = np.sqrt((w * a * a).sum(axis=0) * (w * b * b).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (w * a * b).sum(axis=0) / spread, np.nan)
