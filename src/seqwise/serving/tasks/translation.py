"""Translators over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from seqwise.prediction.translator import TranslatorPredictor
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.inputs import TextReader

WIDEST = 100  # hypotheses that a client may ask for


class TranslatorOptions(Strict):
    """How is searched, and what is told."""

    beam: int | None = Field(default=None, ge=1, le=WIDEST, description="hypotheses kept; null: as the model says")
    n_best: int = Field(default=1, ge=1, le=WIDEST, description="translations of each text at most")
    attention: bool = Field(default=True, description="whether to tell where the model looked")


class TranslationAnswer(Strict):
    """One of the translations."""

    text: str
    score: float = Field(description="what it was chosen by: log P, normalised by its length")
    log_probability: float = Field(description="log P of the whole, in nats")
    symbols: list[str] = Field(default=[], description="what the model wrote, <eos> last")
    attention: list[list[float]] = Field(default=[], description="of each of them, the weight of each symbol read")


class TranslatedAnswer(Strict):
    """A text and its translations."""

    source: str = Field(description="as given")
    translation: str = Field(description="the best one")
    answers: list[TranslationAnswer] = Field(description="best first")
    symbols: list[str] = Field(default=[], description="what the model read, <eos> last")
    truncated: bool = Field(description="whether the text is longer than the model reads")


class ServedTranslator(Served):
    """A translator."""

    task = "translate"
    predictor: TranslatorPredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> TranslatorPredictor:
        return TranslatorPredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        self._reader = TextReader(self.settings, self.predictor.features.source)
        return {
            "predict": Verb(
                self._reader.input,
                TranslatorOptions,
                TranslatedAnswer,
                self._read,
                self._answer,
                summary="Translate a text",
            )
        }

    def observed(self, answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Whether the text was longer than the model reads."""
        if answer["truncated"]:
            yield "truncated", ""

    def _read(self, body: Any, options: TranslatorOptions) -> Item:
        if options.beam is not None and options.n_best > options.beam:
            raise Refused(422, f"n_best: a beam of {options.beam} has no {options.n_best} answers", "n_best")
        value, length = self._reader.read(body)
        return Item(value, length, (options.beam, options.n_best, options.attention))

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        beam, n_best, attention = items[0].options
        translated = self.predictor.translate([item.value for item in items], beam=beam, n_best=n_best)
        return [of.to_dict(attention=attention) for of in translated]
