"""Texts that occur more than once: within a part, with conflicting labels, and across parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Duplicates:
    """What `find_duplicates` found. Rows are counted from 1; of each kind the first few are named.

    Attributes:
        duplicates: rows whose text occurs in an earlier row.
        duplicate_rows: (row, the first row with this text).
        conflicting: rows whose text occurs in the same part with another label.
        conflicting_rows: (row, the first row with this text and another label).
        across: rows of the other part whose text occurs in this one.
        across_rows: (row of the other part, first row of this part).
        across_conflicting: those of them for which no row of this part has the same label.
        across_conflicting_rows: (row of the other part, first row of this part).
    """

    duplicates: int = 0
    duplicate_rows: list[tuple[int, int]] = field(default_factory=list)
    conflicting: int = 0
    conflicting_rows: list[tuple[int, int]] = field(default_factory=list)
    across: int = 0
    across_rows: list[tuple[int, int]] = field(default_factory=list)
    across_conflicting: int = 0
    across_conflicting_rows: list[tuple[int, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.duplicates or self.conflicting or self.across)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def find_duplicates(
    texts: Iterable[str | Sequence[str]],
    labels: Iterable[Any],
    other_texts: Iterable[str | Sequence[str]] | None = None,
    other_labels: Iterable[Any] | None = None,
    *,
    limit: int = 20,
) -> Duplicates:
    """Counts texts that are the same but for case and white space.

    Sixteen bytes a row are held, so that texts may be streamed. Equality is that of 64-bit hashes: among a million texts
    the odds of one false pair are one in 37 million.

    Args:
        texts: of the training part.
        labels: its labels.
        other_texts: of the validation or test part.
        other_labels: its labels.
        limit: how many rows of each kind are named.
    """
    codes: dict[Any, int] = {}
    keys, classes = _keys(texts), _codes(labels, codes)
    order = np.argsort(keys, kind="stable")
    first_of_text = _first_of_group(keys, order)
    repeated = np.flatnonzero(first_of_text != np.arange(len(keys)))

    other_label = _first_with_another_label(keys, classes)
    conflicting = np.flatnonzero(other_label >= 0)

    across = differing = np.empty(0, np.int64)
    match = np.empty(0, np.int64)
    if other_texts is not None:
        other_keys = _keys(other_texts)
        match = _match(keys, order, other_keys)
        across = np.flatnonzero(match >= 0)
        if other_labels is not None:
            other_classes = _codes(other_labels, codes)
            shared = np.isin(keys, other_keys[across])
            known = set(zip(keys[shared].tolist(), classes[shared].tolist(), strict=True))
            pairs = zip(other_keys[across].tolist(), other_classes[across].tolist(), strict=True)
            differing = across[[pair not in known for pair in pairs]] if len(across) else across
    return Duplicates(
        duplicates=len(repeated),
        duplicate_rows=_named(repeated, first_of_text, limit),
        conflicting=len(conflicting),
        conflicting_rows=_named(conflicting, other_label, limit),
        across=len(across),
        across_rows=_named(across, match, limit),
        across_conflicting=len(differing),
        across_conflicting_rows=_named(differing, match, limit),
    )


def _keys(texts: Iterable[str | Sequence[str]]) -> NDArray[np.uint64]:
    """(n,) a hash of every text as a person would compare it."""

    def key(text: str | Sequence[str]) -> int:
        words = text.casefold().split() if isinstance(text, str) else [word.casefold() for word in text]
        return int.from_bytes(blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest())

    return np.fromiter(map(key, texts), np.uint64)


def _codes(labels: Iterable[Any], codes: dict[Any, int]) -> NDArray[np.int64]:
    return np.fromiter((codes.setdefault(label, len(codes)) for label in labels), np.int64)


def _first_of_group(keys: NDArray[np.uint64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) for every row the first row with the same key."""
    ordered = keys[order]
    new = np.ones(len(keys), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    first = np.empty(len(keys), np.int64)
    first[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]  # stable order: the first of a group is its least
    return first


def _first_with_another_label(keys: NDArray[np.uint64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) for every row the first row with the same text and another label; -1 where there is none."""
    answer = np.full(len(keys), -1, np.int64)
    order = np.lexsort((np.arange(len(keys)), keys))
    ordered, labels = keys[order], classes[order]
    new = np.ones(len(keys), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    if not len(starts):
        return answer
    mixed = np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts)
    ends = np.append(starts[1:], len(keys))
    for start, end in zip(starts[mixed], ends[mixed], strict=True):
        rows, group = order[start:end], labels[start:end]
        second = int(np.argmax(group != group[0]))  # the first row that differs from the first
        answer[rows] = np.where(group == group[0], rows[second], rows[0])
    return answer


def _match(keys: NDArray[np.uint64], order: NDArray[np.int64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(m,) for every other key the first row that has it; -1 where there is none."""
    if not len(keys):
        return np.full(len(other), -1, np.int64)
    ordered = keys[order]
    place = np.minimum(np.searchsorted(ordered, other), len(keys) - 1)
    return np.where(ordered[place] == other, order[place], -1)


def _named(rows: NDArray[np.int64], partner: NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    return [(int(row) + 1, int(partner[row]) + 1) for row in rows[:limit]]
