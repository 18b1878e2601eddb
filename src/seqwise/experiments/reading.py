"""From what the person named on the command line to checked examples for training, validation and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqwise.data import (
    DataSettings,
    DataSource,
    Duplicates,
    Examples,
    UnlabelledTexts,
    find_duplicates,
    label_matrix,
    load_examples,
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
        texts: n texts, in memory or streamed.
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

    def _label_sets(self) -> Iterable[tuple[str, ...]]:
        return self.labels.tolist() if self.multilabel else ((label,) for label in self.labels.tolist())


@dataclass(frozen=True)
class TrainingData:
    """Everything that a training run reads.

    Attributes:
        name: of the data.
        text: column of the texts.
        label: column of the classes.
        separator: of several labels in one text of that column; None where they are lists, or one.
        whole: the training file.
        training: what is learned from: the whole, or what the validation part has left of it.
        validation: what the best epoch is chosen by; None if nothing was held back.
        test: only evaluated; None if there is none.
        classes: the C names, sorted.
        counts: examples of each class in all of the training file, held-back ones included.
        duplicates: texts that occur more than once, within the training file and across to the test part.
        notes: what a person should know about the data, one sentence each.
        unlabelled: further texts, from which word vectors are trained.
    """

    name: str
    text: str
    label: str
    separator: str | None
    whole: Part
    training: Part
    validation: Part | None
    test: Part | None
    classes: list[str]
    counts: dict[str, int]
    duplicates: Duplicates
    notes: list[str]
    unlabelled: UnlabelledTexts | None = None

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
    say: Say = lambda message: None,
) -> TrainingData:
    """Read and check every part.

    Args:
        data: a file, a folder, or the name of a data set.
        settings: columns, and the share to hold back where there is no validation part.
        validation: validation data; None takes the validation part of `data`, or holds examples back.
        test: test data; of a folder or data set its test part is taken.
        seed: of the split.
        say: told what a person should know at once.

    Raises:
        FileError: something cannot be read.
        DataError: columns or rows are not as needed, or there is one class only.
        ConfigurationError: the columns are not known.
    """
    source = resolve(data)
    text, label = columns_of(settings, source)
    unlabelled = None if settings.unlabelled is None else UnlabelledTexts(settings.unlabelled, text)
    stated = {None: "auto", NO_SEPARATOR: None}.get(settings.separator, settings.separator)
    examples = load_examples(source.table("train"), text, label, settings.weight, separator=stated)
    whole, separator = _part(examples), examples.separator
    counts = whole.label_counts()
    classes = sorted(counts)
    if len(classes) < 2:
        there = f"only one class, {classes[0]!r}" if classes else "no label at all"
        raise DataError(f"{whole.name}: column {label!r} has {there}: at least two are needed")
    held: Part | None = None
    if validation is not None:
        held = read_part(validation, "validation", text, label, settings.weight, say, separator=separator)
    elif "validation" in source.splits:
        held = read_part(data, "validation", text, label, settings.weight, say, separator=separator)
    tested = None
    if test is not None:
        tested = read_part(test, "test", text, label, settings.weight, say, separator=separator)
    for other in (held, tested):
        if other is not None:
            other.check_like(whole)
            other.targets(classes)
    duplicates = (
        find_duplicates(whole.texts, whole.labels)
        if tested is None
        else find_duplicates(whole.texts, whole.labels, tested.texts, tested.labels)
    )
    training = whole
    if held is None and settings.validation > 0:
        mixed = whole.targets(classes) if whole.multilabel else whole.labels
        kept, split_off = stratified_split(mixed, settings.validation, seed)
        training, held = _at(whole, kept), _at(whole, split_off)
    return TrainingData(
        name=source.name,
        text=text,
        label=label,
        separator=separator,
        whole=whole,
        training=training,
        validation=held,
        test=tested,
        classes=classes,
        counts={name: counts[name] for name in classes},
        duplicates=duplicates,
        notes=_notes(counts, training, held, None if settings.separator else separator),
        unlabelled=unlabelled,
    )


def read_part(
    data: str,
    part: str,
    text: str,
    label: str,
    weight: str | None = None,
    say: Say = lambda message: None,
    *,
    separator: str | None = None,
) -> Part:
    """Read labelled examples: of a file all of them, of a folder or data set the part of that name.

    Where the column of weights is missing every example counts alike, and `say` is told so.
    """
    table = resolve(data).table(part)
    if weight is not None and weight not in table.columns:
        say(f"{table.name} has no column {weight!r}: every example counts alike")
        weight = None
    return _part(load_examples(table, text, label, weight, separator=separator))


def columns_of(settings: DataSettings, source: DataSource) -> tuple[str, str]:
    """Return the columns of texts and labels: given, or named by the data set, or called `text` and `label`.

    Raises:
        ConfigurationError: they are none of this; names the columns that there are.
    """
    columns = source.table("train").columns
    found = []
    for option, given in (("text", settings.text), ("label", settings.label)):
        column = given or source.metadata.get(option) or (option if option in columns else None)
        if not column:
            there = ", ".join(map(repr, columns))
            raise ConfigurationError(
                f"--{option} is missing: name one of the columns of {source.name}, which are {there}"
            )
        found.append(str(column))
    return found[0], found[1]


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
    return Part(
        [*first.texts, *second.texts],
        np.concatenate([part.labels for part in parts]),
        weights,
        np.concatenate([part.rows for part in parts]),
        first.name,
    )


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
    blank = sum(1 for text in training.texts if isinstance(text, str) and not text.strip())
    if blank:
        notes.append(f"{blank:,} training texts hold nothing but white space; they are kept as empty sequences")
    if validation is None:
        notes.append("nothing is held back for validation: the last epoch is kept, and only test data are evaluated")
    return notes
