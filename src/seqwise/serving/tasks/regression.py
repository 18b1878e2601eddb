"""Regressors over HTTP: of texts, tokens, several columns, frames and vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from seqwise.data.frames import Frames
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.serving.served import Item, NoOptions, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.explained import explain_verbs
from seqwise.serving.tasks.inputs import finite, reader_of, together


class NumbersAnswer(Strict):
    """The number of every target."""

    values: dict[str, float] = Field(description="in the targets' own units")


class ServedRegressor(Served):
    """A regressor."""

    task = "regress"
    predictor: RegressorPredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> RegressorPredictor:
        return RegressorPredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        self._reader = reader_of(self.predictor, self.predictor.model.features, self.settings)
        return {
            "predict": Verb(
                self._reader.input,
                NoOptions,
                NumbersAnswer,
                self._read,
                self._answer,
                summary="The numbers of a sequence",
            ),
            **explain_verbs(self, self._reader),
        }

    def _further(self) -> dict[str, Any]:
        rate = self.predictor.model.features.frames.rate if self.predictor.reads_frames else None
        scale = self.predictor.scale
        ranges = zip(scale.names, scale.low.tolist(), scale.high.tolist(), strict=True)
        told = {name: [low, high] for name, low, high in ranges}
        return {"targets": list(scale.names), "ranges": told, "rate": rate}

    def _read(self, body: Any, _: Any) -> Item:
        value, length = self._reader.read(body)
        return Item(value, length, value.rate if isinstance(value, Frames) else None)

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        answers = finite(self.predictor.predict(together([item.value for item in items])))
        return [{"values": of} for of in self.predictor.named(answers)]
