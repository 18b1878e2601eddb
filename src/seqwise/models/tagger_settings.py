"""The configuration section `model` of a tagger."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from seqwise.cells import LIBRARY
from seqwise.errors import nearest


class TaggerSettings(BaseModel):
    """A tag for each word: word vectors and their spelling, recurrent layers, a conditional random field.

    With its values it is the BiLSTM-CRF of Lample et al. 2016 (arXiv:1603.01360).

    Attributes:
        cell: name of a cell of the library, of words and of characters.
        embedding_size: D of a word; with vectors, always theirs.
        vectors: a file of word vectors from which the embedding starts. Their words are known too where the training data
            lack them. The name of a file in `$SEQWISE_DATA/embeddings` will do.
        freeze_vectors: the given vectors stay as they are; only those of the other words are learned.
        character_size: D of a character; 0: spelling is not read.
        character_hidden_size: H of each direction that reads a word letter by letter.
        casing: whether a word is written large, small, mixed or with digits is an input of its own.
        hidden_size: H of each direction.
        num_layers: recurrent layers, each above the other.
        bidirectional: also read the sentence from its end.
        head: "crf" scores tags next to each other too; "softmax" decides every token by itself, with any loss of the
            section `imbalance`.
        scheme: of the given tags: BIO, IOB1, BIOES, or "none" where they are no spans; "auto" looks.
        inner_scheme: what the model learns spans as.
        dropout: on the inputs and outputs of the recurrent layers and between them.
        word_dropout: share of the words replaced by <unk> in training; their spelling stays.
        recurrent_dropout: on the vector that enters the recurrent product, one mask per sequence.
        zoneout: probability that a unit keeps its previous state.
        backend: which implementation runs the recurrence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: str = "lstm"
    embedding_size: int = Field(default=100, ge=1)
    vectors: str | None = Field(default=None, min_length=1)
    freeze_vectors: bool = False
    character_size: int = Field(default=25, ge=0)
    character_hidden_size: int = Field(default=25, ge=1)
    casing: bool = True
    hidden_size: int = Field(default=128, ge=1)
    num_layers: int = Field(default=1, ge=1)
    bidirectional: bool = True
    head: Literal["crf", "softmax"] = "crf"
    scheme: Literal["auto", "none", "BIO", "IOB1", "BIOES"] = "auto"
    inner_scheme: Literal["BIO", "BIOES"] = "BIOES"
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    word_dropout: float = Field(default=0.05, ge=0.0, lt=1.0)
    recurrent_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoneout: float = Field(default=0.0, ge=0.0, lt=1.0)
    backend: Literal["auto", "cpu", "reference", "vendor"] = "auto"

    @field_validator("cell")
    @classmethod
    def _known_cell(cls, value: str) -> str:
        if value not in LIBRARY:
            raise ValueError(f"there is no cell {value!r}; {nearest(value, LIBRARY)}")
        return value
