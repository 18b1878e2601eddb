"""Labelled examples of one part of the data: of training, validation or test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from seqwise.data import Examples, Frames, label_matrix
from seqwise.errors import DataError


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

    def identities(self) -> Iterable[Any]:
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


def part_of(examples: Examples) -> Part:
    """All labelled examples of a table."""
    assert examples.labels is not None
    return Part(examples.texts, examples.labels, examples.weights, np.arange(1, examples.rows + 1), examples.name)


def part_at(part: Part, indices: np.ndarray) -> Part:
    """These examples of a part; the indices ascend."""
    texts = part.texts
    chosen = texts.take(indices) if hasattr(texts, "take") else [texts[i] for i in indices]
    weights = None if part.weights is None else part.weights[indices]
    return Part(chosen, part.labels[indices], weights, part.rows[indices], part.name)


def joined_parts(first: Part, second: Part) -> Part:
    """The examples of both parts; where only one has weights, the other's weigh 1."""
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
