"""The torch module of a transcriber.

Axis letters: B utterances, T frames, D channels, S steps (of several frames each), V symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.errors import ConfigurationError
from seqwise.models.encoder import Encoder, State
from seqwise.models.transcriber_settings import TranscriberSettings

LONGEST_MASK = 5  # a time mask never hides more than one in so many frames


class TranscriberNetwork(nn.Module):
    """Frames -> steps of several frames -> recurrent layers -> a score for each symbol and the blank.

    Args:
        settings: see `TranscriberSettings`.
        channels: D.
        symbols: V.
        copies: how often the channels of a mask come again in D: once, and once for each of the slopes.
    """

    def __init__(self, settings: TranscriberSettings, *, channels: int, symbols: int, copies: int = 1) -> None:
        super().__init__()
        self.settings, self.copies = settings, copies
        self.convolution: nn.Conv1d | None = None
        size = channels * settings.reduction
        if settings.subsampling == "convolution":
            size, factor = settings.convolution_size, settings.factor
            self.convolution = nn.Conv1d(channels, size, 2 * factor + 1, stride=factor, padding=factor)
            nn.init.kaiming_uniform_(self.convolution.weight, nonlinearity="relu")
        self.encoder = Encoder(settings, size)
        self.head = nn.Linear(self.encoder.size, symbols)

    def forward(self, frames: Tensor, lengths: Tensor, least: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits (B, S, V) and how many steps of each exist, (B,).

        Args:
            frames: (B, T, D); what is beyond the lengths is never read.
            lengths: (B,) int64.
            least: (B,) steps that a changed tempo must leave in training.
        """
        settings = self.settings
        frames = torch.where(_live(frames, lengths), frames, 0.0)
        if self.training:
            frames, lengths = self._varied(frames, lengths, least)
        x, lengths = self._joined(frames, lengths)
        outputs, _ = self.encoder(F.dropout(x, settings.input_dropout, self.training), lengths)
        return self.head(F.dropout(outputs, settings.dropout, self.training)), lengths

    def start(self, batch: int) -> State:
        """The state before the first step of B utterances.

        Raises:
            ConfigurationError: the model reads in both directions, or a convolution looks ahead.
        """
        if self.convolution is not None:
            raise ConfigurationError("a convolution needs the frames that follow: set model.subsampling to 'stack'")
        return self.encoder.start(batch)

    @torch.no_grad()
    def step(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """Read the frames of one step, as in evaluation; the given state is written to and holds no longer.

        Args:
            frames: (B, F, D), of which F is at most `settings.reduction`: fewer where an utterance ends.
            state: as `start` or the last step gave it.

        Returns:
            Logits (B, V), and the state.
        """
        missing = self.settings.reduction - frames.shape[1]
        outputs, state = self.encoder.step(F.pad(frames, (0, 0, 0, missing)).flatten(1), state)
        return self.head(outputs), state

    def steps(self, frames: Tensor) -> Tensor:
        """How many steps so many frames become, whole numbers of any shape."""
        return -(-frames // self.settings.reduction)

    def _joined(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Several frames become one step: (B, S, .)."""
        factor, (batch, count, channels) = self.settings.reduction, frames.shape
        if self.convolution is not None:
            return torch.relu(self.convolution(frames.transpose(1, 2))).transpose(1, 2), self.steps(lengths)
        if factor == 1:
            return frames, lengths
        frames = F.pad(frames, (0, 0, 0, -count % factor))
        return frames.reshape(batch, -1, factor * channels), self.steps(lengths)

    def _varied(self, frames: Tensor, lengths: Tensor, least: Tensor | None) -> tuple[Tensor, Tensor]:
        """The frames of another tempo, with noise, and with what masks have silenced."""
        settings = self.settings
        if settings.stretch:
            frames, lengths = _stretched(frames, lengths, settings.stretch, self._frames_for(least))
        if settings.noise:
            frames = frames + settings.noise * torch.randn_like(frames)
        silent = ~_live(frames, lengths)
        if settings.time_masks:
            limits = (lengths // LONGEST_MASK).clamp(max=settings.time_mask_size)
            silent = silent | _masks(settings.time_masks, lengths, limits, frames.shape[1])[..., None]
        if settings.channel_masks:
            distinct = frames.shape[2] // self.copies
            counts = lengths.new_full((len(frames),), distinct)
            limits = counts.new_full(counts.shape, min(settings.channel_mask_size, distinct))
            masked = _masks(settings.channel_masks, counts, limits, distinct)
            silent = silent | masked.repeat(1, self.copies)[:, None]
        return torch.where(silent, 0.0, frames), lengths

    def _frames_for(self, steps: Tensor | None) -> Tensor | int:
        """The fewest frames that become so many steps."""
        return 1 if steps is None else (steps - 1).clamp(min=0) * self.settings.reduction + 1


def _live(frames: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, 1): the frames that exist."""
    return (torch.arange(frames.shape[1], device=lengths.device) < lengths[:, None])[..., None]


def _stretched(frames: Tensor, lengths: Tensor, share: float, least: Tensor | int) -> tuple[Tensor, Tensor]:
    """The frames of every utterance at a tempo of its own, interpolated between neighbours."""
    factors = 1 + share * (2 * torch.rand(len(lengths), device=lengths.device) - 1)
    wanted = torch.maximum((lengths * factors).round().long(), torch.as_tensor(least, device=lengths.device))
    places = torch.arange(int(wanted.max()), device=lengths.device)
    # From the first frame to the last, in even strides.
    strides = (lengths - 1) / (wanted - 1).clamp(min=1)
    at = torch.minimum(places * strides[:, None], (lengths - 1)[:, None].to(strides.dtype))
    before = at.long()
    after = torch.minimum(before + 1, lengths[:, None] - 1)
    rows = torch.arange(len(frames), device=lengths.device)[:, None]
    part = (at - before)[..., None].to(frames.dtype)
    return torch.lerp(frames[rows, before], frames[rows, after], part), wanted


def _masks(count: int, lengths: Tensor, limits: Tensor, size: int) -> Tensor:
    """Some stretches of (B, size), each of random place and length, from 0 to the limit; bool."""
    chance = torch.rand(2, count, len(lengths), device=lengths.device)
    widths = (chance[0] * (limits + 1)).long()
    starts = (chance[1] * (lengths - widths + 1)).long()
    places = torch.arange(size, device=lengths.device)
    inside = (places >= starts[..., None]) & (places < (starts + widths)[..., None])
    return inside.any(0)
