"""Taggers over HTTP: of texts, tokens and frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from seqwise.data.frames import Frames
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.serving.served import Item, NoOptions, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.explained import explain_verbs
from seqwise.serving.tasks.inputs import COMMON, SHOWN, TELLING, Reader, TextReader, finite, frame_reader, together
from seqwise.text.vocabulary import SPECIAL_TOKENS


class Entity(Strict):
    """A span of tokens."""

    entity_group: str = Field(description="its type")
    score: float = Field(description="the probability that all its tags are right together")
    word: str
    start: int = Field(description="of its first character")
    end: int = Field(description="behind its last character")


Triple = Annotated[list[str | float], Field(min_length=3, max_length=3)]


class TaggedAnswer(Strict):
    """The tags of a text."""

    text: str = Field(description="as given; of tokens, these with spaces between")
    entities: list[Entity] = Field(description="what the tags describe; of tags that are no spans every token is one")
    tokens: list[Triple] = Field(description="each token with its tag and the tag's probability")


class Segment(Strict):
    """Successive steps of one label."""

    entity_group: str = Field(description="its label")
    score: float = Field(description="the mean probability of the label")
    start: float = Field(description="seconds or steps from the beginning, as unit says")
    end: float


class SegmentsAnswer(Strict):
    """The labels of steps."""

    unit: str = Field(description="of start and end: seconds or steps")
    segments: list[Segment]
    tags: list[str] = Field(description="the label of each step")
    probabilities: list[float]


class WordReader(TextReader):
    """Reads texts of a tagger, which knows words and characters and has no pipeline.

    Args:
        settings: of the server.
        features: of the tagger.
    """

    def __init__(self, settings: ServerSettings, features: Any) -> None:
        super().__init__(settings, None, tokens=True)
        self._features = features

    @property
    def example(self) -> dict[str, Any]:
        """Frequent words, in the form in which the model knows them."""
        known = self._features.words.tokens[len(SPECIAL_TOKENS) :]
        common = [word for word in known[:COMMON] if word.isalpha()]
        telling = [word for word in common if len(word) >= TELLING]
        return {"text": " ".join((telling if len(telling) >= SHOWN else common or known)[:SHOWN])}

    def unknown(self, values: Sequence[Any]) -> tuple[int, int]:
        """See `Reader`."""
        counts = [0, 0]
        for value in values:
            tokens = [token for token, _, _ in self._features.place(value)] if isinstance(value, str) else value
            counts[0] += sum(not self._features.knows(token) for token in tokens)
            counts[1] += len(tokens)
        return counts[0], counts[1]


class ServedTagger(Served):
    """A tagger."""

    task = "tag"
    predictor: TaggerPredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> TaggerPredictor:
        return TaggerPredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        features = self.predictor.features
        framed = self.predictor.framed
        self._reader: Reader = (
            frame_reader(features.frames, self.settings) if framed else WordReader(self.settings, features)
        )
        answer: type[BaseModel] = SegmentsAnswer if framed else TaggedAnswer
        return {
            "predict": Verb(
                self._reader.input, NoOptions, answer, self._read, self._answer, summary="The tags of a sequence"
            ),
            **explain_verbs(self, self._reader),
        }

    def _further(self) -> dict[str, Any]:
        rate = self.predictor.features.frames.rate if self.predictor.framed else None
        return {"classes": self.predictor.classes, "scheme": self.predictor.scheme, "rate": rate}

    def observed(self, answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """The types of spans or segments that were found."""
        spans = answer["segments"] if "segments" in answer else answer["entities"]
        yield from (("class", span["entity_group"]) for span in spans)

    def _read(self, body: Any, _: Any) -> Item:
        value, length = self._reader.read(body)
        return Item(value, length, value.rate if isinstance(value, Frames) else None)

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        tagged = self.predictor.tag(together([item.value for item in items]))
        finite(np.concatenate([found.probabilities for found in tagged]))
        return [found.to_dict() for found in tagged]
