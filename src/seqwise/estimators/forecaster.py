"""What comes next in a series of numbers, with the model's own output fed back.

Axis letters: n series, T steps, H steps ahead, D channels, E known inputs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.autoregression import find_period, fit_autoregression
from seqwise.estimators.forecaster_fitting import fit_residuals, histories
from seqwise.estimators.sections import SectionSet, section_from
from seqwise.metrics.forecasting import naive_scale
from seqwise.models.forecaster import ForecasterNetwork, SavedForecaster
from seqwise.models.forecaster_settings import ForecasterSettings
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.forecaster import LEVELS, ForecasterPredictor, StreamState
from seqwise.prediction.series_scale import SeriesScale, complete
from seqwise.training import Callback, Progress, TrainingSettings

TRAINING_DEFAULTS: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup": 0.1,
    "metric": "mase",
}
METRICS = ("mase", "mae", "rmse", "r2")


@dataclass(frozen=True)
class ForecasterSections(SectionSet):
    """Which layers the model has, how far it looks back and ahead, how it is trained."""

    model: ForecasterSettings
    training: TrainingSettings


class SequenceForecaster(BaseEstimator):
    """Learns what comes next in series: y_t = f(x_t, y_{t-1}), on what really came before (teacher forcing).

    Forecasts of several steps feed the model's own output back. A linear auto-regression is solved for first; the recurrent
    part, whose numbers are added, learns what that leaves.

    Args:
        model: values of the section `model`, see `ForecasterSettings`.
        training: values of the section `training`, see `TrainingSettings`; examples are windows. The metric
            (mase, mae, rmse or r2) is that of forecasts `model.horizon` steps ahead.
        validation: share of the steps, the last ones of each series, that is held back.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        period_: steps of a season, 1 without.
        missing_: numbers that were missing and were taken from the step before.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        model: Mapping[str, Any] | ForecasterSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.model, self.training = model, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Iterable[Any],
        y: None = None,
        *,
        known: Iterable[Any] | None = None,
        names: Sequence[str] | None = None,
        known_names: Sequence[str] | None = None,
        validation_data: tuple[Any, ...] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on series.

        Args:
            X: series, (T, D) each, or (T,) of one channel; or `Frames`.
            y: nothing; there for scikit-learn.
            known: inputs that are known ahead, (T, E) of each series.
            names: of the D channels.
            known_names: of the E known inputs.
            validation_data: (X,) or (X, known), to choose the best epoch by and to measure errors on; without it the end
                of each series is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: series are too short, or a channel never changes.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = ForecasterSections(
            section_from(self.model, ForecasterSettings, {}, "model"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        model, training = sections.model, sections.training
        if training.metric not in METRICS:
            raise ConfigurationError(
                f"training.metric of a forecaster is one of {', '.join(METRICS)}, not {training.metric}"
            )
        if training.refit:
            raise ConfigurationError("training.refit is not for forecasters: set it to false")
        names = names or getattr(X, "names", None)
        rate = getattr(X, "rate", None)
        rows, self.missing_ = complete(X)
        beside = None if known is None else complete(known, "the known inputs of series")[0]
        _check_beside(rows, beside)
        held: tuple[list[np.ndarray], list[np.ndarray] | None] | None = None
        if validation_data is not None:
            others, _ = complete(validation_data[0])
            theirs = None if len(validation_data) < 2 or validation_data[1] is None else complete(validation_data[1])[0]
            _check_beside(others, theirs)
            if others[0].shape[1] != rows[0].shape[1] or (theirs is None) != (beside is None):
                raise DataError("the validation series have other channels or known inputs than the training series")
            held = others, theirs
        elif self.validation:
            rows, beside, held = held_end(rows, beside, self.validation, memory=model.memory, horizon=model.horizon)
        names = list(names or _numbered("channel", rows[0].shape[1]))
        scale = SeriesScale.of(rows, names, model.difference, rate)
        known_scale = None
        if beside is not None:
            given = list(known_names or getattr(known, "names", None) or _numbered("input", beside[0].shape[1]))
            known_scale = SeriesScale.of(beside, given)
        self.settings_ = sections
        self.period_ = model.period or find_period(rows)
        self.naive_ = naive_scale(rows, self.period_)

        read = [scale.standardised(row) for row in rows]
        inputs = None
        if beside is not None and known_scale is not None:
            inputs = [known_scale.standardised(row)[model.difference :] for row in beside]
        kept = [i for i, row in enumerate(read) if len(row) > 1]
        if not kept:
            raise DataError("no series has a step after its first: there is nothing to learn")
        read, inputs = [read[i] for i in kept], None if inputs is None else [inputs[i] for i in kept]
        linear = fit_autoregression(read, model.lags, inputs, penalty=model.penalty)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            network = ForecasterNetwork(model, len(names), 0 if known_scale is None else len(known_scale.names))
        with torch.no_grad():
            for buffer, values in (
                (network.linear, linear.weight),
                (network.known_weight, linear.known),
                (network.bias, linear.bias),
            ):
                buffer.copy_(torch.from_numpy(np.ascontiguousarray(values)))
        self._network, self._scales, self.errors_ = network, (scale, known_scale), None
        self.predictor_ = self._predictor()
        origins = None if held is None else histories(*held, memory=model.memory, horizon=model.horizon, most=400)
        history = fit_residuals(
            network,
            read,
            inputs,
            training,
            watch=None if origins is None else lambda: self.predictor_.predict(*origins.asked),
            origins=origins,
            naive=self.naive_,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=_fingerprint(read, inputs),
        )
        network.eval()
        if held is not None:
            measured = histories(*held, memory=model.memory, horizon=model.horizon, apart=1, most=2000)
            errors = measured.true - self.predictor_.predict(*measured.asked)
            self.errors_ = np.quantile(errors, LEVELS, axis=0)
        self.predictor_ = self._predictor()
        self.fit_history_, self.history_ = history, history.epochs
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Iterable[Any], horizon: int | None = None, known: Iterable[Any] | None = None) -> np.ndarray:
        """Return what comes after each series, (n, H, D), see `ForecasterPredictor.predict`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.predict(X, horizon, known)

    def predict_interval(
        self, X: Iterable[Any], horizon: int | None = None, known: Iterable[Any] | None = None, *, level: float = 0.9
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return forecasts, lower and upper bounds, (n, H, D) each, see `ForecasterPredictor.intervals`."""
        forecasts = self.predict(X, horizon, known)
        return forecasts, *self.predictor_.intervals(forecasts, level)

    def start(self, batch: int = 1) -> StreamState:
        """Return the state before the first step of B series, for `step`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.start(batch)

    def step(self, state: StreamState, x: Any, known: Any = None) -> tuple[StreamState, np.ndarray]:
        """Take in one step and return the state after it and the forecast of the next one, see `ForecasterPredictor`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.step(state, x, known)

    def score(self, X: Iterable[Any], y: None = None, known: Iterable[Any] | None = None) -> float:
        """Return R2 of one step ahead, averaged over the channels: the share of their variance that is explained."""
        from seqwise.metrics.regression import numbers, r2_score

        check_is_fitted(self, "predictor_")
        rows, _ = complete(X)
        said = self.predictor_.one_step(rows, known)
        true = [row[len(row) - len(answers) :] for row, answers in zip(rows, said, strict=True)]
        return float(r2_score(numbers(np.concatenate(true), np.concatenate(said)))[0])

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `ForecasterPredictor.load` and the commands read.

        Args:
            path: of the folder; made if need be.
            data: the configuration section `data`.
            pieces: handed to `seqwise.prediction.write_folder`.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "predictor_")
        content = self._content(data)
        weights, vocabulary = self._network.state_dict(), content.vocabulary
        write_folder(path, config=content.config, weights=weights, vocabulary=vocabulary, **pieces)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a forecaster.
            DeviceError: there is no such device.
        """
        predictor = ForecasterPredictor.load(path, device)
        saved: dict[str, Any] = {name: predictor.settings[name] for name in ("model", "training")}
        estimator = cls(**saved)
        estimator.settings_ = ForecasterSections.from_dict(saved)
        estimator.predictor_, estimator._network = predictor, predictor.network
        estimator._scales, estimator.errors_ = (predictor.scale, predictor.known), predictor.errors
        estimator.naive_, estimator.period_ = predictor.naive, predictor.period
        return estimator

    def _predictor(self) -> ForecasterPredictor:
        return ForecasterPredictor(self._content(), SavedForecaster(self._network))

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "forecast",
            "estimator": type(self).__name__,
            "unit": "frames",
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        scale, known = self._scales
        vocabulary = {
            "series": scale.to_dict(),
            "known": None if known is None else known.to_dict(),
            "errors": None if self.errors_ is None else self.errors_.tolist(),
            "naive": self.naive_.tolist(),
            "period": self.period_,
        }
        return FolderContent(Path(), config, {}, vocabulary, {})


def held_end(
    rows: list[np.ndarray], beside: list[np.ndarray] | None, share: float, *, memory: int, horizon: int
) -> tuple[list[np.ndarray], list[np.ndarray] | None, tuple[list[np.ndarray], list[np.ndarray] | None]]:
    """Cut the end of each series off: what is left of series and known inputs, and what is held back of both.

    What is held back begins with the `memory` steps before it, on which the first forecast looks back.

    Args:
        rows: series.
        beside: their known inputs, or None.
        share: of the steps, above 0 and below 1; at least `horizon` of them. A series of which less would be left than is
            held back stays whole.
        memory: steps that each forecast looks back.
        horizon: steps that it looks ahead.

    Raises:
        DataError: `share` is no share, or no series is long enough.
    """
    if not 0 < share < 1:
        raise DataError(f"validation is the share of the data held back, from 0 to below 1, got {share}")
    ends = [max(round(share * len(row)), horizon) for row in rows]
    chosen = {i for i, row in enumerate(rows) if len(row) >= ends[i] + max(memory, ends[i])}
    if not chosen:
        raise DataError(
            f"no series is long enough to hold its end back for validation: forecasts look {memory} steps back "
            f"(model.window or lags, and difference, or a season) and {horizon} ahead (model.horizon); make these smaller, "
            "or give validation data"
        )

    def cut(parts: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        left = [part[: len(part) - ends[i]] if i in chosen else part for i, part in enumerate(parts)]
        return left, [part[len(part) - ends[i] - memory :] for i, part in enumerate(parts) if i in chosen]

    kept, held = cut(rows)
    if beside is None:
        return kept, None, (held, None)
    kept_beside, held_beside = cut(beside)
    return kept, kept_beside, (held, held_beside)


def _check_beside(rows: list[np.ndarray], beside: list[np.ndarray] | None) -> None:
    if beside is None:
        return
    if len(rows) != len(beside):
        raise DataError(f"there are {len(rows)} series and known inputs of {len(beside)}")
    for number, (row, inputs) in enumerate(zip(rows, beside, strict=True), 1):
        if len(row) != len(inputs):
            raise DataError(f"series {number} has {len(row)} steps, and its known inputs have {len(inputs)}")


def _numbered(what: str, size: int) -> list[str]:
    return [what] if size == 1 else [f"{what} {number}" for number in range(1, size + 1)]


def _fingerprint(read: Sequence[np.ndarray], inputs: Sequence[np.ndarray] | None) -> str:
    digest = hashlib.sha256()
    for row in (*read, *(inputs or ())):
        digest.update(np.ascontiguousarray(row).data)
    return digest.hexdigest()[:16]
