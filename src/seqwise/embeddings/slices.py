"""Training in slices of the encoded corpus, dealt out in order to threads; it can stop, be saved and go on.

Axis letters: V vocabulary, D size of a vector.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.mapped_memory import let_go
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.workers import Workers

SLICE = 20_000
"""Tokens of a slice, about, if a trainer has no reason for less: the learning rate is the same within it."""
LONGEST = 10_000
"""Kept words of a sentence; a longer one is cut."""
_LAST_RATE = 1e-4  # of the first one
_KEPT = 32  # slices behind the newest that threads may still be reading
_SPREAD = 8  # of the first vectors, in units of word2vec's


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


class SliceTrainer(ABC):
    """What trainers have in common that learn slice by slice.

    Args:
        tokens: (N,) int32 word numbers, -1 where a sentence ends; may be memory-mapped.
        counts: (V,) of each word, falling.
        settings: what to train.

    Attributes:
        inputs: (V, D) vectors of the words.
        outputs: the output rows.
        slice: tokens of a slice, about.
        interrupted: Ctrl-C ended the last call of `train`.
    """

    inputs: NDArray
    outputs: NDArray
    slice = SLICE

    def __init__(self, tokens: NDArray[np.int32], counts: NDArray[np.int64], settings: EmbeddingSettings) -> None:
        self.tokens, self.counts, self.settings = tokens, counts, settings
        self.total = settings.epochs * len(tokens)
        self.interrupted = False
        self._schedule = Schedule(self)

    @abstractmethod
    def learn(self, schedule: Schedule) -> None:
        """In one thread: slices until there are no more."""

    def start_workers(self, threads: int) -> int:
        """How many threads call `learn` where so many are wanted; called before they start."""
        return threads

    def first_vectors(self, inputs: NDArray) -> None:
        """Random numbers for the input rows, (rows, D): even from -4/D to 4/D.

        Eight times as wide as in word2vec: the outputs start at zero, and learn the faster the longer the vectors are.
        On 17.5 million words of IMDb reviews, correlation on MEN after one epoch: skip-gram .316 to .333, CBOW .255
        to .271, with hierarchical softmax .399 to .411 and .327 to .338; after five .523 to .529 and .482 to .483.
        """
        random = np.random.default_rng(self.settings.seed)
        for start in range(0, len(inputs), 1 << 14):  # in parts: as float64 all at once would be twice the vectors
            part = inputs[start : start + (1 << 14)]
            part[:] = (random.random(part.shape) - 0.5) * (_SPREAD / self.settings.size)

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
        workers = Workers(lambda _: self._work(schedule), self.start_workers(threads))
        try:
            workers.start()
            while not workers.wait(0.2 if schedule.stopped else min(max(deadline - time.monotonic(), 0), 0.2)):
                schedule.stopped |= time.monotonic() >= deadline
                if report is not None:
                    report(schedule.progress())
        except KeyboardInterrupt:
            schedule.stopped = self.interrupted = True
        workers.close()
        if report is not None and not self.interrupted:
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

    def _work(self, schedule: Schedule) -> None:
        try:
            self.learn(schedule)
        except BaseException as error:  # the main thread raises it
            schedule.error = error
            schedule.stopped = True


class Schedule:
    """Deals out slices in order, and adds up what is reported."""

    def __init__(self, trainer: SliceTrainer) -> None:
        self._trainer = trainer
        self._lock = threading.Lock()
        self._epoch = self._start = self._left = 0
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
            self._start = stop = _sentence_end(tokens, start + self._trainer.slice)
            self._let_go_until(start - _KEPT * self._trainer.slice)
            return self._epoch, start, stop, rate

    def _let_go_until(self, position: int) -> None:
        """The tokens before a position are read by no thread any more."""
        if position < self._left - 2 * _KEPT * self._trainer.slice:  # of the next epoch
            self._left = 0
        if position > self._left:
            let_go(self._trainer.tokens, self._left, position)
            self._left = position

    def _rate(self) -> float:
        left = 1 - (self._epoch * len(self._trainer.tokens) + self._start) / self._trainer.total
        return self._trainer.settings.first_rate * max(left, _LAST_RATE)

    def add(self, losses: float, pairs: int) -> None:
        """Report a sum of losses, and of how many pairs it is."""
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


def slice_seed(seed: int, epoch: int, start: int) -> np.random.SeedSequence:
    """Of the random numbers of a slice: whoever gets it draws the same."""
    return np.random.SeedSequence((seed, epoch, start))
