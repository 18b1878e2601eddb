"""Rows of unequal length, stored flat: nothing is padded until a batch needs it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of ids, with a value beside every id or without.

    Attributes:
        ids: (n,) int32, all rows one after the other; may be a memory-mapped file.
        offsets: (rows + 1,) int64, row i is `ids[offsets[i]:offsets[i + 1]]`.
        values: (n,) float32 beside `ids`, or None.
    """

    ids: Array
    offsets: NDArray[np.int64]
    values: Array | None = None

    def __post_init__(self) -> None:
        if self.offsets.ndim != 1 or len(self.offsets) < 1 or self.offsets[0] != 0 or self.offsets[-1] != len(self.ids):
            raise ValueError(f"offsets must run from 0 to the number of ids, {len(self.ids)}")
        if self.values is not None and self.values.shape != self.ids.shape:
            raise ValueError(f"values {self.values.shape} must stand beside ids {self.ids.shape}")

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int] | Array]) -> Ragged:
        """Rows of ids, given one by one."""
        parts = [np.asarray(row, dtype=np.int32) for row in rows]
        ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return cls(ids, offsets_of([len(part) for part in parts]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Array:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[Array]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(rows,) how many ids each row has."""
        return np.diff(self.offsets)

    def take(self, indices: Sequence[int] | Array) -> Ragged:
        """These rows in this order, copied into memory; a row may be taken more than once."""
        rows = np.asarray(indices, dtype=np.int64)
        offsets = offsets_of(self.lengths[rows])
        # Element j of the result comes from where its row starts here, shifted by j's place within the row.
        source = np.repeat(self.offsets[rows] - offsets[:-1], np.diff(offsets)) + np.arange(offsets[-1])
        return Ragged(
            np.asarray(self.ids[source]), offsets, None if self.values is None else np.asarray(self.values[source])
        )

    def part(self, start: int, stop: int) -> Ragged:
        """The rows from `start` to before `stop`, as a view (nothing is copied)."""
        offsets = self.offsets[start : stop + 1]
        span = slice(offsets[0], offsets[-1])
        return Ragged(self.ids[span], offsets - offsets[0], None if self.values is None else self.values[span])

    def padded(self, fill: int = 0) -> Array:
        """(rows, longest row) ids with `fill` behind the shorter rows."""
        lengths = self.lengths
        table = np.full((len(self), int(lengths.max(initial=0))), fill, dtype=self.ids.dtype)
        table[np.arange(table.shape[1]) < lengths[:, None]] = self.ids
        return table

    @staticmethod
    def concatenate(parts: Sequence[Ragged]) -> Ragged:
        """All rows of all parts, in order; all have values or none has."""
        if not parts:
            return Ragged.from_rows([])
        valued = [part.values for part in parts if part.values is not None]
        if valued and len(valued) != len(parts):
            raise ValueError("some parts have values and some have none")
        return Ragged(
            np.concatenate([part.ids for part in parts]),
            offsets_of(np.concatenate([part.lengths for part in parts])),
            np.concatenate(valued) if valued else None,
        )


def offsets_of(lengths: Sequence[int] | Array) -> NDArray[np.int64]:
    """(rows + 1,) where each row begins, from the (rows,) lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


class RaggedWriter:
    """Collects rows chunk by chunk, in memory or, given a folder, in files that the result maps.

    Args:
        folder: where the files go; their names are new ones, so that no earlier result is overwritten. They belong to
            the caller, who removes the folder when the result is no longer used. None keeps everything in memory.
        valued: whether rows have values.
    """

    def __init__(self, folder: str | Path | None = None, *, valued: bool = False, dtype: type = np.int32) -> None:
        self._dtypes: list[np.dtype[Any]] = [np.dtype(dtype), *([np.dtype(np.float32)] if valued else [])]
        self._lengths: list[Array] = []
        self._chunks: list[list[Array]] = [[] for _ in self._dtypes]
        self._files = None
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._files = [
                tempfile.NamedTemporaryFile(prefix=f"{name}-", dir=folder, delete=False)  # noqa: SIM115
                for name, _ in zip(("ids", "values"), self._dtypes, strict=False)
            ]

    def append(self, ids: Array, lengths: Sequence[int] | Array, values: Array | None = None) -> None:
        """Adds `len(lengths)` rows: `ids` (and `values`) flat, cut by `lengths`."""
        self._lengths.append(np.asarray(lengths, np.int64))
        columns = [ids] if values is None else [ids, values]
        for i, (column, dtype) in enumerate(zip(columns, self._dtypes, strict=True)):
            if self._files is None:
                self._chunks[i].append(np.asarray(column, dtype))
            else:
                np.ascontiguousarray(column, dtype).tofile(self._files[i])

    def finish(self) -> Ragged:
        """All rows; files are closed and mapped read-only."""
        offsets = offsets_of(np.concatenate([np.empty(0, np.int64), *self._lengths]))
        if self._files is None:
            columns = [
                np.concatenate([np.empty(0, d), *chunks]) for d, chunks in zip(self._dtypes, self._chunks, strict=True)
            ]
        else:
            for file in self._files:
                file.close()
            columns = [
                np.memmap(file.name, d, "r") if offsets[-1] else np.empty(0, d)  # an empty file cannot be mapped
                for d, file in zip(self._dtypes, self._files, strict=True)
            ]
        return Ragged(columns[0], offsets, columns[1] if len(columns) > 1 else None)
