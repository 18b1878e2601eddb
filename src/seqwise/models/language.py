"""The torch module of a language model.

Axis letters: B streams, T steps, D embedding size, H hidden units, V vocabulary. Padding is no symbol that can come next: a
target is the symbol's number less one, and there are V - 1 of them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError
from seqwise.layers import Recurrent
from seqwise.models.initialisation import initialise_embedding, initialise_recurrent
from seqwise.models.language_settings import LanguageSettings
from seqwise.models.transformer import Cache, TransformerEncoder

States = tuple[Tensor, ...]
PAD = 0


class Reading(NamedTuple):
    """What reading some steps gives.

    Attributes:
        outputs: what the softmax reads, (B, T, size of the last layer).
        kept: the same after dropout.
        states: after the last step, of every layer one after the other, each (1, B, its size); of a Transformer its `Cache`.
    """

    outputs: Tensor
    kept: Tensor
    states: States


class LanguageNetwork(nn.Module):
    """Symbols -> embedding -> recurrent layers or a Transformer -> softmax over the next symbol.

    Args:
        settings: see `LanguageSettings`.
        vocabulary_size: V.
    """

    def __init__(self, settings: LanguageSettings, vocabulary_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = nn.Embedding(vocabulary_size, settings.embedding_size, padding_idx=PAD)
        initialise_embedding(self.embedding)
        self.states_of_a_layer = 0
        self.transformer: TransformerEncoder | None = None
        self.narrow: nn.Linear | None = None
        if settings.encoder == "transformer":
            self._make_transformer()
        else:
            self._make_layers()
        last, symbols = settings.layer_sizes[-1], vocabulary_size - 1
        self.bias: nn.Parameter | None = None
        self.weight: nn.Parameter | None = None
        self.adaptive: nn.AdaptiveLogSoftmaxWithLoss | None = None
        if settings.softmax == "adaptive":
            self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(last, symbols, _cutoffs(settings.cutoffs, symbols, last))
        else:
            self.bias = nn.Parameter(torch.zeros(symbols))
            if not settings.tie_weights:
                self.weight = nn.Parameter(torch.empty(symbols, last))
                nn.init.normal_(self.weight, std=0.1)

    def _make_layers(self) -> None:
        settings, cell = self.settings, LIBRARY[self.settings.cell]
        self.layers = nn.ModuleList(
            Recurrent(
                cell,
                size,
                hidden,
                batch_first=True,
                recurrent_dropout=settings.recurrent_dropout,
                zoneout=settings.zoneout,
                backend=settings.backend,
            )
            for size, hidden in pairwise(settings.layer_sizes)
        )
        for layer in self.layers:
            initialise_recurrent(layer)  # type: ignore[arg-type]
        self.states_of_a_layer = len(cell.program.states)

    def _make_transformer(self) -> None:
        settings = self.settings
        self.transformer = TransformerEncoder(
            settings.embedding_size,
            settings.hidden_size,
            num_layers=settings.num_layers,
            heads=settings.heads,
            dropout=settings.layer_dropout,
            causal=True,
            context=settings.context,
        )
        if settings.layer_sizes[-1] != settings.hidden_size:
            self.narrow = nn.Linear(settings.hidden_size, settings.layer_sizes[-1])

    def start_from_shares(self, counts: Tensor) -> None:
        """Start the softmax at the symbols' shares of the text: what it would otherwise have to learn first, in place.

        Args:
            counts: of every symbol, (V,).
        """
        if self.bias is not None:
            with torch.no_grad():
                self.bias.copy_((counts[1:] + 1.0).log() - (counts[1:] + 1.0).sum().log())

    def start(self, streams: int) -> States:
        """The states before the first symbol: as many zeros as the cell has, for every layer; of a Transformer nothing."""
        if self.transformer is not None:
            return self.transformer.start(streams)
        like = self.embedding.weight
        sizes = self.settings.layer_sizes[1:]
        return tuple(like.new_zeros(1, streams, size) for size in sizes for _ in range(self.states_of_a_layer))

    def read(self, symbols: Tensor, states: States) -> Reading:
        """Read T symbols of every stream.

        Args:
            symbols: (B, T).
            states: as `start` or the last reading gave them.
        """
        return self.read_vectors(self._embedded(symbols), states)

    def read_vectors(self, vectors: Tensor, states: States) -> Reading:
        """Read T steps from the vectors of their symbols, (B, T, D); see `read`."""
        settings, number = self.settings, self.states_of_a_layer
        x = self._locked(vectors, settings.input_dropout)
        if self.transformer is not None:
            x, after = self.transformer.read(x, Cache(*states))
            x = x if self.narrow is None else self.narrow(x)
            return Reading(x, self._locked(x, settings.dropout), after)
        finals: list[Tensor] = []
        for place, layer in enumerate(self.layers):
            if place:
                x = self._locked(x, settings.layer_dropout)
            own = states[place * number : (place + 1) * number]
            x, of_layer = self._run(layer, x, own)
            finals += of_layer
        return Reading(x, self._locked(x, settings.dropout), tuple(finals))

    def losses(self, symbols: Tensor, targets: Tensor, states: States) -> tuple[Tensor, Reading]:
        """-log P of every target, (B, T) in nats, and the reading that it was made from.

        Args:
            symbols: (B, T).
            targets: the symbol that comes next, (B, T); where it is padding the loss is 0.
            states: as for `read`.
        """
        reading = self.read(symbols, states)
        flat, wanted = reading.kept.flatten(0, 1), targets.flatten().long() - 1
        if self.adaptive is None:
            losses = F.cross_entropy(self._logits(flat), wanted, ignore_index=-1, reduction="none")
        else:
            counted = wanted >= 0
            found = -self.adaptive(flat, wanted.clamp(min=0)).output
            losses = torch.where(counted, found, torch.zeros_like(found))
        return losses.view(targets.shape), reading

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """log P of every symbol but padding, (..., V - 1), from what the softmax reads, (..., size)."""
        if self.adaptive is not None:
            flat = self.adaptive.log_prob(outputs.reshape(-1, outputs.shape[-1]))
            return flat.view(*outputs.shape[:-1], -1)
        return self._logits(outputs).log_softmax(-1)

    def step(self, symbols: Tensor, states: States) -> tuple[Tensor, States]:
        """Read one symbol of every stream, as in evaluation; the states are updated in place.

        Args:
            symbols: (B,).
            states: as `start` or the last step gave them; those of the last step hold no longer.

        Returns:
            log P of the symbols that may come next, (B, V - 1), and the states.
        """
        with torch.no_grad():
            x, number = self.embedding(symbols), self.states_of_a_layer
            if self.transformer is not None:
                x, states = self.transformer.step(x, Cache(*states))
                return self.log_probabilities(x if self.narrow is None else self.narrow(x)), states
            for place, layer in enumerate(self.layers):
                own = states[place * number : (place + 1) * number]
                x, _ = layer.step(x, own if number > 1 else own[0])  # type: ignore[operator]
            return self.log_probabilities(x), states

    def _logits(self, outputs: Tensor) -> Tensor:
        return F.linear(outputs, self.embedding.weight[1:] if self.weight is None else self.weight, self.bias)

    def _run(self, layer: nn.Module, x: Tensor, states: States) -> tuple[Tensor, States]:
        given = states if len(states) > 1 else states[0]
        share = self.settings.weight_dropout
        if share and self.training:
            dropped = {n: F.dropout(p, share) for n, p in layer.named_parameters() if n.startswith("weight_hh")}
            x, after = functional_call(layer, dropped, (x, given))
        else:
            x, after = layer(x, given)
        return x, after if isinstance(after, tuple) else (after,)

    def _embedded(self, symbols: Tensor) -> Tensor:
        share = self.settings.embedding_dropout
        if not share or not self.training:
            return self.embedding(symbols)
        kept = torch.empty_like(self.embedding.weight[:, :1]).bernoulli_(1 - share) / (1 - share)
        return self.embedding(symbols) * kept[symbols]

    def _locked(self, x: Tensor, share: float) -> Tensor:
        """Dropout with one mask for all steps."""
        if not share or not self.training:
            return x
        return x * F.dropout(torch.ones_like(x[:, :1]), share)


def _cutoffs(given: tuple[int, ...] | None, symbols: int, size: int) -> list[int]:
    """Where the clusters end; the vectors of each are a quarter as long as those of the one before."""
    clusters = 2 if given is None else len(given)
    if size < 4**clusters:
        raise ConfigurationError(
            f"the adaptive softmax with {clusters} clusters needs layers of at least {4**clusters} units"
        )
    if given is None:
        chosen = [cut for cut in (symbols // 20, symbols // 4) if cut > 0]
        if len(set(chosen)) == 2:
            return chosen
        raise ConfigurationError(f"the adaptive softmax is for large vocabularies, and there are {symbols} symbols")
    if given[-1] >= symbols:
        raise ConfigurationError(f"model.cutoffs ends at {given[-1]}, and there are {symbols} symbols")
    return list(given)
