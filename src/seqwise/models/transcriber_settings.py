"""The configuration sections `model` and `search` of a transcriber."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqwise.models.encoder_settings import EncoderSettings

FROM_TRAINING = "training"


class TranscriberSettings(EncoderSettings):
    """Frames, of which several are read as one, recurrent layers, and a symbol or none (the blank) at each step.

    Attributes:
        subsampling: how `factor` frames become one step: "stack" reads them side by side, "convolution" learns
            `convolution_size` filters over 2 `factor` + 1 of them, "none" leaves them as they are.
        factor: frames a step. A target has at most as many symbols as there are steps.
        convolution_size: filters.
        input_dropout: on what the encoder reads.
        dropout: between layers, and on what the softmax reads.
        noise: standard deviation of what is added to the frames in training.
        stretch: in training the tempo varies by up to this share, slower and faster.
        time_masks: in training so many stretches of each sequence are silenced (Park et al. 2019, arXiv:1904.08779).
        time_mask_size: frames of the longest of them; never more than a fifth of the sequence.
        channel_masks: likewise bands of channels (of spectra: of frequencies), in the slopes too.
        channel_mask_size: channels of the widest of them.
    """

    hidden_size: int = Field(default=192, ge=1)
    num_layers: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    subsampling: Literal["stack", "convolution", "none"] = "stack"
    factor: int = Field(default=3, ge=1, le=100)
    convolution_size: int = Field(default=128, ge=1)
    input_dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    noise: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    stretch: float = Field(default=0.0, ge=0.0, le=0.5)
    time_masks: int = Field(default=2, ge=0, le=100)
    time_mask_size: int = Field(default=20, ge=1)
    channel_masks: int = Field(default=1, ge=0, le=100)
    channel_mask_size: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        fields = type(self).model_fields
        if self.subsampling == "none" and self.factor not in (1, fields["factor"].default):
            raise ValueError(f"factor is {self.factor}, and subsampling is 'none'")
        if self.subsampling != "convolution" and self.convolution_size != fields["convolution_size"].default:
            raise ValueError(f"convolution_size is of a convolution, and subsampling is {self.subsampling!r}")
        return self

    @property
    def reduction(self) -> int:
        """Frames a step."""
        return 1 if self.subsampling == "none" else self.factor


class TranscriberSearchSettings(BaseModel):
    """How the text is found that the outputs stand for.

    Attributes:
        beam: prefixes that are kept at each step; 1, without word list and language model, takes the most probable
            symbol at each step.
        cutoff: symbols whose probability at a step is below this extend no prefix.
        word_list: only its words are said: a file with one a line, or "training": the words of the training
            transcripts.
        language_model: folder of a `LanguageModel` of the network's own symbols, or of words; or "training": one of the
            network's symbols is fitted on the training transcripts. It becomes part of the model's folder.
        language_weight: of its log P; null: chosen on the validation part.
        insertion_bonus: for every word (or symbol that is a word); null: chosen on the validation part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    beam: int = Field(default=16, ge=1, le=10_000)
    cutoff: float = Field(default=1e-5, ge=0.0, lt=1.0)
    word_list: str | None = Field(default=None, min_length=1)
    language_model: str | None = Field(default=None, min_length=1)
    language_weight: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    insertion_bonus: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if self.language_weight and self.language_model is None:
            raise ValueError("language_weight is of a language model, and language_model names none")
        return self
