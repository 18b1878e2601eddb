"""Which columns are read, and how much is held back: the `data` section of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DataSettings(BaseModel):
    """Columns, and the share of the training data that is split off for validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = Field(default=None, description="column of the texts; a named data set knows its own")
    frames: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="columns of numbers instead of texts: a list of vectors or numbers a row, or the path of a .wav file; "
        "several are joined channel by channel",
    )
    target: str | None = Field(
        default=None, description="column of what comes out where that is no class: texts, sequences, numbers"
    )
    label: str | None = Field(default=None, description="column of the classes; a named data set knows its own")
    separator: str | None = Field(
        default=None,
        min_length=1,
        description="of several labels in one text of the label column; null looks whether there evidently are several, "
        "'none' takes every text as one label",
    )
    weight: str | None = Field(default=None, description="column of the sample weights")
    unlabelled: str | None = Field(
        default=None,
        min_length=1,
        description="texts without classes, from which word vectors are trained too (model.pretrain_vectors): a text file, "
        "one a line; a table with the column of the texts; or a data set with an unlabelled part",
    )
    validation: float = Field(
        default=0.1, ge=0, lt=1, description="share split off, class by class, when there is no validation part"
    )
