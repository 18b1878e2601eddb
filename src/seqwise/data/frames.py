"""Frames: sequences of vectors of numbers, such as sensor signals, spectra, sounds, or one vector a row.

Axis letters: n sequences, N steps of all of them together, T steps of the longest, D channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from seqwise.data.numbers import Numbers
from seqwise.data.sources import DataSource
from seqwise.data.tables import Table
from seqwise.data.wav import read_sounds
from seqwise.errors import DataError
from seqwise.text.ragged import offsets_of

FULL_SCALE = 32768.0  # of 16-bit samples of sound


@dataclass(frozen=True, eq=False)
class Frames(Sequence[NDArray[np.float32]]):
    """Sequences of unequal length, stored flat: nothing is padded until a batch needs it.

    Attributes:
        values: (N, D) float32, all sequences one after the other; NaN is a missing number.
        offsets: (n + 1,) int64, sequence i is `values[offsets[i]:offsets[i + 1]]`.
        rate: steps a second; None where it is not known or means nothing.
        names: of the D channels, or None.
        notes: sentences on what had to be done to read them (sounds resampled, say).
        sources: the file of each sequence, where it has one of its own.
    """

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]
    rate: float | None = None
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ValueError(f"values are (steps, channels), got an array of shape {self.values.shape}")
        if self.offsets.ndim != 1 or not len(self.offsets) or self.offsets[0] or self.offsets[-1] != len(self.values):
            raise ValueError(f"offsets must run from 0 to the number of steps, {len(self.values)}")
        if self.names is not None and len(self.names) != self.channels:
            raise ValueError(f"there are {len(self.names)} names and {self.channels} channels")

    @classmethod
    def from_rows(cls, arrays: Iterable[Any], rate: float | None = None) -> Frames:
        """Frames from arrays, given one by one.

        Args:
            arrays: of shape (T, D), with one D; or (T,), which is one channel.
            rate: steps a second.

        Raises:
            DataError: an array is of another shape, or holds no numbers; names it, counted from 1.
        """
        if isinstance(arrays, Frames):
            return arrays if rate is None else replace(arrays, rate=rate)
        parts: list[NDArray[np.float32]] = []
        for number, given in enumerate(arrays, 1):
            try:
                part = np.asarray(given, dtype=np.float32)
            except (TypeError, ValueError):
                raise DataError(f"sequence {number} is no array of numbers (steps, channels)") from None
            if part.ndim not in (1, 2):
                raise DataError(f"sequence {number} has the shape {part.shape}; (steps, channels) is expected")
            part = part[:, None] if part.ndim == 1 else part
            if parts and part.shape[1] != parts[0].shape[1]:
                raise DataError(f"sequence {number} has {part.shape[1]} channels, those before it {parts[0].shape[1]}")
            parts.append(part)
        values = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
        return cls(values, offsets_of([len(part) for part in parts]), rate)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> Frames: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | Frames:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self)}")
        index %= len(self)
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) steps of each sequence."""
        return np.diff(self.offsets)

    @property
    def channels(self) -> int:
        """D."""
        return self.values.shape[1]

    def take(self, indices: Sequence[int] | NDArray[Any]) -> Frames:
        """These sequences in this order, copied; one may be taken more than once."""
        rows = np.asarray(indices, dtype=np.int64)
        offsets = offsets_of(self.lengths[rows])
        # Step j of the result comes from where its sequence begins here, shifted by j's place within the sequence.
        source = np.repeat(self.offsets[rows] - offsets[:-1], np.diff(offsets)) + np.arange(offsets[-1])
        sources = None if self.sources is None else tuple(self.sources[row] for row in rows.tolist())
        return replace(self, values=self.values[source], offsets=offsets, sources=sources)

    def describe(self, index: int) -> str:
        """A sequence in words: the name of its file and how long it is."""
        steps = int(self.lengths[index])
        size = f"{steps:,} step{'s' * (steps != 1)}" + (f", {steps / self.rate:.2f} s" if self.rate else "")
        return size if self.sources is None else f"{self.sources[index]}: {size}"

    def padded(self) -> NDArray[np.float32]:
        """(n, T, D) with zeros behind the shorter sequences."""
        lengths = self.lengths
        table = np.zeros((len(self), int(lengths.max(initial=0)), self.channels), np.float32)
        table[np.arange(table.shape[1]) < lengths[:, None]] = self.values
        return table

    @staticmethod
    def concatenate(parts: Sequence[Frames]) -> Frames:
        """All sequences of all parts, in order; rate and names are those of the first.

        Raises:
            DataError: the parts differ in channels or rate.
        """
        first = parts[0]
        for part in parts[1:]:
            if part.channels != first.channels:
                raise DataError(f"frames of {first.channels} and of {part.channels} channels cannot be joined")
            if part.rate != first.rate:
                raise DataError(f"frames of {first.rate} and of {part.rate} steps a second cannot be joined")
        notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
        offsets = offsets_of(np.concatenate([part.lengths for part in parts]))
        sources = None
        if all(part.sources is not None for part in parts):
            sources = tuple(name for part in parts for name in part.sources or ())
        values = np.concatenate([part.values for part in parts])
        return replace(first, values=values, offsets=offsets, notes=notes, sources=sources)

    def __repr__(self) -> str:
        return f"Frames({len(self)} sequences, {len(self.values)} steps, {self.channels} channels, rate={self.rate})"


def read_frames(
    source: DataSource, table: Table, columns: Sequence[str], *, rate: float | None = None, vectors: bool = False
) -> Frames:
    """Read columns of numbers as frames; several columns are joined channel by channel.

    A column holds in every row a list of vectors (a sequence of D channels), a list of numbers (a sequence of one
    channel), or the path of a .wav file. A list of 16-bit whole numbers with a known rate is sound and is divided by 32,768,
    as the samples of a .wav file are.

    Args:
        source: where the table is from; its `dataset.json` may tell the rate.
        table: a row a sequence.
        columns: one or more.
        rate: steps a second of data that do not tell it themselves. Sound files are resampled to it; without it those of
            another rate than most are.
        vectors: a list of numbers is not a sequence, but the one vector of its row.

    Returns:
        A sequence for each row of the table, in its order. Missing numbers are NaN.

    Raises:
        DataError: a column is not there, or a row has no step, an infinite number, or another number of channels or steps
            than it should have; names the row.
        FileError: a file cannot be read.
    """
    if not columns:
        raise ValueError("at least one column of frames is needed")
    stated = source.metadata.get("rate_hz")
    known = table.rate or (float(stated) if isinstance(stated, int | float) and stated > 0 else None) or rate
    parts = [_read_column(table, column, known, rate, vectors=vectors) for column in columns]
    first = parts[0]
    for column, part in zip(columns[1:], parts[1:], strict=True):
        if len(wrong := np.flatnonzero(part.lengths != first.lengths)):
            row = int(wrong[0])
            raise DataError(
                f"{table.name}, {table.place(row)}: {first.lengths[row]} steps in column {columns[0]!r} and "
                f"{part.lengths[row]} in column {column!r}; columns that are joined have the same"
            )
    rates = {part.rate for part in parts if part.rate is not None}
    if len(rates) > 1:
        raise DataError(f"{table.name}: the columns {', '.join(columns)} have different rates, and are to be joined")
    names = [
        column if part.channels == 1 else f"{column} {number}"
        for column, part in zip(columns, parts, strict=True)
        for number in range(1, part.channels + 1)
    ]
    values = first.values if len(parts) == 1 else np.concatenate([part.values for part in parts], axis=1)
    notes = (*table.notes, *(note for part in parts for note in part.notes))
    sources = next((part.sources for part in parts if part.sources is not None), None)
    return Frames(values, first.offsets, rates.pop() if rates else None, tuple(names), notes, sources)


def _read_column(table: Table, column: str, rate: float | None, wanted: float | None, *, vectors: bool) -> Frames:
    table.require(column, "column of frames")
    if (paths := _sound_files(table, column)) is not None:
        samples, found, notes = read_sounds(paths, wanted)
        return replace(Frames.from_rows(samples, found), notes=notes, sources=tuple(map(str, paths)))
    numbers = table.numbers(column)
    if not len(numbers.lengths):
        raise DataError(f"{table.name} has columns but no rows")
    values = numbers.values
    if vectors and not numbers.nested:
        numbers = _as_vectors(table, column, numbers)
    elif not numbers.nested and values.dtype == np.int16 and rate is not None:
        numbers = Numbers(np.multiply(values, 1 / FULL_SCALE, dtype=np.float32), numbers.offsets)
    values = numbers.values if numbers.nested else numbers.values[:, None]
    if len(empty := np.flatnonzero(numbers.lengths == 0)):
        more = f" ({len(empty)} such rows in all)" if len(empty) > 1 else ""
        raise DataError(f"{table.name}, {table.place(int(empty[0]))}: column {column!r} has no step{more}")
    with np.errstate(over="ignore"):  # what is too large for float32 is refused below
        frames = Frames(np.asarray(values, dtype=np.float32), numbers.offsets, rate)
    if (place := first_infinite(frames)) is not None:
        row, step, channel = place
        raise DataError(
            f"{table.name}, {table.place(row)}: column {column!r} holds an infinite number, at step {step + 1}"
            + (f", channel {channel + 1}" if frames.channels > 1 else "")
        )
    return frames


def _sound_files(table: Table, column: str) -> list[Path] | None:
    """The sound files that a column names, from the folder of the table on; None if it holds something else."""
    if "str" not in table.types()[column]:
        return None
    paths: list[Path] = []
    for chunk in table.iter_chunks(columns=[column]):
        for name in chunk[column]:
            if not isinstance(name, str) or not name.lower().endswith(".wav"):
                if not paths:
                    return None
                raise DataError(
                    f"{table.name}, {table.place(len(paths))}: column {column!r} holds {name!r:.40}, and the path of a .wav "
                    "file is expected as in the rows before it"
                )
            paths.append(table.path.parent / name)
    return paths


def _as_vectors(table: Table, column: str, numbers: Numbers) -> Numbers:
    """Rows of D numbers as rows of one vector of D channels."""
    lengths = numbers.lengths
    if len(wrong := np.flatnonzero(lengths != lengths[0])):
        row = int(wrong[0])
        raise DataError(
            f"{table.name}, {table.place(row)}: column {column!r} has {lengths[row]} numbers, and the first row has "
            f"{lengths[0]}; vectors have one length"
        )
    return Numbers(numbers.values.reshape(len(lengths), -1), np.arange(len(lengths) + 1, dtype=np.int64))


def first_infinite(frames: Frames) -> tuple[int, int, int] | None:
    """Sequence, step and channel (from 0) of the first infinite number, or None."""
    infinite = np.isinf(frames.values)
    if not infinite.any():
        return None
    step, channel = map(int, np.argwhere(infinite)[0])
    row = int(np.searchsorted(frames.offsets, step, side="right")) - 1
    return row, step - int(frames.offsets[row]), channel
