"""NumPy's own files, .npy and .npz: an array is a column, its first axis are the rows."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.data.files import format_of, uncompressed
from seqwise.data.numbers import Numbers
from seqwise.data.tables import Chunk, Table
from seqwise.errors import DataError, FileError
from seqwise.text.ragged import offsets_of

LENGTHS = "lengths"
ONLY = "frames"  # the column of a .npy file
LARGEST_DEPTH = 3  # rows, steps, channels


class ArrayTable(Table):
    """The arrays of a file; one of Python objects is refused, since it would be a pickle.

    Rows of unequal length are one array of all steps, one row after the other, with their number beside it: the array
    `NAME_lengths` belongs to `NAME`, and the array `lengths` to every other array that has as many steps in all.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._arrays = _loaded(uncompressed(path, self), path)
        self._offsets: dict[str, NDArray[np.int64]] = {}
        common = self._arrays.pop(LENGTHS, None) if len(self._arrays) > 1 else None
        own = [
            name for name in self._arrays if name.removesuffix(f"_{LENGTHS}") in self._arrays and name.endswith(LENGTHS)
        ]
        for name in own:
            of = name.removesuffix(f"_{LENGTHS}")
            self._offsets[of] = self._checked(name, self._arrays.pop(name), self._arrays[of])
        if common is not None:
            total = int(common.sum()) if common.dtype.kind in "iu" else -1
            for name, array in self._arrays.items():
                if name not in self._offsets and len(array) == total:
                    self._offsets[name] = self._checked(LENGTHS, common, array)
        counts = {
            name: len(self._offsets[name]) - 1 if name in self._offsets else len(array)
            for name, array in self._arrays.items()
        }
        self.columns, self.rows = list(counts), next(iter(counts.values()))
        for name, count in counts.items():
            if count != self.rows:
                raise DataError(f"{path}: {self.columns[0]!r} has {self.rows:,} rows, and {name!r} has {count:,}")

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        for column in columns or ():
            self.require(column)
        for start in range(0, self.rows or 0, size):
            stop = min(start + size, self.rows or 0)
            yield {name: self._values(name, start, stop) for name in columns or self.columns}

    def numbers(self, column: str) -> Numbers:
        """See `Table.numbers`."""
        self.require(column)
        array = self._arrays[column]
        if array.dtype.kind not in "iufb":
            return super().numbers(column)
        if column in self._offsets:
            return Numbers(array, self._offsets[column])
        rows, steps = len(array), array.shape[1] if array.ndim > 1 else 1
        flat = array.reshape(rows * steps, *array.shape[2:])
        return Numbers(flat, np.arange(rows + 1, dtype=np.int64) * steps)

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return f"row {row + 1}"

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        return {
            name: "str" if array.dtype.kind in "US" else f"{array.dtype} {'x'.join(map(str, array.shape))}"
            for name, array in self._arrays.items()
        }

    def _values(self, name: str, start: int, stop: int) -> list[Any]:
        array, offsets = self._arrays[name], self._offsets.get(name)
        if offsets is None:
            return [entry.decode() if isinstance(entry, bytes) else entry for entry in array[start:stop].tolist()]
        return [array[offsets[row] : offsets[row + 1]].tolist() for row in range(start, stop)]

    def _checked(self, name: str, lengths: NDArray[Any], of: NDArray[Any]) -> NDArray[np.int64]:
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 0).any() or lengths.sum() != len(of):
            raise DataError(
                f"{self.path}: {name!r} holds the steps of each row, whole numbers that make {len(of):,} in all"
            )
        return offsets_of(lengths)


def load_array(path: Path) -> NDArray[Any]:
    """The one array of a .npy file.

    Raises:
        FileError: it cannot be read, or holds Python objects.
    """
    if not path.exists():
        raise FileError(f"there is no file {path}")
    return _loaded(path, path)[ONLY]


def _loaded(file: Path, path: Path) -> dict[str, NDArray[Any]]:
    """Name -> array, each with at least one axis."""
    try:
        with file.open("rb") as stream:  # NumPy leaves a damaged file open
            loaded = np.load(stream, allow_pickle=False)
            whole = isinstance(loaded, np.ndarray)
            arrays = {ONLY: loaded} if whole else {name: loaded[name] for name in loaded.files}
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path} is damaged, or no file of NumPy: {error}") from None
    except ValueError as error:
        if "allow_pickle" in str(error) or "pickle" in str(error).lower():
            raise FileError(
                f"{path} holds Python objects, which are never loaded; rows of unequal length are one array of all steps "
                f"and one named '{LENGTHS}'"
            ) from None
        raise FileError(f"{path} is damaged, or no {format_of(path)} file: {error}") from None
    if not arrays:
        raise DataError(f"{path} has no array")
    for name, array in arrays.items():
        if not 1 <= array.ndim <= LARGEST_DEPTH:
            raise DataError(f"{path}: {name!r} has {array.ndim} axes; rows, steps and channels make three at most")
    return arrays
