"""What models read and answer as tensors: names, datatypes and shapes of each task.

Axis letters: n inputs, T steps or tokens, D channels, C classes, H steps ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from pydantic import BaseModel

from seqwise.serving.problems import Refused
from seqwise.serving.served import Served

ANY = -1


@dataclass(frozen=True)
class Shape:
    """What is known of the sizes of a model's inputs and answers.

    Attributes:
        kind: its task, and of which kind it is there.
        channels: D of its frames, series or vectors.
        known: of a forecaster, its known inputs.
        names: of its classes, targets or channels.
        columns: that make a text.
    """

    kind: str
    channels: int = 1
    known: int = 0
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, served: Served) -> Shape:
        """That of a model."""
        if (known := _KNOWN.get(served)) is None:
            known = _KNOWN[served] = cls._of(served)
        return known

    @classmethod
    def _of(cls, served: Served) -> Shape:
        told, example = served.describe(), served.example
        kind = served.task
        if told.get("several_labels"):
            kind = "labels"
        elif served.task == "tag" and "frames" in example:
            kind = "segments"
        given = example.get("frames", example.get("series", example.get("condition", [])))
        channels = len(given[0]) if given and isinstance(given[0], list) else 1
        if served.task == "generate" and isinstance(given, list):
            channels = len(given)
        names = (
            told.get("targets") or (told.get("channels") if kind == "forecast" else None) or told.get("classes") or ()
        )
        known = len(told.get("known") or ())
        return cls(kind, channels, known, tuple(names), tuple(example.get("fields", ())))


_KNOWN: WeakKeyDictionary[Served, Shape] = WeakKeyDictionary()


@dataclass(frozen=True)
class InputTensor:
    """A tensor that models of some kind read.

    Attributes:
        name: also of the field of an input that it stands for.
        texts: whether its elements are texts; otherwise they are numbers.
        size: of a step, of what is known of the model; None: a single element, no sequence.
    """

    name: str
    texts: bool
    size: Callable[[Shape], int] | None = None

    def suits(self, kind: type[BaseModel], shape: Shape) -> bool:
        """Whether a model reads it."""
        if self.name == "condition":
            return "condition" in kind.model_fields and self.texts == (shape.names != ())
        return self.name in kind.model_fields

    def metadata(self, shape: Shape) -> dict[str, Any]:
        """What clients are told of it."""
        if self.texts:
            return {"name": self.name, "datatype": "BYTES", "shape": [ANY]}
        sizes = [ANY, self.size(shape)] if self.name == "condition" and self.size else [ANY, ANY]
        if self.size is not None and self.name != "condition":
            sizes = [ANY, ANY, self.size(shape)]
        return {"name": self.name, "datatype": "FP32", "shape": sizes}

    def rows(self, values: Any, lengths: Any, shape: Shape) -> list[Any]:
        """The field of every input.

        Args:
            values: of all of them.
            lengths: of each, where it is a sequence; None: all of it.
            shape: of the model.

        Raises:
            Refused: the tensor is of another shape.
        """
        if isinstance(values, list) != self.texts:
            wanted = "BYTES" if self.texts else "FP32"
            raise Refused(422, f"{self.name}: the datatype {wanted} is read", self.name)
        if self.texts:
            return list(values)
        if self.name == "condition":
            return [row.tolist() for row in values.reshape(len(values), -1)]
        if values.ndim not in (2, 3):
            raise Refused(422, f"{self.name}: a tensor of inputs x steps x channels is read", self.name)
        ends = [values.shape[1]] * len(values)
        if lengths is not None:
            lengths = np.reshape(lengths, -1) if isinstance(lengths, np.ndarray) else np.empty(0)
            if len(lengths) != len(values) or ((lengths < 1) | (lengths > values.shape[1]) | (lengths % 1 != 0)).any():
                raise Refused(422, f"lengths: each is 1 to {values.shape[1]}", "lengths")
            ends = lengths.astype(int).tolist()
        return [row[:end].tolist() for row, end in zip(values, ends, strict=True)]


INPUT_TENSORS = (
    InputTensor("text", texts=True),
    InputTensor("fields", texts=True),
    InputTensor("condition", texts=True),
    InputTensor("condition", texts=False, size=lambda shape: shape.channels),
    InputTensor("frames", texts=False, size=lambda shape: shape.channels),
    InputTensor("series", texts=False, size=lambda shape: shape.channels),
    InputTensor("known", texts=False, size=lambda shape: shape.known),
)


@dataclass(frozen=True)
class OutputTensor:
    """A tensor of the answers of one task.

    Attributes:
        name: of it.
        datatype: of its elements.
        value: of one answer: an element, or a list of them, of lists, as deep as the tensor.
        sizes: of the tensor behind the number of inputs, as clients are told.
        pad: what stands behind the end of shorter rows.
        once: whether it is the same for all inputs, and told once.
    """

    name: str
    datatype: str
    value: Callable[[dict[str, Any]], Any]
    sizes: Callable[[Shape], list[int]] = lambda _: []
    pad: Any = 0.0
    once: bool = False

    def metadata(self, shape: Shape) -> dict[str, Any]:
        """What clients are told of it."""
        several = [] if self.once else [ANY]
        return {"name": self.name, "datatype": self.datatype, "shape": [*several, *self.sizes(shape)]}

    def of(self, answers: Sequence[dict[str, Any]], shape: Shape) -> dict[str, Any]:
        """The tensor of these answers."""
        if self.once:
            row = self.value(answers[0])
            return {"name": self.name, "shape": [len(row)], "datatype": self.datatype, "data": row}
        rows = [self.value(answer) for answer in answers]
        depth = len(self.sizes(shape))
        sizes = [len(rows)]
        if depth == 1:
            sizes.append(max(map(len, rows)))
            rows = [value for row in rows for value in [*row, *[self.pad] * (sizes[1] - len(row))]]
        elif depth == 2:
            sizes += [len(rows[0]), len(rows[0][0]) if rows[0] else 0]
            rows = [value for row in rows for step in row for value in step]
        return {"name": self.name, "shape": sizes, "datatype": self.datatype, "data": rows}


def _member(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda answer: answer[name]


def _classes(shape: Shape) -> list[int]:
    return [len(shape.names)]


def _steps(_: Shape) -> list[int]:
    return [ANY]


def _ahead(shape: Shape) -> list[int]:
    return [ANY, shape.channels]


def _shares(answer: dict[str, Any]) -> list[float]:
    return list(answer["probabilities"].values())


OUTPUT_TENSORS: dict[str, tuple[OutputTensor, ...]] = {
    "classify": (
        OutputTensor("label", "BYTES", lambda answer: answer["label"] or ""),
        OutputTensor("probability", "FP64", _member("probability")),
        OutputTensor("probabilities", "FP64", _shares, _classes),
        OutputTensor("classes", "BYTES", lambda answer: list(answer["probabilities"]), _classes, once=True),
    ),
    "labels": (
        OutputTensor("labels", "BOOL", lambda of: [name in of["labels"] for name in of["probabilities"]], _classes),
        OutputTensor("probabilities", "FP64", _shares, _classes),
        OutputTensor("classes", "BYTES", lambda answer: list(answer["probabilities"]), _classes, once=True),
    ),
    "tag": (
        OutputTensor("tokens", "BYTES", lambda answer: [token for token, _, _ in answer["tokens"]], _steps, ""),
        OutputTensor("tags", "BYTES", lambda answer: [tag for _, tag, _ in answer["tokens"]], _steps, ""),
        OutputTensor("probabilities", "FP64", lambda answer: [value for _, _, value in answer["tokens"]], _steps),
        OutputTensor("lengths", "INT64", lambda answer: len(answer["tokens"])),
    ),
    "segments": (
        OutputTensor("tags", "BYTES", _member("tags"), _steps, ""),
        OutputTensor("probabilities", "FP64", _member("probabilities"), _steps),
        OutputTensor("lengths", "INT64", lambda answer: len(answer["tags"])),
    ),
    "lm": (
        OutputTensor("log_probability", "FP64", _member("log_probability")),
        OutputTensor("perplexity", "FP64", _member("perplexity")),
    ),
    "translate": (
        OutputTensor("translation", "BYTES", _member("translation")),
        OutputTensor("score", "FP64", lambda answer: answer["answers"][0]["score"]),
        OutputTensor("log_probability", "FP64", lambda answer: answer["answers"][0]["log_probability"]),
    ),
    "transcribe": (
        OutputTensor("text", "BYTES", _member("text")),
        OutputTensor("log_probability", "FP64", _member("log_probability")),
    ),
    "regress": (
        OutputTensor("values", "FP64", lambda answer: list(answer["values"].values()), _classes),
        OutputTensor("targets", "BYTES", lambda answer: list(answer["values"]), _classes, once=True),
    ),
    "forecast": (OutputTensor("forecasts", "FP64", _member("forecasts"), _ahead),),
    "generate": (OutputTensor("text", "BYTES", _member("text")),),
}
"""Of each kind of model; a sequence that is shorter than others has their length, and `lengths` says what its own is."""
