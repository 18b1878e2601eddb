"""The torch module of a generator of sequences.

Axis letters: B sequences, T steps, D numbers of a vector, E embedding size, K size of the condition, H hidden units,
V vocabulary, P pitches. Padding is no symbol that can come next: a target is the symbol's number less one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.cells import LIBRARY
from seqwise.layers import Recurrent
from seqwise.models.chord_heads import IndependentPitches, PitchChain, rolled, widened
from seqwise.models.generator_settings import GeneratorSettings
from seqwise.models.initialisation import initialise_embedding, initialise_recurrent
from seqwise.text.vocabulary import EOS, PAD

HIDDEN = 0  # the number of a class that nobody is told


class GeneratorBatch(NamedTuple):
    """What a generator learns from."""

    steps: Tensor  # (B, T) int64 symbols, <eos> last, padded with 0; or chords (B, T, notes) int64, padded with -1
    lengths: Tensor  # (B,) int64
    condition: Tensor | None = None  # (B,) int64, classes from 1 on; or vectors (B, D)

    @property
    def live(self) -> Tensor:
        """(B, T): the steps that exist."""
        return torch.arange(self.steps.shape[1], device=self.lengths.device) < self.lengths[:, None]

    def to(self, device: torch.device) -> GeneratorBatch:
        """Return the batch on a device."""
        condition = None if self.condition is None else self.condition.to(device)
        return GeneratorBatch(self.steps.to(device), self.lengths.to(device), condition)


class GeneratorState(NamedTuple):
    """Where the sequences are.

    Attributes:
        condition: (B, K), K is 0 without one.
        states: of the recurrent layers, each (layers, B, H).
    """

    condition: Tensor
    states: tuple[Tensor, ...]


class GeneratorNetwork(nn.Module):
    """A condition sets the first states and is read at every step, beside the symbol or chord of the step before.

    Args:
        settings: with condition and output decided.
        conditions: C classes, or D; 0 without.
        symbols: V; 0 for chords.
    """

    def __init__(self, settings: GeneratorSettings, *, conditions: int, symbols: int) -> None:
        super().__init__()
        self.settings = settings
        cell, hidden = LIBRARY[settings.cell], settings.hidden_size
        self.number = len(cell.program.states)
        size = 0 if settings.condition == "none" else settings.condition_size
        self.size = size
        self.classes: nn.Embedding | None = None
        self.dense: nn.Sequential | None = None
        self.unseen: nn.Parameter | None = None
        if settings.condition == "class":
            self.classes = nn.Embedding(conditions + 1, size)
            initialise_embedding(self.classes)
        elif settings.condition == "vector":
            parts: list[nn.Module] = [nn.Dropout(settings.vector_dropout)]
            for before in [conditions, *[size] * (settings.condition_layers - 1)]:
                parts += [nn.Linear(before, size), nn.ReLU(), nn.Dropout(settings.dropout)]
            self.dense = nn.Sequential(*parts)
            self.unseen = nn.Parameter(torch.zeros(size))
        self.first = nn.Linear(size, settings.num_layers * self.number * hidden) if size else None
        self.embedding: nn.Embedding | None = None
        self.chords: nn.Linear | None = None
        self.output: nn.Linear | None = None
        self.head: PitchChain | IndependentPitches | None = None
        if settings.output == "symbols":
            self.embedding = nn.Embedding(symbols, settings.embedding_size, padding_idx=PAD)
            initialise_embedding(self.embedding)
            self.output = nn.Linear(hidden, symbols - 1)
        else:
            # One input more than pitches says that nothing has been before.
            self.chords = nn.Linear(settings.pitches + 1, settings.embedding_size, bias=False)
            self.head = (
                PitchChain(hidden, settings.pitches, settings.chain_size)
                if settings.head == "chain"
                else IndependentPitches(hidden, settings.pitches)
            )
        self.decoder = Recurrent(
            cell,
            settings.embedding_size + size,
            hidden,
            num_layers=settings.num_layers,
            batch_first=True,
            dropout=settings.dropout if settings.num_layers > 1 else 0.0,
            recurrent_dropout=settings.recurrent_dropout,
            zoneout=settings.zoneout,
            backend=settings.backend,
        )
        initialise_recurrent(self.decoder)

    def begin(self, condition: Tensor | None, count: int) -> GeneratorState:
        """The states before the first step.

        Args:
            condition: (B,) classes from 1 on, 0 for none of them; (B, D) vectors, a row of NaN for none; None without.
            count: B.
        """
        settings, like = self.settings, self._like
        coded = self._coded(condition, count)
        shape = (settings.num_layers, count, settings.hidden_size)
        if self.first is None:
            return GeneratorState(coded, tuple(like.new_zeros(shape) for _ in range(self.number)))
        parts = torch.tanh(self.first(coded)).unflatten(1, (self.number, settings.num_layers, -1))
        return GeneratorState(coded, tuple(part.transpose(0, 1).contiguous() for part in parts.unbind(1)))

    def read(
        self, steps: Tensor, state: GeneratorState, lengths: Tensor | None = None
    ) -> tuple[Tensor, GeneratorState]:
        """Read T steps of every sequence.

        Args:
            steps: symbols (B, T), or what `inputs_of` made of chords (B, T, P + 1).
            state: as `begin` or the last reading gave it.
            lengths: (B,) steps that exist; None: all.

        Returns:
            What the head reads, (B, T, H), and the state after the last step.
        """
        embedded = self._embedded(steps)
        wide = state.condition[:, None].expand(-1, embedded.shape[1], -1)
        x = F.dropout(torch.cat([embedded, wide], -1), self.settings.dropout, self.training)
        given = state.states if self.number > 1 else state.states[0]
        outputs, after = self.decoder(x, given, lengths=lengths)
        kept = F.dropout(outputs, self.settings.dropout, self.training)
        return kept, GeneratorState(state.condition, after if isinstance(after, tuple) else (after,))

    def step(self, steps: Tensor, state: GeneratorState) -> tuple[Tensor, GeneratorState]:
        """Read one step of every sequence, as in evaluation; the states are updated in place.

        Args:
            steps: symbols (B,), or what `inputs_of` made of chords (B, P + 1).
            state: as `begin` or the last step gave it; that of the last step holds no longer.

        Returns:
            What the head reads, (B, H), which holds until the next step, and the state.
        """
        with torch.no_grad():
            x = torch.cat([self._embedded(steps), state.condition], -1)
            outputs, _ = self.decoder.step(x, state.states if self.number > 1 else state.states[0])
            return outputs, state

    def losses(self, batch: GeneratorBatch) -> Tensor:
        """-log P of every step given all before it, (B, T) in nats; 0 where there is none."""
        state = self.begin(self._told(batch), len(batch.lengths))
        outputs, _ = self.read(self.before(batch.steps), state, batch.lengths)
        live = batch.live
        if self.output is not None:
            logits = widened(self.output(outputs[live]))
            found = F.cross_entropy(logits, batch.steps[live] - 1, reduction="none")
        else:
            assert self.head is not None
            found = self.head.losses(outputs[live], batch.steps[live])
        return found.new_zeros(live.shape).masked_scatter(live, found)

    def before(self, steps: Tensor) -> Tensor:
        """What is read to tell each step: all of the steps but the last, and before them a mark that there is nothing.

        Args:
            steps: symbols (B, T) or chords (B, T, notes).

        Returns:
            (B, T) or (B, T, P + 1).
        """
        if self.embedding is not None:
            return F.pad(steps[:, :-1], (1, 0), value=EOS)
        return torch.cat([self.inputs_of(steps[:, :1], first=True), self.inputs_of(steps[:, :-1])], 1)

    def inputs_of(self, chords: Tensor, *, first: bool = False) -> Tensor:
        """Chords (..., notes) as they are read, (..., P + 1); `first` is the mark that there is nothing before, instead."""
        pitches = self.settings.pitches
        if first:
            mark = torch.zeros((*chords.shape[:-1], pitches + 1), device=chords.device)
            mark[..., -1] = 1.0
            return mark
        return F.pad(rolled(chords, pitches), (0, 1))

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """log P of every symbol but padding, (..., V - 1), from what the head reads."""
        assert self.output is not None
        return widened(self.output(outputs)).log_softmax(-1)

    @property
    def _like(self) -> Tensor:
        """A tensor of the module's type, on its device."""
        return next(self.parameters())

    def _embedded(self, steps: Tensor) -> Tensor:
        if self.embedding is not None:
            return self.embedding(steps)
        assert self.chords is not None
        return self.chords(steps.to(self.chords.weight.dtype))

    def _coded(self, condition: Tensor | None, count: int) -> Tensor:
        """(B, K) of a condition."""
        if self.classes is not None:
            assert condition is not None
            return self.classes(condition)
        if self.dense is None:
            return self._like.new_zeros(count, 0)
        assert condition is not None
        assert self.unseen is not None
        hidden = condition.isnan().any(1, keepdim=True)
        return torch.where(hidden, self.unseen, self.dense(condition.nan_to_num()))

    def _told(self, batch: GeneratorBatch) -> Tensor | None:
        """The conditions, some of them hidden in training, and vectors with noise."""
        given, settings = batch.condition, self.settings
        if given is None or not self.training:
            return given
        if self.dense is not None and settings.vector_noise:
            given = given + settings.vector_noise * torch.randn_like(given)
        if not settings.condition_dropout:
            return given
        hidden = torch.rand(len(given), device=given.device) < settings.condition_dropout
        if self.classes is not None:
            return given.masked_fill(hidden, HIDDEN)
        return given.masked_fill(hidden[:, None], torch.nan)
