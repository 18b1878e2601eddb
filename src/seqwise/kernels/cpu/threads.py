"""The threads that kernels run on: one function at several argument blocks, side by side.

Where PyTorch runs on OpenMP (Linux; other systems whose library has GCC's entry points), its team does it. Those threads
wait for work in a loop for some milliseconds after every PyTorch operation: any other thread would have to share a
core with them. Elsewhere, and in a forked child, whose team is gone, there is a crew of our own.

Kernels are called through ctypes and hold no GIL. The calling thread takes a share itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from queue import SimpleQueue

import numpy as np

from seqwise.kernels.cpu import compiler, team
from seqwise.kernels.cpu.target import host

Kernel = Callable[[int], None]


def run(kernel: Kernel, blocks: np.ndarray, threads: int) -> None:
    """Call a kernel with each argument block, on some threads; return when all are done.

    Args:
        kernel: A compiled function.
        blocks: (blocks, fields) int64.
        threads: How many.
    """
    start, stride = blocks.ctypes.data, blocks.strides[0]
    if len(blocks) == 1:
        kernel(start)
        return
    addresses = range(start, start + len(blocks) * stride, stride)
    function = ctypes.cast(kernel, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    # Where nobody has imported PyTorch, none of its threads wait for work.
    parallel = None if _forked or "torch" not in sys.modules else _find_team(function)
    if parallel is None:
        CREW.run(kernel, addresses, threads)
    else:
        parallel(np.array([0, len(blocks), *addresses], np.int64), threads)


@cache
def _find_team(kernel: int) -> Callable[[np.ndarray, int], None] | None:
    """Calls OpenMP's threads with the data of `team`; None where PyTorch has no OpenMP that we can call."""
    import torch

    # Symbols of the libraries that PyTorch's module depends on are found through it.
    parallel = getattr(ctypes.CDLL(torch._C.__file__), "GOMP_parallel", None)
    if parallel is None:
        return None
    function = compiler.load("team", lambda: team.write(host()), ("team",), host(), {"kernel": kernel})["team"]
    parallel.restype, parallel.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    return lambda data, threads: parallel(function, data.ctypes.data, threads, 0)


def count_threads() -> int:
    """On how many threads a kernel may run: as many as PyTorch's operators, or, without it, as it would take."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Worker threads and the queue that feeds them; started when first needed, shared by all callers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: SimpleQueue[tuple[Kernel, Iterator[int], SimpleQueue[None]]] = SimpleQueue()
        self._workers = 0

    def run(self, kernel: Kernel, blocks: Sequence[int], threads: int) -> None:
        """Call the kernel with each block; return when all are done."""
        done: SimpleQueue[None] = SimpleQueue()
        waiting = iter(blocks)  # shared: taking the next one is a single step of the interpreter
        self._hire(threads - 1)
        for _ in range(threads - 1):
            self._calls.put((kernel, waiting, done))
        for block in waiting:
            kernel(block)
        for _ in range(threads - 1):
            done.get()

    def _hire(self, count: int) -> None:
        if self._workers >= count:
            return
        with self._lock:
            while self._workers < count:
                threading.Thread(target=self._serve, args=(self._calls,), name="seqwise-kernel", daemon=True).start()
                self._workers += 1

    @staticmethod
    def _serve(calls: SimpleQueue[tuple[Kernel, Iterator[int], SimpleQueue[None]]]) -> None:
        while True:
            kernel, waiting, done = calls.get()
            for block in waiting:
                kernel(block)
            done.put(None)


CREW = Crew()
"""The process's workers."""

_forked = False  # OpenMP's threads do not live on in a forked child, and it does not notice


def _start_afresh() -> None:
    global _forked
    _forked = True
    CREW.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
