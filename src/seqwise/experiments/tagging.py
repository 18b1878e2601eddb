"""Taggers: a tag for each token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource
from seqwise.data.tagged import TaggedSentences, find_columns, read_tagged
from seqwise.estimators import SequenceTagger
from seqwise.estimators.labelled import choose_held
from seqwise.estimators.tag_targets import TagCode
from seqwise.estimators.tagger_sections import TRAINING_DEFAULTS
from seqwise.evaluation.tag_baseline import NAME, TagBaseline
from seqwise.evaluation.tagging import figures_of, tagging_sections, worst_sentences
from seqwise.evaluation.task_report import Section
from seqwise.experiments.task import Evaluated, Parts, Task
from seqwise.losses import ImbalanceSettings
from seqwise.metrics.tagging import Tagging, tagging_metrics
from seqwise.models import FrameSettings, TaggerSettings
from seqwise.prediction.tagger import PLAIN, TaggerPredictor
from seqwise.text import TextSettings, Tokenizer
from seqwise.training import TrainingSettings


class TaggerConfiguration(BaseModel):
    """Everything that decides how a tagger is made.

    Attributes:
        data: which columns, and how much is held back for validation.
        text: how a text that is no list of tokens is split, and which words are known.
        frames: how sequences of numbers are read.
        model: layers, word vectors, conditional random field or softmax.
        imbalance: what is done for rare tags.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    frames: FrameSettings = Field(default_factory=FrameSettings)
    model: TaggerSettings = Field(default_factory=TaggerSettings)
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


class TaggerTask(Task):
    """What taggers of words and of frames have in common."""

    name = "tag"
    configuration = TaggerConfiguration
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"training": TRAINING_DEFAULTS}

    def estimator(self, settings: Any, training: TrainingSettings) -> SequenceTagger:
        """See `Task.estimator`."""
        return SequenceTagger(
            text=settings.text,
            frames=settings.frames,
            model=settings.model,
            imbalance=settings.imbalance,
            training=training,
            validation=0.0,
        )

    def load(self, folder: Path, device: str) -> TaggerPredictor:
        """See `Task.load`."""
        return TaggerPredictor.load(folder, device)

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return figures_of(block)

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        if "steps" in block:
            return f"{block['recordings']:,} {split} recordings of {block['steps']:,} labelled steps"
        return f"{block['sentences']:,} {split} sentences of {block['tokens']:,} tokens"


class TaggingTask(TaggerTask):
    """Examples are `TaggedSentences`."""

    title = "Tagger"
    unit = "sentences"
    baseline = NAME
    alternative = "looking tokens up"
    advice = "train longer, or on more sentences"
    explained = (
        "Ranges are 95% bootstrap intervals over sentences. A span counts as found where its type, beginning and end are "
        "right; partially, at half, where the type is right and both overlap."
    )
    use = ('seqwise predict {folder} "a sentence of yours"',)
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: on texts of another kind expect less. A text is split "
        "into tokens by Seqwise; give lists of tokens where others are wanted."
    )
    reads: ClassVar[Sequence[str]] = ("text", "label")

    def of(self, source: DataSource, data: DataSettings) -> Task:
        """See `Task.of`: frames where columns of frames are named, or the data set tells of no texts, but of a sequence."""
        if data.frames is None and (data.text or not source.metadata.get("sequence") or source.metadata.get("text")):
            return self
        from seqwise.experiments.frame_tagging import TASK as OF_FRAMES

        return OF_FRAMES

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        given = data.text or source.metadata.get("text"), data.label or source.metadata.get("label")
        text, label = find_columns(source.table(*parts), *given)
        return data.model_copy(update={"text": text, "label": label})

    def read(self, source: DataSource, settings: Any, *parts: str) -> TaggedSentences:
        """See `Task.read`."""
        table = source.table(*parts)
        text, label = find_columns(table, settings.data.text, settings.data.label)
        return read_tagged(table, text, label, Tokenizer(_with_unit(settings.text)).spans)

    def hold_back(self, examples: TaggedSentences, settings: Any) -> tuple[TaggedSentences, TaggedSentences]:
        """See `Task.hold_back`."""
        held = choose_held(len(examples), settings.data.validation, settings.training.seed)
        kept = sorted(set(range(len(examples))) - set(held))
        return examples.take(kept), examples.take(held)

    def fit(self, model: SequenceTagger, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        held = parts.validation
        pair = None if held is None else (held.tokens, held.tags)
        model.fit(parts.training.tokens, parts.training.tags, validation_data=pair, **options)

    def fit_baseline(self, model: SequenceTagger, training: TaggedSentences) -> TagBaseline:
        """See `Task.fit_baseline`."""
        return TagBaseline.fit(training.tokens, training.tags)

    def load_baseline(self, saved: Any) -> TagBaseline:
        """See `Task.load_baseline`."""
        return TagBaseline.from_dict(saved)

    def evaluate(
        self, predictor: TaggerPredictor, examples: TaggedSentences, baseline: Any, *, seed: int = 0, **options: Any
    ) -> Evaluated:
        """See `Task.evaluate`."""
        code = TagCode(predictor.classes, predictor.scheme, predictor.inner_scheme)
        said: Any = predictor.tag(examples.tokens)
        answers = Tagging([one.tags for one in said], None if code.scheme == PLAIN else [one.spans for one in said])
        beside = None if baseline is None else code.tagging(baseline.predict(examples.tokens))
        return Evaluated(tagging_metrics(code.tagging(examples.tags), answers, beside, seed=seed), said)

    def describe(self, model: SequenceTagger, settings: Any) -> str:
        """See `Task.describe`."""
        what = f"{len(model.classes_)} tags"
        if model.code_.scheme != PLAIN:
            kinds = len({one[2:] for one in model.classes_ if one != "O"})
            what = f"spans of {kinds} types, {model.code_.scheme}"
        return f"{settings.data.label} of {settings.data.text}: {what}"

    def sections(
        self, model: SequenceTagger, split: str, examples: TaggedSentences, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        said = evaluated.answers
        right: Any = model.code_.tagging(examples.tags).tags
        worst = worst_sentences(
            examples.tokens,
            right,
            [one.tags for one in said],
            [one.probabilities for one in said],
            rows=examples.rows,
        )
        return tagging_sections(evaluated.block, split=split, worst=worst)

    def notes(self, model: SequenceTagger, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        notes, training = [], parts.training
        if model.coverage_ is not None:
            notes.append(model.coverage_.sentence())
        if model.broken_:
            notes.append(
                f"{model.broken_:,} training tags broke a rule of the scheme {model.code_.scheme} (an I- without its B-, "
                "say) and were read as the spans that were meant."
            )
        if training.moved:
            notes.append(f"{training.moved:,} marked spans ended within a token and were widened to whole tokens.")
        if training.empty:
            notes.append(f"{training.empty:,} rows without a token were left out.")
        return notes


def _with_unit(text: TextSettings) -> TextSettings:
    return text.model_copy(update={"unit": "words"}) if text.unit == "auto" else text


TASK = TaggingTask()
