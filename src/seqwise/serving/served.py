"""A model that answers requests: what it reads, what it can be asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, create_model

from seqwise.serving.problems import Refused
from seqwise.serving.settings import ServerSettings


class Strict(BaseModel):
    """Part of a request: unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class NoOptions(Strict):
    """Nothing can be chosen."""


class Item(NamedTuple):
    """One input, ready to be computed.

    Attributes:
        value: what the predictor reads.
        length: in steps, or what is proportional to it: items of near-equal length are computed together.
        options: items of other options are never computed together.
    """

    value: Any
    length: int
    options: Hashable = None


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
    """

    input: type[BaseModel]
    options: type[BaseModel]
    output: type[BaseModel]
    read: Callable[[Any, Any], Item]
    answer: Callable[..., Any]
    batched: bool = True
    streams: bool = False
    summary: str = ""

    def request(self, name: str) -> type[BaseModel]:
        """Fields of a request with one input."""
        return create_model(name, __base__=(self.input, self.options), model=(str | None, MODEL))

    def batch_request(self, name: str, most: int) -> type[BaseModel]:
        """Fields of a request with several inputs; a plain text stands for the input that has nothing else."""
        inputs = Field(min_length=1, max_length=most, description="one input or more")
        fields: Any = {"model": (str | None, MODEL), "inputs": (list[self.input | str], inputs)}  # type: ignore[name-defined]
        return create_model(name, __base__=self.options, **fields)


MODEL = Field(default=None, description="name of the model; may be left out where one is served")


class Served(ABC):
    """A model folder that is served.

    Args:
        name: under which clients know it.
        predictor: that answers; its `config` is that of the folder.
        settings: of the server.
    """

    task: ClassVar[str]

    def __init__(self, name: str, predictor: Any, settings: ServerSettings) -> None:
        self.name, self.predictor, self.settings = name, predictor, settings
        self.verbs: Mapping[str, Verb] = self._verbs()

    @abstractmethod
    def _verbs(self) -> dict[str, Verb]:
        """What it can be asked: predict, score, generate, explain, trace."""

    @property
    @abstractmethod
    def example(self) -> dict[str, Any]:
        """Input of a request that this very model answers."""

    def describe(self) -> dict[str, Any]:
        """What GET /models tells of it."""
        config = self.predictor.config
        return {
            "name": self.name,
            "task": self.task,
            "estimator": config["estimator"],
            "unit": config["unit"],
            "version": config.get("sha256", ""),
            "verbs": list(self.verbs),
            "example": self.example,
            "streams": self.opens_streams,
        }

    @property
    def opens_streams(self) -> bool:
        """Whether a sequence can be given step by step."""
        return False

    def observed(self, answer: Any) -> Iterator[tuple[str, str]]:
        """What the metrics count of an answer: pairs of what and which, such as ("class", "spam")."""
        yield from ()

    def fitted(self, sequence: Any, field: str) -> Any:
        """A text or list that is not longer than the server reads.

        Raises:
            Refused: it is longer, and the server does not truncate.
        """
        if len(sequence) <= (longest := self.settings.max_length):
            return sequence
        if self.settings.on_long == "truncate":
            return sequence[:longest]
        raise Refused(413, f"{field} has a length of {len(sequence):,}; this server reads at most {longest:,}", field)
