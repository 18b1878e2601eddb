"""Transcribers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from seqwise.prediction.transcriber import TranscriberPredictor
from seqwise.serving.served import Item, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.inputs import finite, frame_reader, together

WIDEST = 1000  # prefixes that a client may ask for


class TranscriberOptions(Strict):
    """How the text is found."""

    beam: int | None = Field(default=None, ge=1, le=WIDEST, description="prefixes kept; null: as the model says")


class WordAnswer(Strict):
    """A word and when it was said."""

    word: str
    start: float = Field(description="of its first symbol, in seconds or frames")
    end: float = Field(description="of its last symbol")
    score: float = Field(description="the geometric mean of the probabilities of its symbols")


class TranscriptAnswer(Strict):
    """What was heard."""

    text: str
    log_probability: float = Field(description="log P of the text given the sound, in nats")
    unit: str = Field(description="of the times: seconds or frames")
    words: list[WordAnswer]


class ServedTranscriber(Served):
    """A transcriber."""

    task = "transcribe"
    predictor: TranscriberPredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> TranscriberPredictor:
        return TranscriberPredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        predictor = self.predictor
        self._reader = frame_reader(predictor.features.frames, self.settings, predictor.network.settings.reduction)
        return {
            "predict": Verb(
                self._reader.input,
                TranscriberOptions,
                TranscriptAnswer,
                self._read,
                self._answer,
                summary="What was said",
            )
        }

    def _further(self) -> dict[str, Any]:
        return {"rate": self.predictor.rate}

    def _read(self, body: Any, options: TranscriberOptions) -> Item:
        value, length = self._reader.read(body)
        return Item(value, length, (value.rate, options.beam))

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        _, beam = items[0].options
        predictor = self.predictor
        search = predictor.search if beam is None else predictor.search.model_copy(update={"beam": beam})
        logs = predictor.log_probabilities(together([item.value for item in items]))
        for of in logs:
            finite(of)
        return [found.to_dict() for found in predictor.align(logs, predictor.find(logs, search))]
