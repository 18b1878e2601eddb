"""The honest baselines of a forecaster: the last value, the last season, and a linear auto-regression.

Axis letters: n forecasts, T steps, H steps ahead, D channels, E known inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqwise.errors import DataError
from seqwise.estimators.autoregression import Autoregression, fit_autoregression
from seqwise.prediction.series_scale import SeriesScale

LINEAR, LAST, SEASONAL = "linear auto-regression", "last value", "last season"
FEWEST = 16  # lags of the auto-regression at least, whatever the model has


@dataclass(frozen=True)
class ForecastBaseline:
    """A linear auto-regression with a period.

    Attributes:
        scale: of the series.
        known: of the known inputs, or None.
        linear: in standardised units.
        period: steps of a season, 1 without.
    """

    scale: SeriesScale
    known: SeriesScale | None
    linear: Autoregression
    period: int

    @classmethod
    def fit(
        cls,
        series: Sequence[np.ndarray],
        known: Sequence[np.ndarray] | None,
        scale: SeriesScale,
        known_scale: SeriesScale | None,
        *,
        lags: int,
        period: int,
        penalty: float,
    ) -> Self:
        """Fit on what a forecaster is fitted on.

        Args:
            series: (T, D) each.
            known: (T, E) each, or None.
            scale: of the series, with the differences that the model takes.
            known_scale: of the known inputs.
            lags: of the model; at least `FEWEST` are taken.
            period: of the model.
            penalty: of the model's linear part.
        """
        read = [scale.standardised(row) for row in series if len(row) > scale.difference + 1]
        inputs = None
        if known is not None and known_scale is not None:
            lag = scale.difference
            inputs = [known_scale.standardised(row)[lag:] for row in known if len(row) > lag + 1]
        return cls(scale, known_scale, fit_autoregression(read, max(lags, FEWEST), inputs, penalty=penalty), period)

    def forecasts(
        self, series: Sequence[np.ndarray], horizon: int, known: Sequence[np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what each baseline says of the steps ahead, (n, H, D), the linear one first.

        Args:
            series: (T, D) each, of one length.
            horizon: H.
            known: of the same steps and those ahead, (T + H, E) each, or None.
        """
        rows = np.stack(list(series))
        steps, lag = rows.shape[1], self.scale.difference
        read = np.stack([self.scale.standardised(row) for row in rows]).astype(np.float64)
        short = self.linear.lags - read.shape[1]
        if short > 0:
            read = np.concatenate([np.zeros((len(read), short, read.shape[2])), read], axis=1)
        ahead = None
        if known is not None and self.known is not None:
            ahead = np.stack([self.known.standardised(row)[steps:] for row in known]).astype(np.float64)
        linear = self.scale.restored(self.linear.forecast(read, horizon, ahead), rows[:, steps - lag :])
        found = {LINEAR: linear, LAST: np.repeat(rows[:, -1:], horizon, axis=1)}
        if 1 < self.period <= steps:
            places = steps - self.period + np.arange(horizon) % self.period
            found[SEASONAL] = rows[:, places]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": "forecast",
            "scale": self.scale.to_dict(),
            "known": None if self.known is None else self.known.to_dict(),
            "weight": self.linear.weight.tolist(),
            "inputs": self.linear.known.tolist(),
            "bias": self.linear.bias.tolist(),
            "period": self.period,
        }

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the baseline that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if not isinstance(saved, Mapping) or saved.get("kind") != "forecast":
            raise DataError("this is no baseline of a forecaster")
        try:
            scale = SeriesScale.from_dict(saved["scale"])
            known = None if saved["known"] is None else SeriesScale.from_dict(saved["known"])
            weight, bias = (np.array(saved[name], dtype=np.float64) for name in ("weight", "bias"))
            inputs = np.array(saved["inputs"], dtype=np.float64).reshape(len(bias), -1)
            period = int(saved["period"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the baseline of a forecaster lacks or garbles {error}") from None
        size = len(scale.names)
        if bias.shape != (size,) or weight.ndim != 3 or weight.shape[:2] != (size, size) or period < 1:
            raise DataError("the baseline of a forecaster does not fit its channels")
        return cls(scale, known, Autoregression(weight, inputs, bias), period)
