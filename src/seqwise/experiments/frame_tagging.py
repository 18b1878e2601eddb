"""Taggers of frames: a label for each step of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from seqwise.data import DataSettings, DataSource, grouped_split
from seqwise.data.tagged_frames import LabelledFrames, read_labelled_frames
from seqwise.errors import DataError
from seqwise.estimators import SequenceTagger
from seqwise.estimators.labelled import choose_held
from seqwise.estimators.tag_targets import TagCode
from seqwise.evaluation.frame_baseline import NAME, FrameBaseline
from seqwise.evaluation.tagging import tagging_sections, timeline_section
from seqwise.evaluation.task_report import Section
from seqwise.experiments.tagging import TaggerTask
from seqwise.experiments.task import GROUPS, LONG_FORM, Evaluated, Parts
from seqwise.metrics.tagging import Tagging, tagging_metrics
from seqwise.prediction.tagger import PLAIN, TaggerPredictor

LABEL_COLUMNS = ("labels", "label", "tags")


class FrameTaggingTask(TaggerTask):
    """Examples are `LabelledFrames`."""

    title = "Tagger of frames"
    unit = "recordings"
    baseline = NAME
    alternative = "judging every frame by itself"
    advice = "train longer, or on more recordings"
    explained = (
        "Ranges are 95% bootstrap intervals over recordings: the steps of one depend on each other. Steps without a label "
        "are neither learned nor judged. Macro F1 is the mean of all labels that are there, however rare."
    )
    use = ("seqwise predict {folder} --input recordings.parquet",)
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: on other people, devices or places expect less, and "
        "hold those back by which it is judged (data.group)."
    )
    reads: ClassVar[Sequence[str]] = ("frames", "label", "ignore", *LONG_FORM, *GROUPS)

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        table = source.table(*parts)
        frames = data.frames or (str(source.metadata["sequence"]),)
        usual = next((name for name in LABEL_COLUMNS if name in table.columns), LABEL_COLUMNS[0])
        label = data.label or str(source.metadata.get("label") or usual)
        for column in frames:
            table.require(column, "column of frames")
        table.require(label, "column of the labels")
        return data.model_copy(update={"frames": frames, "label": label})

    def read(self, source: DataSource, settings: Any, *parts: str) -> LabelledFrames:
        """See `Task.read`."""
        data = settings.data
        assert data.frames is not None
        return read_labelled_frames(
            source,
            source.table(*parts),
            data.frames,
            data.label,
            ignore=data.ignore or (),
            group=data.group if parts[0] == "train" else None,
        )

    def hold_back(self, examples: LabelledFrames, settings: Any) -> tuple[LabelledFrames, LabelledFrames]:
        """See `Task.hold_back`."""
        data, seed = settings.data, settings.training.seed
        if examples.groups is not None:
            kept, held = grouped_split(examples.groups, data.validation, seed, data.group_pattern)
            return examples.take(kept.tolist()), examples.take(held.tolist())
        chosen = choose_held(len(examples), data.validation, seed, unit=self.unit)
        return examples.take(sorted(set(range(len(examples))) - set(chosen))), examples.take(chosen)

    def fit(self, model: SequenceTagger, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        held, training = parts.validation, parts.training
        pair = None if held is None else (held.frames, held.labels)
        model.fit(training.frames, training.labels, validation_data=pair, **options)

    def fit_baseline(self, model: SequenceTagger, training: LabelledFrames) -> FrameBaseline:
        """See `Task.fit_baseline`."""
        targets = [np.asarray(row, np.int64) for row in model.code_.encode(training.labels)[0]]
        seed = model.settings_.training.seed
        return FrameBaseline.fit(model.predictor_.features, training.frames, targets, model.classes_, seed=seed)

    def load_baseline(self, saved: Any) -> FrameBaseline:
        """See `Task.load_baseline`."""
        return FrameBaseline.from_dict(saved)

    def evaluate(
        self, predictor: TaggerPredictor, examples: LabelledFrames, baseline: Any, *, seed: int = 0, **options: Any
    ) -> Evaluated:
        """See `Task.evaluate`."""
        if not predictor.framed:
            raise DataError("the model reads words, and the data are frames")
        found = dict.fromkeys(label for row in examples.labels for label in row if label is not None)
        if not set(found) & set(predictor.classes):
            raise DataError(
                f"not one label of the data was seen in training, which knew {', '.join(predictor.classes)}; the data have "
                f"{', '.join(found)} (numbers get their names from the dataset.json beside the file)"
            )
        code = TagCode(predictor.classes, PLAIN, PLAIN)
        said = predictor.tag(examples.frames)
        beside = None if baseline is None else Tagging(baseline.predict(predictor.features, examples.frames))
        block = tagging_metrics(
            code.tagging(examples.labels),
            Tagging([one.tags for one in said]),
            beside,
            metric="macro_f1",
            units=("recordings", "steps"),
            seed=seed,
        )
        if baseline is not None:
            block["baseline"]["name"] = self.baseline
        return Evaluated({**block, "unlabelled": examples.unlabelled}, said)

    def describe(self, model: SequenceTagger, settings: Any) -> str:
        """See `Task.describe`."""
        return f"{settings.data.label} of {', '.join(settings.data.frames)}: {len(model.classes_)} labels"

    def sections(
        self, model: SequenceTagger, split: str, examples: LabelledFrames, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        said = evaluated.answers
        timeline = timeline_section(
            examples.labels,
            [one.tags for one in said],
            rows=examples.rows,
            rate=said[0].rate if said else None,
            split=split,
        )
        return [*tagging_sections(evaluated.block, split=split, worst=(), unit="steps"), timeline]

    def notes(self, model: SequenceTagger, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        training, notes = parts.training, list(parts.training.frames.notes)
        steps = len(training.frames.values)
        if training.unlabelled:
            notes.append(
                f"{training.unlabelled:,} of {steps:,} training steps have no label; they are read and not learned."
            )
        if parts.held_back and parts.validation.groups is not None:
            names = ", ".join(sorted(dict.fromkeys(parts.validation.groups), key=lambda name: (len(name), name)))
            notes.append(f"Held back for validation, whole: {names}.")
        return notes


TASK = FrameTaggingTask()
