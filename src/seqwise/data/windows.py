"""Windows of long sequences: what an epoch reads at a time, cut anew in every epoch.

Axis letters: n sequences, N steps of all together, W steps of a window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seqwise.data.resampling import make_sampler
from seqwise.errors import ConfigurationError

_STREAM = 2  # beside seed and epoch: other numbers than those that shuffle batches and draw examples


class Windows:
    """The windows of every epoch.

    With the sampler "instance" they lie side by side from a random beginning in each sequence, so that an epoch reads every
    step once. With any other sampler of `make_sampler` so many steps as there would be windows are drawn from those with a
    label, as the sampler draws examples, and each lies somewhere in a window: rare labels are read more often.

    Args:
        lengths: (n,) steps of each sequence.
        size: W; None reads every sequence whole.
        sampler: name of a sampler.
        targets: (N,) label of every step, sequence after sequence, below 0 where there is none; for samplers.
        seed: an epoch's windows depend on it and the epoch.
        epochs: of the training, for the sampler "progressive".

    Raises:
        ConfigurationError: a sampler without windows: there is nothing to draw from but whole sequences.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        size: int | None,
        *,
        sampler: str = "instance",
        targets: NDArray[np.int64] | None = None,
        seed: int = 0,
        epochs: int = 1,
    ) -> None:
        self._lengths, self._size, self._seed = np.asarray(lengths, np.int64), size, seed
        self._drawn: Callable[[int], NDArray[np.int64]] | None = None
        if sampler != "instance":
            if size is None:
                raise ConfigurationError(
                    f"the sampler {sampler} draws windows: set model.window to so many steps as training reads at a time"
                )
            assert targets is not None
            self._labelled = np.flatnonzero(targets >= 0)
            self._drawn = make_sampler(sampler, targets[self._labelled], seed=seed, epochs=epochs)

    @property
    def usual(self) -> int:
        """How many windows there are at least."""
        return len(self._lengths) if self._size is None else int((-(-self._lengths // self._size)).sum())

    def __call__(self, epoch: int) -> NDArray[np.int64]:
        """Return the windows of an epoch (from 0 on), (windows, 3): sequence, first step, step behind the last."""
        random = np.random.default_rng([self._seed, epoch, _STREAM])
        if self._size is None:
            rows = np.arange(len(self._lengths))
            return np.stack([rows, np.zeros_like(rows), self._lengths], axis=1)
        if self._drawn is None:
            parts = [_tiles(row, int(length), self._size, random) for row, length in enumerate(self._lengths)]
            return np.concatenate(parts)
        steps = self._labelled[self._drawn(epoch)[: self.usual]]
        ends = np.cumsum(self._lengths)
        rows = np.searchsorted(ends, steps, side="right")
        places = steps - (ends - self._lengths)[rows]
        starts = places - random.integers(0, self._size, len(steps))
        starts = np.clip(starts, 0, np.maximum(self._lengths[rows] - self._size, 0))
        return np.stack([rows, starts, np.minimum(starts + self._size, self._lengths[rows])], axis=1)


def _tiles(row: int, length: int, size: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Windows side by side: a sequence that one window holds is one, any other begins with a part of one."""
    first = size if length <= size else int(random.integers(1, size + 1))
    edges = np.unique(np.concatenate([[0], np.arange(first, length, size), [length]]))
    return np.stack([np.full(len(edges) - 1, row), edges[:-1], edges[1:]], axis=1)
