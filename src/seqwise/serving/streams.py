"""Sequences that come step by step, for each task: what a step is in JSON, and what is answered after it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from seqwise.errors import InputError
from seqwise.prediction.classified import Prediction
from seqwise.prediction.streaming import check_stepwise
from seqwise.serving.problems import Refused
from seqwise.serving.served import Served

NEXT = 10  # symbols that a language model names
LARGEST = float(np.finfo(np.float32).max)


class Steps(ABC):
    """How a model reads one sequence step by step.

    Args:
        served: the model.
    """

    example: Any
    """A step."""

    frames: Any = None
    """What prepares frames, of a model that reads such."""

    def __init__(self, served: Served) -> None:
        self.served, self.predictor = served, served.predictor
        self._longest = served.settings.max_length

    @property
    def grows(self) -> bool:
        """Whether what is kept grows with the steps: then a sequence has an end."""
        model = self.predictor.settings.get("model", {})
        return model.get("encoder") == "transformer" and model.get("context") is None

    def start(self) -> Any:
        """Where a sequence begins.

        Raises:
            Refused: the model needs whole sequences.
        """
        try:
            return self.predictor.start()
        except InputError as error:
            raise Refused(422, f"the model {self.served.name!r} does not read step by step: {error}", "model") from None

    @abstractmethod
    def read(self, given: Any, field: str) -> Any:
        """A step as the predictor reads it; quick.

        Raises:
            Refused: it is none; names the field.
        """

    def most(self, x: Any) -> int:
        """How many symbols or frames a step can be, at most."""
        return len(x) if isinstance(x, str) else 1

    def step(self, state: Any, x: Any) -> tuple[Any, dict[str, Any]]:
        """Read on, and answer."""
        state, _ = self.predictor.step(state, x)
        return state, self.first(state)

    def first(self, state: Any) -> dict[str, Any]:
        """What is answered before the next step, of a state that was just made or restored."""
        return {}

    def count(self, state: Any) -> int:
        """How many symbols or frames have been read."""
        return int(state.steps)

    def _text(self, given: Any, field: str, least: int = 0) -> str:
        if not isinstance(given, str) or len(given) < least:
            raise Refused(422, f"{field}: a step of this model is a text, such as {self.example!r}", field)
        if len(given) > self._longest:
            raise Refused(413, f"{field} has {len(given):,} characters; a step has at most {self._longest:,}", field)
        return given

    def _frame(self, given: Any, channels: int, field: str) -> list[float]:
        row = [given] if channels == 1 and not isinstance(given, list) else given
        if not isinstance(row, list) or len(row) != channels or not all(map(_is_number, row)):
            raise Refused(422, f"{field}: a step of this model is {channels} numbers", field)
        return [float(number) for number in row]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= LARGEST


class _TextOrFrames(Steps):
    """Steps of a model that reads texts or frames, as its folder says."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        if self.predictor.config["unit"] == "frames":
            self.frames = self._features().frames
        self._channels = int(self.frames.channels) if self.frames is not None else 0
        self.example: Any = [0.0] * self._channels if self._channels else "good"

    def _features(self) -> Any:
        return self.predictor.features

    def read(self, given: Any, field: str) -> Any:
        """A token or a piece of text; or a frame."""
        return self._frame(given, self._channels, field) if self._channels else self._text(given, field)


class ClassifierSteps(_TextOrFrames):
    """The class of all that was read, after every step."""

    def first(self, state: Any) -> dict[str, Any]:
        """See `Steps`."""
        if state.answer is None:
            return {}
        predictor, row = self.predictor, state.answer
        names = [str(name) for name in predictor.classes]
        (chosen,) = predictor.names(predictor.decide(row[None]))
        label = tuple(map(str, chosen)) if predictor.multilabel else None if chosen is None else str(chosen)
        return Prediction("", label, dict(zip(names, row.tolist(), strict=True))).to_dict()


class TaggerSteps(_TextOrFrames):
    """The tag of every step."""

    def read(self, given: Any, field: str) -> Any:
        """A token; or a frame."""
        return self._frame(given, self._channels, field) if self._channels else self._text(given, field, least=1)

    def most(self, x: Any) -> int:
        """See `Steps`."""
        return 1

    def first(self, state: Any) -> dict[str, Any]:
        """See `Steps`."""
        if state.answer is None:
            return {}
        chances = dict(zip(self.predictor.classes, state.answer.tolist(), strict=True))
        tag = max(chances, key=chances.__getitem__)
        return {"tag": tag, "probability": chances[tag], "probabilities": chances}


class LanguageSteps(Steps):
    """How probable what was read had been, and what is probable next."""

    example = "the"

    def read(self, given: Any, field: str) -> Any:
        """A token, or a piece of text."""
        return self._text(given, field)

    def step(self, state: Any, x: Any) -> tuple[Any, dict[str, Any]]:
        """See `Steps`."""
        state, symbols = self.predictor.read(state, x)
        said = {"tokens": symbols, "log_probability": math.fsum(value for _, value in symbols)}
        return state, {**said, **self.first(state)}

    def first(self, state: Any) -> dict[str, Any]:
        """See `Steps`."""
        logs = state.answer
        best = np.argpartition(-logs, min(NEXT, len(logs) - 1))[:NEXT]
        best = best[np.argsort(-logs[best], kind="stable")]
        symbols = self.predictor.pipeline.vocabulary.decode((best + 1).tolist())
        return {"next": [{"token": s, "probability": math.exp(logs[i])} for s, i in zip(symbols, best, strict=True)]}

    def count(self, state: Any) -> int:
        """See `Steps`; what opens a text is not counted."""
        return int(state.steps) - 1


class RegressorSteps(_TextOrFrames):
    """The numbers of all that was read, after every step."""

    def _features(self) -> Any:
        return self.predictor.model.features

    def first(self, state: Any) -> dict[str, Any]:
        """See `Steps`."""
        if state.answer is None:
            return {}
        return {"values": dict(zip(self.predictor.scale.names, state.answer.tolist(), strict=True))}


class ForecasterSteps(Steps):
    """The next step, after every step."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        scale, known = self.predictor.scale, self.predictor.known
        self._channels, self._known = len(scale.names), 0 if known is None else len(known.names)
        row = [0.0] * self._channels
        self.example: Any = {"values": row, "known": [0.0] * self._known} if self._known else row

    def read(self, given: Any, field: str) -> Any:
        """The values of a step; of a model with known inputs an object: these, and what is known of the next step."""
        if not self._known:
            return self._frame(given, self._channels, field), None
        if not isinstance(given, dict) or set(given) != {"values", "known"}:
            raise Refused(422, f'{field}: a step of this model is an object with "values" and "known"', field)
        values = self._frame(given["values"], self._channels, f"{field}.values")
        return values, self._frame(given["known"], self._known, f"{field}.known")

    def step(self, state: Any, x: Any) -> tuple[Any, dict[str, Any]]:
        """See `Steps`."""
        values, known = x
        state, forecast = self.predictor.step(state, values, known)
        said = [number if math.isfinite(number) else None for number in forecast[0].tolist()]
        return state, {"forecast": dict(zip(self.predictor.scale.names, said, strict=True))}


class TranscriberSteps(Steps):
    """What has been heard, after every frame."""

    grows = True  # of every step its symbol is kept

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.frames = self.predictor.features.frames
        self._channels = int(self.frames.channels)
        self.example: Any = [0.0] * self._channels

    def read(self, given: Any, field: str) -> Any:
        """A frame."""
        return self._frame(given, self._channels, field)

    def step(self, state: Any, x: Any) -> tuple[Any, dict[str, Any]]:
        """See `Steps`."""
        state, text = self.predictor.step(state, x)
        return state, {"text": text}

    def first(self, state: Any) -> dict[str, Any]:
        """See `Steps`."""
        return {"text": state.answer}


STEPS: dict[str, Callable[[Served], Steps]] = {
    "classify": ClassifierSteps,
    "tag": TaggerSteps,
    "lm": LanguageSteps,
    "regress": RegressorSteps,
    "forecast": ForecasterSteps,
    "transcribe": TranscriberSteps,
}


def steps_of(served: Served) -> Steps:
    """How a model reads step by step.

    Raises:
        Refused: models of its task do not.
    """
    make = STEPS.get(served.task)
    if make is None or not hasattr(served.predictor, "start"):
        raise Refused(422, f"the model {served.name!r} does not read step by step", "model")
    return make(served)


def reads_steps(served: Served) -> bool:
    """Whether a model can read step by step, as its settings say; `start` would have to build its network to know."""
    if served.task not in STEPS or not hasattr(served.predictor, "start"):
        return False
    steps, model = STEPS[served.task](served), served.predictor.settings.get("model", {})
    if steps.frames is not None:
        try:
            check_stepwise(steps.frames.settings)
        except InputError:
            return False
    whole = {"bidirectional": (True,), "architecture": ("wide_deep", "linear", "dense"), "head": ("crf",)}
    whole["subsampling"] = ("convolution",)
    return not any(model.get(name) in values for name, values in whole.items())
