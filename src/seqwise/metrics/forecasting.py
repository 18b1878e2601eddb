"""Figures of forecasts by how far they look ahead: mean absolute and squared error, scaled error, coverage of intervals.

Axis letters: n forecasts, H steps ahead, D channels, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqwise.errors import DataError
from seqwise.metrics.intervals import Figure, figure, resampled_multiplicities

RESAMPLES = 1000
NAMES = ("mase", "mae", "rmse")


def forecast_metrics(
    true: np.ndarray,
    forecasts: np.ndarray,
    naive: np.ndarray,
    baselines: Mapping[str, np.ndarray] | None = None,
    *,
    intervals: Mapping[float, tuple[np.ndarray, np.ndarray]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return a block of `metrics.json`.

    Args:
        true: what came, (n, H, D).
        forecasts: what the model said, (n, H, D).
        naive: mean absolute error of the naive forecast in training, (D,), the unit of the scaled error (Hyndman and
            Koehler 2006): below 1 is better than repeating the season before, one step ahead and within training.
        baselines: name -> forecasts; the first is the baseline that the model is compared with.
        intervals: level -> lower and upper bounds, (n, H, D) each.
        resamples: how many bootstrap resamples, of whole forecasts.
        seed: of the resampling.

    Returns:
        "forecasts", "horizon", the figures of `NAMES` over all steps ahead with 95% intervals, "by_step" (the same without
        intervals, and the coverage, for every step ahead), "coverage" by level; "baseline" (of the first, with its name) and
        "difference" (in mase, on the same resamples); "others" of further baselines.

    Raises:
        DataError: the shapes do not belong together, or there is no forecast.
    """
    given = {"": forecasts, **(baselines or {})}
    for name, said in given.items():
        if said.shape != true.shape or true.ndim != 3:
            raise DataError(f"{name or 'forecasts'}: expected the shape (n, H, D) {true.shape}, got {said.shape}")
    if not len(true):
        raise DataError("There are no forecasts to evaluate.")
    scores = {name: _scores(said - true, naive) for name, said in given.items()}
    here = {name: _totals(of, np.ones((len(true), 1))) for name, of in scores.items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in given}
    if len(true) > 1:
        for counts in resampled_multiplicities(len(true), resamples, np.random.default_rng(seed)):
            for name, of in scores.items():
                drawn[name].append(_totals(of, counts))
    replicates = {name: np.concatenate(of, axis=1) if of else None for name, of in drawn.items()}

    def figures(name: str) -> dict[str, Figure]:
        again = replicates[name]
        return {
            key: figure(float(here[name][place, 0]), None if again is None else again[place])
            for place, key in enumerate(NAMES)
        }

    steps = {name: _by_step(of) for name, of in scores.items()}
    coverage = {
        f"{level:g}": (low <= true) & (true <= high) for level, (low, high) in sorted((intervals or {}).items())
    }
    rows = [
        {
            "step": step + 1,
            **{key: float(steps[""][place, step]) for place, key in enumerate(NAMES)},
            "coverage": {level: float(of[:, step].mean()) for level, of in coverage.items()},
            "baselines": {name: float(steps[name][0, step]) for name in baselines or {}},
        }
        for step in range(true.shape[1])
    ]
    block: dict[str, Any] = {
        "kind": "forecast",
        "forecasts": len(true),
        "horizon": true.shape[1],
        "channels": true.shape[2],
        **figures(""),
        "coverage": {level: _coverage(of, resamples, seed) for level, of in coverage.items()},
        "by_step": rows,
    }
    if baselines:
        first, *others = baselines
        block["baseline"] = {"name": first, **figures(first)}
        a, b = replicates[""], replicates[first]
        gap = float(here[""][0, 0] - here[first][0, 0])
        apart = None if a is None or b is None else a[0] - b[0]
        block["difference"] = {"metric": "mase", **figure(gap, apart)}
        block["others"] = {name: figures(name) for name in others}
    return block


def naive_scale(series: list[np.ndarray], period: int) -> np.ndarray:
    """Return the mean absolute change over a period, (D,): the error of the seasonal naive forecast within training.

    Args:
        series: (T, D) each.
        period: steps of a season; 1 compares with the step before.

    Raises:
        DataError: no series is longer than a period, or a channel never changes from one to the next.
    """
    changes = [np.abs(row[period:] - row[:-period]) for row in series if len(row) > period]
    if not changes:
        raise DataError(f"no series is longer than the period of {period} steps")
    scale = np.concatenate(changes).mean(axis=0)
    if not (scale > 0).all():
        raise DataError(
            f"channel {int((scale <= 0).argmax()) + 1} never changes over {period} steps: it needs no forecast"
        )
    return scale


def _scores(errors: np.ndarray, naive: np.ndarray) -> np.ndarray:
    """Scaled, absolute and squared error of every forecast and step ahead, means over the channels, (3, n, H)."""
    distance = np.abs(errors)
    return np.stack([(distance / naive).mean(axis=2), distance.mean(axis=2), np.square(errors).mean(axis=2)])


def _totals(scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The three figures over all steps ahead for each resample, (3, R)."""
    mean = scores.mean(axis=2) @ counts / counts.sum(axis=0)
    mean[2] = np.sqrt(mean[2])
    return mean


def _by_step(scores: np.ndarray) -> np.ndarray:
    """The three figures for each step ahead, (3, H)."""
    mean = scores.mean(axis=1)
    mean[2] = np.sqrt(mean[2])
    return mean


def _coverage(held: np.ndarray, resamples: int, seed: int) -> Figure:
    each = held.mean(axis=(1, 2))
    if len(each) < 2:
        return figure(float(each.mean()))
    again = [
        each @ counts / counts.sum(axis=0)
        for counts in resampled_multiplicities(len(each), resamples, np.random.default_rng(seed))
    ]
    return figure(float(each.mean()), np.concatenate(again))
