"""Generators: from a class, a vector or nothing to a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource, Table, label_name
from seqwise.data.chords import COLUMN, looks_like_chords, read_chords
from seqwise.data.frames import read_frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.generator import TEXT_DEFAULTS, TRAINING_DEFAULTS, SequenceGenerator, choose_held, taken
from seqwise.evaluation.generation import FIGURES, generation_sections
from seqwise.evaluation.generation_baseline import (
    Baseline,
    ChordBigrams,
    NearestVector,
    fit_generation_baseline,
    load_generation_baseline,
)
from seqwise.evaluation.task_report import Section
from seqwise.experiments.task import Evaluated, Parts, Task
from seqwise.metrics.generation import generation_metrics, share_figure
from seqwise.metrics.language import language_metrics
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.generator_settings import GeneratorSettings
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.prediction.sampling import Sampling
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

CLASSES, SAMPLES = 30, 8  # shown in the report: conditions, and texts of each
PIECES, GIVEN, DRAWN = 3, 16, 48  # shown in the report: pieces, chords given, chords drawn
MISTAKES = 20
COUNTED = 200  # texts drawn to count those of the training data among them


class GeneratorConfiguration(BaseModel):
    """Everything that decides how a generator is made.

    Attributes:
        data: `target` is the column of the sequences; `label` that of the classes, or `frames` those of the vectors, that
            they are made from.
        text: how a text becomes symbols.
        frames: how vectors are normalised.
        model: condition, layers, and the head of chords.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    frames: FrameSettings = Field(default_factory=FrameSettings)
    model: GeneratorSettings = Field(default_factory=GeneratorSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


@dataclass(frozen=True)
class Conditioned:
    """Examples: sequences, and what each is made from.

    Attributes:
        conditions: names of classes, `Frames` of one step each, or None.
        sequences: texts, lists of tokens, or pieces.
    """

    conditions: Any
    sequences: list[Any]

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, indices: Sequence[int]) -> Conditioned:
        """Some of the examples, in this order."""
        return Conditioned(taken(self.conditions, indices), [self.sequences[i] for i in indices])


class GenerationTask(Task):
    """Examples are `Conditioned`."""

    name = "generate"
    title = "Generator"
    configuration = GeneratorConfiguration
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"text": TEXT_DEFAULTS, "training": TRAINING_DEFAULTS}
    unit = "sequences"
    baseline = "bigrams, or nearest vector"
    alternative = "bigrams"
    advice = "train longer, or on more sequences"
    lower_is_better = True
    explained = (
        "The log loss is the mean over all steps of -log P of the symbol or chord, given the condition and all before: "
        "the end of a text is a step, and so is the first of a piece. Ranges are 95% bootstrap intervals over sequences."
    )
    watched: ClassVar[Mapping[str, str]] = {"log_loss": "Log loss"}
    use = ("seqwise generate {folder}",)
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: what it draws is like them, and may repeat pieces of "
        "them, or one of them as a whole."
    )
    reads = ("label", "frames", "target")

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        table, told = source.table(*parts), source.metadata
        if data.label is not None and data.frames is not None:
            raise ConfigurationError("a sequence is made from a class (--label) or a vector (--frames), not from both")
        guesses = [told.get(key) for key in ("target_text", "sequence", "text")]
        target = data.target or next((name for name in (*guesses, COLUMN, "text") if name in table.columns), None)
        if target is None:
            raise DataError(f"{source.name}: name the column of the sequences by --target")
        table.require(target, "column of the sequences")
        label = data.label or (told.get("label") if data.frames is None else None)
        label = None if label == target or (data.label is None and label not in table.columns) else label
        if label is not None:
            table.require(label, "column of the classes")
        return data.model_copy(update={"target": target, "label": label})

    def read(self, source: DataSource, settings: Any, *parts: str) -> Conditioned:
        """See `Task.read`."""
        table, data = source.table(*parts), settings.data
        sequences = read_sequences(table, data.target)
        if settings.model.condition == "none":
            return Conditioned(None, sequences)
        if data.frames is not None:
            return Conditioned(read_frames(source, table, data.frames, vectors=True), sequences)
        return Conditioned(None if data.label is None else read_classes(table, data.label), sequences)

    def hold_back(self, examples: Conditioned, settings: Any) -> tuple[Conditioned, Conditioned]:
        """See `Task.hold_back`."""
        held = choose_held(examples.conditions, len(examples), settings.data.validation, settings.training.seed)
        return examples.take(sorted(set(range(len(examples))) - set(held))), examples.take(held)

    def estimator(self, settings: Any, training: TrainingSettings) -> SequenceGenerator:
        """See `Task.estimator`."""
        return SequenceGenerator(
            text=settings.text, frames=settings.frames, model=settings.model, training=training, validation=0.0
        )

    def fit(self, model: SequenceGenerator, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        held = parts.validation
        pair = None if held is None else (held.conditions, held.sequences)
        model.fit(parts.training.conditions, parts.training.sequences, validation_data=pair, **options)

    def fit_baseline(self, model: SequenceGenerator, training: Conditioned) -> Baseline:
        """See `Task.fit_baseline`."""
        features = model.predictor_.features
        examples = features.encode(training.conditions, training.sequences)
        return fit_generation_baseline(examples, features.model.condition, features.symbols)

    def load_baseline(self, saved: Any) -> Baseline:
        """See `Task.load_baseline`."""
        return load_generation_baseline(saved)

    def load(self, folder: Path, device: str) -> GeneratorPredictor:
        """See `Task.load`."""
        return GeneratorPredictor.load(folder, device)

    def evaluate(
        self,
        predictor: GeneratorPredictor,
        examples: Conditioned,
        baseline: Baseline | None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> Evaluated:
        """See `Task.evaluate`; the answers are the losses, those of the baseline, and of vectors what was written."""
        encoded = predictor.features.encode(examples.conditions, examples.sequences)
        losses, chords = predictor.losses(examples.conditions, examples.sequences), predictor.makes_chords
        said = exact = nearest = theirs = None
        if predictor.condition == "vector" and not chords:
            said = predictor.predict(examples.conditions, max_tokens=int(encoded.lengths.max()) + 10)
            exact = [a == predictor.written(row[:-1]) for a, row in zip(said, encoded.steps, strict=True)]
        if isinstance(baseline, NearestVector):
            nearest = baseline.exact(encoded)
        elif baseline is not None:
            theirs = baseline.losses(encoded)
        block = generation_metrics(losses, theirs, exact=exact, baseline_exact=nearest, chords=chords, seed=seed)
        if isinstance(baseline, NearestVector):
            block["baseline"]["majority_exact"] = share_figure(baseline.majority_exact(encoded), seed=seed)
        if isinstance(baseline, ChordBigrams):
            alone = np.concatenate(baseline.independent_losses(encoded))
            rows = np.repeat(np.arange(len(examples)), encoded.lengths)
            block["baseline"]["independent_pitches"] = language_metrics(alone, sentences=rows, seed=seed)["log_loss"]
        return Evaluated(block, (losses, theirs, said))

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return {key: name for key, name in FIGURES.items() if key in block}

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        return f"{block['sequences']:,} {split} sequences of {block['steps']:,} steps"

    def describe(self, model: SequenceGenerator, settings: Any) -> str:
        """See `Task.describe`."""
        features, data = model.predictor_.features, settings.data
        unit = "chords" if features.pipeline is None else features.pipeline.settings.unit
        made = {
            "class": f" from {data.label}, {len(features.classes)} classes",
            "vector": f" from {', '.join(data.frames or ())}, vectors of {features.conditions} numbers",
        }
        return f"{data.target}: {unit}{made.get(features.model.condition, '')}"

    def sections(
        self, model: SequenceGenerator, split: str, examples: Conditioned, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        predictor, (losses, theirs, said) = model.predictor_, evaluated.answers
        seed = settings.training.seed
        if predictor.makes_chords:
            return generation_sections(split=split, samples={}, pieces=_continued(predictor, examples, seed))
        if predictor.condition == "vector":
            return generation_sections(split=split, samples={}, mistakes=_mistakes(predictor, examples, losses, said))
        return generation_sections(
            split=split,
            samples=_drawn(predictor, seed),
            per_class=_per_class(predictor, examples, losses, theirs),
        )

    def notes(self, model: SequenceGenerator, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        predictor = model.predictor_
        if predictor.makes_chords or predictor.condition == "vector":
            return []
        seed = model.settings_.training.seed
        random = np.random.default_rng(seed)
        asked = (
            random.choice(np.array(predictor.classes), COUNTED, p=predictor.shares).tolist()
            if predictor.classes
            else None
        )
        texts = predictor.sample(asked, Sampling(seed=seed), count=COUNTED)
        known = frozenset(map(plain, parts.training.sequences))
        copied, different = sum(text in known for text in texts), len(set(texts))
        return [
            f"Of {COUNTED} texts drawn at temperature 1, {copied} stand letter by letter in the training data, and "
            f"{different} are different."
        ]

    def verdict(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.verdict`."""
        kind = _Spelling() if "exact" in block else _Drawing()
        return Task.verdict(kind, block, split)


class _Spelling(GenerationTask):
    """Where there is one right sequence."""

    baseline = "nearest training vector"
    alternative = "the nearest vector"
    lower_is_better = False


class _Drawing(GenerationTask):
    """Where there are many."""

    baseline = "bigrams"


def read_sequences(table: Table, column: str) -> list[Any]:
    """The sequences of a table: texts, lists of tokens, or pieces.

    Raises:
        DataError: there is no such column, or a row holds no sequence, or an empty one; names it.
    """
    table.require(column, "column of the sequences")
    values = [value for chunk in table.iter_chunks(columns=[column]) for value in chunk[column]]
    if not values:
        raise DataError(f"{table.name} has columns but no rows")
    if looks_like_chords(values[0]):
        return list(read_chords(table, column))
    for row, value in enumerate(values):
        where = f"{table.name}, {table.place(row)}" if not _is_text(value) else ""
        if value is None or value == [] or (isinstance(value, str) and not value.strip()):
            raise DataError(f"{where}: column {column!r} is empty, and there is nothing to learn to write")
        if where:
            raise DataError(
                f"{where}: column {column!r} holds {value!r:.40}, and a text or a list of tokens is expected"
            )
    return values


def plain(sequence: Any) -> str:
    """A sequence as a text."""
    return sequence if isinstance(sequence, str) else " ".join(sequence)


def _is_text(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, list) and bool(value) and all(isinstance(token, str) and token for token in value)


def read_classes(table: Table, column: str) -> list[str]:
    """The classes of a table, by name.

    Raises:
        DataError: a row names none; names it.
    """
    names = []
    values = (value for chunk in table.iter_chunks(columns=[column]) for value in chunk[column])
    for row, value in enumerate(values):
        name = label_name(value)
        if name is None:
            raise DataError(f"{table.name}, {table.place(row)}: column {column!r} names no class")
        names.append(name)
    return names


def _drawn(predictor: GeneratorPredictor, seed: int) -> dict[str, list[str]]:
    """Texts of each class, the most frequent first."""
    order = np.argsort(-np.array(predictor.features.counts), kind="stable")[:CLASSES]
    conditions = [predictor.classes[i] for i in order] or [None]
    found = {}
    for condition in conditions:
        asked = None if predictor.condition == "none" else [condition] * SAMPLES
        found["" if condition is None else str(condition)] = predictor.sample(asked, Sampling(seed=seed), count=SAMPLES)
    return found


def _per_class(
    predictor: GeneratorPredictor, examples: Conditioned, losses: Sequence[np.ndarray], theirs: Any
) -> list[dict[str, Any]]:
    if predictor.condition != "class":
        return []
    rows = []
    for name in set(examples.conditions):
        own = [i for i, other in enumerate(examples.conditions) if other == name]
        mean = [
            float(np.concatenate([of[i] for i in own]).mean()) if of is not None else None for of in (losses, theirs)
        ]
        rows.append({"name": name, "count": len(own), "log_loss": mean[0], "baseline": mean[1]})
    return sorted(rows, key=lambda row: (row["count"], row["name"]))


def _mistakes(
    predictor: GeneratorPredictor, examples: Conditioned, losses: Sequence[np.ndarray], said: Sequence[str]
) -> list[dict[str, Any]]:
    encoded = predictor.features.encode(examples.conditions, examples.sequences)
    right = [predictor.written(row[:-1]) for row in encoded.steps]
    wrong = [i for i in range(len(said)) if said[i] != right[i]]
    wrong.sort(key=lambda i: -losses[i].sum())
    return [
        {"row": i + 1, "true": right[i], "said": said[i], "log_loss": float(losses[i].sum())} for i in wrong[:MISTAKES]
    ]


def _continued(predictor: GeneratorPredictor, examples: Conditioned, seed: int) -> list[tuple[str, Any, Any]]:
    """The beginnings of the first pieces, and what the model goes on with."""
    found = []
    for number, piece in enumerate(examples.sequences[:PIECES]):
        asked = None if examples.conditions is None else taken(examples.conditions, [number])
        given, sampling = piece[:GIVEN], Sampling(max_tokens=DRAWN, seed=seed + number)
        (drawn,) = predictor.sample_pieces(asked, sampling, count=1, seed=given)
        found.append((f"After the first {len(given)} chords of piece {number + 1}", given, drawn))
    return found


TASK = GenerationTask()
