"""The torch modules behind classification: parts that each give logits, and the model that adds them.

Axis letters: B batch, T steps, D embedding size, H hidden units, V vocabulary, C classes.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError
from seqwise.layers import Recurrent
from seqwise.models.batch import Batch
from seqwise.models.initialisation import initialise_embedding, initialise_recurrent
from seqwise.models.pooling import Pooling
from seqwise.models.pretrained import PartlyFrozenEmbedding
from seqwise.models.settings import ModelSettings

LARGEST_ONE_HOT = 4096
PAD, UNKNOWN = 0, 1


def dense(sizes: list[int], dropout: float = 0.0) -> nn.Sequential:
    """Return linear layers of these sizes with ReLU and dropout between them, none after the last."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers += [nn.ReLU(), nn.Dropout(dropout)] if i else []
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)


class RecurrentPart(nn.Module):
    """Symbols -> embedding -> recurrent layers -> pooling -> dense layers -> logits.

    Args:
        settings: see `ModelSettings`.
        vocabulary_size: V.
        classes: C.
    """

    def __init__(self, settings: ModelSettings, vocabulary_size: int, classes: int) -> None:
        super().__init__()
        hidden, self.directions = settings.hidden_size, 2 if settings.bidirectional else 1
        self.word_dropout, self.embedding_dropout = settings.word_dropout, settings.embedding_dropout
        self.embedding = self._embedding(settings, vocabulary_size)
        size = self.embedding.embedding_dim
        self.positions = None
        if settings.position_embedding:
            self.positions = nn.Embedding(settings.position_embedding, size)
            initialise_embedding(self.positions)
        self.recurrent = Recurrent(
            LIBRARY[settings.cell],
            size,
            hidden,
            num_layers=settings.num_layers,
            batch_first=True,
            dropout=settings.dropout if settings.num_layers > 1 else 0.0,
            bidirectional=settings.bidirectional,
            recurrent_dropout=settings.recurrent_dropout,
            zoneout=settings.zoneout,
            backend=settings.backend,
        )
        initialise_recurrent(self.recurrent)
        self.pooling = Pooling(settings.pooling, hidden * self.directions)
        self.dropout = nn.Dropout(settings.dropout)
        widths = [self.pooling.size, *[hidden * self.directions] * settings.head_layers, classes]
        self.head = dense(widths, settings.dropout)

    @staticmethod
    def _embedding(settings: ModelSettings, vocabulary_size: int) -> nn.Embedding | PartlyFrozenEmbedding:
        if settings.embedding == "one_hot":
            if vocabulary_size > LARGEST_ONE_HOT:
                raise ConfigurationError(
                    f"one-hot symbols need a vocabulary of at most {LARGEST_ONE_HOT} symbols, this one has "
                    f"{vocabulary_size}: set text.max_vocabulary, or model.embedding to 'learned'"
                )
            return nn.Embedding.from_pretrained(torch.eye(vocabulary_size), freeze=True)
        if settings.freeze_vectors:
            partly = PartlyFrozenEmbedding(vocabulary_size, settings.embedding_size, padding_idx=PAD)
            initialise_embedding(partly.learned)
            return partly
        embedding = nn.Embedding(vocabulary_size, settings.embedding_size, padding_idx=PAD)
        initialise_embedding(embedding)
        return embedding

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        return self.head(self.dropout(self.pooled(batch)))

    def pooled(self, batch: Batch) -> Tensor:
        """Return what the head reads: the pooled outputs of all steps, (B, pooling.size)."""
        assert batch.tokens is not None
        assert batch.lengths is not None
        outputs, states = self.recurrent(self._embedded(batch.tokens), lengths=batch.lengths)  # (B, T, H directions)
        hidden = states[0] if isinstance(states, tuple) else states  # (layers * directions, B, H)
        last = torch.cat(hidden[-self.directions :].unbind(0), dim=-1)
        return self.pooling(outputs, last, batch.lengths)

    def _embedded(self, tokens: Tensor) -> Tensor:
        """Look up (B, T) symbols -> (B, T, D), with the dropout of training."""
        if self.training and self.word_dropout:
            tokens = torch.where(torch.rand(tokens.shape, device=tokens.device) < self.word_dropout, UNKNOWN, tokens)
        embedded = self.embedding(tokens)
        if self.positions is not None:  # what is beyond the last known position shares its vector
            places = torch.arange(tokens.shape[1], device=tokens.device).clamp(max=self.positions.num_embeddings - 1)
            embedded = embedded + self.positions(places)
        if self.embedding_dropout:  # one mask per sequence: a feature is dropped at all steps or at none
            mask = F.dropout(torch.ones_like(embedded[:, :1]), self.embedding_dropout, self.training)
            embedded = embedded * mask
        return embedded


class LinearPart(nn.Module):
    """N-grams -> logits: a linear model over sparse features, zero at the start.

    Args:
        features: number of known n-grams.
        outputs: C.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.EmbeddingBag(max(features, 1), outputs, mode="sum")
        nn.init.zeros_(self.weight.weight)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        assert batch.ngrams is not None
        ids, offsets, values = batch.ngrams
        return self.weight(ids, offsets, per_sample_weights=values.to(self.bias.dtype)) + self.bias


class SequenceModel(nn.Module):
    """A classifier of sequences: the scaled sum of its parts' logits ("wide and deep", Cheng et al. 2016), shifted.

    Args:
        settings: `architecture` names the parts.
        vocabulary_size: V of the recurrent part.
        ngrams: features of the linear part.
        classes: C.

    Attributes:
        parts: "linear" and "recurrent", as far as there are such.
        scales: factor of each part's logits, (parts,), 1 until it is fitted.
        shift: added to the sum, (C,), 0 until it is fitted: a correction of the classes' priors.
    """

    scales: Tensor
    shift: Tensor

    def __init__(self, settings: ModelSettings, *, vocabulary_size: int, ngrams: int, classes: int) -> None:
        super().__init__()
        parts: dict[str, nn.Module] = {}
        if settings.architecture != "recurrent":
            parts["linear"] = LinearPart(ngrams, classes)
        if settings.architecture != "linear":
            parts["recurrent"] = RecurrentPart(settings, vocabulary_size, classes)
        self.parts = nn.ModuleDict(parts)
        self.register_buffer("scales", torch.ones(len(parts)))
        self.register_buffer("shift", torch.zeros(classes))

    def contributions(self, batch: Batch) -> Tensor:
        """Return the scaled logits of every part, (B, parts, C)."""
        return torch.stack([part(batch) for part in self.parts.values()], dim=1) * self.scales[:, None]

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        return self.contributions(batch).sum(1) + self.shift


class VectorModel(nn.Module):
    """Vectors or n-grams -> dense ReLU layers -> logits; without hidden layers, softmax regression.

    Args:
        features: D of a vector, or the number of known n-grams.
        hidden_layers: units of each hidden layer.
        classes: C.
        sparse: the input is n-grams.
        dropout: between layers.
    """

    def __init__(
        self, features: int, hidden_layers: tuple[int, ...], classes: int, *, sparse: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        sizes = [features, *hidden_layers, classes]
        self.sparse = sparse
        if sparse:
            self.first = LinearPart(features, sizes[1])
            if hidden_layers:  # zeros would keep all hidden units alike for ever
                nn.init.uniform_(self.first.weight.weight, -0.1, 0.1)
            self.rest = (
                nn.Sequential(nn.ReLU(), nn.Dropout(dropout), dense(sizes[1:], dropout)) if hidden_layers else None
            )
        else:
            self.layers = dense(sizes, dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        if not self.sparse:
            return self.layers(batch.vectors)
        first = self.first(batch)
        return first if self.rest is None else self.rest(first)
