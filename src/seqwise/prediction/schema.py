"""What config.json and labels.json must hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seqwise.errors import ModelFolderError


class Config(BaseModel):
    """config.json; whatever else a model wants to remember may stand beside these."""

    model_config = ConfigDict(strict=True, extra="allow")

    seqwise_version: str
    task: str
    estimator: str
    settings: dict[str, dict[str, Any]]
    unit: str
    files: dict[str, str]


class Labels(BaseModel):
    """labels.json; the C classes, and lists of C values."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    kind: Literal["classes", "multilabel"] = "classes"
    examples: int | None = None
    classes: list[str | int | float | bool] = Field(min_length=2)
    counts: list[int | float]
    priors: list[float]
    thresholds: list[float] | None
    positive: str | int | float | bool | None
    calibration: dict[str, Any] | None
    criterion: dict[str, Any] | None = None
    implied_priors: list[float] | None = None
    confusion: list[list[int | float]] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Labels:
        if len({(type(name), name) for name in self.classes}) != len(self.classes):
            raise ValueError("a class is there twice")
        for name in ("counts", "priors", "thresholds", "implied_priors", "confusion"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.classes):
                raise ValueError(f"{len(values)} {name} for {len(self.classes)} classes")
        if self.thresholds is not None and not all(0 < value <= 1 for value in self.thresholds):
            raise ValueError("a threshold is not above 0 and at most 1")
        if self.implied_priors is not None and min(self.implied_priors) <= 0:
            raise ValueError("an implied prior is not above 0")
        if self.confusion is not None and any(len(row) != len(self.classes) or min(row) < 0 for row in self.confusion):
            raise ValueError("the confusion matrix is not one of these classes")
        if self.kind == "multilabel" and self.examples is None:
            raise ValueError("the number of examples is missing")
        if min(self.counts) < 0 or min(self.priors) < 0:
            raise ValueError("a count or prior is negative")
        if self.positive is not None and self.positive not in self.classes:
            raise ValueError("the positive class is not one of the classes")
        return self


def check_schema(schema: type[BaseModel], content: Mapping[str, Any], path: Path) -> None:
    """Raise a ModelFolderError that names the file, the key and what is wrong, unless the content fits."""
    try:
        schema.model_validate(dict(content))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"][:2])) or "its content"
        raise ModelFolderError(f"{path}: {where}: {problem['msg']}") from None
