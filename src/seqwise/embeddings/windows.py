"""Training by windows: slices of the encoded corpus go to threads, each of which runs the compiled kernel.

Axis letters: V vocabulary, D size of a vector.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.huffman import build_tree
from seqwise.embeddings.sampling import (
    alias_table,
    keep_probabilities,
    keep_thresholds,
    noise_probabilities,
    noise_shifts,
)
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.workers import Workers
from seqwise.kernels.cpu import word_windows
from seqwise.kernels.cpu.target import host

SLICE = 20_000
"""Tokens of a slice, about: the learning rate is the same within it."""
LONGEST = 10_000
"""Kept words of a sentence; a longer one is cut."""
_LAST_RATE = 1e-4  # of the first one
_ALIGNMENT = 64


@dataclass
class Progress:
    """How far training is.

    Attributes:
        words: tokens that were read, over all epochs.
        total: tokens that there are to read.
        rate: the learning rate.
        losses: sum over the pairs that were looked at.
        pairs: how many those are.
        stage: what is going on.
        unit: what `words` and `total` count, if not words.
    """

    words: int
    total: int
    rate: float
    losses: float = 0.0
    pairs: int = 0
    stage: str = "learning"
    unit: str = "words"

    @property
    def loss(self) -> float:
        """Mean loss of a pair: -log P of the positive - sum of log(1 - P) of the negatives or the noise."""
        return self.losses / self.pairs if self.pairs else float("nan")


class WindowTrainer:
    """The parameters of skip-gram or CBOW and what it takes to train them.

    Args:
        tokens: (N,) int32 word numbers, -1 where a sentence ends; may be memory-mapped.
        counts: (V,) of each word, falling.
        settings: what to train.
        dtype: "float32"; "float64" for tests.

    Attributes:
        inputs: (V, D) vectors of the words.
        outputs: (V, D) of words as outputs, or (V - 1, D) of the inner nodes.
        interrupted: Ctrl-C ended the last call of `train`.
    """

    def __init__(
        self, tokens: NDArray[np.int32], counts: NDArray[np.int64], settings: EmbeddingSettings, dtype: str = "float32"
    ) -> None:
        self.tokens, self.counts, self.settings, self.dtype = tokens, counts, settings, dtype
        vocabulary, target = len(counts), host()
        self.variant = word_windows.Variant(
            settings.model,
            settings.objective,
            0 if settings.objective == "hierarchical" else settings.negatives,
            settings.negatives_for == "window" or settings.model == "cbow" or settings.objective == "hierarchical",
            dtype,
        )
        self.kernel = word_windows.load(self.variant, target)
        self.shape = self.variant.shape(target)
        self.lanes = target.lanes(dtype)
        self.columns = -(-settings.size // self.lanes)
        width = self.columns * self.lanes
        self._inputs, self._outputs = (_aligned((vocabulary, width), dtype) for _ in range(2))
        self.inputs, self.outputs = self._inputs[:, : settings.size], self._outputs[:, : settings.size]
        random = np.random.default_rng(settings.seed)
        for start in range(0, vocabulary, 1 << 14):  # in parts: as float64 all at once would be twice the vectors
            part = self.inputs[start : start + (1 << 14)]
            part[:] = (random.random(part.shape) - 0.5) / settings.size
        keep = keep_probabilities(counts, settings.sample, settings.sample_formula)
        self.keep = keep_thresholds(keep)
        if self.variant.negatives:
            noise = noise_probabilities(counts)
            self.alias = alias_table(noise)
            self.shift = noise_shifts(counts, keep, noise, settings.negatives).astype(dtype)
            self.outputs_of_a_word = settings.negatives + 1
        else:
            self.tree = build_tree(counts)
            self.outputs = self.outputs[: self.tree.inner]
            self.outputs_of_a_word = max(1, int(np.diff(self.tree.offsets).max()))
        self.total = settings.epochs * len(tokens)
        self.interrupted = False
        self._schedule = _Schedule(self)

    def train(
        self, threads: int, report: Callable[[Progress], None] | None = None, seconds: float | None = None
    ) -> bool:
        """Run all epochs, or go on where the last call stopped.

        Args:
            threads: how many; with one the result depends on the arguments and on nothing else.
            report: called from this thread a few times a second.
            seconds: stop after about so many.

        Returns:
            Whether it went to the end. Where not, the slices that were begun are done, and no thread runs any more.
        """
        schedule = self._schedule
        schedule.stopped = self.interrupted = False
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        workers = Workers(lambda _: _work(self, schedule), threads)
        try:
            workers.start()
            while not workers.wait(0.2 if schedule.stopped else min(max(deadline - time.monotonic(), 0), 0.2)):
                schedule.stopped |= time.monotonic() >= deadline
                if report is not None:
                    report(schedule.progress())
        except KeyboardInterrupt:
            schedule.stopped = self.interrupted = True
        workers.close()
        if report is not None:
            report(schedule.progress())
        if schedule.error is not None:
            raise schedule.error
        return schedule.finished

    def state(self) -> dict[str, NDArray | int]:
        """All that training changes, for `restore`; the arrays are those of the trainer."""
        epoch, start = self._schedule.position
        return {"inputs": self.inputs, "outputs": self.outputs, "epoch": epoch, "start": start}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on, with the next call of `train`, where another trainer was; made with the same arguments."""
        self.inputs[:], self.outputs[:] = state["inputs"], state["outputs"]
        self._schedule.position = int(state["epoch"]), int(state["start"])

    def arguments(self, scratch: dict[str, NDArray]) -> NDArray[np.int64]:
        """The kernel's argument block, what changes from slice to slice left at 0."""
        fields = {
            "tokens": self.tokens.ctypes.data,
            "inputs": self._inputs.ctypes.data,
            "outputs": self._outputs.ctypes.data,
            "stride": self._inputs.strides[0],
            "columns": self.columns,
            "keep": self.keep.ctypes.data,
            "vocabulary": len(self.counts),
            "window": self.settings.window,
            "longest": LONGEST,
            **{name: array.ctypes.data for name, array in scratch.items()},
        }
        if self.variant.negatives:
            fields["alias"], fields["shift"] = self.alias.ctypes.data, self.shift.ctypes.data
        else:
            fields["paths"] = self.tree.offsets.ctypes.data
            fields["nodes"], fields["turns"] = self.tree.nodes.ctypes.data, self.tree.turns.ctypes.data
        return np.array([fields.get(name, 0) for name in word_windows.FIELDS.names], np.int64)

    def make_scratch(self) -> dict[str, NDArray]:
        """The memory of one thread."""
        rows = 2 * self.settings.window
        groups = -(-self.outputs_of_a_word // self.shape.targets)
        scratch: dict[str, NDArray] = {
            "sentence": np.zeros(LONGEST + 1, np.int32),
            "rows": np.zeros(rows, np.int64),
            "mean": np.zeros(2, np.int64),
            "means": _aligned((2, self.columns * self.lanes), self.dtype),
            "targets": np.zeros(groups * self.shape.targets, np.int64),
            "labels": _aligned((groups, self.lanes), self.dtype),
            "rates": _aligned((groups, self.lanes), self.dtype),
            "shifts": _aligned((groups, self.lanes), self.dtype),
            "scores": _aligned((rows * self.shape.places + 2 * self.lanes,), self.dtype),
            "loss": _aligned((self.lanes,), self.dtype),
            "rate": np.zeros(1, self.dtype),
        }
        scratch["mean"][:] = scratch["means"].ctypes.data + np.arange(2) * scratch["means"].strides[0]
        if self.variant.negatives:
            scratch["labels"][0, :: self.shape.places] = 1  # the word itself is the first of its group
        return scratch


class _Schedule:
    """Deals out slices in order, and adds up what is reported."""

    def __init__(self, trainer: WindowTrainer) -> None:
        self._trainer = trainer
        self._lock = threading.Lock()
        self._epoch = self._start = 0
        self._losses, self._pairs = 0.0, 0
        self.stopped = False
        self.error: BaseException | None = None

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and first token of the next slice."""
        return self._epoch, self._start

    @position.setter
    def position(self, position: tuple[int, int]) -> None:
        self._epoch, self._start = position

    @property
    def finished(self) -> bool:
        """Whether all slices were dealt out."""
        return self._epoch * len(self._trainer.tokens) + self._start >= self._trainer.total

    def take(self) -> tuple[int, int, int, float] | None:
        """Epoch, start, stop and learning rate of the next slice; None when there is none."""
        tokens, settings = self._trainer.tokens, self._trainer.settings
        with self._lock:
            if self._start >= len(tokens):
                self._epoch, self._start = self._epoch + 1, 0
            if self._epoch >= settings.epochs or self.stopped or not len(tokens):
                return None
            rate = self._rate()
            start = self._start
            self._start = stop = _sentence_end(tokens, start + SLICE)
            return self._epoch, start, stop, rate

    def _rate(self) -> float:
        left = 1 - (self._epoch * len(self._trainer.tokens) + self._start) / self._trainer.total
        return self._trainer.settings.first_rate * max(left, _LAST_RATE)

    def add(self, losses: float, pairs: int) -> None:
        with self._lock:
            self._losses, self._pairs = self._losses + losses, self._pairs + pairs

    def progress(self) -> Progress:
        """What happened since the last call; words are counted when their slice is dealt out."""
        with self._lock:
            words = min(self._epoch * len(self._trainer.tokens) + self._start, self._trainer.total)
            result = Progress(words, self._trainer.total, self._rate(), self._losses, self._pairs)
            self._losses, self._pairs = 0.0, 0
            return result


def _sentence_end(tokens: NDArray[np.int32], position: int) -> int:
    """Behind the first end of a sentence at or after a position; the position where that is too far away."""
    for start in range(position, position + LONGEST, 1000):
        ends = np.flatnonzero(tokens[start : start + 1000] < 0)
        if len(ends):
            return start + int(ends[0]) + 1
    return min(position, len(tokens)) if position + LONGEST < len(tokens) else len(tokens)


def _work(trainer: WindowTrainer, schedule: _Schedule) -> None:
    """One thread: slices until there are no more."""
    try:
        scratch = trainer.make_scratch()
        block = trainer.arguments(scratch)
        index = word_windows.FIELDS.index
        while (part := schedule.take()) is not None:
            epoch, start, stop, rate = part
            scratch["loss"][:] = 0
            scratch["rate"][0] = rate
            block[index["start"]], block[index["stop"]] = start, stop
            block[index["state"]] = _state(trainer.settings.seed, epoch, start)
            trainer.kernel(block.ctypes.data)
            schedule.add(float(scratch["loss"].sum(dtype=np.float64)), int(block[index["pairs"]]))
    except BaseException as error:  # the main thread raises it
        schedule.error = error
        schedule.stopped = True


def _state(seed: int, epoch: int, start: int) -> int:
    """The state of the random numbers of a slice: whoever gets it draws the same."""
    return int(np.random.SeedSequence((seed, epoch, start)).generate_state(1, np.uint64).astype(np.int64)[0])


def _aligned(shape: tuple[int, ...], dtype: str) -> NDArray:
    """Zeros that begin on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
