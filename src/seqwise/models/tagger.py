"""The torch module of a tagger.

Axis letters: B sentences, T words, U different word forms of a batch, H hidden units, C tags.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.cells import LIBRARY
from seqwise.layers import CRF, Recurrent
from seqwise.models.initialisation import initialise_embedding, initialise_recurrent
from seqwise.models.pretrained import PartlyFrozenEmbedding
from seqwise.models.tagger_features import CASINGS, TaggedBatch
from seqwise.models.tagger_settings import TaggerSettings
from seqwise.text.tag_schemes import Transitions
from seqwise.text.vocabulary import PAD, UNK


class Answers(NamedTuple):
    """What a tagger says of a batch.

    Attributes:
        tags: (B, T) int64; of a conditional random field the most probable ones together.
        probabilities: (B, T) of each of these tags by itself.
        conditionals: (B, T) of each, given the one before it; without a conditional random field the same.
    """

    tags: Tensor
    probabilities: Tensor
    conditionals: Tensor


class TaggerNetwork(nn.Module):
    """Words, their spelling and casing -> recurrent layers -> a score for each tag -> tags.

    Args:
        settings: see `TaggerSettings`.
        words: symbols of words.
        characters: symbols of characters.
        tags: C.
        allowed: what the scheme of the tags allows; None allows all.
    """

    def __init__(
        self, settings: TaggerSettings, *, words: int, characters: int, tags: int, allowed: Transitions | None = None
    ) -> None:
        super().__init__()
        self.settings = settings
        self.embedding: nn.Embedding | PartlyFrozenEmbedding
        if settings.freeze_vectors:
            self.embedding = PartlyFrozenEmbedding(words, settings.embedding_size, padding_idx=PAD)
            initialise_embedding(self.embedding.learned)
        else:
            self.embedding = nn.Embedding(words, settings.embedding_size, padding_idx=PAD)
            initialise_embedding(self.embedding)
        size = settings.embedding_size + (CASINGS if settings.casing else 0)
        self.character_embedding: nn.Embedding | None = None
        self.speller: Recurrent | None = None
        if settings.character_size:
            self.character_embedding = nn.Embedding(characters, settings.character_size, padding_idx=PAD)
            initialise_embedding(self.character_embedding)
            self.speller = Recurrent(
                LIBRARY[settings.cell],
                settings.character_size,
                settings.character_hidden_size,
                batch_first=True,
                bidirectional=True,
                backend=settings.backend,
            )
            initialise_recurrent(self.speller)
            size += 2 * settings.character_hidden_size
        self.recurrent = Recurrent(
            LIBRARY[settings.cell],
            size,
            settings.hidden_size,
            num_layers=settings.num_layers,
            batch_first=True,
            dropout=settings.dropout if settings.num_layers > 1 else 0.0,
            bidirectional=settings.bidirectional,
            recurrent_dropout=settings.recurrent_dropout,
            zoneout=settings.zoneout,
            backend=settings.backend,
        )
        initialise_recurrent(self.recurrent)
        self.head = nn.Linear(settings.hidden_size * (2 if settings.bidirectional else 1), tags)
        self.crf = CRF(tags, *(allowed or (None, None, None))) if settings.head == "crf" else None

    def forward(self, batch: TaggedBatch) -> Tensor:
        """Return the score of every tag for every word, (B, T, C)."""
        settings, words = self.settings, batch.words
        if self.training and settings.word_dropout:
            words = torch.where(torch.rand(words.shape, device=words.device) < settings.word_dropout, UNK, words)
        parts = [self.embedding(words)]
        of_forms = self._spelled(batch)
        if of_forms is not None:
            parts.append(F.embedding(batch.forms, of_forms))
        x = F.dropout(torch.cat(parts, -1), settings.dropout, self.training)
        outputs, _ = self.recurrent(x, lengths=batch.lengths)
        return self.head(F.dropout(outputs, settings.dropout, self.training))

    def answers(self, batch: TaggedBatch, temperature: float = 1.0) -> Answers:
        """Return the tags and how probable they are.

        Args:
            batch: on the module's device.
            temperature: all scores are divided by it before they become probabilities.
        """
        emissions = self(batch)
        if self.crf is None:
            probabilities = torch.softmax(emissions.float() / temperature, -1)
            chances, tags = probabilities.max(-1)
            return Answers(tags, chances, chances)
        tags = self.crf.decode(emissions, batch.lengths)
        chances = self.crf.marginals(emissions, batch.lengths, temperature).gather(-1, tags[..., None])[..., 0]
        logs = self.crf.log_probabilities(emissions, tags, batch.lengths, temperature)
        return Answers(tags, chances, logs.exp())

    def probabilities(self, emissions: Tensor, batch: TaggedBatch, temperature: float = 1.0) -> Tensor:
        """Return the probability of every tag for every word, (B, T, C), from what `forward` gave."""
        if self.crf is None:
            return torch.softmax(emissions.float() / temperature, -1)
        return self.crf.marginals(emissions, batch.lengths, temperature)

    def _spelled(self, batch: TaggedBatch) -> Tensor | None:
        """What is read off each word form: (U, .)."""
        parts = []
        if self.speller is not None and self.character_embedding is not None:
            spelled = self.character_embedding(batch.characters)
            _, states = self.speller(spelled, lengths=batch.character_lengths)
            hidden = states[0] if isinstance(states, tuple) else states  # (2, U, H)
            parts.append(torch.cat(hidden.unbind(0), -1))
        if self.settings.casing:
            parts.append(F.one_hot(batch.casings, CASINGS).to(self.head.weight.dtype))
        return torch.cat(parts, -1) if parts else None
