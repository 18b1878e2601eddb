"""Classifiers over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field

from seqwise.prediction import Predictor
from seqwise.serving.served import Item, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings


class TextInput(Strict):
    """One text."""

    text: str = Field(description="the text to classify")


class ClassifierOptions(Strict):
    """How probabilities become an answer."""

    priors: dict[str, float] | None = Field(default=None, description="share of each class where the answer is used")
    abstain_below: float | None = Field(default=None, gt=0, le=1, description="no label below this probability")


class ClassifierAnswer(Strict):
    """The label, and the probability of every class."""

    label: str | None = Field(description="null where the model abstains")
    probability: float = Field(ge=0, le=1, description="of the label, or the greatest of any class")
    probabilities: dict[str, float] = Field(description="calibrated, and corrected where priors are given")


class ServedClassifier(Served):
    """A classifier of texts."""

    task = "classify"
    predictor: Predictor

    @classmethod
    def open(cls, name: str, path: Path, settings: ServerSettings) -> Self:
        """Read its folder."""
        return cls(name, Predictor.load(path, settings.device), settings)

    def _verbs(self) -> dict[str, Verb]:
        self._names = [str(name) for name in self.predictor.classes]
        return {
            "predict": Verb(
                TextInput, ClassifierOptions, ClassifierAnswer, self._read, self._answer, summary="Classify a text"
            )
        }

    @property
    def example(self) -> dict[str, Any]:
        """A text."""
        return {"text": "a text of yours"}

    def observed(self, answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """The class that was given, or that none was."""
        yield ("class", answer["label"]) if answer["label"] is not None else ("abstained", "")

    def _read(self, body: TextInput, options: ClassifierOptions) -> Item:
        text = self.fitted(body.text, "text")
        return Item((text, options), len(text))

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        texts = [item.value[0] for item in items]
        probabilities = self.predictor.predict_proba(texts)
        chosen = self.predictor.decide(probabilities)
        return [self._written(row, index) for row, index in zip(probabilities, chosen, strict=True)]

    def _written(self, row: np.ndarray, index: int) -> dict[str, Any]:
        return {
            "label": None if index < 0 else self._names[index],
            "probability": float(row[index] if index >= 0 else row.max()),
            "probabilities": dict(zip(self._names, row.tolist(), strict=True)),
        }
