"""Language models over HTTP: how probable texts are, and texts drawn from the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from seqwise.prediction.language import LanguagePredictor
from seqwise.serving.served import Item, NoOptions, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.drawing import Drawing, SamplingOptions, TextDrawn, sampling_of
from seqwise.serving.tasks.explained import explain_verbs
from seqwise.serving.tasks.inputs import TextReader, fitted

Pair = Annotated[list[str | float], Field(min_length=2, max_length=2)]


class ScoreAnswer(Strict):
    """How probable a text is."""

    text: str = Field(description="as given; of tokens, these with spaces between")
    log_probability: float = Field(le=0, description="log P of the whole text, its end included, in nats")
    perplexity: float = Field(ge=1, description="exp of the mean -log P of a symbol")
    tokens: list[Pair] = Field(description="each symbol with its log P, given all before it")


class PromptInput(Strict):
    """What a text begins with."""

    prompt: str = Field(default="", description="what the text goes on from")


class ServedLanguageModel(Served):
    """A language model."""

    task = "lm"
    predictor: LanguagePredictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> LanguagePredictor:
        return LanguagePredictor.load(path, settings.device)

    def _verbs(self) -> dict[str, Verb]:
        pipeline = self.predictor.pipeline
        self._reader = TextReader(self.settings, pipeline, tokens=pipeline.settings.unit == "tokens")
        return {
            "score": Verb(
                self._reader.input, NoOptions, ScoreAnswer, self._read, self._score, summary="How probable a text is"
            ),
            "generate": Verb(
                PromptInput,
                SamplingOptions,
                TextDrawn,
                self._read_prompt,
                self._draw,
                batched=False,
                streams=True,
                summary="Draw a text",
                example={"prompt": self._reader.example["text"], "max_tokens": 10},
            ),
            **explain_verbs(self, self._reader),
        }

    def _read(self, body: Any, _: Any) -> Item:
        return Item(*self._reader.read(body))

    def _score(self, items: list[Item]) -> list[dict[str, Any]]:
        return [scored.to_dict() for scored in self.predictor.score([item.value for item in items])]

    def _read_prompt(self, body: PromptInput, options: SamplingOptions) -> Item:
        prompt = fitted(body.prompt, "prompt", self.settings)
        return Item((prompt, sampling_of(options, self.settings)), len(prompt))

    def _draw(self, item: Item) -> Drawing:
        prompt, sampling = item.value
        return Drawing(self.predictor.generate(prompt, sampling), sampling.max_tokens)
