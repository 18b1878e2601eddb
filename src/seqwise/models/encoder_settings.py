"""What every model that reads sequences has settings for: recurrent layers, or a Transformer in their place."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from seqwise.cells import LIBRARY
from seqwise.errors import nearest

OF_RECURRENT_LAYERS = ("cell", "recurrent_dropout", "zoneout", "backend")
OF_TRANSFORMERS = ("heads", "context")
"""What the other one has no use for."""

_WITHOUT_ENCODER = re.compile(r"((?:^|\.)recurrent)\.(?=weight_|bias_|vector_|cell_id)")


def current_name(name: str) -> str:
    """The name that a weight of recurrent layers has had since they are part of an `Encoder`."""
    return _WITHOUT_ENCODER.sub(r"\1.layers.", name)


def _known_cell(name: str) -> str:
    if name not in LIBRARY:
        raise ValueError(f"there is no cell {name!r}; {nearest(name, LIBRARY)}")
    return name


CellName = Annotated[str, AfterValidator(_known_cell)]
"""Name of a cell of the library."""


class EncoderSettings(BaseModel):
    """Layers that read a sequence: settings of models inherit these, with their own values.

    A Transformer has the sizes of the recurrent layers in whose place it stands, so that a table compares like with like: a
    step's output is `hidden_size` wide for each direction, and there are `num_layers` blocks. Their inner layers are twice
    as wide, which gives a block the 8 W^2 weights of a unidirectional LSTM layer of width W (a bidirectional one has 6 W^2).

    Attributes:
        encoder: "recurrent" layers, or a "transformer".
        cell: name of a cell of the library.
        hidden_size: H of each direction.
        num_layers: recurrent layers or blocks of the Transformer, each above the other.
        bidirectional: also read the sequence from its end; of a Transformer: every step sees all others, not only those
            before it.
        heads: of the Transformer's attention.
        context: how many steps a Transformer that is not bidirectional sees at most, the present one included; None: all.
        dropout: between recurrent layers; of a Transformer on what each block adds, and on its inner layer.
        recurrent_dropout: on the vector that enters the recurrent product, one mask per sequence.
        zoneout: probability that a unit keeps its previous state.
        backend: which implementation runs the recurrence: "auto", "cpu", "reference" or "vendor".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: Literal["recurrent", "transformer"] = "recurrent"
    cell: CellName = "lstm"
    hidden_size: int = Field(default=128, ge=1)
    num_layers: int = Field(default=1, ge=1)
    bidirectional: bool = True
    heads: int = Field(default=4, ge=1)
    context: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    recurrent_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoneout: float = Field(default=0.0, ge=0.0, lt=1.0)
    backend: Literal["auto", "cpu", "reference", "vendor"] = "auto"

    @model_validator(mode="after")
    def _no_setting_of_another_encoder(self) -> Self:
        check_encoder(self, self.width)
        if self.context is not None and self.bidirectional:
            raise ValueError("context is of a Transformer that is not bidirectional: the others see the whole sequence")
        return self

    @property
    def width(self) -> int:
        """Of a step's output: H of every direction."""
        return self.hidden_size * (2 if self.bidirectional else 1)


def check_encoder(settings: Any, width: int) -> None:
    """Refuse what the encoder has no use for, and heads among which the width cannot be shared out.

    Args:
        settings: a section with the fields of `EncoderSettings`.
        width: of a step's output.

    Raises:
        ValueError: names the setting.
    """
    fields = type(settings).model_fields
    if settings.encoder == "transformer":
        for name in OF_RECURRENT_LAYERS:
            if getattr(settings, name) != fields[name].default:
                raise ValueError(f"{name} is of recurrent layers, and encoder is 'transformer'")
        if width % (2 * settings.heads):
            raise ValueError(
                f"the width of {width} cannot be shared out among {settings.heads} heads in pairs: a multiple of "
                f"{2 * settings.heads} is needed"
            )
        return
    for name in OF_TRANSFORMERS:
        if getattr(settings, name) != fields[name].default:
            raise ValueError(f"{name} is of a Transformer, and encoder is 'recurrent'")
