"""What a tagger learns from: sentences or frames, and a tag for each of their steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqwise.data import grouped_split
from seqwise.data.frames import Frames
from seqwise.errors import DataError


@dataclass(frozen=True)
class Labelled:
    """Sequences and the tags of their steps.

    Attributes:
        X: tokens of each sentence, or frames.
        tags: of each; None where a step of frames has none.
    """

    X: list[list[str]] | Frames
    tags: list[list[str]] | list[list[str | None]]

    @classmethod
    def of(cls, X: Any, y: Any) -> Self:
        """Check what was given.

        Args:
            X: lists of tokens; or `Frames`, or arrays (T, D).
            y: as many tags of each.

        Raises:
            DataError: there are none, or something is none, or has another number of tags; names it.
        """
        if are_frames(X):
            frames = Frames.from_rows(X)
            return cls(frames, checked_labels(frames, y))
        return cls(*checked_sentences(X, y))

    def __len__(self) -> int:
        return len(self.X)

    @property
    def framed(self) -> bool:
        """Whether these are frames."""
        return isinstance(self.X, Frames)

    @property
    def unit(self) -> str:
        """What the sequences are called."""
        return "recordings" if self.framed else "sentences"

    def take(self, rows: Sequence[int]) -> Labelled:
        """These sequences."""
        X = self.X.take(rows) if isinstance(self.X, Frames) else [self.X[i] for i in rows]
        return Labelled(X, [self.tags[i] for i in rows])  # type: ignore[arg-type]


def are_frames(X: Any) -> bool:
    """Whether sequences are frames: arrays of numbers, or lists of lists of numbers."""
    if isinstance(X, Frames):
        return True
    try:
        first = np.asarray(X[0])
    except (IndexError, KeyError, TypeError, ValueError):
        return False
    return first.dtype.kind in "fiub" and first.ndim in (1, 2) and bool(first.size)


def checked_sentences(X: Any, y: Any) -> tuple[list[list[str]], list[list[str]]]:
    """Return sentences and tags as lists.

    Raises:
        DataError: there are none, or one has no token, something that is no token, or another number of tags.
    """
    sentences, tags = ([list(row) if not isinstance(row, str) else [row] for row in part] for part in (X, y))
    if len(sentences) != len(tags) or not sentences:
        raise DataError(f"there are {len(sentences)} sentences and {len(tags)} lists of tags")
    for number, (tokens, marks) in enumerate(zip(sentences, tags, strict=True), 1):
        if len(tokens) != len(marks) or not tokens:
            raise DataError(
                f"sentence {number} has {len(tokens)} tokens and {len(marks)} tags; every token has one tag"
            )
        if wrong := [part for part in (*tokens, *marks) if not isinstance(part, str) or not part]:
            raise DataError(f"sentence {number}: {wrong[0]!r:.40} is no token and no tag")
    return sentences, tags


def checked_labels(frames: Frames, y: Any) -> list[list[str | None]]:
    """Return the labels of every step as texts, None where there is none: None itself, "", or a number below 0.

    Raises:
        DataError: there are none, a sequence has another number of labels, or something is no label.
    """
    if len(frames) != len(y) or not len(frames):
        raise DataError(f"there are {len(frames)} sequences and {len(y)} lists of labels")
    result = []
    for number, (row, length) in enumerate(zip(y, frames.lengths.tolist(), strict=True), 1):
        values = row.tolist() if isinstance(row, np.ndarray) else list(row)
        if len(values) != length or not length:
            raise DataError(f"sequence {number} has {length} steps and {len(values)} labels; every step has one")
        result.append([_label(value, number) for value in values])
    return result


def _label(value: Any, number: int) -> str | None:
    if value is None or value == "" or isinstance(value, str):
        return value or None
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(value) if value >= 0 else None
    raise DataError(f"sequence {number}: {value!r:.40} is no label: a text or a whole number is expected")


def choose_held(
    count: int, share: float, seed: int, groups: Sequence[str] | None = None, unit: str = "sentences"
) -> list[int]:
    """The numbers of a share of the sequences, chosen at random, in rising order.

    Args:
        count: of the sequences.
        share: to be chosen.
        seed: of the choice.
        groups: of each sequence; those of one group stay together.
        unit: what the sequences are, in the plural.

    Raises:
        DataError: nothing would be left.
    """
    if groups is not None:
        return grouped_split(groups, share, seed)[1].tolist()
    wanted = max(1, round(share * count))
    if wanted >= count:
        raise DataError(f"there are not enough {unit} to hold some back for validation: set data.validation to 0")
    return sorted(np.random.default_rng(seed).permutation(count)[:wanted].tolist())
