"""A long sequence as parallel streams, cut into windows: what a language model reads.

Axis letters: N symbols, B streams, T steps of a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """Some steps of all streams, as arrays or tensors.

    Attributes:
        symbols: (B, T) what is read.
        targets: (B, T) what comes next; `padding` behind the end.
        first: whether the streams begin here.
    """

    symbols: Any
    targets: Any
    first: bool


class Streams:
    """Cuts a sequence into B streams of equal length, one after the other, and these into windows.

    Every symbol is a target exactly once. The symbol before the first one is `start`; a later stream begins behind the
    symbol before it, whatever stream that is in.

    Args:
        symbols: (N,).
        streams: B; fewer where there are not as many symbols.
        steps: T of a window at most.
        start: what is read before the first symbol.
        padding: target behind the end of the last stream.
    """

    def __init__(self, symbols: NDArray[np.int32], streams: int, steps: int, *, start: int, padding: int = 0) -> None:
        streams = max(1, min(streams, len(symbols)))
        self.length = -(-len(symbols) // streams)
        self.steps = steps
        targets = np.full(streams * self.length, padding, np.int64)
        targets[: len(symbols)] = symbols
        read = np.concatenate([[start], targets[:-1]])
        self._targets, self._read = targets.reshape(streams, -1), read.reshape(streams, -1)

    @property
    def streams(self) -> int:
        """B."""
        return len(self._targets)

    def windows(self, shift: int = 0) -> WindowList:
        """All windows in their order.

        Args:
            shift: the first window has so many steps fewer (0 to T - 1): where it changes from epoch to epoch, gradients
                are not always cut at the same places.
        """
        first = self.steps - shift
        cuts = [0, *range(first, self.length, self.steps), self.length]
        return WindowList(self._read, self._targets, cuts)


class WindowList:
    """Windows, made when asked for."""

    def __init__(self, read: NDArray[np.int64], targets: NDArray[np.int64], cuts: list[int]) -> None:
        self._read, self._targets, self._cuts = read, targets, cuts

    def __len__(self) -> int:
        return len(self._cuts) - 1

    def __iter__(self) -> Iterator[Window]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Window:
        if not 0 <= number < len(self):
            raise IndexError(number)
        here = slice(self._cuts[number], self._cuts[number + 1])
        return Window(self._read[:, here], self._targets[:, here], number == 0)
