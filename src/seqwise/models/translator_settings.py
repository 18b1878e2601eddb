"""The configuration section `model` of a translator."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqwise.models.encoder_settings import EncoderSettings
from seqwise.models.search import BeamSettings


class TranslatorSettings(EncoderSettings):
    """An encoder reads the source, a decoder writes the target and looks back at the source by attention.

    With its values it is the attention model of Luong et al. 2015 (arXiv:1508.04025), without input feeding: attention reads
    what the decoder's layers put out, which therefore run over all target steps at once. `attention: additive` compares as
    Bahdanau et al. 2015 (arXiv:1409.0473) do; `attention: none` is the encoder-decoder of Cho et al. 2014 and Sutskever et
    al. 2014, which has one vector for the whole source.

    Attributes:
        embedding_size: D of a symbol, on both sides; of the tied softmax too.
        decoder: "recurrent" layers, or a "transformer" (which always attends).
        decoder_hidden_size: H of the decoder; W of a Transformer.
        decoder_layers: layers of it.
        attention: additive, multiplicative (Luong's "general"), dot, or none.
        attention_size: what is compared, of additive attention; null: the decoder's H.
        input_feeding: what attention made of a step is read by the decoder in the next; the steps of a target then follow
            one after another in training too.
        tie_weights: the target's embedding is the softmax's matrix (Press and Wolf 2017).
        shared_vocabulary: both sides have the same symbols, and one embedding.
        dropout: of the encoder's and the decoder's layers, and of what attention makes.
        embedding_dropout: on embedded symbols, one mask per sequence.
        word_dropout: share of the symbols that are replaced by <unk> in training, on both sides.
        label_smoothing: share of the target's probability that is spread over all symbols (Szegedy et al. 2016).
        teacher_forcing: how often the decoder reads the right symbol instead of its own answer (Bengio et al. 2015; the
            answers come from a first pass with the right ones, as in Duckworth et al. 2019).
        teacher_forcing_schedule: "constant", or "linear": from 1 at the start of the training to that at its end.
    """

    hidden_size: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    embedding_size: int = Field(default=256, ge=1)
    decoder: Literal["recurrent", "transformer"] = "recurrent"
    decoder_hidden_size: int = Field(default=512, ge=1)
    decoder_layers: int = Field(default=1, ge=1)
    attention: Literal["additive", "multiplicative", "dot", "none"] = "multiplicative"
    attention_size: int | None = Field(default=None, ge=1)
    input_feeding: bool = False
    tie_weights: bool = True
    shared_vocabulary: bool = True
    embedding_dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    word_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    teacher_forcing: float = Field(default=1.0, ge=0.0, le=1.0)
    teacher_forcing_schedule: Literal["constant", "linear"] = "constant"

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        fields = type(self).model_fields
        if self.attention_size is not None and self.attention != "additive":
            raise ValueError(f"attention_size is of additive attention, and attention is {self.attention!r}")
        if self.attention == "dot" and self.width != self.decoder_hidden_size:
            raise ValueError(
                f"attention 'dot' compares vectors of one size, and the encoder's have {self.width} numbers, the decoder's "
                f"{self.decoder_hidden_size}"
            )
        if self.decoder == "transformer":
            for name in ("attention", "input_feeding"):
                if getattr(self, name) != fields[name].default:
                    raise ValueError(f"{name} is of a recurrent decoder, and decoder is 'transformer'")
            if self.decoder_hidden_size % (2 * self.heads):
                raise ValueError(
                    f"decoder_hidden_size {self.decoder_hidden_size} cannot be shared out among {self.heads} heads in pairs"
                )
        if self.input_feeding and self.attention == "none":
            raise ValueError("input_feeding hands on what attention has made, and attention is 'none'")
        if self.input_feeding and self.recurrent_dropout:
            raise ValueError("recurrent_dropout has one mask for all steps, which input_feeding takes one by one")
        if self.teacher_forcing_schedule == "linear" and self.teacher_forcing == 1:
            raise ValueError("teacher_forcing_schedule 'linear' ends at teacher_forcing: set it below 1")
        return self


class SearchSettings(BaseModel):
    """The configuration section `search`: how a translator answers, see `BeamSettings`.

    Attributes:
        beam: hypotheses kept of each text; 1 is greedy.
        length_norm: what log P is divided by: "plain", "wu" or "none".
        alpha: exponent of the length.
        coverage: factor of the penalty for parts of the source that no attention has reached; 0: none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    beam: int = Field(default=5, ge=1, le=1000)
    length_norm: Literal["wu", "plain", "none"] = "plain"
    alpha: float = Field(default=1.0, ge=0.0, le=10.0)
    coverage: float = Field(default=0.0, ge=0.0, le=10.0)

    def options(self, beam: int | None = None, n_best: int = 1) -> BeamSettings:
        """Return what the search takes.

        Args:
            beam: instead of the section's; None: at least as many as answers are wanted.
            n_best: answers for each text.

        Raises:
            ConfigurationError: a beam below 1, or more answers than hypotheses.
        """
        size = max(self.beam, n_best) if beam is None else beam
        return BeamSettings(size, self.length_norm, self.alpha, self.coverage, n_best)
