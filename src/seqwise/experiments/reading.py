"""From what the person named on the command line to checked examples for training, validation and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from seqwise.data import (
    DataSettings,
    DataSource,
    Duplicates,
    Examples,
    Frames,
    Table,
    UnlabelledTexts,
    find_duplicates,
    grouped_split,
    label_matrix,
    load_examples,
    read_frames,
    resolve,
    stratified_split,
)
from seqwise.errors import ConfigurationError, DataError

Say = Callable[[str], None]
NO_SEPARATOR = "none"  # of `data.separator`: every text of the label column is one label


@dataclass(frozen=True)
class Part:
    """Examples of one part.

    Attributes:
        texts: n texts, in memory or streamed; or `Frames`.
        labels: (n,) strings; where an example may have several labels, tuples of strings.
        weights: (n,) or None.
        rows: the number of each example in its file, from 1, (n,).
        name: of the file.
    """

    texts: Sequence[Any]
    labels: np.ndarray
    weights: np.ndarray | None
    rows: np.ndarray
    name: str

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def multilabel(self) -> bool:
        """Whether an example may have several labels."""
        return len(self.labels) > 0 and isinstance(self.labels[0], tuple)

    def label_counts(self) -> Counter[str]:
        """How many examples have each label."""
        return Counter(label for labels in self._label_sets() for label in labels)

    def targets(self, classes: Sequence[str]) -> np.ndarray:
        """Return class numbers, (n,); where an example may have several labels, which it has, (n, C).

        Raises:
            DataError: a label is none of the classes; names the label and its first row.
        """
        index = {name: number for number, name in enumerate(classes)}
        first_rows: dict[str, int] = {}  # of labels that are unseen, in their order
        for row, labels in zip(self.rows.tolist(), self._label_sets(), strict=True):
            for label in labels:
                if label not in index:
                    first_rows.setdefault(label, row)
        if first_rows:
            name, first = next(iter(first_rows.items()))
            others = len(first_rows) - 1
            more = f"; {others} more {'label is' if others == 1 else 'labels are'} unseen too" if others else ""
            raise DataError(
                f"{self.name}, row {first}: the label {name!r} ({self.label_counts()[name]} rows) was not seen in training, "
                f"which knew {', '.join(map(repr, list(classes)[:20]))}{more}"
            )
        if self.multilabel:
            return label_matrix(self.labels.tolist(), classes)
        return np.array([index[label] for label in self.labels.tolist()], dtype=np.int64)

    def check_like(self, other: Part) -> None:
        """Refuse examples of the other kind: one label where the others have lists of labels, or lists where they have one.

        Raises:
            DataError: names both files.
        """
        if self.multilabel != other.multilabel:
            kinds = [
                "several labels an example" if part.multilabel else "one label an example" for part in (self, other)
            ]
            raise DataError(f"{self.name} has {kinds[0]}, and {other.name} has {kinds[1]}")

    def keys(self) -> Iterable[Any]:
        """What two examples have in common if they are the same: their texts, or their numbers written out."""
        if not isinstance(self.texts, Frames):
            return self.texts
        return (blake2b(row.tobytes(), digest_size=16).hexdigest() for row in self.texts)

    def shown(self) -> Sequence[Any]:
        """Examples as a person can look at them: texts, or frames in words."""
        if not isinstance(self.texts, Frames):
            return self.texts
        return [self.texts.describe(index) for index in range(len(self.texts))]

    def _label_sets(self) -> Iterable[tuple[str, ...]]:
        return self.labels.tolist() if self.multilabel else ((label,) for label in self.labels.tolist())


@dataclass(frozen=True)
class TrainingData:
    """Everything that a training run reads.

    Attributes:
        name: of the data.
        columns: section `data` with the columns that were read, and the separator of labels that was found.
        whole: the training file.
        training: what is learned from: the whole, or what the validation part has left of it.
        validation: what the best epoch is chosen by; None if nothing was held back.
        test: only evaluated; None if there is none.
        classes: the C names, sorted.
        counts: examples of each class in all of the training file, held-back ones included.
        duplicates: texts that occur more than once, within the training file and across to the test part.
        notes: what a person should know about the data, one sentence each.
        unlabelled: further texts, from which word vectors are trained.
        by_group: whether whole groups were held back for validation.
    """

    name: str
    columns: DataSettings
    whole: Part
    training: Part
    validation: Part | None
    test: Part | None
    classes: list[str]
    counts: dict[str, int]
    duplicates: Duplicates
    notes: list[str]
    unlabelled: UnlabelledTexts | None = None
    by_group: bool = False

    @property
    def text(self) -> str:
        """Column of the texts, or columns of the frames."""
        return self.columns.text or ", ".join(self.columns.frames or ())

    @property
    def label(self) -> str:
        """Column of the classes."""
        return str(self.columns.label)

    @property
    def has_frames(self) -> bool:
        """Whether examples are frames of numbers, not texts."""
        return isinstance(self.whole.texts, Frames)

    @property
    def multilabel(self) -> bool:
        """Whether an example may have several labels."""
        return self.whole.multilabel

    @property
    def split(self) -> bool:
        """Whether the validation part was split off the training file."""
        return self.training is not self.whole

    @property
    def everything(self) -> Part:
        """All examples for training and validation."""
        if self.split or self.validation is None:
            return self.whole
        return _joined(self.whole, self.validation)

    def summary(self) -> str:
        """How much there is of what, in one sentence."""
        sizes = f"{len(self.training):,} examples for training"
        if self.validation is not None:
            sizes += f", {len(self.validation):,} for validation"
        if self.test is not None:
            sizes += f", {len(self.test):,} for the test"
        rarest, commonest = (choose(self.counts, key=lambda name: self.counts[name]) for choose in (min, max))
        ends = [f"{name!r} ({self.counts[name]:,})" for name in (rarest, commonest)]
        kind = "labels of which an example may have several" if self.multilabel else "classes"
        return f"{self.name}: {sizes}; {len(self.classes)} {kind}, from {' to '.join(ends)}"


def read_training_data(
    data: str,
    settings: DataSettings,
    *,
    validation: str | None = None,
    test: str | None = None,
    seed: int = 0,
    rate: float | None = None,
    say: Say = lambda message: None,
) -> TrainingData:
    """Read and check every part.

    Args:
        data: a file, a folder, or the name of a data set.
        settings: columns, and the share to hold back where there is no validation part.
        validation: validation data; None takes the validation part of `data`, or holds examples back.
        test: test data; of a folder or data set its test part is taken.
        seed: of the split.
        rate: steps a second of frames; None is what the data say.
        say: told what a person should know at once.

    Raises:
        FileError: something cannot be read.
        DataError: columns or rows are not as needed, or there is one class only.
        ConfigurationError: the columns are not known.
    """
    source = resolve(data, settings)
    columns = columns_of(settings, source)
    label = str(columns.label)
    unlabelled = None
    if settings.unlabelled is not None:
        if columns.text is None:
            raise ConfigurationError("data.unlabelled names texts, and the examples are frames")
        unlabelled = UnlabelledTexts(settings.unlabelled, columns.text)
    stated = {None: "auto", NO_SEPARATOR: None}.get(settings.separator, settings.separator)
    examples = _examples(source, source.table("train"), columns.model_copy(update={"separator": stated}), rate)
    whole, separator = _part(examples), examples.separator
    columns = columns.model_copy(update={"separator": separator})
    counts = whole.label_counts()
    classes = sorted(counts)
    if len(classes) < 2:
        there = f"only one class, {classes[0]!r}" if classes else "no label at all"
        raise DataError(f"{whole.name}: column {label!r} has {there}: at least two are needed")
    held: Part | None = None
    if validation is not None:
        held = read_part(validation, "validation", columns, say, rate=rate)
    elif "validation" in source.splits:
        held = read_part(data, "validation", columns, say, rate=rate)
    tested = None
    if test is not None:
        tested = read_part(test, "test", columns, say, rate=rate)
    for other in (held, tested):
        if other is not None:
            other.check_like(whole)
            other.targets(classes)
    duplicates = (
        find_duplicates(whole.keys(), whole.labels)
        if tested is None
        else find_duplicates(whole.keys(), whole.labels, tested.keys(), tested.labels)
    )
    training = whole
    if held is None and settings.validation > 0:
        if settings.group is not None:
            groups = _column(source.table("train"), settings.group)
            kept, split_off = grouped_split(groups, settings.validation, seed, settings.group_pattern)
        else:
            mixed = whole.targets(classes) if whole.multilabel else whole.labels
            kept, split_off = stratified_split(mixed, settings.validation, seed)
        training, held = _at(whole, kept), _at(whole, split_off)
        if settings.group is not None and (absent := sorted(set(classes) - set(training.label_counts()))):
            raise DataError(
                f"{whole.name}: with groups of {settings.group!r} held back for validation no example of {absent[0]!r} is "
                "left to learn from; hold back less, or nothing"
            )
    return TrainingData(
        name=source.name,
        columns=columns,
        whole=whole,
        training=training,
        validation=held,
        test=tested,
        classes=classes,
        counts={name: counts[name] for name in classes},
        duplicates=duplicates,
        notes=[
            *_notes(counts, training, held, None if settings.separator else separator),
            *frame_notes([part for part in (whole, held if training is whole else None, tested) if part is not None]),
        ],
        unlabelled=unlabelled,
        by_group=training is not whole and settings.group is not None,
    )


def read_part(
    data: str,
    part: str,
    columns: DataSettings,
    say: Say = lambda message: None,
    *,
    rate: float | None = None,
) -> Part:
    """Read labelled examples: of a file all of them, of a folder or data set the part of that name.

    Where the column of weights is missing every example counts alike, and `say` is told so.

    Args:
        data: where from.
        part: "validation" or "test".
        columns: section `data` with all columns decided, and the separator of labels.
        say: told what a person should know.
        rate: steps a second of frames; None is what the data say.
    """
    source = resolve(data, columns)
    table = source.table(part)
    if columns.weight is not None and columns.weight not in table.columns:
        say(f"{table.name} has no column {columns.weight!r}: every example counts alike")
        columns = columns.model_copy(update={"weight": None})
    return _part(_examples(source, table, columns, rate))


def columns_of(settings: DataSettings, source: DataSource) -> DataSettings:
    """Return the section with the columns of examples and labels: given, or named by the data set, or called so.

    Raises:
        ConfigurationError: they are none of this; names the columns that there are; or both texts and frames are named.
    """
    columns = source.table("train").columns
    if settings.text is not None and settings.frames is not None:
        raise ConfigurationError("--text and --frames name what is read: give one of them")

    def found(option: str, given: str | None) -> str | None:
        return given or source.metadata.get(option) or (option if option in columns else None)

    def missing(option: str) -> ConfigurationError:
        there = ", ".join(map(repr, columns))
        return ConfigurationError(f"--{option} is missing: name one of the columns of {source.name}, which are {there}")

    label, frames = found("label", settings.label), settings.frames
    text = None if frames else found("text", settings.text)
    if text is None and frames is None:
        of_numbers = source.metadata.get("sequence") or ("frames" if "frames" in columns else None)
        if of_numbers is None:
            raise missing("text")
        frames = (str(of_numbers),)
    if label is None:
        raise missing("label")
    return settings.model_copy(update={"text": text, "frames": frames, "label": str(label)})


def _examples(source: DataSource, table: Table, columns: DataSettings, rate: float | None) -> Examples:
    given: dict[str, Any] = {"label": columns.label, "weight": columns.weight, "separator": columns.separator}
    if columns.frames is None:
        return load_examples(table, columns.text, **given)
    frames = read_frames(source, table, columns.frames, rate=rate, vectors=columns.vectors)
    return load_examples(table, None, frames=frames, **given)


def _column(table: Table, name: str) -> list[str]:
    """The values of a column, as texts."""
    table.require(name, "column of the groups")
    return [str(value) for chunk in table.iter_chunks(columns=[name]) for value in chunk[name]]


def _part(examples: Examples) -> Part:
    assert examples.labels is not None
    return Part(examples.texts, examples.labels, examples.weights, np.arange(1, examples.rows + 1), examples.name)


def _at(part: Part, indices: np.ndarray) -> Part:
    texts = part.texts
    chosen = texts.take(indices) if hasattr(texts, "take") else [texts[i] for i in indices]
    weights = None if part.weights is None else part.weights[indices]
    return Part(chosen, part.labels[indices], weights, part.rows[indices], part.name)


def _joined(first: Part, second: Part) -> Part:
    parts = (first, second)
    weights = None
    if any(part.weights is not None for part in parts):
        weights = np.concatenate([np.ones(len(part)) if part.weights is None else part.weights for part in parts])
    texts: Sequence[Any]
    if isinstance(first.texts, Frames) and isinstance(second.texts, Frames):
        texts = Frames.concatenate([first.texts, second.texts])
    else:
        texts = [*first.texts, *second.texts]
    return Part(
        texts,
        np.concatenate([part.labels for part in parts]),
        weights,
        np.concatenate([part.rows for part in parts]),
        first.name,
    )


def frame_notes(parts: Sequence[Part]) -> list[str]:
    """What had to be done to read the frames of some parts, the file named."""
    return [f"{part.name}: {note}" for part in parts if isinstance(part.texts, Frames) for note in part.texts.notes]


def _notes(counts: Mapping[str, int], training: Part, validation: Part | None, separator: str | None) -> list[str]:
    notes = []
    if separator is not None:
        notes.append(
            f"the labels are separated by {separator!r}, so that an example may have several; if each text is one label, "
            "set data.separator to none"
        )
    bare = sum(1 for labels in training.labels if labels == ())
    if bare:
        notes.append(f"{bare:,} training examples have no label; they say what a text without any looks like")
    single = [name for name, count in counts.items() if count < 2]
    if single:
        names = ", ".join(map(repr, single[:5])) + (" and others" if len(single) > 5 else "")
        have = "a class has" if len(single) == 1 else f"{len(single)} classes have"
        notes.append(
            f"{have} only one example ({names}): it stays in the training part, so that the validation part cannot say "
            "how well such a class is recognised"
        )
    blank = 0
    if not isinstance(training.texts, Frames):
        blank = sum(1 for text in training.texts if isinstance(text, str) and not text.strip())
    if blank:
        notes.append(f"{blank:,} training texts hold nothing but white space; they are kept as empty sequences")
    if validation is None:
        notes.append("nothing is held back for validation: the last epoch is kept, and only test data are evaluated")
    return notes
