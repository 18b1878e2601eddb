"""Translators: a text in one language from a text in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource, open_table
from seqwise.data.pairs import TextPairs, find_pair_columns, read_pairs
from seqwise.errors import DataError
from seqwise.estimators import Translator
from seqwise.estimators.labelled import choose_held
from seqwise.estimators.translator_sections import TEXT_DEFAULTS, TRAINING_DEFAULTS
from seqwise.evaluation.task_report import Section
from seqwise.evaluation.translation import FIGURES, translation_sections
from seqwise.evaluation.word_translation import NAME, WordTranslation
from seqwise.experiments.task import Evaluated, Parts, Task
from seqwise.metrics.translation import translation_metrics
from seqwise.models import SearchSettings, TranslatorSettings
from seqwise.prediction.translator import Translated, TranslatorPredictor
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings


class TranslatorConfiguration(BaseModel):
    """Everything that decides how a translator is made.

    Attributes:
        data: which columns, and how much is held back for validation.
        text: how sources become symbols, and targets too.
        target_text: what of that is otherwise for targets.
        model: encoder, attention, decoder.
        search: how it answers.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    target_text: TextSettings = Field(default_factory=TextSettings)
    model: TranslatorSettings = Field(default_factory=TranslatorSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


class TranslationTask(Task):
    """Examples are `TextPairs`."""

    name = "translate"
    title = "Translator"
    configuration = TranslatorConfiguration
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": TEXT_DEFAULTS, "training": TRAINING_DEFAULTS}
    unit = "pairs"
    baseline = NAME
    alternative = "translating word by word"
    advice = "train longer, or on more pairs"
    explained = (
        "BLEU and chrF are sacrebleu's, cased, of plain text, from 0 to 100, against one reference each. Ranges are 95% "
        "bootstrap intervals over sentences."
    )
    watched: ClassVar[Mapping[str, str]] = {"accuracy": "right symbols, given those before"}
    use = (
        'seqwise predict {folder} "a sentence of yours"',
        "seqwise predict {folder} - < texts.txt > translations.txt",
    )
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: on texts of another kind expect less. It reads one "
        "text at a time, knows nothing of the one before, and may leave out or invent what the source does not say."
    )
    reads = ("text", "target")

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        known = source.metadata
        given = data.text or known.get("source_text"), data.target or known.get("target_text")
        text, target = find_pair_columns(source.table(*parts), *given)
        if text == target:
            raise DataError(f"{source.name}: the texts and their translations are both in the column {text!r}")
        return data.model_copy(update={"text": text, "target": target})

    def read(self, source: DataSource, settings: Any, *parts: str) -> TextPairs:
        """See `Task.read`."""
        table = source.table(*parts)
        return read_pairs(table, *find_pair_columns(table, settings.data.text, settings.data.target))

    def hold_back(self, examples: TextPairs, settings: Any) -> tuple[TextPairs, TextPairs]:
        """See `Task.hold_back`."""
        held = choose_held(len(examples), settings.data.validation, settings.training.seed)
        kept = sorted(set(range(len(examples))) - set(held))
        return examples.take(kept), examples.take(held)

    def estimator(self, settings: Any, training: TrainingSettings) -> Translator:
        """See `Task.estimator`."""
        return Translator(
            text=settings.text,
            target_text=settings.target_text,
            model=settings.model,
            search=settings.search,
            training=training,
            validation=0.0,
        )

    def fit(self, model: Translator, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        held = parts.validation
        pair = None if held is None else (held.sources, held.targets)
        model.fit(parts.training.sources, parts.training.targets, validation_data=pair, **options)

    def fit_baseline(self, model: Translator, training: TextPairs) -> WordTranslation:
        """See `Task.fit_baseline`."""
        return WordTranslation.fit(training.sources, training.targets)

    def load_baseline(self, saved: Any) -> WordTranslation:
        """See `Task.load_baseline`."""
        return WordTranslation.from_dict(saved)

    def load(self, folder: Path, device: str) -> TranslatorPredictor:
        """See `Task.load`."""
        return TranslatorPredictor.load(folder, device)

    def evaluate(
        self, predictor: TranslatorPredictor, examples: TextPairs, baseline: Any, *, seed: int = 0, **options: Any
    ) -> Evaluated:
        """See `Task.evaluate`; `beam` is an option."""
        said = predictor.translate(examples.sources, beam=options.get("beam"))
        beside = None if baseline is None else baseline.predict(examples.sources)
        block = translation_metrics([of.text for of in said], examples.targets, beside, seed=seed)
        block["truncated"] = sum(of.truncated for of in said)
        return Evaluated(block, (said, beside))

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return FIGURES

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        cut = block.get("truncated", 0)
        return f"{block['sentences']:,} {split} sentences" + (
            f", of which {cut:,} were too long and cut off" if cut else ""
        )

    def describe(self, model: Translator, settings: Any) -> str:
        """See `Task.describe`."""
        return f"{settings.data.target} from {settings.data.text}"

    def sections(
        self, model: Translator, split: str, examples: TextPairs, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        said, beside = evaluated.answers
        return translation_sections(
            examples.sources,
            examples.targets,
            said,
            baseline=beside,
            block=evaluated.block,
            rows=examples.rows,
            split=split,
            seed=settings.training.seed,
        )

    def notes(self, model: Translator, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        if not model.left_out_:
            return []
        longest = model.settings_.text.max_length
        return [
            f"{model.left_out_:,} training pairs were left out: a side has no symbol, or more than text.max_length "
            f"({longest}) with its end."
        ]


def read_texts_to_translate(path: Path, column: str | None, predictor: TranslatorPredictor) -> Iterator[str]:
    """Yield the texts of a file: a column of a table, or the lines of a text file.

    Raises:
        FileError: the file cannot be read.
        DataError: there is no such column, or a row holds no text.
    """
    table = open_table(path)
    chosen = column or predictor.settings.get("data", {}).get("text") or "text"
    if column is None and chosen not in table.columns and "text" in table.columns:
        chosen = "text"
    table.require(chosen, "column of the texts")
    row = 0
    for chunk in table.iter_chunks(columns=[chosen]):
        for text in chunk[chosen]:
            if not isinstance(text, str):
                raise DataError(f"{table.name}, {table.place(row)}: a text is expected in {chosen!r}, got {text!r:.40}")
            row += 1
            yield text


def written_translations(translated: list[Translated]) -> dict[str, list[Any]]:
    """Columns of a table of translations: text, translation, score."""
    return {
        "text": [of.source for of in translated],
        "translation": [of.text for of in translated],
        "score": [of.answers[0].score for of in translated],
    }


TASK = TranslationTask()
