"""The configuration section `model`: which parts the classifier has and how large they are."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_serializer, field_validator

from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.models.encoder_settings import EncoderSettings

POOLINGS = ("last", "mean", "max", "attention")


class ModelSettings(EncoderSettings):
    """The parts of a sequence classifier; the layers of the recurrent part are those of `EncoderSettings`.

    What is not set is chosen from the training data where `seqwise.models.defaults` has a rule for it; the values below
    are used otherwise. The saved configuration holds what was chosen.

    Attributes:
        architecture: "wide_deep" adds the logits of a linear n-gram part and of a recurrent part; "recurrent" and "linear"
            are either part alone. Frames have no n-grams: "recurrent", or where each example is one vector "dense", which
            is `head_layers` dense ReLU layers of `hidden_size` units.
        embedding: "learned" vectors, or "one_hot" symbols (small vocabularies only).
        embedding_size: D of a learned embedding; with vectors, always theirs.
        vectors: a file of word vectors from which the embedding starts; words without one start at random. The name of a
            file in `$SEQWISE_DATA/embeddings` will do.
        pretrain_vectors: the vectors are trained on the training texts, and on unlabelled ones where there are such.
        pretraining: how; what is left out is as in `PRETRAINING`, the size `embedding_size`, the seed that of training.
        freeze_vectors: the given or trained vectors stay as they are; only those of the other words are learned.
        position_embedding: so many learned vectors, one a position, are added to the embedded symbols; for sequences in
            which the place of a symbol means something in itself. 0: none.
        start_from: folder of a language model: its vocabulary, embedding and layers are where the fit begins, and what
            `text` and `model` say of them otherwise is as there (ULMFiT: Howard and Ruder 2018).
        unfreeze: "gradual": in the first epoch only what stands above these layers is learned, then a layer more in every
            epoch, the embedding last; "all": everything from the beginning.
        rate_divisor: each layer is learned so many times slower than the one above it.
        pooling: how the outputs of all steps become one vector: last, mean, max, attention, or several joined by "+".
        head_layers: dense ReLU layers between the pooled vector and the logits.
        dropout: on the pooled vector, and where `EncoderSettings` has it.
        embedding_dropout: on the embedded symbols, or on the channels of frames, one mask per sequence.
        word_dropout: share of the symbols replaced by <unk> in training, or of the frames by their mean.
        word_ngrams: shortest and longest word n-gram of the linear part; None leaves words out.
        character_ngrams: the same for characters, within words where there are words.
        ngram_weighting: "tfidf" or "binary".
        linear_c: weight of the linear part's loss against its L2 penalty (C of a support vector machine).
        ngram_positions: n-grams also carry their position (for sequences of one fixed length).
        max_ngrams: at most this many n-grams, the most frequent.
        min_documents: n-grams in fewer training texts are left out.
    """

    architecture: Literal["wide_deep", "recurrent", "linear", "dense"] = "wide_deep"
    embedding: Literal["learned", "one_hot"] = "learned"
    embedding_size: int = Field(default=100, ge=1)
    vectors: str | None = Field(default=None, min_length=1)
    pretrain_vectors: bool = False
    pretraining: EmbeddingSettings | None = None
    freeze_vectors: bool = False
    position_embedding: int = Field(default=0, ge=0, le=100_000)
    start_from: str | None = Field(default=None, min_length=1)
    unfreeze: Literal["gradual", "all"] = "gradual"
    rate_divisor: float = Field(default=2.6, ge=1, allow_inf_nan=False)
    pooling: str = "max+mean"
    head_layers: int = Field(default=0, ge=0)
    dropout: float = Field(default=0.4, ge=0.0, lt=1.0)
    embedding_dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    word_dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    word_ngrams: tuple[int, int] | None = (1, 2)
    character_ngrams: tuple[int, int] | None = None
    ngram_weighting: Literal["tfidf", "binary"] = "tfidf"
    linear_c: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    ngram_positions: bool = False
    max_ngrams: int = Field(default=400_000, ge=1)
    min_documents: int = Field(default=1, ge=1)

    @field_serializer("pretraining")
    def _what_was_decided(self, value: EmbeddingSettings | None) -> dict[str, Any] | None:
        # What the chosen model of words has no use for is refused where it is given: it must not be saved either.
        return None if value is None else value.model_dump(exclude_unset=True)

    @field_validator("pooling")
    @classmethod
    def _known_poolings(cls, value: str) -> str:
        parts = value.split("+")
        unknown = [part for part in parts if part not in POOLINGS]
        if unknown or len(set(parts)) != len(parts):
            raise ValueError(f"pooling is one or more of {', '.join(POOLINGS)} joined by '+', got {value!r}")
        return value

    @field_validator("word_ngrams", "character_ngrams")
    @classmethod
    def _rising_range(cls, value: object) -> object:
        if isinstance(value, tuple) and not 1 <= value[0] <= value[1]:
            raise ValueError(f"an n-gram range is [shortest, longest] with 1 <= shortest <= longest, got {list(value)}")
        return value
