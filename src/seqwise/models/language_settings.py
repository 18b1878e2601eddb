"""The configuration section `model` of a language model."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqwise.models.encoder_settings import CellName, check_encoder


class LanguageSettings(BaseModel):
    """A language model: embedding, recurrent layers or a Transformer, softmax over the vocabulary.

    With its regularisation at the published values it is the AWD-LSTM of Merity et al. 2018 (arXiv:1708.02182).

    Attributes:
        start_from: folder of a language model with which the fit goes on, on other texts: vocabulary, layers and softmax are
            as there (ULMFiT: Howard and Ruder 2018).
        rate_divisor: with it, each layer is learned so many times slower than the one above it.
        encoder: "recurrent" layers, or a "transformer", whose steps see only what was before them.
        cell: name of a cell of the library.
        embedding_size: D.
        hidden_size: H of every layer; where the weights are tied, the last recurrent layer has D, and a Transformer a dense
            layer to D above it.
        num_layers: recurrent layers or blocks of the Transformer, each above the other.
        heads: of the Transformer's attention.
        context: how many steps the Transformer sees, the present one included, wherever a window of training begins.
        tie_weights: the embedding is the softmax's matrix too (Inan et al. 2017; Press and Wolf 2017).
        softmax: "full", or "adaptive": rare symbols in clusters of shorter vectors (Grave et al. 2017).
        cutoffs: of the adaptive softmax: how many of the most frequent symbols are in the head, and where each further
            cluster ends.
        bptt: steps through which gradients flow; the state is carried over from one window to the next.
        dropout: on what the softmax reads, one mask per window.
        input_dropout: on the embedded symbols, one mask per window.
        layer_dropout: between recurrent layers, one mask per window; of a Transformer on what each block adds and on its
            inner layer.
        embedding_dropout: share of the symbols whose vector is zero during a window (Gal and Ghahramani 2016).
        weight_dropout: share of the recurrent weights that are zero during a window.
        recurrent_dropout: on the vector that enters the recurrent product, one mask per window.
        zoneout: probability that a unit keeps its previous state.
        activation_penalty: factor of the mean square of what the softmax reads (alpha of AR).
        slowness_penalty: factor of the mean square of its change from step to step (beta of TAR).
        backend: which implementation runs the recurrence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_from: str | None = Field(default=None, min_length=1)
    rate_divisor: float = Field(default=2.6, ge=1, allow_inf_nan=False)
    encoder: Literal["recurrent", "transformer"] = "recurrent"
    cell: CellName = "lstm"
    embedding_size: int = Field(default=256, ge=1)
    hidden_size: int = Field(default=256, ge=1)
    num_layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    context: int = Field(default=256, ge=1, le=100_000)
    tie_weights: bool = True
    softmax: Literal["full", "adaptive"] = "full"
    cutoffs: tuple[int, ...] | None = None
    bptt: int = Field(default=35, ge=1, le=10_000)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    input_dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    layer_dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    embedding_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    weight_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    recurrent_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoneout: float = Field(default=0.0, ge=0.0, lt=1.0)
    activation_penalty: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    slowness_penalty: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    backend: Literal["auto", "cpu", "reference", "vendor"] = "auto"

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        check_encoder(self, self.hidden_size)
        if self.encoder == "transformer" and self.weight_dropout:
            raise ValueError("weight_dropout is of recurrent layers, and encoder is 'transformer'")
        if self.softmax == "adaptive" and self.tie_weights:
            raise ValueError("the adaptive softmax has vectors of several lengths: set tie_weights to false")
        if self.cutoffs is not None and self.softmax != "adaptive":
            raise ValueError("cutoffs are of the adaptive softmax, and softmax is 'full'")
        if self.cutoffs is not None and (not self.cutoffs or sorted(set(self.cutoffs)) != list(self.cutoffs)):
            raise ValueError(f"cutoffs rise, got {list(self.cutoffs)}")
        return self

    @property
    def layer_sizes(self) -> list[int]:
        """D, then the size of every layer."""
        last = self.embedding_size if self.tie_weights else self.hidden_size
        return [self.embedding_size, *[self.hidden_size] * (self.num_layers - 1), last]
