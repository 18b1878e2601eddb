"""The torch modules of a tagger: what is read of each step, of words or of frames, and what becomes of it.

Axis letters: B sequences, T steps, U different word forms of a batch, D numbers of a step, H hidden units, C tags.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError
from seqwise.layers import CRF, Recurrent
from seqwise.models.encoder import Encoder, State
from seqwise.models.initialisation import initialise_embedding, initialise_recurrent
from seqwise.models.pretrained import PartlyFrozenEmbedding
from seqwise.models.tagger_features import CASINGS, TaggedBatch
from seqwise.models.tagger_frames import FramedBatch
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


class TaggerNetwork(nn.Module, ABC):
    """What is read of each step -> recurrent layers or a Transformer -> a score for each tag -> tags.

    A subclass gives `inputs`, and calls `_above` when it has made its own layers.

    Args:
        settings: see `TaggerSettings`.
    """

    head: nn.Linear

    def __init__(self, settings: TaggerSettings) -> None:
        super().__init__()
        self.settings = settings

    def _above(self, size: int, tags: int, allowed: Transitions | None) -> None:
        """Make the layers above the inputs.

        Args:
            size: D.
            tags: C.
            allowed: what the scheme of the tags allows; None allows all.
        """
        self.recurrent = Encoder(self.settings, size)
        self.head = nn.Linear(self.recurrent.size, tags)
        self.crf = CRF(tags, *(allowed or (None, None, None))) if self.settings.head == "crf" else None

    @abstractmethod
    def inputs(self, batch: Any) -> Tensor:
        """What is read of each step, (B, T, D)."""

    def forward(self, batch: Any) -> Tensor:
        """Return the score of every tag for every step, (B, T, C)."""
        return self.read(self.inputs(batch), batch.lengths)

    def read(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return these scores from what `inputs` gave, (B, T, D), and lengths (B,)."""
        dropout = self.settings.dropout
        outputs, _ = self.recurrent(F.dropout(inputs, dropout, self.training), lengths)
        return self.head(F.dropout(outputs, dropout, self.training))

    def start(self, batch: int) -> State:
        """Where B sequences begin that come step by step.

        Raises:
            ConfigurationError: the model needs whole sequences.
        """
        if self.crf is not None:
            raise ConfigurationError(
                "a conditional random field decides about whole sequences: step by step a model with head 'softmax' answers"
            )
        return self.recurrent.start(batch)

    @torch.no_grad()
    def step(self, batch: Any, state: State) -> tuple[Tensor, State]:
        """Read one step as in evaluation.

        Args:
            batch: of sequences of one step.
            state: which is written to, and holds no longer.

        Returns:
            The score of every tag, (B, C), and the state.
        """
        output, state = self.recurrent.step(self.inputs(batch)[:, 0], state)
        return self.head(output), state

    def answers(self, batch: Any, temperature: float = 1.0, shift: Tensor | None = None) -> Answers:
        """Return the tags and how probable they are.

        Args:
            batch: on the module's device.
            temperature: all scores are divided by it before they become probabilities.
            shift: subtracted from these scores, (C,); not with a conditional random field.
        """
        emissions = self(batch)
        if self.crf is None:
            chances, tags = self.probabilities(emissions, batch, temperature, shift).max(-1)
            return Answers(tags, chances, chances)
        tags = self.crf.decode(emissions, batch.lengths)
        chances = self.crf.marginals(emissions, batch.lengths, temperature).gather(-1, tags[..., None])[..., 0]
        logs = self.crf.log_probabilities(emissions, tags, batch.lengths, temperature)
        return Answers(tags, chances, logs.exp())

    def probabilities(
        self, emissions: Tensor, batch: Any, temperature: float = 1.0, shift: Tensor | None = None
    ) -> Tensor:
        """Return the probability of every tag for every step, (B, T, C), from what `forward` gave; see `answers`."""
        if self.crf is None:
            scores = emissions.float() / temperature
            return torch.softmax(scores if shift is None else scores - shift, -1)
        return self.crf.marginals(emissions, batch.lengths, temperature)


class FrameTagger(TaggerNetwork):
    """A tagger of steps of numbers.

    Args:
        settings: see `TaggerSettings`.
        size: D, numbers of a step.
        tags: C.
    """

    def __init__(self, settings: TaggerSettings, *, size: int, tags: int) -> None:
        super().__init__(settings)
        self._above(size, tags, None)

    def inputs(self, batch: FramedBatch) -> Tensor:
        """The numbers themselves."""
        return batch.frames


class WordTagger(TaggerNetwork):
    """A tagger of words: their vectors, spelling and casing.

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
        super().__init__(settings)
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
        self._above(size, tags, allowed)

    def inputs(self, batch: TaggedBatch) -> Tensor:
        """The vectors of the words, beside what is read off their forms."""
        settings, words = self.settings, batch.words
        if self.training and settings.word_dropout:
            words = torch.where(torch.rand(words.shape, device=words.device) < settings.word_dropout, UNK, words)
        parts = [self.embedding(words)]
        of_forms = self._spelled(batch)
        if of_forms is not None:
            parts.append(F.embedding(batch.forms, of_forms))
        return torch.cat(parts, -1)

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
