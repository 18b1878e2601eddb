"""How often words stand near each other: counted in bounded memory, spilled to sorted runs in files, merged into one.

Every thread counts the pairs of its share of the keys (see `seqwise.kernels.cpu.word_pairs`) in a table of its own. A full
table becomes a sorted run in a temporary file; at the end the runs of each thread are merged block by block. Keys are mixed
with the seed, so that the order of the merged cells is at once the order of training: shuffling takes no pass of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.workers import run_workers
from seqwise.errors import FileError
from seqwise.kernels.cpu import word_pairs
from seqwise.kernels.cpu.compiler import cache_folder
from seqwise.kernels.cpu.target import host

MEMORY = 1 << 29
"""Bytes of all tables together."""
CELL = np.dtype([("row", np.int32), ("column", np.int32), ("value", np.float32)])
"""What the kernel of GloVe reads."""
_ENTRY = np.dtype([("key", np.uint64), ("value", np.float64)])  # of a table and of a run
_FILLED = 0.7  # of a table: beyond, looking up becomes slow
_SLICE = 1 << 18  # tokens between two looks at the clock
_BLOCK = 1 << 18  # entries of a run that are read at once, all runs together
_GOLDEN = 0x9E3779B97F4A7C15
_ALL = (1 << 64) - 1


class Cooccurrences:
    """The matrix X of counts, in a file without a name that is gone with the last view of it.

    X_ij is the sum, over all places of the word i, of 1 / distance to each word j within the window on either side of it in
    its sentence; it is symmetric.

    Attributes:
        cells: (N,) records of row, column and value, memory-mapped: one of (i, j) and (j, i), either being as likely, in an
            order that depends on the seed alone.
    """

    def __init__(self, file: Any, count: int) -> None:
        self.cells: NDArray = np.memmap(file, CELL, "r", shape=(count,)) if count else np.zeros(0, CELL)
        file.close()  # what is mapped stays

    def close(self) -> None:
        """Let go of the file."""
        self.cells = np.zeros(0, CELL)

    def __enter__(self) -> Cooccurrences:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def count_pairs(
    tokens: NDArray[np.int32],
    window: int,
    *,
    seed: int = 0,
    threads: int = 1,
    memory: int = MEMORY,
    report: Callable[[int], None] | None = None,
) -> Cooccurrences:
    """Count the pairs of a corpus.

    Args:
        tokens: (N,) word numbers, -1 where a sentence ends; may be memory-mapped.
        window: words on either side.
        seed: of the order of the cells.
        threads: how many; each goes through all tokens.
        memory: bytes of their tables together.
        report: called a few times a second with the tokens that are done.

    Raises:
        FileError: there is no room for the temporary files.
    """
    folder = cache_folder().parent / "corpora"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as files:

            def create() -> Any:
                """A file without a name, or one that goes when it is closed; unbuffered, so that closing cannot fail."""
                return tempfile.TemporaryFile(buffering=0, dir=folder)

            spills = [files.enter_context(create()) for _ in range(threads)]
            parts = [
                _Part(tokens, window, seed, n, threads, memory // threads, spill) for n, spill in enumerate(spills)
            ]
            done = None if report is None else lambda: report(sum(part.position for part in parts) // threads)
            run_workers(lambda n, stop: parts[n].count(stop), threads, done)
            result = create()
            try:
                total = 0
                for part in parts:  # shares are ranges of keys: one behind the other they are in order
                    for entries in part.merged():
                        write_all(result, _decode(entries, seed))
                        total += len(entries)
                    part.free()
                return Cooccurrences(result, total)
            except BaseException:
                result.close()
                raise
    except OSError as error:
        raise FileError(
            f"{folder}: {error.strerror or error}: counts of word pairs are kept there while GloVe learns "
            "(SEQWISE_CACHE names another folder)"
        ) from error


class _Part:
    """The pairs of one share of the keys: a table, and runs in a file."""

    def __init__(
        self, tokens: NDArray[np.int32], window: int, seed: int, part: int, parts: int, memory: int, file: Any
    ) -> None:
        self._kernels = word_pairs.load(host())
        self._index = word_pairs.FIELDS.index
        self._tokens, self._file, self._runs = tokens, file, list[int]()
        pairs = 2 * len(tokens) * window + 1
        slots = max(4 * (window + 1), min(memory // _ENTRY.itemsize, pairs))
        self._table = np.zeros(slots, _ENTRY)
        self._keys, self._places, self._weights = (np.zeros(window + 1, np.int64) for _ in range(3))
        once = np.append(0.0, 1 / np.arange(1.0, window + 1))
        self._shares = np.concatenate([once, 2 * once])  # of a word with itself: it is on either side
        self._block = np.zeros(len(self._index), np.int64)
        arrays = {
            "tokens": tokens,
            "shares": self._shares,
            "table": self._table,
            "keys": self._keys,
            "places": self._places,
            "weights": self._weights,
        }
        fields = {name: array.ctypes.data for name, array in arrays.items()}
        fields |= {"window": window, "part": part, "parts": parts, "slots": slots, "most": int(_FILLED * slots)}
        for name, value in fields.items():
            self._block[self._index[name]] = value
        self._block[self._index["seed"]] = np.uint64(seed_of(seed)).astype(np.int64)

    @property
    def position(self) -> int:
        """Tokens that were looked at."""
        return self._get("position")

    def count(self, stop: Event) -> None:
        """Go through all tokens, spilling whenever the table is full."""
        while not stop.is_set() and self.position < len(self._tokens):
            before = self.position
            self._block[self._index["stop"]] = min(before + _SLICE, len(self._tokens))
            self._kernels["count"](self._block.ctypes.data)
            if self.position < self._get("stop"):
                self._spill()

    def merged(self) -> Iterator[NDArray]:
        """All entries by rising key, in blocks."""
        rest = self._drain()
        if not self._runs:
            return iter(np.split(rest, range(_BLOCK, len(rest), _BLOCK)))
        size = max(1, _BLOCK // len(self._runs))
        ends = np.cumsum(self._runs).tolist()
        runs = [_read(self._file, end - count, end, size) for count, end in zip(self._runs, ends, strict=True)]
        return merge([*runs, iter([rest])])

    def free(self) -> None:
        """Give the memory of the table back."""
        self._table = np.zeros(0, _ENTRY)

    def _spill(self) -> None:
        entries = self._drain()
        write_all(self._file, entries)
        self._runs.append(len(entries))
        self._table[:] = 0
        self._block[self._index["used"]] = 0

    def _drain(self) -> NDArray:
        self._kernels["drain"](self._block.ctypes.data)
        return self._table[: self._get("written")]

    def _get(self, name: str) -> int:
        return int(self._block[self._index[name]])


def merge(runs: Iterable[Iterator[NDArray]]) -> Iterator[NDArray]:
    """One sorted run of several, the values of equal keys added; what is held is one block of each.

    Args:
        runs: blocks of entries by rising key, without repetitions within a run.
    """
    waiting = [(block, run) for run in runs if (block := next(run, None)) is not None and len(block)]
    while waiting:
        # Up to the smallest of their last keys all blocks are complete; the one that it is the last of is used up.
        limit = min(block["key"][-1] for block, _ in waiting)
        taken, left = [], []
        for block, run in waiting:
            cut = int(np.searchsorted(block["key"], limit, side="right"))
            taken.append(block[:cut])
            rest = block[cut:] if cut < len(block) else next(run, None)
            if rest is not None and len(rest):
                left.append((rest, run))
        waiting = left
        entries = np.concatenate(taken)
        entries = entries[np.argsort(entries["key"], kind="stable")]
        first = np.flatnonzero(np.append(True, entries["key"][1:] != entries["key"][:-1]))
        result = entries[first]
        result["value"] = np.add.reduceat(entries["value"], first)
        yield result


def seed_of(seed: int) -> int:
    """What is added to a pair before it is mixed."""
    return seed * _GOLDEN & _ALL


def _decode(entries: NDArray, seed: int) -> NDArray:
    """Cells of entries: the mixing undone."""
    z = entries["key"].copy()
    turned = (z & np.uint64(1)).astype(bool)
    for shift, factor in reversed(word_pairs.MIX):
        z *= np.uint64(pow(factor, -1, 1 << 64))
        moved = z >> np.uint64(shift)
        while moved.any():  # x ^ (x >> s) is undone by x ^ (x >> s) ^ (x >> 2 s) ^ ...
            z ^= moved
            moved >>= np.uint64(shift)
    z -= np.uint64(seed_of(seed))
    low, high = (z >> np.uint64(32)).astype(np.int32), (z & np.uint64(0xFFFFFFFF)).astype(np.int32)
    cells = np.empty(len(z), CELL)
    cells["row"], cells["column"] = np.where(turned, high, low), np.where(turned, low, high)
    cells["value"] = entries["value"]
    return cells


def _read(file: Any, start: int, stop: int, size: int) -> Iterator[NDArray]:
    """Entries of a file, in blocks."""
    for first in range(start, stop, size):
        file.seek(first * _ENTRY.itemsize)
        yield np.fromfile(file, _ENTRY, min(size, stop - first))


def write_all(file: Any, array: NDArray) -> None:
    """Append an array to an unbuffered file, which may take it in parts.

    Raises:
        OSError: it cannot be written.
    """
    left = np.ascontiguousarray(array).data.cast("B")
    while left:
        left = left[file.write(left) :]
