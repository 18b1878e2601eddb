"""The configuration section `model` of a tagger."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seqwise.errors import ConfigurationError
from seqwise.models.encoder_settings import EncoderSettings

OF_WORDS = (
    "embedding_size",
    "vectors",
    "freeze_vectors",
    "character_size",
    "character_hidden_size",
    "casing",
    "word_dropout",
)
OF_FRAMES = ("window", "margin")
"""What has a meaning for words only, and for frames only."""


class TaggerSettings(EncoderSettings):
    """A tag for each word or a label for each frame: what is read, recurrent layers, a conditional random field or softmax.

    Of words, its values make the BiLSTM-CRF of Lample et al. 2016 (arXiv:1603.01360): word vectors and their spelling. Of
    frames it reads the numbers that the section `frames` describes, and softmax decides.

    Attributes:
        encoder: recurrent layers, or a Transformer of their sizes; see `EncoderSettings`, also for those not named here.
        cell: name of a cell of the library, of the sequence and of the characters of a word.
        embedding_size: D of a word; with vectors, always theirs.
        vectors: a file of word vectors from which the embedding starts. Their words are known too where the training data
            lack them. The name of a file in `$SEQWISE_DATA/embeddings` will do.
        freeze_vectors: the given vectors stay as they are; only those of the other words are learned.
        character_size: D of a character; 0: spelling is not read.
        character_hidden_size: H of each direction that reads a word letter by letter.
        casing: whether a word is written large, small, mixed or with digits is an input of its own.
        head: "crf" scores tags next to each other too; "softmax" decides every token by itself, with any loss of the
            section `imbalance`; "auto" is "crf" for words and "softmax" for frames.
        scheme: of the given tags: BIO, IOB1, BIOES, or "none" where they are no spans; "auto" looks.
        inner_scheme: what the model learns spans as.
        dropout: on the inputs and outputs of the recurrent layers and between them.
        word_dropout: share of the words replaced by <unk> in training; their spelling stays.
        window: of frames: training reads so many steps (after `frames.stride`) at a time, cut anew in every epoch; null
            reads every sequence whole, as answers always do. A window begins with a state of zeros.
        margin: of frames: steps before and behind a window that are read with it and not learned from.
    """

    embedding_size: int = Field(default=100, ge=1)
    vectors: str | None = Field(default=None, min_length=1)
    freeze_vectors: bool = False
    character_size: int = Field(default=25, ge=0)
    character_hidden_size: int = Field(default=25, ge=1)
    casing: bool = True
    head: Literal["auto", "crf", "softmax"] = "auto"
    scheme: Literal["auto", "none", "BIO", "IOB1", "BIOES"] = "auto"
    inner_scheme: Literal["BIO", "BIOES"] = "BIOES"
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    word_dropout: float = Field(default=0.05, ge=0.0, lt=1.0)
    window: int | None = Field(default=512, ge=2)
    margin: int = Field(default=0, ge=0)

    def decided(self, *, framed: bool) -> TaggerSettings:
        """Return the settings with the head decided.

        Args:
            framed: whether frames are read, not words.

        Raises:
            ConfigurationError: a value was set that does not go with what is read.
        """
        others = OF_WORDS if framed else OF_FRAMES
        for name in others:
            if getattr(self, name) != type(self).model_fields[name].default:
                given, wanted = ("frames", "words") if framed else ("words", "frames")
                raise ConfigurationError(f"model.{name} is for {wanted}, and this tagger reads {given}: leave it out")
        return self.model_copy(update={"head": "softmax" if framed else "crf"}) if self.head == "auto" else self
