"""What a saved forecaster answers: the steps ahead, how far off they may be, and one step after the other.

Axis letters: n series, T steps, H steps ahead, D channels, E known inputs, Q levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.restoring import open_model
from seqwise.prediction.series_scale import SeriesScale, complete
from seqwise.prediction.streaming import Streaming

if TYPE_CHECKING:
    from seqwise.models.forecaster import SavedForecaster

TOGETHER = 256  # series read side by side
LEVELS = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
"""Quantiles of the errors that are kept: intervals of 50, 80, 90, 95 and 99%."""


class StreamState(NamedTuple):
    """What `step` has to remember of B series.

    Attributes:
        network: the state of the module.
        recent: the last values as they came, (B, steps, D), at most `difference` of them.
        steps: that have been read.
    """

    network: Any
    recent: np.ndarray
    steps: int = 0


class ForecasterPredictor(Streaming):
    """A saved forecaster that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        scale: of the D channels.
        known: of the E known inputs; None without such.
        errors: quantiles of what was true less what was said, on validation data, (Q, H, D), levels `LEVELS`; None if they
            were not measured.
        naive: mean absolute change over a period in training, (D,): the unit of the scaled error.
        period: steps of a season, 1 without.
        network: the module, on its device.
    """

    def __init__(self, content: FolderContent, model: SavedForecaster) -> None:
        self.config, self.settings = content.config, content.settings
        saved = content.vocabulary
        self.scale = SeriesScale.from_dict(saved["series"])
        self.known = None if saved["known"] is None else SeriesScale.from_dict(saved["known"])
        self.errors = None if saved["errors"] is None else np.array(saved["errors"], dtype=np.float64)
        self.naive, self.period = np.array(saved["naive"], dtype=np.float64), int(saved["period"])
        self.network = model.module
        size = len(self.scale.names)
        if self.naive.shape != (size,) or not (self.naive > 0).all() or self.period < 1:
            raise DataError("the scale of the errors does not fit the channels")
        if self.errors is not None and (self.errors.ndim != 3 or self.errors.shape[::2] != (len(LEVELS), size)):
            raise DataError("the quantiles of the errors do not fit the channels")

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Args:
            path: of the folder.
            device: "auto", "cpu", "cuda" or "cuda:N".

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a forecaster.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "SequenceForecaster", "a forecaster")
        try:
            return cls(content, model)
        except (DataError, KeyError, TypeError, ValueError) as error:
            raise ModelFolderError(f"{content.path} does not describe a forecaster: {error}") from None

    @property
    def horizon(self) -> int:
        """Steps ahead for which there are intervals, or which were asked for in training."""
        return int(self.settings["model"]["horizon"]) if self.errors is None else self.errors.shape[1]

    def predict(
        self, series: Iterable[Any], horizon: int | None = None, known: Iterable[Any] | None = None
    ) -> np.ndarray:
        """Return what comes after each series, (n, H, D) float64: the model's own output is fed back.

        Args:
            series: (T, D) each, or (T,) of one channel; what is missing is taken from the step before.
            horizon: H; None takes that of training.
            known: of each series the known inputs of its steps and of the H steps ahead, (T + H, E); for models with such.

        Raises:
            DataError: a series is too short, of another number of channels, or its known inputs do not fit.
            ConfigurationError: a horizon below 1.
        """
        import torch

        horizon = self.horizon if horizon is None else horizon
        if horizon < 1:
            raise ConfigurationError(f"the horizon is a number of steps from 1 on, got {horizon}")
        rows = self._rows(series)
        beside = self._known(known, [len(row) + horizon for row in rows], f"its {horizon} steps ahead included")
        lag, size = self.scale.difference, len(self.scale.names)
        forecasts = np.empty((len(rows), horizon, size))
        for chosen in _alike([len(row) for row in rows]):
            x = np.stack([self.scale.standardised(rows[i]) for i in chosen])
            ahead = None
            if beside is not None:
                # A step is read with what is known of the step after it.
                inputs = np.stack([beside[i][lag + 1 :] for i in chosen])
                x, ahead = np.concatenate([x, inputs[:, : x.shape[1]]], 2), self._tensor(inputs[:, x.shape[1] :])
            with torch.no_grad():
                found = self.network.eval().free_run(self._tensor(x), horizon, ahead).float().cpu().numpy()
            history = np.stack([rows[i][len(rows[i]) - lag :] for i in chosen])
            forecasts[chosen] = self.scale.restored(found, history)
        return forecasts

    def one_step(self, series: Iterable[Any], known: Iterable[Any] | None = None) -> list[np.ndarray]:
        """Return what the model says of each step from the steps before it, as they really were.

        Args:
            series: (T, D) each.
            known: of each series the known inputs of its steps, (T, E); for models with such.

        Returns:
            (T - 1 - difference, D) of each: forecasts of the last so many steps.
        """
        import torch

        rows = self._rows(series)
        beside = self._known(known, [len(row) for row in rows], "one for each of its steps")
        lag, answers = self.scale.difference, []
        for number, row in enumerate(rows):
            x = self.scale.standardised(row)[:-1]
            if beside is not None:
                x = np.concatenate([x, beside[number][lag + 1 :]], 1)
            if not len(x):
                answers.append(np.empty((0, len(self.scale.names))))
                continue
            with torch.no_grad():
                said, _ = self.network.eval().read(self._tensor(x[None]), self.network.start(1))
            values = said[0].double().cpu().numpy() * self.scale.deviation + self.scale.mean
            answers.append(values + row[1 : len(row) - lag] if lag else values)
        return answers

    def start(self, batch: int = 1) -> StreamState:
        """Return the state before the first step of B series."""
        return StreamState(self.network.eval().start(batch), np.empty((batch, 0, len(self.scale.names))))

    def step(self, state: StreamState, x: Any, known: Any = None) -> tuple[StreamState, np.ndarray]:
        """Take in one step and return what it says of the next one, exactly as `one_step` does.

        Args:
            state: of `start` or of the step before; it holds no longer.
            x: values of this step, (B, D), or (D,) of one series.
            known: what is known of the next step, (B, E); for models with such.

        Returns:
            The state after it, and the forecast of the next step, (B, D); NaN as long as there is nothing to take the
            difference from.

        Raises:
            DataError: another number of values than the model has channels, or one that is no finite number.
        """
        batch, size = state.recent.shape[0], len(self.scale.names)
        values = (
            np.asarray(x, dtype=np.float64).reshape(-1, size) if np.size(x) == batch * size else np.empty((0, size))
        )
        if len(values) != batch or not np.isfinite(values).all():
            raise DataError(f"a step has {batch} x {size} finite numbers, got an array of shape {np.shape(x)}")
        lag = self.scale.difference
        recent = np.concatenate([state.recent, values[:, None]], axis=1)
        if recent.shape[1] <= lag:
            return StreamState(state.network, recent, state.steps + 1), np.full((batch, size), np.nan)
        read = ((values - recent[:, 0] if lag else values) - self.scale.mean) / self.scale.deviation
        if self.known is not None:
            width = len(self.known.names)
            if known is None or np.size(known) != batch * width:
                raise DataError(f"the next step has {batch} x {width} known inputs, got {np.shape(known)}")
            inputs = np.asarray(known, dtype=np.float64).reshape(batch, width)
            read = np.concatenate([read, (inputs - self.known.mean) / self.known.deviation], axis=1)
        said, network = self.network.step(self._tensor(read), state.network)
        forecast = said.double().cpu().numpy() * self.scale.deviation + self.scale.mean
        recent = recent[:, recent.shape[1] - lag :]
        # The difference of the next step is taken from what is the oldest of these then.
        return StreamState(network, recent, state.steps + 1), forecast + recent[:, 0] if lag else forecast

    def _growing(self) -> dict[str, int]:
        return {**super()._growing(), "recent": 1}

    def _check_state(self, state: StreamState) -> None:
        if state.recent.shape[1] > self.scale.difference:
            raise DataError("the state is damaged: no series leads to it")

    def intervals(self, forecasts: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper bounds of forecasts, from the errors on the validation data as many steps ahead.

        Args:
            forecasts: of `predict`, (n, H, D).
            level: share of the cases that the interval should hold: 0.5, 0.8, 0.9, 0.95 or 0.99.

        Raises:
            ConfigurationError: another level, errors were not measured, or not so many steps ahead.
        """
        if self.errors is None:
            raise ConfigurationError("this model has no intervals: there were no validation data to measure errors on")
        pairs = {round(1 - 2 * of, 6): of for of in LEVELS if of < 0.5}
        if round(level, 6) not in pairs:
            raise ConfigurationError(
                f"intervals have the level {', '.join(f'{of:g}' for of in sorted(pairs))}, not {level:g}"
            )
        horizon = forecasts.shape[1]
        if horizon > self.errors.shape[1]:
            raise ConfigurationError(
                f"errors were measured up to {self.errors.shape[1]} steps ahead (model.horizon), and {horizon} are asked for"
            )
        tail = pairs[round(level, 6)]
        low, high = (self.errors[LEVELS.index(of), :horizon] for of in (tail, round(1 - tail, 6)))
        return forecasts + low, forecasts + high

    def _rows(self, series: Iterable[Any]) -> list[np.ndarray]:
        if isinstance(series, np.ndarray) and series.ndim == 1:
            raise DataError("series are a list of arrays, got a single one: put it in a list")
        rate = getattr(series, "rate", None)
        if rate is not None and self.scale.rate is not None and abs(rate - self.scale.rate) > 1e-3 * self.scale.rate:
            raise DataError(
                f"the model was trained on {self.scale.rate:g} steps a second, and these series have {rate:g}"
            )
        rows, _ = complete(series)
        size, lag = len(self.scale.names), self.scale.difference
        for number, row in enumerate(rows, 1):
            if row.shape[1] != size:
                raise DataError(f"series {number} has {row.shape[1]} channels, and the model was trained on {size}")
            if len(row) <= lag:
                raise DataError(f"series {number} has {len(row)} steps, and more than {lag} are needed")
        return rows

    def _known(self, known: Iterable[Any] | None, lengths: Sequence[int], which: str) -> list[np.ndarray] | None:
        if self.known is None:
            if known is not None:
                raise DataError("the model was trained without known inputs, and there are such")
            return None
        if known is None:
            names = ", ".join(self.known.names)
            raise DataError(f"the model was trained with known inputs ({names}), and there are none")
        rows, _ = complete(known, "the known inputs of series")
        if len(rows) != len(lengths):
            raise DataError(f"there are {len(lengths)} series and known inputs of {len(rows)}")
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True), 1):
            if row.shape != (length, len(self.known.names)):
                raise DataError(
                    f"the known inputs of series {number} have the shape {row.shape}, and ({length}, "
                    f"{len(self.known.names)}) is needed, {which}"
                )
        return [self.known.standardised(row) for row in rows]

    def _tensor(self, values: np.ndarray) -> Any:
        import torch

        device = self.network.head.weight.device
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)


def _alike(lengths: Sequence[int]) -> list[list[int]]:
    """Numbers of series of one length, at most `TOGETHER` at a time."""
    of: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        of.setdefault(length, []).append(number)
    return [rows[i : i + TOGETHER] for rows in of.values() for i in range(0, len(rows), TOGETHER)]
