"""The torch module of a forecaster: a linear auto-regression and an encoder whose numbers are added.

Axis letters: B series, T steps, D channels that are forecast, E known inputs, P lags, W width of the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.models.encoder import Encoder, State
from seqwise.models.forecaster_settings import ForecasterSettings


class ForecastState(NamedTuple):
    """What has to be remembered of a series to go on.

    Attributes:
        encoder: its state.
        recent: the last values, the newest last, (B, P, D); zeros, the mean, before the first.
    """

    encoder: State
    recent: Tensor


class ForecasterNetwork(nn.Module):
    """Values up to step t, and what is known of step t + 1 -> the values of step t + 1; all of them standardised.

    Args:
        settings: see `ForecasterSettings`.
        channels: D.
        known: E, 0 without known inputs.

    Attributes:
        linear: weights of the auto-regression, (D, D, P), of the oldest lag first; a buffer, as `known_weight` (D, E) and
            `bias` (D,): they are solved for, not trained.
    """

    linear: Tensor
    known_weight: Tensor
    bias: Tensor

    def __init__(self, settings: ForecasterSettings, channels: int, known: int = 0) -> None:
        super().__init__()
        self.settings, self.channels, self.known = settings, channels, known
        self.encoder = Encoder(settings, channels + known)
        self.head = nn.Linear(self.encoder.size, channels)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("linear", torch.zeros(channels, channels, settings.lags))
        self.register_buffer("known_weight", torch.zeros(channels, known))
        self.register_buffer("bias", torch.zeros(channels))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return what each step says of the next one, (B, T, D).

        Args:
            x: values of each step and known inputs of the step after it, (B, T, D + E).
            lengths: (B,) int64.
        """
        outputs, _ = self.encoder(x, lengths)
        return self.head(outputs) + self.linear_part(x)

    def recurrent_part(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return what the encoder adds, (B, T, D): what training fits to what the linear part leaves."""
        outputs, _ = self.encoder(x, lengths)
        return self.head(F.dropout(outputs, self.settings.dropout, self.training))

    def linear_part(self, x: Tensor) -> Tensor:
        """Return what the auto-regression says of each next step, (B, T, D)."""
        said = F.linear(x[..., self.channels :], self.known_weight, self.bias)
        lags = self.settings.lags
        if not lags:
            return said
        values = F.pad(x[..., : self.channels].transpose(1, 2), (lags - 1, 0))
        return said + F.conv1d(values, self.linear).transpose(1, 2)

    def start(self, batch: int) -> ForecastState:
        """The state before the first step of B series."""
        return ForecastState(self.encoder.start(batch), self.bias.new_zeros(batch, self.settings.lags, self.channels))

    def read(self, x: Tensor, state: ForecastState) -> tuple[Tensor, ForecastState]:
        """Read some steps, (B, T, D + E), and return what each says of the next one, (B, T, D), and the state after them."""
        outputs, after = self.encoder.read(x, state.encoder)
        lags = self.settings.lags
        values = torch.cat([state.recent, x[..., : self.channels]], 1)
        # All of it again, with the values before: the first of these steps look back into them.
        before = F.pad(state.recent, (0, self.known))
        linear = self.linear_part(torch.cat([before, x], 1))[:, lags:]
        return self.head(outputs) + linear, ForecastState(after, values[:, values.shape[1] - lags :])

    @torch.no_grad()
    def step(self, x: Tensor, state: ForecastState) -> tuple[Tensor, ForecastState]:
        """Read one step, (B, D + E), as in evaluation, and return what it says of the next one, (B, D).

        The given state is written to and holds no longer.
        """
        output, after = self.encoder.step(x, state.encoder)
        said = F.linear(x[:, self.channels :], self.known_weight, self.bias)
        recent = state.recent
        if self.settings.lags:
            recent = torch.cat([recent[:, 1:], x[:, None, : self.channels]], 1)
            said = said + torch.einsum("bpd,odp->bo", recent, self.linear)
        return self.head(output) + said, ForecastState(after, recent)

    def rollout(self, x: Tensor, steps: int) -> Tensor:
        """Return forecasts of the last steps of windows from what the network itself said of those before, (B, steps, D).

        What `free_run` does, with gradients through all of it.

        Args:
            x: as in `forward`, (B, T, D + E), T above `steps`.
            steps: how many.
        """
        first = x.shape[1] - steps
        said, state = self.read(x[:, :first], self.start(len(x)))
        forecasts = [said[:, -1:]]
        for step in range(first, x.shape[1] - 1):
            fed = torch.cat([forecasts[-1], x[:, step : step + 1, self.channels :]], -1)
            said, state = self.read(fed, state)
            forecasts.append(said)
        return torch.cat(forecasts, 1)

    @torch.no_grad()
    def free_run(self, x: Tensor, horizon: int, known: Tensor | None = None) -> Tensor:
        """Read series and go on by what the network itself says, (B, H, D).

        Args:
            x: values of each step and known inputs of the step after it, (B, T, D + E).
            horizon: H.
            known: known inputs of the steps after the second one ahead: step h is given by `known[:, h - 1]` on reading
                forecast h, (B, H - 1, E); None without such.
        """
        said, state = self.read(x, self.start(len(x)))
        forecasts = [said[:, -1]]
        for step in range(horizon - 1):
            fed = forecasts[-1] if known is None else torch.cat([forecasts[-1], known[:, step]], -1)
            following, state = self.step(fed, state)
            forecasts.append(following.clone())
        return torch.stack(forecasts, 1)


@dataclass(frozen=True)
class SavedForecaster:
    """A module without its weights; what turns series into its batches is in `vocabulary.json`."""

    module: ForecasterNetwork


def load_forecaster(config: dict[str, Any], vocabulary: dict[str, Any], labels: dict[str, Any]) -> SavedForecaster:
    """Build the model that `config.json` and `vocabulary.json` describe; `labels` is empty."""
    settings, known = ForecasterSettings.model_validate(config["settings"]["model"]), vocabulary["known"]
    channels, inputs = len(vocabulary["series"]["names"]), 0 if known is None else len(known["names"])
    return SavedForecaster(ForecasterNetwork(settings, channels, inputs))
