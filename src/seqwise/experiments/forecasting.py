"""Forecasters: what comes next in series of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource, Frames, resolve
from seqwise.data.series import Series, read_series, series_columns
from seqwise.data.tables import Chunk
from seqwise.estimators import SequenceForecaster
from seqwise.estimators.autoregression import find_period
from seqwise.estimators.forecaster import TRAINING_DEFAULTS, held_end
from seqwise.estimators.forecaster_fitting import histories
from seqwise.evaluation.forecast_baseline import LINEAR, ForecastBaseline
from seqwise.evaluation.forecasting import FIGURES, KEPT, Forecasts, forecasting_sections
from seqwise.evaluation.task_report import Section
from seqwise.experiments.task import LONG_FORM, Evaluated, Parts, Task
from seqwise.metrics.forecasting import forecast_metrics
from seqwise.models.forecaster_settings import ForecasterSettings
from seqwise.prediction.forecaster import ForecasterPredictor
from seqwise.prediction.series_scale import complete
from seqwise.training import TrainingSettings

LEVELS = (0.8, 0.95)  # of the intervals whose coverage is reported
MOST = 3000  # forecasts of an evaluation


class ForecasterConfiguration(BaseModel):
    """Everything that decides how a forecaster is made.

    Attributes:
        data: which columns, and how much of the end of each series is held back for validation.
        model: how far it looks back and ahead, and its layers.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    model: ForecasterSettings = Field(default_factory=ForecasterSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


class ForecastingTask(Task):
    """Examples are `Series`."""

    name = "forecast"
    title = "Forecaster"
    configuration = ForecasterConfiguration
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"training": TRAINING_DEFAULTS}
    unit = "series"
    baseline = LINEAR
    alternative = "a linear auto-regression"
    advice = "use that one, or train on more data"
    lower_is_better = True
    explained = (
        "Forecasts begin as many steps apart as they look ahead, so that no step is forecast twice; a forecast of several "
        "steps is fed its own output. The scaled error (MASE, Hyndman and Koehler 2006) is the mean absolute error over "
        "that of repeating the season before (or the last value) one step ahead in training. Ranges are 95% bootstrap "
        "intervals over forecasts, which are somewhat too narrow where forecasts of one series depend on each other. The "
        "bounds of forecasts are measured on the validation data: their coverage there says little, that on test data does."
    )
    watched: ClassVar[Mapping[str, str]] = {"mase": "scaled error"}
    use = ("seqwise predict {folder} --input series.csv --horizon 12",)
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: where the world changes, forecasts go on as if it had "
        "not. Intervals are the errors on the validation data, and hold as long as errors stay like those."
    )
    reads: ClassVar[tuple[str, ...]] = ("frames", "target", "known", *LONG_FORM)

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        names = series_columns(source, source.table(*parts), data)
        return data.model_copy(update={"frames": names, "target": None})

    def read(self, source: DataSource, settings: Any, *parts: str) -> Series:
        """See `Task.read`."""
        return read_series(source, source.table(*parts), settings.data)

    def hold_back(self, examples: Series, settings: Any) -> tuple[Series, Series]:
        """See `Task.hold_back`: the end of each series."""
        model = settings.model
        rows, beside = list(examples.values), None if examples.known is None else list(examples.known)
        memory = max(model.memory, model.period or find_period(complete(rows)[0]))
        kept, kept_beside, (held, held_beside) = held_end(
            rows, beside, settings.data.validation, memory=memory, horizon=model.horizon
        )
        return _like(examples, kept, kept_beside), _like(examples, held, held_beside)

    def estimator(self, settings: Any, training: TrainingSettings) -> SequenceForecaster:
        """See `Task.estimator`."""
        return SequenceForecaster(model=settings.model, training=training, validation=0.0)

    def fit(self, model: SequenceForecaster, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        held, training = parts.validation, parts.training
        model.fit(
            training.values,
            known=training.known,
            validation_data=None if held is None else (held.values, held.known),
            **options,
        )

    def fit_baseline(self, model: SequenceForecaster, training: Series) -> ForecastBaseline:
        """See `Task.fit_baseline`."""
        predictor, settings = model.predictor_, model.settings_.model
        rows, _ = complete(training.values)
        beside = None if training.known is None else complete(training.known)[0]
        return ForecastBaseline.fit(
            rows,
            beside,
            predictor.scale,
            predictor.known,
            lags=settings.lags,
            period=predictor.period,
            penalty=settings.penalty,
        )

    def load_baseline(self, saved: Any) -> ForecastBaseline:
        """See `Task.load_baseline`."""
        return ForecastBaseline.from_dict(saved)

    def load(self, folder: Path, device: str) -> ForecasterPredictor:
        """See `Task.load`."""
        return ForecasterPredictor.load(folder, device)

    def evaluate(
        self,
        predictor: ForecasterPredictor,
        examples: Series,
        baseline: ForecastBaseline | None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> Evaluated:
        """See `Task.evaluate`."""
        settings = ForecasterSettings.model_validate(predictor.settings["model"])
        rows, _ = complete(examples.values)
        beside = None if examples.known is None else complete(examples.known)[0]
        memory = max(settings.memory, predictor.period)
        if max(map(len, rows)) < memory + settings.horizon:
            memory = settings.memory  # then there is no last season to compare with
        chosen = histories(rows, beside, memory=memory, horizon=settings.horizon, most=MOST)
        said = predictor.predict(*chosen.asked)
        theirs = {} if baseline is None else baseline.forecasts(*chosen.asked)
        intervals = {}
        if predictor.errors is not None:
            intervals = {level: predictor.intervals(said, level) for level in LEVELS}
        block = forecast_metrics(chosen.true, said, predictor.naive, theirs, intervals=intervals, seed=seed)
        block |= {"period": predictor.period, "steps": int(sum(map(len, rows))), "series": len(rows)}
        low, high = predictor.intervals(said, KEPT) if predictor.errors is not None else (None, None)
        return Evaluated(block, Forecasts(chosen.series, chosen.true, said, theirs, low, high, chosen.places))

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return FIGURES

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        channels = f"{block['channels']} channel{'s' * (block['channels'] != 1)}"
        of = f"{block['series']:,} {split} series of {channels}"
        return f"{block['forecasts']:,} forecasts of {block['horizon']} steps, {of}"

    def describe(self, model: SequenceForecaster, settings: Any) -> str:
        """See `Task.describe`."""
        names, data = model.predictor_.scale.names, settings.data
        known = f", given {', '.join(data.known)}" if data.known else ""
        period = f"; a season has {model.period_} steps" if model.period_ > 1 else ""
        return f"The next {settings.model.horizon} steps of {', '.join(names)}{known}{period}"

    def size(self, model: Any, part: str, examples: Any, block: Mapping[str, Any] | None) -> str:
        """See `Task.size`."""
        return f"{len(examples):,} series of {examples.steps:,} steps"

    def sections(
        self, model: SequenceForecaster, split: str, examples: Series, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        predictor = model.predictor_
        return forecasting_sections(evaluated.block, evaluated.answers, predictor.scale.names, predictor.naive)

    def notes(self, model: SequenceForecaster, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        notes = list(parts.training.values.notes)
        if model.missing_:
            notes.append(f"{model.missing_:,} missing numbers were taken from the step before.")
        if model.settings_.model.period is None and model.period_ > 1:
            notes.append(
                f"A season of {model.period_} steps was found in the training data (model.period sets another)."
            )
        return notes


def forecast_file(
    predictor: ForecasterPredictor, path: Path, horizon: int | None, level: float = KEPT
) -> tuple[Frames, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """Return the series of a file, what comes after each, (n, H, D), and lower and upper bounds where there are such.

    Args:
        predictor: of the model.
        path: of a table like that of training. Known inputs stand in it for the steps ahead too, which have no values yet.
        horizon: steps ahead; None takes that of training.
        level: of the bounds.

    Raises:
        FileError: the file cannot be read.
        DataError: it does not hold what the model reads.
    """
    settings = DataSettings.model_validate(predictor.settings.get("data", {}))
    source = resolve(path, settings)
    examples = read_series(source, source.table("test"), settings)
    horizon = predictor.horizon if horizon is None else horizon
    values: Any = examples.values
    if examples.known is not None:
        # The steps ahead are those at the end of which nothing is known but the inputs.
        values = [row[: len(row) - _empty_end(row)] for row in examples.values]
        known = [row[: len(given) + horizon] for row, given in zip(examples.known, values, strict=True)]
        forecasts = predictor.predict(values, horizon, known)
    else:
        forecasts = predictor.predict(values, horizon)
    bounds = None
    if predictor.errors is not None and horizon <= predictor.errors.shape[1]:
        bounds = predictor.intervals(forecasts, level)
    return examples.values, forecasts, bounds


def forecast_rows(
    forecasts: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | None, names: tuple[str, ...]
) -> Iterator[Chunk]:
    """Yield a row for each series and step ahead: series, step, and of each channel the forecast and its bounds."""
    for number, rows in enumerate(forecasts):
        chunk: Chunk = {"series": [number + 1] * len(rows), "step": list(range(1, len(rows) + 1))}
        for place, name in enumerate(names):
            chunk[name] = rows[:, place].tolist()
            if bounds is not None:
                for suffix, of in zip(("low", "high"), bounds, strict=True):
                    chunk[f"{name}_{suffix}"] = of[number, :, place].tolist()
        yield chunk


def _empty_end(row: np.ndarray) -> int:
    known = np.flatnonzero(~np.isnan(row).all(axis=1))
    return len(row) - (int(known[-1]) + 1 if len(known) else 0)


def _like(examples: Series, rows: list[np.ndarray], beside: list[np.ndarray] | None) -> Series:
    values = Frames.from_rows(rows, examples.values.rate)
    named = Frames(values.values, values.offsets, values.rate, examples.values.names, examples.values.notes)
    if beside is None or examples.known is None:
        return Series(named)
    known = Frames.from_rows(beside, examples.known.rate)
    return Series(named, Frames(known.values, known.offsets, known.rate, examples.known.names))


TASK = ForecastingTask()
