"""The threads that kernels run on: one function at several argument blocks, side by side.

Kernels are called through ctypes and hold no GIL. The calling thread takes a share itself. Workers are started when
first needed, are shared by all callers, and are started afresh in a forked child.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

Kernel = Callable[[int], None]


class Crew:
    """Worker threads and the queue that feeds them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: SimpleQueue[tuple[Kernel, int, SimpleQueue[None]]] = SimpleQueue()
        self._workers = 0

    def run(self, kernel: Kernel, blocks: Sequence[int]) -> None:
        """Call the kernel with each block; return when all are done."""
        done: SimpleQueue[None] = SimpleQueue()
        self._hire(len(blocks) - 1)
        for block in blocks[1:]:
            self._work.put((kernel, block, done))
        kernel(blocks[0])
        for _ in blocks[1:]:
            done.get()

    def _hire(self, count: int) -> None:
        if self._workers >= count:
            return
        with self._lock:
            while self._workers < count:
                threading.Thread(target=self._serve, args=(self._work,), name="seqwise-kernel", daemon=True).start()
                self._workers += 1

    @staticmethod
    def _serve(work: SimpleQueue[tuple[Kernel, int, SimpleQueue[None]]]) -> None:
        while True:
            kernel, block, done = work.get()
            kernel(block)
            done.put(None)


CREW = Crew()
"""The process's workers."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: CREW.__init__())  # type: ignore[misc]
