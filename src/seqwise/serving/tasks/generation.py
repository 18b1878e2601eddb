"""Generators over HTTP: texts from a class or a vector, symbol by symbol or the most probable one; and music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from seqwise.errors import DataError
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item, NoOptions, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.drawing import ChordsDrawn, Drawing, SamplingOptions, TextDrawn, sampling_of
from seqwise.serving.tasks.inputs import fitted

STEPS = 64  # chords of a piece, where nobody says how many
WIDEST = 100  # hypotheses that a client may ask for

Pitch = Annotated[int, Field(ge=0, le=127)]


class TextSamplingOptions(SamplingOptions):
    """How symbols of a text are drawn."""

    guidance: float = Field(
        default=0.0, ge=0, lt=100, description="above 0: more of what tells the condition from others"
    )


class SearchOptions(Strict):
    """How the most probable text is searched."""

    beam: int = Field(default=1, ge=1, le=WIDEST, description="hypotheses that are kept; 1 is greedy")
    max_tokens: int = Field(default=100, ge=1, description="symbols at most")


class TextAnswer(Strict):
    """A text."""

    text: str = Field(description="the most probable one")


class ServedGenerator(Served):
    """A generator of sequences."""

    task = "generate"
    predictor: GeneratorPredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> GeneratorPredictor:
        return GeneratorPredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        predictor = self.predictor
        self._classes = {str(name): name for name in predictor.classes}
        condition = self._condition_fields()
        if predictor.makes_chords:
            seed: Any = Field(default=[], description="chords that the piece goes on from, each a list of MIDI pitches")
            given = _input("PieceInput", **condition, chords=(list[list[Pitch]], seed))
            return {
                "generate": Verb(
                    given, SamplingOptions, ChordsDrawn, self._read_piece, self._draw_piece,
                    batched=False, streams=True, summary="Draw a piece of music",
                )
            }  # fmt: skip
        prompt = Field(default="", description="what the text begins with")
        given = _input("GeneratorInput", **condition, prompt=(str, prompt))
        return {
            "predict": Verb(
                _input("ConditionInput", **condition), SearchOptions, TextAnswer, self._read_condition, self._find,
                summary="The most probable text",
            ),
            "generate": Verb(
                given, TextSamplingOptions, TextDrawn, self._read_text, self._draw_text,
                batched=False, streams=True, summary="Draw a text",
            ),
        }  # fmt: skip

    @property
    def example(self) -> dict[str, Any]:
        """What the model may be asked."""
        if self.predictor.condition == "class":
            return {"condition": next(iter(self._classes))}
        if self.predictor.condition == "vector":
            return {"condition": [0.0] * self._size}
        return {}

    def _further(self) -> dict[str, Any]:
        return {
            "classes": list(self._classes) or None,
            "condition": self.predictor.condition,
            "chords": self.predictor.makes_chords,
        }

    @property
    def _size(self) -> int:
        """Numbers of a vector."""
        return self.predictor.features.vectors.channels

    def _condition_fields(self) -> dict[str, Any]:
        match self.predictor.condition:
            case "class":
                kind: Any = str | None
                return {"condition": (kind, Field(default=None, description="a class; null is none of them"))}
            case "vector":
                kind = Annotated[list[float], Field(min_length=self._size, max_length=self._size)]
                return {"condition": (kind, Field(description=f"a vector of {self._size} numbers"))}
        return {}

    def _condition(self, body: Any) -> Any:
        """What the predictor takes, of what the client wrote."""
        given = getattr(body, "condition", None)
        if isinstance(given, str):
            if given not in self._classes:
                known = ", ".join(list(self._classes)[:20])
                raise Refused(422, f"condition: the model does not know this class; it knows {known}", "condition")
            return self._classes[given]
        return given

    def _read_condition(self, body: Any, options: SearchOptions) -> Item:
        longest = options.max_tokens
        if longest > self.settings.max_length:
            raise Refused(422, f"max_tokens: this server writes at most {self.settings.max_length:,}", "max_tokens")
        return Item(self._condition(body), longest, (options.beam, longest))

    def _find(self, items: list[Item]) -> list[dict[str, Any]]:
        beam, longest = items[0].options
        texts = self.predictor.predict([item.value for item in items], beam=beam, max_tokens=longest)
        return [{"text": text} for text in texts]

    def _read_text(self, body: Any, options: TextSamplingOptions) -> Item:
        prompt = fitted(body.prompt, "prompt", self.settings)
        sampling = sampling_of(options, self.settings)
        return Item((self._condition(body), prompt, sampling, options.guidance), len(prompt))

    def _draw_text(self, item: Item) -> Drawing:
        condition, prompt, sampling, guidance = item.value
        pieces = self.predictor.generate(condition, sampling, prompt=prompt, guidance=guidance)
        return Drawing(pieces, sampling.max_tokens)

    def _read_piece(self, body: Any, options: SamplingOptions) -> Item:
        chords = fitted(body.chords, "chords", self.settings)
        try:
            self.predictor.features.encode_chords([chords] if chords else [])
        except DataError as error:
            raise Refused(422, f"chords: {error}", "chords") from None
        return Item((self._condition(body), chords, sampling_of(options, self.settings, STEPS)), len(chords))

    def _draw_piece(self, item: Item) -> Drawing:
        condition, chords, sampling = item.value
        return Drawing(
            self.predictor.generate_piece(condition, sampling, seed=chords), sampling.max_tokens, chords=True
        )


def _input(name: str, **fields: Any) -> type[BaseModel]:
    return create_model(name, __base__=NoOptions, __doc__="From what is drawn.", **fields)
