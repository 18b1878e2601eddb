"""Forecasters over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, create_model

from seqwise.prediction.forecaster import ForecasterPredictor
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.inputs import LEAST, finite, fitted, number_lists, numbers, too_long

LEVEL = 0.9  # of the intervals, where nobody says
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


class ForecastOptions(Strict):
    """What is forecast."""

    horizon: int | None = Field(default=None, ge=1, description="steps ahead; null: as in training")
    level: float = Field(
        default=LEVEL, description="share of the cases that the bounds hold", json_schema_extra={"enum": list(LEVELS)}
    )


class ForecastAnswer(Strict):
    """The steps ahead."""

    channels: list[str] = Field(description="names of the numbers of a step")
    forecasts: list[list[float]] = Field(description="steps ahead x channels")
    low: list[list[float]] = Field(default=[], description="lower bounds, where errors of so many steps were measured")
    high: list[list[float]] = Field(default=[], description="upper bounds")


class ServedForecaster(Served):
    """A forecaster."""

    task = "forecast"
    predictor: ForecasterPredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> ForecasterPredictor:
        return ForecasterPredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        return {
            "predict": Verb(
                self._input(),
                ForecastOptions,
                ForecastAnswer,
                self._read,
                self._answer,
                summary="What comes after a series",
            )
        }

    @property
    def example(self) -> dict[str, Any]:
        """What the model may be asked: the means of its channels."""
        steps = self.predictor.scale.difference + LEAST
        rows = [np.round(self.predictor.scale.mean, 4).tolist()] * steps
        given = {"series": [row[0] for row in rows] if len(rows[0]) == 1 else rows}
        if self.predictor.known is not None:
            ahead = steps + self.predictor.horizon
            given["known"] = [np.round(self.predictor.known.mean, 4).tolist()] * ahead
        return given

    def _further(self) -> dict[str, Any]:
        predictor = self.predictor
        return {
            "channels": list(predictor.scale.names),
            "known": None if predictor.known is None else list(predictor.known.names),
            "horizon": predictor.horizon,
            "rate": predictor.scale.rate,
        }

    def _input(self) -> type[BaseModel]:
        scale, known = self.predictor.scale, self.predictor.known
        several = f"steps of {', '.join(scale.names)}; null is a missing number, taken from the step before"
        fields: dict[str, Any] = {"series": (number_lists(len(scale.names)), Field(description=several))}
        if known is not None:
            said = f"{', '.join(known.names)} of each of these steps and of the steps ahead"
            fields["known"] = (number_lists(len(known.names)), Field(description=said))
        return create_model("SeriesInput", __base__=Strict, __doc__="One series.", **fields)

    def _read(self, body: Any, options: ForecastOptions) -> Item:
        predictor, settings = self.predictor, self.settings
        horizon = options.horizon or predictor.horizon
        if horizon > settings.max_length:
            raise too_long("horizon", horizon, settings)
        if options.level not in LEVELS:
            raise Refused(422, f"level is one of {', '.join(map(str, LEVELS))}", "level")
        series = numbers(fitted(body.series, "series", settings), "series", len(predictor.scale.names))
        if len(series) <= predictor.scale.difference:
            raise Refused(422, f"series: more than {predictor.scale.difference} steps are needed", "series")
        known = None
        if predictor.known is not None:
            known = numbers(body.known, "known", len(predictor.known.names))
            if len(known) != len(series) + horizon:
                needed = f"{len(series)} steps of the series and {horizon} ahead"
                raise Refused(422, f"known: has {len(known)} steps, and there are {needed}", "known")
        return Item((series, known), len(series) + horizon, (horizon, options.level))

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        horizon, level = items[0].options
        predictor = self.predictor
        series, known = [item.value[0] for item in items], [item.value[1] for item in items]
        forecasts = finite(predictor.predict(series, horizon, None if predictor.known is None else known))
        answers = [{"channels": list(predictor.scale.names), "forecasts": of.tolist()} for of in forecasts]
        if predictor.errors is not None and horizon <= predictor.errors.shape[1]:
            low, high = predictor.intervals(forecasts, level)
            for answer, lower, upper in zip(answers, low, high, strict=True):
                answer |= {"low": lower.tolist(), "high": upper.tolist()}
        return answers
