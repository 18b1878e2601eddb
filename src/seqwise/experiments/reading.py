"""From what the person named on the command line to checked examples for training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    load_examples,
    read_frames,
    resolve,
    stratified_split,
)
from seqwise.errors import ConfigurationError, DataError
from seqwise.experiments.parts import Part, frame_notes, joined_parts, part_at, part_of

Say = Callable[[str], None]
NO_SEPARATOR = "none"  # of `data.separator`: every text of the label column is one label


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
        return joined_parts(self.whole, self.validation)

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
    whole, separator = part_of(examples), examples.separator
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
        find_duplicates(whole.identities(), whole.labels)
        if tested is None
        else find_duplicates(whole.identities(), whole.labels, tested.identities(), tested.labels)
    )
    training = whole
    if held is None and settings.validation > 0:
        if settings.group is not None:
            groups = _column(source.table("train"), settings.group)
            kept, split_off = grouped_split(groups, settings.validation, seed, settings.group_pattern)
        else:
            mixed = whole.targets(classes) if whole.multilabel else whole.labels
            kept, split_off = stratified_split(mixed, settings.validation, seed)
        training, held = part_at(whole, kept), part_at(whole, split_off)
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
    return part_of(_examples(source, table, columns, rate))


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
