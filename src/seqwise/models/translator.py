"""The torch module of a translator.

Axis letters: B pairs, T target steps, S source steps, D embedding size, V symbols of the target. Padding is no symbol that
can come next: there are V - 1 of them, and a target is the symbol's number less one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.models.encoder import Encoder
from seqwise.models.initialisation import EMBEDDING_SPREAD, initialise_embedding
from seqwise.models.search import BeamSettings, Hypothesis, beam_search
from seqwise.models.translator_decoders import Memory, RecurrentDecoder, States, TransformerWriter
from seqwise.models.translator_settings import TranslatorSettings
from seqwise.text.vocabulary import EOS, PAD, UNK


class TranslationBatch(NamedTuple):
    """Sources and their targets; the last symbol of each is <eos>."""

    source: Tensor  # (B, S) int64, padded with 0
    source_lengths: Tensor  # (B,) int64, at least 1
    targets: Tensor | None = None  # (B, T) int64, padded with 0
    target_lengths: Tensor | None = None  # (B,) int64, at least 1

    def to(self, device: torch.device) -> TranslationBatch:
        """Return the batch on a device."""
        moved: list[Any] = [None if part is None else part.to(device) for part in self]
        return TranslationBatch(*moved)

    @property
    def live(self) -> Tensor:
        """(B, T): the target's symbols that exist."""
        assert self.targets is not None
        assert self.target_lengths is not None
        return torch.arange(self.targets.shape[1], device=self.targets.device) < self.target_lengths[:, None]


class TranslatorNetwork(nn.Module):
    """Source symbols -> encoder -> decoder with attention -> softmax over the next target symbol.

    Args:
        settings: see `TranslatorSettings`.
        source_size: symbols of the source; not looked at where the vocabulary is shared.
        target_size: V.
    """

    def __init__(self, settings: TranslatorSettings, source_size: int, target_size: int) -> None:
        super().__init__()
        self.settings, self.begin = settings, target_size
        # One row more: <s>, which is read before the first symbol and never said.
        self.embedding = nn.Embedding(target_size + 1, settings.embedding_size, padding_idx=PAD)
        initialise_embedding(self.embedding)
        self.source_embedding: nn.Embedding | None = None
        if not settings.shared_vocabulary:
            self.source_embedding = nn.Embedding(source_size, settings.embedding_size, padding_idx=PAD)
            initialise_embedding(self.source_embedding)
        self.encoder = Encoder(settings, settings.embedding_size)
        size = settings.embedding_size if settings.tie_weights else settings.decoder_hidden_size
        kind = RecurrentDecoder if settings.decoder == "recurrent" else TransformerWriter
        self.decoder: RecurrentDecoder | TransformerWriter = kind(settings, self.encoder.size, size)
        self.bias = nn.Parameter(torch.zeros(target_size - 1))
        self.weight: nn.Parameter | None = None
        if not settings.tie_weights:
            self.weight = nn.Parameter(torch.empty(target_size - 1, size))
            nn.init.normal_(self.weight, std=EMBEDDING_SPREAD)

    def start_from_shares(self, counts: Tensor) -> None:
        """Start the softmax at the symbols' shares of the targets: what it would otherwise have to learn first, in place.

        Args:
            counts: of every symbol, (V,).
        """
        with torch.no_grad():
            self.bias.copy_((counts[1:] + 1.0).log() - (counts[1:] + 1.0).sum().log())

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """Read sources: (B, S) int64 and their lengths (B,)."""
        table = self.embedding if self.source_embedding is None else self.source_embedding
        outputs, last = self.encoder(self._embedded(table, source), lengths)
        dropped = F.dropout(outputs.new_ones(len(outputs), 1, outputs.shape[2]), self.settings.dropout, self.training)
        return Memory(outputs * dropped, last, lengths)

    def decode(self, inputs: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Read targets as they were to be said.

        Args:
            inputs: (B, T) int64, <s> first.
            memory: of the sources.

        Returns:
            What the softmax reads, (B, T, .), and where every step looked, (B, T, S); None without attention.
        """
        return self.decoder(self._embedded(self.embedding, inputs), memory)

    def logits(self, outputs: Tensor) -> Tensor:
        """Scores of all symbols but padding, (..., V - 1)."""
        weight = self.embedding.weight[1 : self.begin] if self.weight is None else self.weight
        return F.linear(outputs, weight, self.bias)

    def inputs(self, targets: Tensor) -> Tensor:
        """What the decoder reads so that it says the targets: <s>, and all of them but the last."""
        return torch.cat([torch.full_like(targets[:, :1], self.begin), targets[:, :-1]], 1)

    def losses(self, batch: TranslationBatch, truth: float = 1.0) -> Tensor:
        """-log P of each target, (B,) in nats, <eos> included; in training with the smoothing of the settings.

        Args:
            batch: with targets.
            truth: in training, how often the decoder reads the right symbol; otherwise it reads what it would have said
                after the right ones.
        """
        assert batch.targets is not None
        memory, live = self.encode(batch.source, batch.source_lengths), batch.live
        inputs = self.inputs(batch.targets)
        if self.training and truth < 1:
            with torch.no_grad():
                said = self.logits(self.decode(inputs, memory)[0]).argmax(-1) + 1
            right = torch.rand(inputs[:, 1:].shape, device=inputs.device) < truth
            inputs = torch.cat([inputs[:, :1], torch.where(right, inputs[:, 1:], said[:, :-1])], 1)
        outputs, _ = self.decode(inputs, memory)
        smoothing = self.settings.label_smoothing if self.training else 0.0
        of_symbols = F.cross_entropy(
            self.logits(outputs[live]).float(), batch.targets[live] - 1, reduction="none", label_smoothing=smoothing
        )
        return _summed(of_symbols, live)

    def judge(self, batch: TranslationBatch) -> tuple[Tensor, Tensor]:
        """-log P of each target and how many of its symbols are the most probable, given those before them: (B,) each."""
        assert batch.targets is not None
        memory, live, targets = self.encode(batch.source, batch.source_lengths), batch.live, batch.targets
        logits = self.logits(self.decode(self.inputs(targets), memory)[0][live]).float()
        losses = F.cross_entropy(logits, targets[live] - 1, reduction="none")
        right = (logits.argmax(-1) == targets[live] - 1).to(losses.dtype)
        return _summed(losses, live), _summed(right, live)

    @torch.no_grad()
    def step(self, symbols: Tensor, states: States, stays: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None, States]:
        """Read one symbol of every row, (B,), as in evaluation.

        Returns:
            log P of what comes next (B, V), -inf of padding, and of <unk> where no attention could replace it; where it
            looked (B, S) or None; the states.
        """
        output, weights, states = self.decoder.step(self.embedding(symbols), states, stays)
        logs = F.pad(self.logits(output).float().log_softmax(-1), (1, 0), value=-torch.inf)
        if weights is None:
            logs[:, UNK] = -torch.inf
        return logs, weights, states

    @torch.no_grad()
    def translate(self, batch: TranslationBatch, settings: BeamSettings, longest: Tensor) -> list[list[Hypothesis]]:
        """Search for the best targets of sources.

        Args:
            batch: on the module's device; its targets are not looked at.
            settings: of the search.
            longest: (B,) int64, symbols of a target at most, <eos> included.
        """
        memory = self.encode(batch.source, batch.source_lengths)
        states, stays = self.decoder.start(memory)
        return beam_search(
            self.step,
            states,
            stays,
            begin=self.begin,
            end=EOS,
            longest=longest,
            settings=settings,
            source=memory.live,
        )

    def _embedded(self, table: nn.Embedding, symbols: Tensor) -> Tensor:
        settings = self.settings
        if self.training and settings.word_dropout:
            drawn = torch.rand(symbols.shape, device=symbols.device) < settings.word_dropout
            symbols = torch.where(drawn & (symbols != PAD), UNK, symbols)
        x = table(symbols)
        return x * F.dropout(torch.ones_like(x[:, :1]), settings.embedding_dropout, self.training)


def _summed(values: Tensor, live: Tensor) -> Tensor:
    """Values of the symbols that exist, (their number,), summed over each target, (B,)."""
    rows = torch.arange(len(live), device=live.device)[:, None].expand_as(live)[live]
    return values.new_zeros(len(live)).index_add(0, rows, values)
