"""Transcribers: what was said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource, grouped_split
from seqwise.data.transcribed import TranscribedUtterances, find_transcript_columns, read_transcribed
from seqwise.estimators.transcriber import Transcriber, choose_held
from seqwise.estimators.transcriber_sections import FRAME_DEFAULTS, TEXT_DEFAULTS, TRAINING_DEFAULTS
from seqwise.evaluation.task_report import Section
from seqwise.evaluation.transcription import FIGURES, alignment, transcription_sections, worst_utterances
from seqwise.evaluation.transcription_baseline import NAME, NearestUtterance
from seqwise.experiments.task import GROUPS, LONG_FORM, Evaluated, Parts, Task
from seqwise.metrics.transcription import transcription_metrics
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.transcriber_settings import TranscriberSearchSettings, TranscriberSettings
from seqwise.prediction.transcriber import TranscriberPredictor
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

PICTURES = 3  # utterances whose alignment is drawn


class TranscriberConfiguration(BaseModel):
    """Everything that decides how a transcriber is made.

    Attributes:
        data: which columns, and how much is held back for validation, speaker by speaker if `group` names them.
        frames: what is computed from the numbers of an utterance.
        text: what the symbols of a transcript are.
        model: how many frames are a step, layers, and what varies the frames in training.
        search: beam, word list, language model.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    frames: FrameSettings = Field(default_factory=FrameSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    model: TranscriberSettings = Field(default_factory=TranscriberSettings)
    search: TranscriberSearchSettings = Field(default_factory=TranscriberSearchSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


class TranscriptionTask(Task):
    """Examples are `TranscribedUtterances`."""

    name = "transcribe"
    title = "Transcriber"
    configuration = TranscriberConfiguration
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "frames": FRAME_DEFAULTS,
        "text": TEXT_DEFAULTS,
        "training": TRAINING_DEFAULTS,
    }
    unit = "utterances"
    baseline = NAME
    alternative = "answering the transcript of the training utterance that sounds most alike"
    advice = "train longer, or on more utterances"
    lower_is_better = True
    explained = (
        "A rate is the number of words (or characters) that were heard as others, added or left out, divided by that of "
        "those that were said. Ranges are 95% bootstrap intervals over utterances."
    )
    watched: ClassVar[Mapping[str, str]] = {"wer": "Word error rate", "cer": "Character error rate"}
    use = ("seqwise predict {folder} --input utterances.parquet", "seqwise predict {folder} one.wav two.wav")
    limits = (
        "It was trained on {data} ({size}) and has heard nothing else: of other speakers, microphones or noise expect less, "
        "and words that it was never taught it can only spell."
    )
    reads = ("frames", "target", *LONG_FORM, *GROUPS)

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        told = source.metadata
        frames = data.frames or ((str(told["sequence"]),) if told.get("sequence") else None)
        target = data.target or told.get("target_text")
        found = find_transcript_columns(source.table(*parts), frames, target)
        return data.model_copy(update={"frames": found[0], "target": found[1]})

    def read(self, source: DataSource, settings: Any, *parts: str) -> TranscribedUtterances:
        """See `Task.read`."""
        data: DataSettings = settings.data
        assert data.frames is not None
        assert data.target is not None
        # Only where a part is held back does the group matter.
        group = data.group if parts[0] == "train" else None
        rate = settings.frames.rate
        return read_transcribed(source, source.table(*parts), data.frames, data.target, group, rate=rate)

    def hold_back(
        self, examples: TranscribedUtterances, settings: Any
    ) -> tuple[TranscribedUtterances, TranscribedUtterances]:
        """See `Task.hold_back`."""
        share, seed = settings.data.validation, settings.training.seed
        if examples.groups is not None:
            kept, held = grouped_split(examples.groups, share, seed, settings.data.group_pattern)
            return examples.take(kept.tolist()), examples.take(held.tolist())
        chosen = choose_held(len(examples), share, seed)
        return examples.take(sorted(set(range(len(examples))) - set(chosen))), examples.take(chosen)

    def estimator(self, settings: Any, training: TrainingSettings) -> Transcriber:
        """See `Task.estimator`."""
        return Transcriber(
            frames=settings.frames,
            text=settings.text,
            model=settings.model,
            search=settings.search,
            training=training,
            validation=0.0,
        )

    def fit(self, model: Transcriber, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        held = parts.validation
        pair = None if held is None else (held.frames, held.texts)
        model.fit(parts.training.frames, parts.training.texts, validation_data=pair, **options)

    def fit_baseline(self, model: Transcriber, training: TranscribedUtterances) -> NearestUtterance:
        """See `Task.fit_baseline`."""
        features = model.predictor_.features
        return NearestUtterance.fit(features.frames, training.frames, features.prepared(training.texts))

    def load_baseline(self, saved: Any) -> NearestUtterance:
        """See `Task.load_baseline`."""
        return NearestUtterance.from_dict(saved)

    def load(self, folder: Path, device: str) -> TranscriberPredictor:
        """See `Task.load`."""
        return TranscriberPredictor.load(folder, device)

    def evaluate(
        self,
        predictor: TranscriberPredictor,
        examples: TranscribedUtterances,
        baseline: Any,
        *,
        seed: int = 0,
        **options: Any,
    ) -> Evaluated:
        """See `Task.evaluate`."""
        features = predictor.features
        true, said = features.prepared(examples.texts), predictor.texts(examples.frames)
        beside = None if baseline is None else baseline.predict(features.frames, examples.frames)
        block = transcription_metrics(true, said, beside, seed=seed)
        if baseline is not None:
            block["usual"] = transcription_metrics(true, [baseline.usual] * len(true), seed=seed)["wer"]
        return Evaluated(block, said)

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return dict(FIGURES)

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        return f"{block['utterances']:,} {split} utterances of {block['words']:,} words"

    def describe(self, model: Transcriber, settings: Any) -> str:
        """See `Task.describe`."""
        features = model.predictor_.features
        return f"{settings.data.target} of {', '.join(settings.data.frames)}: {features.size - 2} symbols and the blank"

    def sections(
        self, model: Transcriber, split: str, examples: TranscribedUtterances, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        predictor, said = model.predictor_, evaluated.answers
        true = predictor.features.prepared(examples.texts)
        shown = predictor.log_probabilities(examples.frames[:PICTURES])
        pictures = [
            alignment(
                logs,
                predictor.features.symbols,
                seconds=predictor.reduction / (predictor.rate or 1.0),
                unit="seconds" if predictor.rate else "frames",
                said=said[i],
                true=true[i],
                number=i + 1,
            )
            for i, logs in enumerate(shown)
        ]
        return transcription_sections(
            evaluated.block,
            split=split,
            alignments=pictures,
            searches=model.searches_,
            worst=worst_utterances(true, said, examples.rows),
        )

    def notes(self, model: Transcriber, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        notes = list(parts.training.frames.notes)
        if model.skipped_:
            notes.append(
                f"Left out of the training, since their transcripts have more symbols than steps: {model.skipped_:,}."
            )
        if model.silent_:
            notes.append(f"Training utterances with an empty transcript, in which nothing is heard: {model.silent_:,}.")
        search = model.settings_.search
        if search.language_model is not None:
            chosen = "as the validation part would have it" if model.trials_ else "as set"
            notes.append(
                f"log P of the language model counts {search.language_weight:g} times, {chosen}."
                if search.language_weight
                else f"The language model is not used, {chosen}."
            )
        return notes


TASK = TranscriptionTask()
