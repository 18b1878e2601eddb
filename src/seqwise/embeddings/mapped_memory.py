"""Mapped files count as memory while they are read; what was read can be let go."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def let_go(array: NDArray[Any], start: int, stop: int) -> None:
    """Let go the memory of some entries of an array of a mapped file; whoever reads them again gets them from the file.

    Args:
        array: one-dimensional; nothing happens where it is no mapped file, or the system has no such call.
        start: first entry.
        stop: behind the last one.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is None or not hasattr(mapped, "madvise"):
        return
    before = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    page = mmap.ALLOCATIONGRANULARITY
    begin, end = ((before + array.itemsize * place) // page * page for place in (start, min(stop, len(array))))
    if end > begin:
        mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)
