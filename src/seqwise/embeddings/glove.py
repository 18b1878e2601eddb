"""GloVe: weighted least squares on the logarithms of co-occurrence counts (Pennington, Socher and Manning 2014).

Axis letters: V vocabulary, D size of a vector.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.cooccurrence import Cooccurrences, count_pairs
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.slices import Progress
from seqwise.embeddings.workers import run_workers
from seqwise.errors import DataError, DivergenceError
from seqwise.kernels.cpu import glove_step
from seqwise.kernels.cpu.memory import aligned_zeros
from seqwise.kernels.cpu.target import host

SLICE = 1 << 15
"""Cells of a slice."""


class GloveTrainer:
    """The parameters of GloVe and what it takes to train them.

    A pass over the counts takes every cell (i, j) with one of both words as i, and then every cell with the other one: the
    matrix is symmetric, and half of it is kept.

    Args:
        tokens: (N,) int32 word numbers, -1 where a sentence ends; may be memory-mapped.
        counts: (V,) of each word.
        settings: what to train.
        dtype: "float32"; "float64" for tests.

    Attributes:
        words: e, (V, D).
        contexts: w, (V, D).
        word_biases: b, (V,).
        context_biases: c, (V,).
        interrupted: Ctrl-C ended the last call of `train`.
    """

    def __init__(
        self, tokens: NDArray[np.int32], counts: NDArray[np.int64], settings: EmbeddingSettings, dtype: str = "float32"
    ) -> None:
        self.tokens, self.settings, self.dtype = tokens, settings, dtype
        self.kernel = glove_step.load(dtype, host())
        lanes, size = host().lanes(dtype), settings.size
        self._lanes, self._columns = lanes, -(-(size + 2) // lanes)
        width = self._columns * lanes
        # Rows of words, then of contexts: parameters, then their sums of squares. See the kernel for the last two columns.
        self._rows = aligned_zeros((2, len(counts), 2 * width), dtype)
        random = np.random.default_rng(settings.seed)
        for side, (bias, one) in enumerate(((size, size + 1), (size + 1, size))):
            rows = self._rows[side]
            for start in range(0, len(counts), 1 << 14):  # in parts: as float64 all at once would be twice the vectors
                part = rows[start : start + (1 << 14)]
                first = (random.random((len(part), size + 1)) - 0.5) / size
                part[:, :size], part[:, bias] = first[:, :size], first[:, size]
                part[:, one] = 1
                part[:, width:] = 1
                part[:, width + one] = np.inf
        self.words, self.contexts = self._rows[:, :, :size]
        self.word_biases, self.context_biases = self._rows[0, :, size], self._rows[1, :, size + 1]
        self.interrupted = False
        self._counted: Cooccurrences | None = None
        self._start = 0

    @property
    def inputs(self) -> NDArray:
        """The vectors of the words, (e + w) / 2, (V, D): a copy, without the biases."""
        return (self.words + self.contexts) * self.words.dtype.type(0.5)

    def train(
        self, threads: int, report: Callable[[Progress], None] | None = None, seconds: float | None = None
    ) -> bool:
        """Count the pairs, then run all iterations; or go on where the last call stopped.

        Args:
            threads: how many; with one the result depends on the arguments and on nothing else.
            report: called from this thread a few times a second.
            seconds: stop after about so many, counting apart.

        Returns:
            Whether it went to the end. Where not, the slices that were begun are done, and no thread runs any more.

        Raises:
            KeyboardInterrupt: Ctrl-C while pairs are counted: nothing is learned yet.
            FileError: there is no room for the counts.
            DataError: no two words stand together.
            DivergenceError: the loss is not finite.
        """
        self.interrupted = False
        if self._counted is None:
            self._counted = self._count(threads, report)
        finished = self.learn(self._counted.cells, threads, report, seconds)
        if finished:
            self._counted.close()
            self._counted = None
        return finished

    def learn(
        self,
        cells: NDArray,
        threads: int,
        report: Callable[[Progress], None] | None = None,
        seconds: float | None = None,
    ) -> bool:
        """All iterations, as `train`, on counts that are there.

        Args:
            cells: records of `CELL`, half of a symmetric matrix.
            threads: as there.
            report: as there.
            seconds: as there.

        Raises:
            DataError, DivergenceError: as there.
        """
        if not len(cells):
            raise DataError("no two words of the vocabulary stand together in a sentence: there are no pairs to count")
        run = _Run(self, cells, seconds)
        try:
            run_workers(run.work, threads, None if report is None else lambda: report(run.progress()))
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self._start = run.start
        return run.finished

    def state(self) -> dict[str, NDArray | int]:
        """All that training changes, for `restore`; the array is that of the trainer."""
        return {"rows": self._rows, "start": self._start}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on, with the next call of `train`, where another trainer was; made with the same arguments."""
        self._rows[:] = state["rows"]
        self._start = int(state["start"])

    def _count(self, threads: int, report: Callable[[Progress], None] | None) -> Cooccurrences:
        settings, total = self.settings, len(self.tokens)

        def counted(tokens: int) -> None:
            if report is not None:
                report(Progress(tokens, total, settings.first_rate, stage="counting pairs"))

        return count_pairs(self.tokens, settings.window, seed=settings.seed, threads=threads, report=counted)

    def arguments(self, cells: NDArray, room: NDArray, constants: NDArray) -> NDArray[np.int64]:
        """The kernel's argument block; what changes from slice to slice is left at 0."""
        fields = {
            "cells": cells.ctypes.data,
            "stride": self._rows.strides[1],
            "columns": self._columns,
            "constants": constants.ctypes.data,
            "room": room.ctypes.data,
            "loss": room[2:].ctypes.data,
        }
        return np.array([fields.get(name, 0) for name in glove_step.FIELDS.names], np.int64)


class _Run:
    """Deals out slices in order, and adds up what is reported."""

    def __init__(self, trainer: GloveTrainer, cells: NDArray, seconds: float | None) -> None:
        self._trainer, self._cells = trainer, cells
        self._lock = threading.Lock()
        self._deadline = float("inf") if seconds is None else time.monotonic() + seconds
        self.start = trainer._start
        self._total = trainer.settings.epochs * 2 * len(cells)
        self._losses, self._learned = 0.0, 0

    @property
    def finished(self) -> bool:
        """Whether all slices were dealt out."""
        return self.start >= self._total

    def progress(self) -> Progress:
        """What happened since the last call; cells are counted when their slice is dealt out."""
        settings = self._trainer.settings
        with self._lock:
            iteration = min(self.start // (2 * len(self._cells)) + 1, settings.epochs)
            result = Progress(self.start, self._total, settings.first_rate, self._losses, self._learned)
            result.stage, result.unit = f"iteration {iteration} of {settings.epochs}", "cells"
            self._losses, self._learned = 0.0, 0
            return result

    def work(self, _: int, stop: threading.Event) -> None:
        """One thread: slices until there are no more."""
        trainer, settings = self._trainer, self._trainer.settings
        room = aligned_zeros((3, trainer._lanes), trainer.dtype)
        constants = np.array([np.log(settings.x_max), settings.alpha, settings.first_rate], trainer.dtype)
        block = trainer.arguments(self._cells, room, constants)
        index = glove_step.FIELDS.index
        sides = [side.ctypes.data for side in trainer._rows]
        while not stop.is_set() and (part := self._take()) is not None:
            turned, first, last = part
            room[2] = 0
            block[index["start"]], block[index["stop"]] = first, last
            block[index["rows"]], block[index["contexts"]] = reversed(sides) if turned else sides
            block[index["diagonal"]] = not turned  # (i, i) is one cell, not two
            trainer.kernel(block.ctypes.data)
            loss = float(room[2, 0])
            if not np.isfinite(loss):
                raise DivergenceError(f"GloVe's loss is not finite: try a rate below {settings.first_rate:g}")
            with self._lock:
                self._losses, self._learned = self._losses + loss, self._learned + last - first

    def _take(self) -> tuple[bool, int, int] | None:
        """Whether words and contexts change places, and the cells of the next slice; None when there is none."""
        with self._lock:
            if self.finished or time.monotonic() >= self._deadline:
                return None
            half, first = divmod(self.start, len(self._cells))
            last = min(first + SLICE, len(self._cells))
            self.start += last - first
            return half % 2 == 1, first, last
