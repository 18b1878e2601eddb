"""The configuration section `model` of a generator of sequences."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqwise.models.encoder_settings import CellName


class GeneratorSettings(BaseModel):
    """From a class, a vector or nothing to a sequence of symbols or of chords.

    Attributes:
        condition: what a sequence is made from: a class, a vector, or nothing; "auto" looks at the data.
        output: symbols (words, characters) or chords (sets of MIDI pitches); "auto" looks at the data.
        cell: name of a cell of the library.
        embedding_size: of the symbol or chord of the step before.
        hidden_size: H of every layer.
        num_layers: recurrent layers, each above the other.
        condition_size: of what is made of the condition; it sets the first states and is an input of every step.
        condition_layers: dense layers that a vector goes through.
        condition_dropout: share of the training examples whose condition is hidden: the model then also learns what
            sequences are like whatever they are made from, which guidance needs (Ho and Salimans 2022).
        dropout: on the inputs and outputs of the recurrent layers and between them.
        vector_dropout: on the numbers of a vector.
        vector_noise: standard deviation of the noise added to a vector in training, in standard deviations of its numbers.
        recurrent_dropout: on the vector that enters the recurrent product, one mask per sequence.
        zoneout: probability that a unit keeps its previous state.
        head: of chords: "chain" draws pitch after pitch, each given the lower ones (as a NADE, Larochelle and Murray 2011);
            "independent" draws every pitch by itself.
        chain_size: hidden units of the chain.
        lowest: MIDI pitch of the lowest key; 21 to 108 are those of a piano.
        highest: MIDI pitch of the highest key.
        transpose: in training a piece is moved by up to so many semitones up or down, anew every time.
        backend: which implementation runs the recurrence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    condition: Literal["auto", "none", "class", "vector"] = "auto"
    output: Literal["auto", "symbols", "chords"] = "auto"
    cell: CellName = "lstm"
    embedding_size: int = Field(default=64, ge=1)
    hidden_size: int = Field(default=256, ge=1)
    num_layers: int = Field(default=1, ge=1)
    condition_size: int = Field(default=64, ge=1)
    condition_layers: int = Field(default=1, ge=1)
    condition_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    vector_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    vector_noise: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    recurrent_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoneout: float = Field(default=0.0, ge=0.0, lt=1.0)
    head: Literal["chain", "independent"] = "chain"
    chain_size: int = Field(default=128, ge=1)
    lowest: int = Field(default=21, ge=0, le=127)
    highest: int = Field(default=108, ge=0, le=127)
    transpose: int = Field(default=0, ge=0, le=24)
    backend: Literal["auto", "cpu", "reference", "vendor"] = "auto"

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(f"the lowest pitch, {self.lowest}, is above the highest, {self.highest}")
        return self

    @property
    def pitches(self) -> int:
        """P."""
        return self.highest - self.lowest + 1
