"""The torch modules behind classification: parts that each give logits, and the model that adds them.

Axis letters: B batch, T steps, D embedding size or numbers of a frame, H hidden units, V vocabulary, C classes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.errors import ConfigurationError
from seqwise.models.batch import Batch
from seqwise.models.encoder import Encoder, State
from seqwise.models.initialisation import initialise_embedding
from seqwise.models.pooling import Pooled, Pooling
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


class PartState(NamedTuple):
    """Where a recurrent part is in sequences that come step by step."""

    encoder: State
    pooled: Pooled

    def copied(self) -> PartState:
        """The same, which a step from this one does not change."""
        return PartState(tuple(tensor.clone() for tensor in self.encoder), self.pooled)


class RecurrentPart(nn.Module):
    """Embedded symbols, or frames -> recurrent layers or a Transformer -> pooling -> dense layers -> logits.

    Args:
        settings: see `ModelSettings`.
        vocabulary_size: V.
        classes: C.
        frame_size: D of frames, which are then read instead of symbols; 0 for symbols.
    """

    def __init__(self, settings: ModelSettings, vocabulary_size: int, classes: int, frame_size: int = 0) -> None:
        super().__init__()
        self.word_dropout, self.embedding_dropout = settings.word_dropout, settings.embedding_dropout
        self.embedding = None if frame_size else self._embedding(settings, vocabulary_size)
        size = frame_size if self.embedding is None else self.embedding.embedding_dim
        self.positions = None
        if settings.position_embedding:
            self.positions = nn.Embedding(settings.position_embedding, size)
            initialise_embedding(self.positions)
        self.recurrent = Encoder(settings, size)
        width = self.recurrent.size
        self.pooling = Pooling(settings.pooling, width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = dense([self.pooling.size, *[width] * settings.head_layers, classes], settings.dropout)

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
        assert batch.lengths is not None
        return self.read(self.vectors(batch), batch.lengths)

    def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return what the head reads, from what `vectors` gave, (B, T, D), and lengths (B,)."""
        outputs, last = self.recurrent(self._with_dropout(self.placed(vectors)), lengths)
        return self.pooling(outputs, last, lengths)

    def placed(self, vectors: Tensor) -> Tensor:
        """Add the vectors of the positions to (B, T, D), where there are such."""
        if self.positions is None:
            return vectors
        # What is beyond the last known position shares its vector.
        places = torch.arange(vectors.shape[1], device=vectors.device).clamp(max=self.positions.num_embeddings - 1)
        return vectors + self.positions(places)

    def start(self, batch: int) -> PartState:
        """Where B sequences begin.

        Raises:
            ConfigurationError: the layers read in both directions.
        """
        return PartState(self.recurrent.start(batch), self.pooling.start(batch, next(self.parameters())))

    @torch.no_grad()
    def step(self, inputs: Tensor, state: PartState) -> tuple[Tensor, PartState]:
        """Read one step as in evaluation: what `forward` gives for the sequences up to it.

        Args:
            inputs: symbols (B,), or frames (B, D).
            state: which is written to, and holds no longer.

        Returns:
            Logits (B, C), and the state.
        """
        x = inputs if self.embedding is None else self.embedding(inputs)
        if self.positions is not None:
            place = min(state.pooled.steps, self.positions.num_embeddings - 1)
            x = x + self.positions.weight[place]
        output, encoder = self.recurrent.step(x, state.encoder)
        found, pooled = self.pooling.step(output, state.pooled)
        return self.head(found), PartState(encoder, pooled)

    def vectors(self, batch: Batch) -> Tensor:
        """Frames, or the vectors of the symbols, (B, T, D); in training some are nothing in particular."""
        if self.embedding is None:
            assert batch.frames is not None
            frames = batch.frames
            if self.training and self.word_dropout:  # zero is the mean of every channel
                kept = torch.rand(frames.shape[:2], device=frames.device) >= self.word_dropout
                frames = frames * kept.unsqueeze(-1)
            return frames
        assert batch.tokens is not None
        tokens = batch.tokens
        if self.training and self.word_dropout:
            tokens = torch.where(torch.rand(tokens.shape, device=tokens.device) < self.word_dropout, UNKNOWN, tokens)
        return self.embedding(tokens)

    def _with_dropout(self, embedded: Tensor) -> Tensor:
        if self.embedding_dropout:  # one mask per sequence: a feature is dropped at all steps or at none
            mask = F.dropout(torch.ones_like(embedded[:, :1]), self.embedding_dropout, self.training)
            embedded = embedded * mask
        return embedded


class DensePart(nn.Module):
    """The one frame of an example -> dense layers with ReLU -> logits; without hidden ones softmax regression.

    Args:
        settings: `head_layers` hidden ones of `hidden_size` units, with `dropout`.
        frame_size: D.
        classes: C.
    """

    def __init__(self, settings: ModelSettings, frame_size: int, classes: int) -> None:
        super().__init__()
        widths = [frame_size, *[settings.hidden_size] * settings.head_layers, classes]
        self.layers = dense(widths, settings.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        assert batch.frames is not None
        return self.layers(batch.frames[:, 0])


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
        frame_size: D of frames, of which there are then no n-grams.

    Attributes:
        parts: "linear" and "recurrent", or "dense", as far as there are such.
        scales: factor of each part's logits, (parts,), 1 until it is fitted.
        shift: added to the sum, (C,), 0 until it is fitted: a correction of the classes' priors.
    """

    scales: Tensor
    shift: Tensor

    def __init__(
        self, settings: ModelSettings, *, vocabulary_size: int, ngrams: int, classes: int, frame_size: int = 0
    ) -> None:
        super().__init__()
        parts: dict[str, nn.Module] = {}
        if settings.architecture == "dense":
            parts["dense"] = DensePart(settings, frame_size, classes)
        if settings.architecture in ("wide_deep", "linear"):
            parts["linear"] = LinearPart(ngrams, classes)
        if settings.architecture in ("wide_deep", "recurrent"):
            parts["recurrent"] = RecurrentPart(settings, vocabulary_size, classes, frame_size)
        self.parts = nn.ModuleDict(parts)
        self.register_buffer("scales", torch.ones(len(parts)))
        self.register_buffer("shift", torch.zeros(classes))

    def contributions(self, batch: Batch) -> Tensor:
        """Return the scaled logits of every part, (B, parts, C)."""
        return torch.stack([part(batch) for part in self.parts.values()], dim=1) * self.scales[:, None]

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        return self.contributions(batch).sum(1) + self.shift

    def start(self, batch: int) -> PartState:
        """Where B sequences begin that come step by step.

        Raises:
            ConfigurationError: a part needs whole sequences.
        """
        return self._causal().start(batch)

    def step(self, inputs: Tensor, state: PartState) -> tuple[Tensor, PartState]:
        """Read one step, see `RecurrentPart.step`."""
        logits, state = self._causal().step(inputs, state)
        return logits * self.scales[0] + self.shift, state

    def _causal(self) -> RecurrentPart:
        part = self.parts["recurrent"] if list(self.parts) == ["recurrent"] else None
        if not isinstance(part, RecurrentPart):
            other = next((name for name in self.parts if name != "recurrent"), "")
            raise ConfigurationError(
                f"the {other} part needs the whole sequence: step by step a model of architecture 'recurrent' answers"
            )
        return part


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
