"""The parts that every run of a comparison learns from and is judged by: the same for every variant."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seqwise.data import UnlabelledTexts, find_duplicates, stratified_split
from seqwise.errors import ConfigurationError, DataError
from seqwise.experiments.configuration import Configuration
from seqwise.experiments.parts import Part, part_at
from seqwise.experiments.reading import Say, read_training_data

TEST_SHARE = 0.2  # cut off where there are no test data and no folds
CUT = 0  # the seed of the cut and of the folds: these stay, whatever the seeds of the runs


@dataclass(frozen=True)
class Parts:
    """What one run sees; `test` is only answered, and word vectors may be trained on `unlabelled` texts too."""

    training: Part
    validation: Part
    test: Part
    unlabelled: UnlabelledTexts | None = None


@dataclass(frozen=True)
class ComparisonData:
    """Everything that was read.

    Attributes:
        name: of the data.
        text: column of the texts.
        label: column of the classes.
        classes: the C names, sorted.
        rest: what is left for training and validation; with folds, everything.
        test: what the figures are computed on; with folds, everything.
        validation: a validation part of the data's own; None splits one off, by seed.
        share: that is split off.
        folds: the fold of each example, (n,), or None.
        fingerprint: of texts, labels, weights and division.
        notes: what a person should know, one sentence each.
        unlabelled: further texts, from which word vectors are trained.
    """

    name: str
    text: str
    label: str
    classes: list[str]
    rest: Part
    test: Part
    validation: Part | None
    share: float
    folds: np.ndarray | None
    fingerprint: str
    notes: list[str] = field(default_factory=list)
    unlabelled: UnlabelledTexts | None = None

    @property
    def multilabel(self) -> bool:
        """Whether an example may have several labels."""
        return self.rest.multilabel

    @property
    def fold_count(self) -> int:
        """How many runs answer all test examples together."""
        return 1 if self.folds is None else int(self.folds.max()) + 1

    def answered(self, fold: int) -> np.ndarray:
        """Return which of the test examples the runs of a fold answer, as ascending indices."""
        if self.folds is None:
            return np.arange(len(self.test))
        return np.flatnonzero(self.folds == fold)

    def parts(self, seed: int, fold: int) -> Parts:
        """Return what the runs of this seed and fold see."""
        rest, test = self.rest, self.test
        if self.folds is not None:
            rest = part_at(self.rest, np.flatnonzero(self.folds != fold))
            test = part_at(self.rest, np.flatnonzero(self.folds == fold))
        if self.validation is not None:
            # The cut may have taken the only example of a class.
            absent = class_counts(rest, self.classes) == 0
            watched = self.validation.targets(self.classes)
            known = ~(watched[:, absent].any(axis=1) if self.multilabel else absent[watched])
            return Parts(rest, part_at(self.validation, np.flatnonzero(known)), test, self.unlabelled)
        kept, held = stratified_split(strata(rest, self.classes), self.share, seed)
        return Parts(part_at(rest, kept), part_at(rest, held), test, self.unlabelled)

    def class_sizes(self) -> dict[str, int]:
        """Return the examples of each class outside the test part."""
        counts = class_counts(self.rest, self.classes)
        return dict(zip(self.classes, counts.tolist(), strict=True))


def read_comparison_data(
    data: str, configuration: Configuration, *, test: str | None, folds: int | None, say: Say
) -> ComparisonData:
    """Read the data and cut off what nothing is chosen by.

    Args:
        data: a file, a folder, or the name of a data set.
        configuration: its section `data` names columns and the share for validation.
        test: test data; None cuts a fifth off, class by class, always the same.
        folds: instead of a test part every example is answered once, by runs that have not seen its fold.
        say: told what a person should know at once.

    Raises:
        FileError: something cannot be read.
        DataError: columns or rows are not as needed.
        ConfigurationError: there would be no validation part, or both test data and folds are given.
    """
    settings = configuration.data
    if test is not None and folds is not None:
        raise ConfigurationError("--test and --folds are two ways to get test examples: give one of them")
    if folds is not None and folds < 2:
        raise ConfigurationError(f"--folds is at least 2, got {folds}")
    unsplit = settings.model_copy(update={"validation": 0.0})
    if settings.group is not None:
        raise ConfigurationError(
            "data.group holds groups back in training; the parts of a comparison are cut at random"
        )
    read = read_training_data(data, unsplit, test=test, rate=configuration.frames.rate, say=say)
    if read.validation is None and settings.validation == 0:
        raise ConfigurationError(
            "data.validation is 0 and the data have no validation part: epochs and mixture are chosen by one"
        )
    rest, tested, numbers, notes = read.whole, read.test, None, []
    if folds is not None:
        tested, numbers = rest, fold_numbers(strata(rest, read.classes), folds)
    elif tested is None:
        kept, cut = stratified_split(strata(rest, read.classes), TEST_SHARE, CUT)
        tested, rest = part_at(rest, cut), part_at(rest, kept)
    across = (
        0
        if folds is not None
        else find_duplicates(rest.identities(), rest.labels, tested.identities(), tested.labels).across
    )
    if across:
        notes.append(f"{across:,} test texts are in the rest of the data too, which flatters every row alike")
    digest = hashlib.sha256()
    for part in (rest, tested, *([] if read.validation is None else [read.validation])):
        _update(digest, part)
    digest.update(repr((read.classes, settings.validation, folds)).encode())
    if settings.unlabelled is not None:
        digest.update(settings.unlabelled.encode())
    return ComparisonData(
        name=read.name,
        text=read.text,
        label=read.label,
        classes=read.classes,
        rest=rest,
        test=tested,
        validation=read.validation,
        share=settings.validation,
        folds=numbers,
        fingerprint=digest.hexdigest()[:16],
        notes=notes,
        unlabelled=read.unlabelled,
    )


def fold_numbers(labels: Sequence[str] | np.ndarray, folds: int) -> np.ndarray:
    """Deal the examples of each class out to the folds, (n,) from 0.

    Args:
        labels: the class of every example, (n,); or which labels each one has, (n, C).
        folds: how many.

    Raises:
        DataError: there are fewer examples than folds.
    """
    if len(labels) < folds:
        raise DataError(f"{len(labels)} examples cannot be divided into {folds} folds")
    if np.ndim(labels) == 2:
        dealt, left = np.zeros(len(labels), dtype=np.int64), np.arange(len(labels))
        for fold in range(folds - 1):  # a fold's share of what the folds before it have left
            kept, held = stratified_split(np.asarray(labels)[left], 1 / (folds - fold), CUT)
            dealt[left[held]], left = fold, left[kept]
        dealt[left] = folds - 1
        return dealt
    _, classes = np.unique(np.asarray(labels), return_inverse=True)
    shuffled = np.random.default_rng(CUT).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    numbers = np.empty(len(classes), dtype=np.int64)
    numbers[by_class] = np.arange(len(classes)) % folds  # on from where the last class ended: folds of equal size
    return numbers


def strata(part: Part, classes: Sequence[str]) -> np.ndarray:
    """Return what a split keeps in proportion: the labels, (n,), or which labels each example has, (n, C)."""
    return part.targets(classes) if part.multilabel else part.labels


def class_counts(part: Part, classes: Sequence[str]) -> np.ndarray:
    """Return the examples of each class, (C,)."""
    counts = part.label_counts()
    return np.array([counts[name] for name in classes], dtype=np.int64)


def _update(digest: hashlib._Hash, part: Part) -> None:
    for text in part.identities():
        written = (text if isinstance(text, str) else "\x1f".join(map(str, text))).encode("utf-8", "surrogatepass")
        digest.update(len(written).to_bytes(8, "little") + written)
    digest.update(repr(part.labels.tolist()).encode())
    if part.weights is not None:
        digest.update(np.ascontiguousarray(part.weights).tobytes())
