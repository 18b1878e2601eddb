"""Which columns are read, and how much is held back: the `data` section of the configuration."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Label = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""A label by its text, whether it is written as a number or not."""


Column = Annotated[
    str,
    BeforeValidator(
        lambda value: " + ".join(map(str, value)) if isinstance(value, list | tuple) and value else value,
        json_schema_input_type=str | list[str],
    ),
]
"""A column, or several that are joined, see `seqwise.data.joined`."""


class DataSettings(BaseModel):
    """Columns, and the share of the training data that is split off for validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Column | None = Field(
        default=None,
        description="column of the texts; a named data set knows its own. Several ('title + body', or a list) are joined, "
        "with a symbol of its own between them",
    )
    frames: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="columns of numbers instead of texts: a list of vectors or numbers a row, or the path of a .wav file; "
        "several are joined channel by channel",
    )
    vectors: bool = Field(
        default=False,
        description="a list of numbers in `frames` is the one vector of its row, not a sequence of numbers",
    )
    target: str | None = Field(
        default=None, description="column of what comes out where that is no class: texts, sequences, numbers"
    )
    known: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="columns of inputs that are known of the steps ahead too, for forecasts: the day of the week, a plan",
    )
    id: str | None = Field(
        default=None, description="column that tells which sequence a row belongs to, where every row is one step"
    )
    time: str | None = Field(default=None, description="column of the time of such a row: seconds, or dates and times")
    every: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds from step to step, to which such rows are interpolated",
    )
    label: str | None = Field(default=None, description="column of the classes; a named data set knows its own")
    separator: str | None = Field(
        default=None,
        min_length=1,
        description="of several labels in one text of the label column; null looks whether there evidently are several, "
        "'none' takes every text as one label",
    )
    ignore: tuple[Label, ...] | None = Field(
        default=None,
        description="labels of steps, by number or name, that are neither learned nor judged; numbers below 0 and missing "
        "labels never are",
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
    group: str | None = Field(
        default=None,
        description="column of what several rows have in common, such as the speaker: when a part is held back, rows of one "
        "group stay together",
    )
    group_pattern: str | None = Field(
        default=None,
        min_length=1,
        description="regular expression that finds the group in that column: its first bracket, or all of it without one",
    )

    @model_validator(mode="after")
    def _pattern_of_a_group(self) -> Self:
        if self.group_pattern is not None:
            if self.group is None:
                raise ValueError("group_pattern looks into the column that group names: set group too")
            try:
                re.compile(self.group_pattern)
            except re.error as error:
                raise ValueError(f"group_pattern is no regular expression: {error}") from None
        return self
