"""From conditions and sequences to the arrays that a generator learns from, and back to sequences.

Axis letters: n examples, B of a batch, T steps, D numbers of a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqwise.data.chords import Chord, checked_piece, looks_like_chords, rolls
from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError, nearest
from seqwise.models.chord_heads import SILENT
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.generator import HIDDEN, GeneratorBatch
from seqwise.models.generator_settings import GeneratorSettings
from seqwise.text import TextPipeline, TextSettings
from seqwise.text.vocabulary import PAD

Steps = NDArray[np.int64]
CLASS_TYPES = (str, int, float, bool)


@dataclass(frozen=True)
class GeneratorExamples:
    """Examples ready for a generator.

    Attributes:
        steps: of each sequence, (T,) symbols with <eos> last, or chords (T, notes of the largest) padded with -1.
        conditions: (n,) int64 numbers of the classes from 1 on; (n, D) float32 vectors; None without.
        pitches: P of chords, 0 for symbols.
    """

    steps: list[Steps]
    conditions: NDArray[Any] | None = None
    pitches: int = 0

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) steps of each sequence."""
        return np.array([len(row) for row in self.steps], np.int64)

    def batch(self, indices: NDArray[np.int64], shifts: NDArray[np.int64] | None = None) -> GeneratorBatch:
        """Return the examples at `indices` as one padded batch.

        Args:
            indices: (B,).
            shifts: (B,) semitones by which each piece is transposed, as far as it stays within the range.
        """
        rows = [self.steps[i] for i in indices]
        if shifts is not None:
            rows = [_shifted(row, int(shift), self.pitches) for row, shift in zip(rows, shifts, strict=True)]
        lengths = np.array([len(row) for row in rows], np.int64)
        wide = max((row.shape[1] for row in rows), default=0) if self.pitches else None
        shape = (len(rows), int(lengths.max()), *(() if wide is None else (wide,)))
        steps = np.full(shape, PAD if wide is None else SILENT, np.int64)
        for number, row in enumerate(rows):
            steps[(number, slice(len(row)), *(() if wide is None else (slice(row.shape[1]),)))] = row
        given = None if self.conditions is None else torch.from_numpy(self.conditions[indices])
        return GeneratorBatch(torch.from_numpy(steps), torch.from_numpy(lengths), given)


class GeneratorFeatures:
    """What turns conditions and sequences into arrays; saved with the model as `vocabulary.json`.

    Args:
        text: how texts become symbols.
        model: condition and output "auto" are decided by `fit`.
        frames: how vectors become what the network reads.

    Attributes:
        model: with condition and output decided.
        pipeline: of symbols; None for chords.
        classes: of conditions, in the order of their first appearance sorted by text.
        counts: examples of each class in training.
        vectors: of conditions that are vectors.
    """

    def __init__(self, text: TextSettings, model: GeneratorSettings, frames: FrameSettings) -> None:
        self.text, self.model, self.frames = text, model, frames
        self.pipeline: TextPipeline | None = None
        self.classes: list[Any] = []
        self.counts: list[int] = []
        self.vectors: FrameFeatures | None = None

    @property
    def conditions(self) -> int:
        """C, or D; 0 without conditions."""
        return len(self.classes) if self.vectors is None else self.vectors.size

    @property
    def symbols(self) -> int:
        """V; 0 for chords."""
        return 0 if self.pipeline is None else len(self.pipeline.vocabulary)

    def fit_encode(self, conditions: Any, sequences: Sequence[Any]) -> GeneratorExamples:
        """Learn classes, means and symbols from training examples, and return these encoded.

        Raises:
            DataError: the examples are not what the settings say, or an example is empty; names it.
            ConfigurationError: settings that do not go with the data.
        """
        sequences = checked_sequences(sequences)
        self.model = _decided(self.model, conditions, sequences)
        if self.model.condition == "class":
            counted = Counter(checked_classes(conditions, len(sequences)))
            self.classes = sorted(counted, key=lambda name: (str(type(name)), name))
            self.counts = [counted[name] for name in self.classes]
        elif self.model.condition == "vector":
            self.vectors = FrameFeatures(self.frames).fit(_one_step(conditions))
            if self.vectors.reduction != 1 or self.vectors.settings.features != "none":
                raise ConfigurationError(
                    "frames.stride and spectra are for sequences of vectors, and these are single ones"
                )
        if self.model.output == "symbols":
            settings = self.text if self.text.end_mark else self.text.model_copy(update={"end_mark": True})
            self.pipeline = TextPipeline(settings)
            self.pipeline.fit(sequences)
            self.text = self.pipeline.settings
        return self.encode(conditions, sequences)

    def encode(self, conditions: Any, sequences: Sequence[Any]) -> GeneratorExamples:
        """Return examples encoded.

        Raises:
            DataError: a class, a pitch or a kind of sequence that training did not have, or too long a sequence; names it.
        """
        sequences = checked_sequences(sequences)
        coded = self.encode_conditions(conditions, len(sequences))
        if self.pipeline is None:
            return GeneratorExamples(self.encode_chords(sequences), coded, self.model.pitches)
        return GeneratorExamples([self._symbols(row, text) for row, text in enumerate(sequences, 1)], coded)

    def encode_conditions(self, conditions: Any, count: int) -> NDArray[Any] | None:
        """The conditions of so many examples as numbers, see `GeneratorExamples`.

        Args:
            conditions: classes, of which None is none of them; vectors; or None where the model has no conditions.
            count: n.

        Raises:
            DataError: they are not what the model was trained with.
        """
        if self.model.condition == "none":
            if conditions is not None:
                raise DataError("the model was trained without conditions: it takes no class and no vector")
            return None
        if conditions is None:
            raise DataError(f"the model makes sequences from a {self.model.condition}, and none is given")
        if self.vectors is not None:
            frames = _one_step(conditions)
            if len(frames) != count:
                raise DataError(f"there are {len(frames)} vectors for {count} sequences")
            return self.vectors.encode(frames).values.astype(np.float32)
        places = {name: number for number, name in enumerate(self.classes, 1)}
        numbers = []
        for name in checked_classes(conditions, count, missing=True):
            if name is not None and name not in places:
                hint = nearest(str(name), map(str, self.classes))
                raise DataError(f"the model was not trained on the class {name!r}; {hint}")
            numbers.append(HIDDEN if name is None else places[name])
        return np.array(numbers, np.int64)

    def encode_chords(self, pieces: Sequence[Any]) -> list[Steps]:
        """Pieces as rows of pitch numbers from 0 on, padded with -1.

        Raises:
            DataError: something is no piece, or a pitch is outside the model's.
        """
        checked = [checked_piece(piece, f"piece {number}") for number, piece in enumerate(pieces, 1)]
        return [_listed(roll) for roll in rolls(checked, self.model.lowest, self.model.highest)]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "pipeline": None if self.pipeline is None else self.pipeline.to_dict(),
            "classes": self.classes,
            "counts": self.counts,
            "vectors": None if self.vectors is None else self.vectors.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, saved: Mapping[str, Any], text: TextSettings, model: GeneratorSettings, frames: FrameSettings
    ) -> GeneratorFeatures:
        """Return the features that `to_dict` described.

        Raises:
            DataError: they are damaged.
        """
        features = cls(text, model, frames)
        features.pipeline = None if saved["pipeline"] is None else TextPipeline.from_dict(saved["pipeline"])
        features.classes, features.counts = list(saved["classes"]), list(map(int, saved["counts"]))
        features.vectors = None if saved["vectors"] is None else FrameFeatures.from_dict(saved["vectors"])
        there = {"symbols": features.pipeline is not None, "chords": features.pipeline is None}
        if not there.get(model.output) or len(features.classes) != len(features.counts):
            raise DataError("vocabulary and settings of the model do not belong together")
        return features

    def _symbols(self, row: int, text: Any) -> Steps:
        assert self.pipeline is not None
        symbols = self.pipeline.encode_stream([text]).astype(np.int64)
        if len(symbols) > self.text.max_length:
            raise DataError(
                f"sequence {row} has {len(symbols):,} symbols, more than text.max_length, {self.text.max_length:,}"
            )
        return symbols


def checked_sequences(sequences: Iterable[Any]) -> list[Any]:
    """Return sequences as a list.

    Raises:
        DataError: there are none, or one is empty; names it.
    """
    if isinstance(sequences, str | bytes):
        raise DataError("sequences are a list, got a single text: put it in a list")
    listed = list(sequences)
    if not listed:
        raise DataError("there are no sequences to learn from")
    for number, sequence in enumerate(listed, 1):
        if not isinstance(sequence, str | list | tuple):
            raise DataError(f"sequence {number} is neither a text nor a list, but {sequence!r:.40}")
        if not len(sequence) or (isinstance(sequence, str) and not sequence.strip()):
            raise DataError(f"sequence {number} is empty: there is nothing to learn to write")
    return listed


def checked_classes(conditions: Any, count: int, *, missing: bool = False) -> list[Any]:
    """Return classes as a list of plain values.

    Raises:
        DataError: there are not as many as sequences, or one is no class; names it.
    """
    listed = [value.item() if isinstance(value, np.generic) else value for value in conditions]
    if len(listed) != count:
        raise DataError(f"there are {len(listed)} classes for {count} sequences")
    for number, name in enumerate(listed, 1):
        if not isinstance(name, CLASS_TYPES) and not (missing and name is None):
            raise DataError(f"the class of sequence {number} is {name!r:.40}, and a text or a number is expected")
    return listed


def _decided(model: GeneratorSettings, conditions: Any, sequences: Sequence[Any]) -> GeneratorSettings:
    chords = all(map(looks_like_chords, sequences))
    output = model.output if model.output != "auto" else "chords" if chords else "symbols"
    if output == "symbols" and chords:
        raise DataError("model.output is symbols, and the sequences are chords: lists of lists of pitches")
    condition: str = model.condition
    if condition == "auto":
        condition = "none" if conditions is None else "vector" if _is_vectors(conditions) else "class"
    if (condition == "none") != (conditions is None):
        raise DataError(
            "model.condition is none, and conditions are given"
            if conditions is not None
            else f"model.condition is {condition}, and no conditions are given"
        )
    fields = type(model).model_fields
    unused = {
        "vector": ("condition_layers", "vector_dropout", "vector_noise"),
        "conditional": ("condition_size", "condition_dropout"),
        "chords": ("head", "chain_size", "lowest", "highest", "transpose"),
    }
    known = {"vector": condition == "vector", "conditional": condition != "none", "chords": output == "chords"}
    for kind, names in unused.items():
        wrong = [name for name in names if getattr(model, name) != fields[name].default and not known[kind]]
        if wrong:
            raise ConfigurationError(f"model.{wrong[0]} is for {kind} models, and this one has no such part")
    return model.model_copy(update={"condition": condition, "output": output})


def _is_vectors(conditions: Any) -> bool:
    if isinstance(conditions, Frames):
        return True
    first = next(iter(conditions), None)
    return isinstance(first, list | tuple) or (isinstance(first, np.ndarray) and first.ndim > 0)


def _one_step(conditions: Any) -> Frames:
    """Vectors as frames of one step each."""
    if not isinstance(conditions, Frames):
        rows = [np.asarray(row) for row in conditions]
        conditions = Frames.from_rows(row[None] if row.ndim == 1 else row for row in rows)
    if (conditions.lengths != 1).any():
        row = int(np.flatnonzero(conditions.lengths != 1)[0])
        raise DataError(
            f"condition {row + 1} has {conditions.lengths[row]} steps, and one vector is expected: from sequences of "
            "vectors to sequences of symbols leads --task transcribe"
        )
    return conditions


def _listed(roll: NDArray[np.bool_]) -> Steps:
    """A piano roll as rows of rising pitch numbers, padded with -1."""
    counts = roll.sum(1)
    rows = np.full((len(roll), max(1, int(counts.max(initial=0)))), SILENT, np.int64)
    steps, pitches = roll.nonzero()
    places = np.arange(len(steps)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows[steps, places] = pitches
    return rows


def _shifted(row: Steps, shift: int, pitches: int) -> Steps:
    sounding = row[row >= 0]
    if not shift or not len(sounding):
        return row
    shift = max(-int(sounding.min()), min(shift, pitches - 1 - int(sounding.max())))
    return np.where(row >= 0, row + shift, SILENT)


def chords_of(rows: Steps, lowest: int) -> list[Chord]:
    """Rows of pitch numbers as chords of MIDI pitches."""
    return [[int(pitch) + lowest for pitch in row if pitch >= 0] for row in rows]
