"""Batches of examples of near-equal length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError

Batch = TypeVar("Batch")
_BUCKET = 100  # batches sorted by length together: enough to waste little padding, few enough to stay random


class LengthBatches:
    """The index arrays of one epoch's batches.

    Shuffled: the epoch's examples are shuffled, sorted by length within buckets of a hundred batches, cut into batches, and
    the batches shuffled. The order depends on the seed and the epoch alone (`set_epoch`), on no global state. Not shuffled:
    all examples by length, the same every time.

    With several processes, each one (`rank` of `world_size`) gets batches of its own, as many as the others, and the batches
    of one step are neighbours in length, so that no process waits for a longer one. If the number does not divide, some
    batches are given twice in the epoch.

    Args:
        lengths: (n,) tokens of every example.
        batch_size: examples in a batch at most.
        seed: of the order.
        shuffle: whether the order is random.
        sample: number of the epoch -> indices of its examples, repeats included, such as a `Sampler`; None is every
            example once. It must give the same for the same epoch every time, on every process.
        max_tokens: a batch of k examples, the longest with T tokens, has k T <= max_tokens; a longer example is alone.
        rank: number of this process.
        world_size: how many processes there are.

    Raises:
        ConfigurationError: if a number is out of range.
    """

    def __init__(
        self,
        lengths: Sequence[int] | NDArray[Any],
        batch_size: int,
        *,
        seed: int,
        shuffle: bool = True,
        sample: Callable[[int], NDArray[np.int64]] | None = None,
        max_tokens: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("max_tokens", max_tokens), ("world_size", world_size)):
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} is at least 1, not {value}")
        if seed < 0:
            raise ConfigurationError(f"a seed is not negative, but this is {seed}")
        if not 0 <= rank < world_size:
            raise ConfigurationError(f"rank is from 0 to {world_size - 1}, not {rank}")
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._batch_size, self._max_tokens = batch_size, max_tokens
        self._seed, self._shuffle, self._sample = seed, shuffle, sample
        self._rank, self._world_size = rank, world_size
        self._batches: list[NDArray[np.int64]] | None = None
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of this epoch (from 0 on)."""
        if epoch != self.epoch:
            self.epoch, self._batches = epoch, None

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return iter(self._all())

    def _all(self) -> list[NDArray[np.int64]]:
        if self._batches is None:
            self._batches = self._ordered()
        return self._batches

    def _ordered(self) -> list[NDArray[np.int64]]:
        random = np.random.default_rng([self._seed, self.epoch])
        chosen = np.arange(len(self._lengths)) if self._sample is None else self._sample(self.epoch)
        count = len(chosen)
        order = chosen[random.permutation(count)] if self._shuffle else chosen
        bucket = (
            np.arange(count) // (_BUCKET * self._batch_size * self._world_size) if self._shuffle else np.zeros(count)
        )
        order = order[np.lexsort((self._lengths[order], bucket))]
        batches = self._cut(order)
        # One step is as many batches as there are processes; steps are shuffled, never the batches within.
        steps = [batches[i : i + self._world_size] for i in range(0, len(batches), self._world_size)]
        if steps and len(steps[-1]) < self._world_size:
            steps[-1] += [batches[i % len(batches)] for i in range(self._world_size - len(steps[-1]))]
        if self._shuffle:
            steps = [steps[i] for i in random.permutation(len(steps))]
        return [step[self._rank] for step in steps]

    def _cut(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        size = self._batch_size
        if self._max_tokens is None:
            return [order[i : i + size] for i in range(0, len(order), size)]
        batches, start = [], 0
        while start < len(order):
            longest = np.maximum.accumulate(self._lengths[order[start : start + size]])
            fits = longest * np.arange(1, len(longest) + 1) <= self._max_tokens
            stop = start + max(1, int(fits.sum()))  # once a batch is too large, it stays so: fits is True then False
            batches.append(order[start:stop])
            start = stop
        return batches


class EpochBatches(Generic[Batch]):
    """The batches of one epoch: sized, and built when asked for.

    Args:
        build: the numbers of some examples -> their batch.
        order: the numbers of each batch.
    """

    def __init__(self, build: Callable[[NDArray[Any]], Batch], order: Sequence[NDArray[Any]]) -> None:
        self._build, self._order = build, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self._order):
            raise IndexError(number)
        return self._build(self._order[number])
