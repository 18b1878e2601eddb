"""Threads that work until they are done, one of them fails, or somebody presses Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_POLL = 0.2  # seconds between two reports


class Workers:
    """Threads that are known to have ended when they have, whenever Ctrl-C arrives.

    (`threading.Thread.join`, where Ctrl-C interrupts it, takes a thread that still runs for one that has ended; Python 3.13
    put that right.)

    Args:
        work: called in each thread with its number; must not raise.
        threads: how many.
    """

    def __init__(self, work: Callable[[int], None], threads: int) -> None:
        self._work, self._threads = work, threads
        self._lock = threading.Lock()
        self._all_done = threading.Event()
        self._left, self._running, self._closed = threads, 0, False

    def start(self) -> None:
        """Start them, in daemon threads."""
        for number in range(self._threads):
            threading.Thread(target=self._run, args=(number,), daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for all of them, but no longer than this; whether all have ended."""
        return self._all_done.wait(seconds)

    def close(self) -> None:
        """Wait for those that have begun; the others never will."""
        with self._lock:
            self._closed = True
        while self._running:
            time.sleep(0.001)

    def _run(self, number: int) -> None:
        with self._lock:
            if self._closed:
                return
            self._running += 1
        try:
            self._work(number)
        finally:
            with self._lock:
                self._running -= 1
                self._left -= 1
            if not self._left:
                self._all_done.set()


def run_workers(
    work: Callable[[int, threading.Event], None], threads: int, report: Callable[[], None] | None = None
) -> None:
    """Run `work` in several threads and wait for all of them.

    Args:
        work: called in each thread with its number and an event; should end soon after the event is set.
        threads: how many.
        report: called from this thread a few times a second, and once at the end.

    Raises:
        BaseException: what a thread or `report` raised, KeyboardInterrupt included, after all threads have ended.
    """
    stop = threading.Event()
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number, stop)
        except BaseException as error:
            errors.append(error)
            stop.set()

    workers = Workers(guarded, threads)
    try:
        workers.start()
        while not workers.wait(_POLL):
            if report is not None:
                report()
        if report is not None and not errors:
            report()
    finally:
        stop.set()
        workers.close()
    if errors:
        raise errors[0]
