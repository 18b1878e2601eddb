"""Series in two forms: as they are, and as a forecaster reads them: complete, differenced, standardised.

Axis letters: T steps, D channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqwise.errors import DataError


@dataclass(frozen=True)
class SeriesScale:
    """What is saved of the training series.

    Attributes:
        names: of the D channels.
        mean: of each, differenced, (D,).
        deviation: of each, differenced, (D,), above 0.
        difference: steps back from which differences are taken, 0 for none.
        rate: steps a second, or None.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    deviation: np.ndarray
    difference: int = 0
    rate: float | None = None

    @classmethod
    def of(
        cls, series: Sequence[np.ndarray], names: Sequence[str], difference: int = 0, rate: float | None = None
    ) -> Self:
        """Measure complete training series.

        Args:
            series: (T, D) each.
            names: of the channels.
            difference: see the attributes.
            rate: steps a second.

        Raises:
            DataError: no series is longer than `difference`, or a channel never changes.
        """
        long = [row[difference:] - row[: len(row) - difference] if difference else row for row in series]
        values = np.concatenate([row for row in long if len(row)] or [np.empty((0, len(names)))])
        if not len(values):
            raise DataError(f"no series is longer than the {difference} steps from which differences are taken")
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        constant = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-300)
        if constant.any():
            what = "its differences are" if difference else "it is"
            place = int(constant.argmax())
            raise DataError(
                f"{names[place]}: {what} {mean[place]:g} at every step of training: there is nothing to learn"
            )
        return cls(tuple(names), mean, deviation, difference, rate)

    def standardised(self, series: np.ndarray) -> np.ndarray:
        """Return a complete series (T, D) as the network reads it, (T - difference, D) float32."""
        lag = self.difference
        values = series[lag:] - series[: len(series) - lag] if lag else series
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def restored(self, forecasts: np.ndarray, history: np.ndarray) -> np.ndarray:
        """Return forecasts (..., H, D) of the network in the unit of the series.

        Args:
            forecasts: standardised, and differenced if the network reads differences.
            history: the last `difference` values before them, (..., difference, D).
        """
        values = np.asarray(forecasts, dtype=np.float64) * self.deviation + self.mean
        lag = self.difference
        if not lag:
            return values
        for step in range(values.shape[-2]):
            before = history[..., step, :] if step < lag else values[..., step - lag, :]
            values[..., step, :] += before
        return values

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "difference": self.difference,
            "rate": self.rate,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described.

        Raises:
            DataError: it is no such description.
        """
        try:
            names = tuple(map(str, saved["names"]))
            mean, deviation = (np.array(saved[name], dtype=np.float64) for name in ("mean", "deviation"))
            difference, rate = int(saved["difference"]), saved["rate"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the description of the series is damaged: {error}") from None
        sound = mean.shape == deviation.shape == (len(names),) and np.isfinite(mean).all() and (deviation > 0).all()
        if not sound or difference < 0:
            raise DataError("the description of the series is damaged: not one mean and deviation for each channel")
        return cls(names, mean, deviation, difference, None if rate is None else float(rate))


def complete(series: Iterable[Any], what: str = "series") -> tuple[list[np.ndarray], int]:
    """Return series as (T, D) float64 arrays without gaps, and how many numbers were missing.

    A missing number is taken from the step before, for a forecast must not look ahead; before the first one known, from
    that one.

    Args:
        series: arrays (T,) or (T, D), of one D.
        what: they are called in messages.

    Raises:
        DataError: one is no array of numbers, of another number of channels, without steps, infinite, or has a channel
            without any number; names it, counted from 1.
    """
    rows: list[np.ndarray] = []
    missing = 0
    for number, given in enumerate(series, 1):
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{what} {number} is no array of numbers (steps, channels)") from None
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.size:
            raise DataError(
                f"{what} {number} has the shape {values.shape}; (steps, channels), none of them 0, is expected"
            )
        if rows and values.shape[1] != rows[0].shape[1]:
            raise DataError(f"{what} {number} has {values.shape[1]} channels, those before it {rows[0].shape[1]}")
        if np.isinf(values).any():
            raise DataError(
                f"{what} {number} holds an infinite number at step {int(np.argwhere(np.isinf(values))[0][0]) + 1}"
            )
        gaps = np.isnan(values)
        if gaps.any():
            if gaps.all(axis=0).any():
                raise DataError(f"{what} {number} has no number at all in channel {int(gaps.all(axis=0).argmax()) + 1}")
            missing += int(gaps.sum())
            places = np.where(gaps, -1, np.arange(len(values))[:, None])
            first = np.argmax(~gaps, axis=0)
            last = np.maximum.accumulate(places, axis=0)
            values = np.take_along_axis(values, np.where(last < 0, first, last), axis=0)
        rows.append(values)
    if not rows:
        raise DataError(f"there is no {what}")
    return rows, missing
