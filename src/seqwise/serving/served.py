"""A model that answers requests: what it reads, what it can be asked, and what it answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model
from pydantic_core import from_json

from seqwise.serving.settings import ServerSettings

METRICS = "metrics.json"


class Strict(BaseModel):
    """Part of a request: unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def needs_one(*names: str) -> ConfigDict:
    """The configuration of a part of which exactly one of these fields is given, for its description."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in names]})


class NoOptions(Strict):
    """Nothing can be chosen."""


class Item(NamedTuple):
    """One input, ready to be computed.

    Attributes:
        value: what the predictor reads.
        length: in steps, or what is proportional to it: items of near-equal length are computed together.
        options: hashable; items of other options are never computed together.
    """

    value: Any
    length: int
    options: Any = None


@dataclass(frozen=True)
class Verb:
    """Something that a model can be asked.

    Attributes:
        input: fields of one input.
        options: fields that say how it is to be answered.
        output: fields of the answer; for the API's description, answers are not checked against it.
        read: input and options -> item; quick, as it runs in the event loop. Raises `Refused` or an `InputError`.
        answer: items of the same options -> their answers, in a thread; or, where `streams`, one item -> pieces of one.
        batched: items of several requests are computed together; otherwise one at a time, beside the batches.
        streams: the answer comes in pieces.
        summary: one line for the API's description.
        example: a request of one input, without the model's name; None: the model's own example.
    """

    input: type[BaseModel]
    options: type[BaseModel]
    output: type[BaseModel]
    read: Callable[[Any, Any], Item]
    answer: Callable[..., Any]
    batched: bool = True
    streams: bool = False
    summary: str = ""
    example: Mapping[str, Any] | None = None

    def request(self, name: str) -> type[BaseModel]:
        """Fields of a request with one input."""
        return create_model(name, __base__=(self.input, self.options), model=(str | None, MODEL))

    def batch_request(self, name: str, most: int) -> type[BaseModel]:
        """Fields of a request with several inputs; a plain text stands for the input that has nothing else."""
        several = "one input or more" + (
            "; a plain text stands for one that has nothing else" if self.reads_text else ""
        )
        inputs = Field(min_length=1, max_length=most, description=several)
        one: Any = self.input
        if self.reads_text:
            either = WithJsonSchema({"anyOf": [{"type": "string"}, self.input.model_json_schema()]})
            one = Annotated[self.input, BeforeValidator(_as_input), either]
        fields: Any = {"model": (str | None, MODEL), "inputs": (list[one], inputs)}
        return create_model(name, __base__=self.options, **fields)

    @property
    def reads_text(self) -> bool:
        """Whether a plain text can stand for an input."""
        return "text" in self.input.model_fields


def _as_input(given: Any) -> Any:
    return {"text": given} if isinstance(given, str) else given


MODEL = Field(default=None, description="name of the model; may be left out where one is served")


class Served(ABC):
    """A model folder that is served.

    Args:
        name: under which clients know it.
        predictor: that answers; its `config` is that of the folder.
        settings: of the server.

    Attributes:
        figures: of the folder's metrics.json.
    """

    task: ClassVar[str]
    _reader: Any = None
    """The `Reader` of its inputs; None where a task reads them in a way of its own."""

    def __init__(self, name: str, predictor: Any, settings: ServerSettings) -> None:
        self.name, self.predictor, self.settings = name, predictor, settings
        self.figures: dict[str, Any] = {}
        self.verbs: Mapping[str, Verb] = self._verbs()

    @classmethod
    def open(cls, name: str, path: Path, settings: ServerSettings) -> Self:
        """Read a folder.

        Raises:
            ModelFolderError: it is no sound model folder, or not that of such a model.
            DeviceError: there is no such device.
        """
        served = cls(name, cls._load(path, settings), settings)
        served.figures = read_figures(path)
        return served

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> Any:
        """The predictor of a folder."""
        raise NotImplementedError

    @abstractmethod
    def _verbs(self) -> dict[str, Verb]:
        """What it can be asked: predict, score, generate, explain, trace."""

    @property
    def example(self) -> dict[str, Any]:
        """Input of a request that this very model answers."""
        return dict(self._reader.example)

    def describe(self) -> dict[str, Any]:
        """What GET /models tells of it."""
        config = self.predictor.config
        return {
            "name": self.name,
            "task": self.task,
            "estimator": config["estimator"],
            "unit": config["unit"],
            "cell": cell_of(config["settings"].get("model", {})),
            "version": config.get("sha256", ""),
            "verbs": list(self.verbs),
            "example": self.example,
            "streams": self.opens_streams,
            "figures": self.figures,
            **self._further(),
        }

    def _further(self) -> dict[str, Any]:
        """What GET /models tells of a model of this task only."""
        return {}

    @property
    def opens_streams(self) -> bool:
        """Whether a sequence can be given step by step."""
        from seqwise.serving.streams import reads_steps

        return reads_steps(self)

    def observed(self, answer: Any) -> Iterator[tuple[str, str]]:
        """What the metrics count of an answer: pairs of what and which, such as ("class", "spam")."""
        yield from ()

    def unknown(self, items: Sequence[Item]) -> tuple[int, int]:
        """How many symbols of inputs the model does not know, and how many they have: for the out-of-vocabulary rate."""
        return (0, 0) if self._reader is None else self._reader.unknown([item.value for item in items])


def cell_of(model: Mapping[str, Any]) -> str | None:
    """The cell of a model's recurrent layers; None where it has none.

    Args:
        model: section `model` of its settings.
    """
    recurrent = model.get("encoder", "recurrent") == "recurrent" and model.get("architecture") not in (
        "linear",
        "dense",
    )
    return model.get("cell") if recurrent else None


def read_figures(path: Path) -> dict[str, Any]:
    """What a folder's metrics.json says of every part of the data, without what is listed by class or step."""
    try:
        saved = from_json((path / METRICS).read_bytes(), allow_inf_nan=True)
    except (OSError, ValueError):
        return {}
    if not isinstance(saved, dict):
        return {}
    return {str(part): _single(figures) for part, figures in saved.items() if isinstance(figures, dict)}


def _single(figures: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in figures.items() if _is_figure(value)}
    baseline = figures.get("baseline")
    return {**kept, "baseline": _single(baseline)} if isinstance(baseline, dict) else kept


def _is_figure(value: Any) -> bool:
    if isinstance(value, dict):
        return "value" in value and all(_is_figure(part) for part in value.values())
    return isinstance(value, str | bool | int | None) or (isinstance(value, float) and math.isfinite(value))
