"""What writes a target: recurrent layers with attention, or a Transformer, behind one interface.

Axis letters: B batch, T target steps, S source steps, D embedding size, M size of a source step, H hidden units, L layers,
W width of an output.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.cells import LIBRARY
from seqwise.layers import Attention, Recurrent
from seqwise.models.initialisation import initialise_recurrent
from seqwise.models.transformer import Cache, DecoderState, Source, TransformerDecoder
from seqwise.models.translator_settings import TranslatorSettings

States = tuple[Tensor, ...]
"""Of a decoder between two steps; the first axis of every tensor is B."""


class Memory(NamedTuple):
    """A source as the encoder has read it."""

    outputs: Tensor  # (B, S, M), zero where there is nothing
    last: Tensor  # (B, M)
    lengths: Tensor  # (B,) int64, at least 1

    @property
    def live(self) -> Tensor:
        """(B, S): the steps that exist."""
        return torch.arange(self.outputs.shape[1], device=self.lengths.device) < self.lengths[:, None]


class RecurrentDecoder(nn.Module):
    """Recurrent layers; what they put out looks at the source, and both together make the output (Luong et al. 2015).

    Without input feeding the layers run over all steps in one call.

    Args:
        settings: see `TranslatorSettings`.
        source_size: M.
        size: W.
    """

    def __init__(self, settings: TranslatorSettings, source_size: int, size: int) -> None:
        super().__init__()
        hidden, self.feeding, self.dropout = settings.decoder_hidden_size, settings.input_feeding, settings.dropout
        cell, self.size = LIBRARY[settings.cell], size
        self.layers = Recurrent(
            cell,
            settings.embedding_size + (size if self.feeding else 0),
            hidden,
            num_layers=settings.decoder_layers,
            batch_first=True,
            dropout=settings.dropout if settings.decoder_layers > 1 else 0.0,
            recurrent_dropout=settings.recurrent_dropout,
            zoneout=settings.zoneout,
            backend=settings.backend,
        )
        initialise_recurrent(self.layers)
        self.states = len(cell.program.states)
        self.bridge = nn.Linear(source_size, self.states * settings.decoder_layers * hidden)
        self.attention: Attention | None = None
        if settings.attention != "none":
            self.attention = Attention(hidden, source_size, settings.attention, settings.attention_size)
        self.combine = nn.Linear(hidden + (source_size if self.attention else 0), size)
        for layer in (self.bridge, self.combine):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Read the embedded target, as it was to be said.

        Args:
            x: (B, T, D).
            memory: the source.

        Returns:
            (B, T, W), and where every step looked: (B, T, S); None without attention.
        """
        states, stays = self.start(memory)
        mask = F.dropout(x.new_ones(len(x), 1, self.size), self.dropout, self.training)  # one for all steps
        if not self.feeding:
            hidden, _ = self.layers(x, self._given(states))
            attended, looked = self._attend(hidden, stays)
            return attended * mask, looked
        said, inner = states[-1][:, None], self._given(states[:-1])
        outputs: list[Tensor] = []
        looks: list[Tensor] = []
        for step in range(x.shape[1]):
            hidden, inner = self.layers(torch.cat([x[:, step : step + 1], said], -1), inner)
            said, weights = self._attend(hidden, stays)
            assert weights is not None  # there is no input feeding without attention
            said = (said * mask).to(x.dtype)
            outputs.append(said)
            looks.append(weights)
        return torch.cat(outputs, 1), torch.cat(looks, 1)

    def start(self, memory: Memory) -> tuple[States, tuple[Tensor, ...]]:
        """The states before the first step, and what every step reads of the source."""
        first = torch.tanh(self.bridge(memory.last)).to(memory.outputs.dtype)
        states: States = tuple(
            part.unflatten(-1, (-1, self.layers.hidden_size)) for part in first.chunk(self.states, -1)
        )
        if self.feeding:
            states = (*states, first.new_zeros(len(first), self.size))
        if self.attention is None:
            return states, ()
        return states, (memory.outputs, self.attention.keys(memory.outputs), memory.live)

    @torch.no_grad()
    def step(self, x: Tensor, states: States, stays: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None, States]:
        """One step, as in evaluation: x (B, D) -> output (B, W), where it looked (B, S), states."""
        inner = tuple(of.transpose(0, 1).contiguous() for of in states[: self.states])
        given = torch.cat([x, states[-1]], -1) if self.feeding else x
        hidden, _ = self.layers.step(given, inner if self.states > 1 else inner[0])  # in place
        outputs, weights = self._attend(hidden[:, None].clone(), stays)
        after: States = tuple(of.transpose(0, 1) for of in inner)
        after = (*after, outputs[:, 0]) if self.feeding else after
        return outputs[:, 0], None if weights is None else weights[:, 0], after

    def _attend(self, hidden: Tensor, stays: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None]:
        if self.attention is None:
            return torch.tanh(self.combine(hidden)), None
        memory, keys, live = stays
        found, weights = self.attention(hidden, memory, live, keys)
        return torch.tanh(self.combine(torch.cat([hidden, found.to(hidden.dtype)], -1))), weights

    def _given(self, states: States) -> Tensor | States:
        """As `Recurrent` takes them: (L, B, H) each, a single one without a tuple."""
        given = tuple(of.transpose(0, 1) for of in states[: self.states])
        return given if len(given) > 1 else given[0]


class TransformerWriter(nn.Module):
    """A Transformer's decoder with the interface of `RecurrentDecoder`.

    Args:
        settings: see `TranslatorSettings`.
        source_size: M.
        size: W.
    """

    def __init__(self, settings: TranslatorSettings, source_size: int, size: int) -> None:
        super().__init__()
        width = settings.decoder_hidden_size
        self.layers = TransformerDecoder(
            settings.embedding_size,
            width,
            source_size,
            num_layers=settings.decoder_layers,
            heads=settings.heads,
            dropout=settings.dropout,
        )
        self.size, self.out = size, nn.Identity() if size == width else nn.Linear(width, size)

    def forward(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """See `RecurrentDecoder.forward`."""
        outputs, looked = self.layers(x, memory.outputs, memory.lengths)
        return self.out(outputs), looked

    def start(self, memory: Memory) -> tuple[States, tuple[Tensor, ...]]:
        """See `RecurrentDecoder.start`; the axis of the blocks comes second."""
        cache, seen = self.layers.begin(memory.outputs, memory.lengths)
        states = (cache.keys.transpose(0, 1), cache.values.transpose(0, 1), cache.read.expand(len(memory.lengths)))
        return states, (seen.keys.transpose(0, 1), seen.values.transpose(0, 1), seen.valid)

    @torch.no_grad()
    def step(self, x: Tensor, states: States, stays: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None, States]:
        """See `RecurrentDecoder.step`."""
        cache = Cache(states[0].transpose(0, 1), states[1].transpose(0, 1), states[2][:1])
        source = Source(stays[0].transpose(0, 1), stays[1].transpose(0, 1), stays[2])
        output, looked, (cache, _) = self.layers.step(x, DecoderState(cache, source))
        after = (cache.keys.transpose(0, 1), cache.values.transpose(0, 1), cache.read.expand(len(x)))
        return self.out(output), looked, after
