"""Who runs what: rows in shards, of which each thread takes one after another, and how many rows run at every step."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

# Below this many multiplications a second thread costs more than it gives: waking it takes some 20 microseconds.
_WORTH_A_THREAD = 2_000_000
# A thread whose core is wanted elsewhere should not hold up the others with all of its rows; smaller shards would cost
# more in products than they save in waiting.
_SHARDS_PER_THREAD = 2
_FEWEST_ROWS = 6  # a full tile of the products


class Shard(NamedTuple):
    """Rows that run together.

    Attributes:
        rows: (n,) int64, their numbers in the batch, longest first.
        lengths: (n,) int64.
        active: (T,) int64, how many of them exist at each step.
    """

    rows: np.ndarray
    lengths: np.ndarray
    active: np.ndarray


def make_shards(
    steps: int, batch: int, lengths: np.ndarray | None, threads: int, work: int
) -> tuple[tuple[Shard, ...], int]:
    """Deal the rows out.

    Args:
        steps: T.
        batch: B.
        lengths: (B,) int64 or None for all T.
        threads: How many there may be.
        work: Multiplications of the whole call.

    Returns:
        The shards, and on how many threads to run them.
    """
    threads = max(1, min(threads, batch, work // _WORTH_A_THREAD))
    count = threads if threads == 1 else max(threads, min(_SHARDS_PER_THREAD * threads, batch // _FEWEST_ROWS))
    if lengths is None:
        return _even_shards(steps, batch, count), threads
    order = np.argsort(-lengths, kind="stable")
    shards = (_make_shard(np.ascontiguousarray(order[k::count]), lengths, steps) for k in range(count))
    return tuple(shards), threads


@lru_cache(maxsize=64)
def _even_shards(steps: int, batch: int, count: int) -> tuple[Shard, ...]:
    lengths = np.full(batch, steps, np.int64)
    borders = [batch * k // count for k in range(count + 1)]
    return tuple(_make_shard(np.arange(low, high, dtype=np.int64), lengths, steps) for low, high in pairwise(borders))


def _make_shard(rows: np.ndarray, lengths: np.ndarray, steps: int) -> Shard:
    own = np.ascontiguousarray(lengths[rows])
    ended = np.cumsum(np.bincount(own, minlength=steps + 1)[:steps])  # rows of length <= t
    return Shard(rows, own, np.ascontiguousarray(len(rows) - ended).astype(np.int64))
