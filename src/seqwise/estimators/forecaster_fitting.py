"""How a forecaster is fitted: windows with what the linear part leaves as targets, and forecasts to choose the epoch by.

Axis letters: n series, N forecasts, B windows, T steps, H steps ahead, D channels, E known inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.data import EpochBatches
from seqwise.data.windows import Windows
from seqwise.errors import DataError
from seqwise.losses import RegressionSettings, target_losses
from seqwise.metrics.regression import quick_regression_figures
from seqwise.models.forecaster import ForecasterNetwork
from seqwise.training import Callback, History, TrainingSettings, train


@dataclass(frozen=True)
class Origins:
    """Places from which forecasts are made and compared with what came.

    Attributes:
        series: what was known by then, (T, D) each, of one length.
        known: of the same steps and of those ahead, (T + H, E) each; None without known inputs.
        true: what came, (N, H, D).
        places: number of the series and of the first step ahead, (N, 2).
    """

    series: list[np.ndarray]
    known: list[np.ndarray] | None
    true: np.ndarray
    places: np.ndarray

    @property
    def asked(self) -> tuple[list[np.ndarray], int, list[np.ndarray] | None]:
        """Arguments of `ForecasterPredictor.predict`."""
        return self.series, self.true.shape[1], self.known


def histories(
    rows: Sequence[np.ndarray],
    known: Sequence[np.ndarray] | None,
    *,
    memory: int,
    horizon: int,
    apart: int | None = None,
    most: int | None = None,
) -> Origins:
    """Choose origins `horizon` steps apart, so that no step is forecast twice; evenly spread ones if there are too many.

    Args:
        rows: series, (T, D) each.
        known: of each step, (T, E), or None.
        memory: steps that each forecast looks back.
        horizon: H.
        apart: steps from origin to origin; None is H.
        most: origins, at the most; None takes all.

    Raises:
        DataError: no series is long enough.
    """
    places = [
        (number, at)
        for number, row in enumerate(rows)
        for at in range(memory, len(row) - horizon + 1, apart or horizon)
    ]
    if not places:
        longest = max(map(len, rows))
        raise DataError(
            f"the longest series has {longest} steps, and {memory} before a forecast (model.window or lags, and difference) "
            f"and {horizon} ahead (model.horizon) are needed to evaluate one"
        )
    if most is not None and len(places) > most:
        places = [places[i] for i in np.linspace(0, len(places) - 1, most).astype(int)]
    return Origins(
        [rows[number][at - memory : at] for number, at in places],
        None if known is None else [known[number][at - memory : at + horizon] for number, at in places],
        np.stack([rows[number][at : at + horizon] for number, at in places]),
        np.array(places),
    )


class WindowBatch(NamedTuple):
    """Windows of series, side by side."""

    x: Tensor  # (B, T, D + E): values of each step and known inputs of the step after it
    lengths: Tensor  # (B,) int64
    left: Tensor  # (B, T, D): the next values less what the linear part says of them


def window_batch(x: Sequence[np.ndarray], left: Sequence[np.ndarray], windows: np.ndarray) -> WindowBatch:
    """Cut windows out of series and put them side by side.

    Args:
        x: what is read at every step of every series.
        left: what is to be learned there.
        windows: (B, 3): number of the series, first step, and the step behind the last.
    """
    lengths = windows[:, 2] - windows[:, 1]
    parts = []
    for source in (x, left):
        table = np.zeros((len(windows), int(lengths.max()), source[0].shape[1]), np.float32)
        for place, (row, start, stop) in enumerate(windows):
            table[place, : stop - start] = source[row][start:stop]
        parts.append(torch.from_numpy(table))
    return WindowBatch(parts[0], torch.from_numpy(lengths.astype(np.int64)), parts[1])


class Residual(nn.Module):
    """The part of a forecaster that is trained, and its loss.

    Args:
        network: what is fitted.
    """

    def __init__(self, network: ForecasterNetwork) -> None:
        super().__init__()
        self.network = network
        self._loss = RegressionSettings(loss=network.settings.loss, delta=network.settings.delta)

    def forward(self, batch: WindowBatch) -> Tensor:
        """The mean loss of each window, (B,)."""
        said = self.network.recurrent_part(batch.x, batch.lengths).float()
        losses = target_losses(self._loss, said, batch.left).mean(-1)
        live = torch.arange(losses.shape[1], device=losses.device) < batch.lengths[:, None]
        ahead = torch.where(live, losses, 0).sum(1) / batch.lengths
        steps, whole = self.network.settings.rollout, batch.lengths == batch.x.shape[1]
        if not steps or batch.x.shape[1] <= steps or not bool(whole.any()):
            return ahead
        x = batch.x[whole]
        forecasts = self.network.rollout(x, steps).float()
        far = target_losses(self._loss, forecasts, x[:, -steps:, : self.network.channels]).mean((1, 2))
        return ahead.index_add(0, whole.nonzero()[:, 0], far)


def fit_residuals(
    network: ForecasterNetwork,
    read: Sequence[np.ndarray],
    known: Sequence[np.ndarray] | None,
    settings: TrainingSettings,
    *,
    watch: Callable[[], np.ndarray] | None,
    origins: Origins | None,
    naive: np.ndarray,
    callbacks: Sequence[Callback],
    folder: Path | None,
    resume: bool,
    fingerprint: str,
) -> History:
    """Fit the recurrent part to what the linear part leaves of each next step (teacher forcing).

    Args:
        network: its linear part solved; its best weights are left in it.
        read: standardised series, (T, D) each.
        known: standardised, of the same steps, or None.
        settings: of the training loop; an example is a window.
        watch: the network's forecasts at the origins, (N, H, D).
        origins: of the validation series; None without.
        naive: unit of the scaled error, (D,).
        callbacks: further ones of the training loop.
        folder: for history.jsonl and checkpoints/.
        resume: go on from the newest checkpoint there.
        fingerprint: of the data.
    """
    xs = [row[:-1] if known is None else np.concatenate([row[:-1], known[i][1:]], 1) for i, row in enumerate(read)]
    with torch.no_grad():
        said = [network.linear_part(torch.from_numpy(np.ascontiguousarray(x))[None])[0].numpy() for x in xs]
    left = [row[1:] - linear for row, linear in zip(read, said, strict=True)]
    windows = Windows(np.array([len(x) for x in xs]), network.settings.window, seed=settings.seed)

    def batches(epoch: int) -> EpochBatches[WindowBatch]:
        chosen = windows(epoch)
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(chosen))
        size = settings.batch_size
        numbers = [order[first : first + size] for first in range(0, len(order), size)]
        return EpochBatches(lambda of: window_batch(xs, left, chosen[of]), numbers)

    def validate(model: nn.Module) -> dict[str, float]:
        assert watch is not None
        assert origins is not None
        forecasts, size = watch(), origins.true.shape[-1]
        true, said = (part.reshape(-1, size) for part in (origins.true, forecasts))
        scaled = float((np.abs(said - true) / naive).mean())
        return {"mase": scaled, **quick_regression_figures(true, said)}

    return train(
        Residual(network),
        batches,
        lambda model, batch: model(batch),
        settings=settings,
        validate=None if origins is None else validate,
        callbacks=callbacks,
        folder=folder,
        resume=resume,
        fingerprint=fingerprint,
    )
