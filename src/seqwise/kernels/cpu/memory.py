"""Buffers that are used again, so that their pages are not faulted in afresh by every call.

A block goes back to the pool when the last array or tensor over it is gone, and not before: a saved buffer lives exactly
as long as autograd keeps it, so two forward passes before a backward pass, and `retain_graph`, are ordinary use.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 64  # bytes of a cache line
_KEPT_BYTES = 1 << 30  # free blocks beyond this go back to the system
_POISON = 0xFF  # as a number of either type: NaN

poison = False
"""Tests set it: fresh blocks are full of NaN, so that reading what was not written shows."""


class Pool:
    """Free blocks by size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[int, list[np.ndarray]] = {}
        self._kept = 0

    def take(self, size: int) -> np.ndarray:
        """An array of at least `size` bytes, on a cache line, its content undefined."""
        size = _round_up(size)
        with self._lock:
            blocks = self._free.get(size)
            block = blocks.pop() if blocks else None
            if block is not None:
                self._kept -= size
        if block is None:
            block = np.empty(size + _ALIGNMENT, np.uint8)
        if poison:
            block.fill(_POISON)
        return np.asarray(_Lease(self, block, size))

    def give_back(self, block: np.ndarray, size: int) -> None:
        """Keep a block for the next one who asks."""
        with self._lock:
            if self._kept + size <= _KEPT_BYTES:
                self._free.setdefault(size, []).append(block)
                self._kept += size

    def clear(self) -> None:
        """Let all free blocks go."""
        with self._lock:
            self._free.clear()
            self._kept = 0

    def renew_lock(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._lock = threading.Lock()


class _Lease:
    """Owns a block while arrays over it exist; numpy and torch keep it alive."""

    def __init__(self, pool: Pool, block: np.ndarray, size: int) -> None:
        self._pool, self._block, self._size = pool, block, size
        address = block.ctypes.data
        start = address + -address % _ALIGNMENT
        self.__array_interface__: dict[str, Any] = {
            "data": (start, False), "shape": (size,), "typestr": "|u1", "version": 3
        }  # fmt: skip

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if finalizing():  # names of modules may be gone by then, and so is the point of a pool
            return
        self._pool.give_back(self._block, self._size)


def _round_up(size: int) -> int:
    """To one of eight sizes between powers of two, so that similar calls share blocks."""
    step = max(1 << 12, 1 << max(0, size.bit_length() - 4))
    return max(step, -(-size // step) * step)


POOL = Pool()
"""The process's blocks."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.renew_lock)


def aligned_zeros(shape: tuple[int, ...], dtype: str) -> NDArray:
    """Zeros that begin on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
