"""Language models: what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource
from seqwise.errors import DataError
from seqwise.estimators.language import TEXT_DEFAULTS, TRAINING_DEFAULTS, LanguageModel, split_end
from seqwise.evaluation.agreement import Agreement, measure_agreement
from seqwise.evaluation.kneser_ney import KneserNey
from seqwise.evaluation.language import FIGURES, language_sections
from seqwise.evaluation.mistakes import shortened
from seqwise.evaluation.task_report import Section
from seqwise.experiments.task import Evaluated, Parts, Task
from seqwise.metrics.language import language_metrics
from seqwise.models import LanguageSettings
from seqwise.prediction.language import LanguagePredictor, Sampling
from seqwise.text import TextSettings
from seqwise.text.vocabulary import SPECIAL_TOKENS, UNK
from seqwise.training import TrainingSettings

ORDER = 5  # of the baseline
SAMPLES, SAMPLE_LENGTH, SURPRISING = 4, 60, 10
LONGEST_TEXT = 2000  # characters of a text that is read on its own for the report


class LanguageConfiguration(BaseModel):
    """Everything that decides how a language model is made.

    Attributes:
        data: which column, and how much is held back for validation.
        text: how a text becomes symbols.
        model: layers, softmax and regularisation.
        training: optimiser, schedule, epochs, seed, device; `batch_size` is the number of streams.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    model: LanguageSettings = Field(default_factory=LanguageSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


class LanguageTask(Task):
    """Examples are texts in their order, read one after the other, the state carried over."""

    name = "lm"
    title = "Language model"
    configuration = LanguageConfiguration
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": TEXT_DEFAULTS, "training": TRAINING_DEFAULTS}
    unit = "texts"
    baseline = f"Kneser-Ney {ORDER}-grams"
    alternative = "counting"
    advice = "use the n-grams, or train longer"
    lower_is_better = True
    reads = ("text",)
    explained = "Read one after the other. Less is better. Ranges are 95% bootstrap intervals."
    use = ('seqwise score {folder} "a sentence"', 'seqwise generate {folder} --prompt "the beginning"')
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: what it says is probable there, not true. Its texts "
        "may repeat pieces of that data."
    )

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        column = data.text or source.metadata.get("text") or "text"
        source.table(*parts).require(column, "column of the texts")
        return data.model_copy(update={"text": column})

    def read(self, source: DataSource, settings: Any, *parts: str) -> Sequence[Any]:
        """See `Task.read`."""
        return read_texts(source, settings.data.text, *parts)

    def hold_back(self, examples: Sequence[Any], settings: Any) -> tuple[Sequence[Any], Sequence[Any]]:
        """See `Task.hold_back`: the end of the texts."""
        return split_end(examples, settings.data.validation)

    def estimator(self, settings: Any, training: TrainingSettings) -> LanguageModel:
        """See `Task.estimator`."""
        return LanguageModel(text=settings.text, model=settings.model, training=training, validation=0.0)

    def fit(self, model: LanguageModel, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        model.fit(parts.training, validation_data=parts.validation, **options)

    def fit_baseline(self, model: LanguageModel, training: Sequence[Any]) -> KneserNey:
        """See `Task.fit_baseline`: n-grams of the model's own symbols, too many to be stored."""
        pipeline = model.predictor_.pipeline  # padding is none of the symbols
        return KneserNey.fit(pipeline.encode_stream(training) - 1, len(pipeline.vocabulary) - 1, ORDER)

    def load(self, folder: Path, device: str) -> LanguagePredictor:
        """See `Task.load`."""
        return LanguagePredictor.load(folder, device)

    def evaluate(
        self,
        predictor: LanguagePredictor,
        examples: Sequence[Any],
        baseline: KneserNey | None,
        *,
        seed: int = 0,
        adapt: float | None = None,
        **options: Any,
    ) -> Evaluated:
        """See `Task.evaluate`; `adapt` is the learning rate of dynamic evaluation (Krause et al. 2018)."""
        rows = predictor.encode(examples)
        symbols = np.concatenate(rows)
        several = len(rows) > 1
        characters = sum(len(text) if isinstance(text, str) else len(" ".join(text)) for text in examples)
        block = language_metrics(
            predictor.read_stream(symbols) if adapt is None else predictor.adapt_stream(symbols, adapt),
            None if baseline is None else baseline.losses(symbols - 1, np.array([predictor.opening - 1])),
            sentences=np.repeat(np.arange(len(rows)), [len(row) for row in rows]) if several else None,
            characters=characters + (len(rows) if predictor.ends else 0),
            seed=seed,
        )
        return Evaluated(block)

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return {key: name for key, name in FIGURES.items() if key in block}

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        return f"{block['tokens']:,} {split} symbols"

    def describe(self, model: LanguageModel, settings: Any) -> str:
        """See `Task.describe`."""
        unit = model.predictor_.pipeline.settings.unit
        named = {"bpe": "sub-words", "unigram": "sub-words", "whitespace": "words", "tokens": "words"}
        return f"What comes next, from {settings.data.text}: {named.get(unit, unit)}"

    def size(self, model: LanguageModel, part: str, examples: Any, block: Mapping[str, Any] | None) -> str:
        """See `Task.size`."""
        return f"{model.tokens_ if block is None else block['tokens']:,} symbols"

    def sections(
        self, model: LanguageModel, split: str, examples: Sequence[Any], evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        predictor = model.predictor_
        return language_sections(
            split=split,
            agreement=agreement_of(predictor),
            next_symbols={given: predictor.next_symbols(given, 8) for given in ("", *_beginnings(examples))},
            samples=_samples(predictor, settings.training.seed),
            surprising=_surprising(predictor, list(examples)),
        )

    def notes(self, model: LanguageModel, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        vocabulary = model.predictor_.pipeline.vocabulary
        unknown = float(vocabulary.counts[UNK]) / max(model.tokens_, 1)
        return [
            f"{len(vocabulary) - len(SPECIAL_TOKENS):,} different symbols are known; {unknown:.1%} of the training symbols "
            "are <unk>."
        ]


def read_texts(source: DataSource, column: str, *parts: str) -> list[Any]:
    """The texts of a part, in their order; rows without a text are left out.

    Raises:
        DataError: there is no such column, or it holds no texts.
    """
    table = source.table(*parts)
    table.require(column, "column of the texts")
    texts = [text for chunk in table.iter_chunks(columns=[column]) for text in chunk[column] if text not in (None, "")]
    wrong = next((text for text in texts if not isinstance(text, str | list)), None)
    if wrong is not None:
        raise DataError(f"{table.name}: column {column!r} holds {type(wrong).__name__}, not texts")
    if not texts:
        raise DataError(f"{table.name}: there are no texts in column {column!r}")
    return texts


def agreement_of(predictor: LanguagePredictor) -> list[Agreement]:
    """Return the agreement test of a model of words; of others nothing."""
    if predictor.pipeline.settings.unit not in ("words", "whitespace", "tokens"):
        return []
    return measure_agreement(predictor.log_probabilities_after, lambda word: word in predictor.pipeline.vocabulary)


def _beginnings(texts: Sequence[Any]) -> list[str]:
    """The first words of some texts."""
    found = []
    for text in texts[:3]:
        words = (text if isinstance(text, str) else " ".join(text)).split()
        if len(words) > 3:
            found.append(" ".join(words[:3]))
    return list(dict.fromkeys(found))


def _samples(predictor: LanguagePredictor, seed: int) -> list[tuple[str, str]]:
    length = SAMPLE_LENGTH if predictor.pipeline.settings.unit != "characters" else 6 * SAMPLE_LENGTH
    return [("", "".join(predictor.generate("", Sampling(max_tokens=length, seed=seed + i)))) for i in range(SAMPLES)]


def _surprising(predictor: LanguagePredictor, texts: list[Any]) -> list[dict[str, Any]]:
    if len(texts) < 2:
        return []
    short = [text for text in texts if len(text) <= LONGEST_TEXT][:2000]
    scored = [of for of in predictor.score(short) if len(of.tokens) > 3]
    scored.sort(key=lambda of: -of.perplexity)
    return [
        {
            "text": shortened(of.text),
            "perplexity": of.perplexity,
            "hardest": sorted(
                ((token, float(np.exp(value))) for token, value in zip(of.tokens, of.log_probabilities, strict=True)),
                key=lambda pair: pair[1],
            )[:3],
        }
        for of in scored[:SURPRISING]
    ]


TASK = LanguageTask()
