"""Carrying out many runs, some side by side, each kept as soon as it is finished.

Short sequences leave no work for a second thread: two runs side by side with one thread each take about half the time
that they take one after the other with two. So a run is a process of its own, as many at a time as there are processors.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from seqwise.errors import SeqwiseError
from seqwise.experiments.comparison.data import ComparisonData
from seqwise.experiments.comparison.runs import PlannedRun, RunResult

RECENT = 9  # runs that the time left is judged by
MOST_JOBS = 8  # unless asked for: each holds a copy of the data, and PyTorch


@dataclass(frozen=True)
class Finished:
    """A run that is over.

    Attributes:
        run: what was planned.
        result: what it left; None if it could not be carried out.
        error: why not.
    """

    run: PlannedRun
    result: RunResult | None
    error: SeqwiseError | None = None


def job_count(asked: int | None, runs: int, device: str) -> int:
    """Return how many runs go on side by side: what was asked for, or one a processor, and one at a time on a GPU."""
    if asked is not None:
        return max(1, min(asked, runs))
    if device.startswith("cuda") or (device == "auto" and _has_cuda()):
        return 1
    return max(1, min(_processors(), runs, MOST_JOBS))


def carry_out_all(
    runs: Sequence[PlannedRun],
    data: ComparisonData,
    *,
    jobs: int,
    wanted: Callable[[PlannedRun], bool] = lambda run: True,
) -> Iterator[Finished]:
    """Yield every run as it ends.

    Args:
        runs: in the order in which they begin.
        data: what they learn from.
        jobs: how many at a time; 1 runs them in this process.
        wanted: asked before a run begins, whether it still has a point.

    Raises:
        KeyboardInterrupt: the person interrupted; runs that had begun are lost, those yielded are not.
        RuntimeError: a process died, or met a bug.
    """
    if jobs == 1:
        yield from _one_by_one(runs, data, wanted)
        return
    context = multiprocessing.get_context("spawn")  # a forked child would inherit threads that are not there any more
    threads = max(1, _processors() // jobs)
    workers: dict[Connection, Any] = {}
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a child starts, before anything of ours runs in it
    try:
        for _ in range(jobs):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, data, threads), daemon=True)
            process.start()
            there.close()
            workers[here] = process
        yield from _deal(list(runs), workers, wanted)
    finally:
        if before is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = before
        for connection, process in workers.items():
            connection.close()
            process.terminate()
        for process in workers.values():
            process.join()


def _one_by_one(
    runs: Sequence[PlannedRun], data: ComparisonData, wanted: Callable[[PlannedRun], bool]
) -> Iterator[Finished]:
    from seqwise.experiments.comparison import fit
    from seqwise.training import Progress

    for run in runs:
        if wanted(run):
            try:
                yield Finished(run, fit.carry_out(run, data, callbacks=[Progress()]))
            except SeqwiseError as error:
                yield Finished(run, None, error)


def _deal(
    waiting: list[PlannedRun], workers: dict[Connection, Any], wanted: Callable[[PlannedRun], bool]
) -> Iterator[Finished]:
    """Give every worker a run, and another one whenever it is done."""
    busy: dict[Connection, PlannedRun] = {}

    def give(connection: Connection) -> None:
        while waiting:
            run = waiting.pop(0)
            if wanted(run):
                connection.send(run)
                busy[connection] = run
                return

    for connection in workers:
        give(connection)
    while busy:
        ready = set(map(id, wait(list(busy))))
        for connection in [one for one in busy if id(one) in ready]:
            run = busy.pop(connection)
            try:
                kind, content = connection.recv()
            except EOFError:
                workers[connection].join()
                code = workers[connection].exitcode
                raise RuntimeError(
                    f"the process that ran {run.variant} ended with code {code}"
                    + (": was memory short? --jobs 1 needs less" if code == -signal.SIGKILL else "")
                ) from None
            if kind == "bug":
                raise RuntimeError(f"{run.variant}, seed {run.seed}: {content}")
            # Told before the next one begins: what was learned from this run may make others pointless.
            yield Finished(run, content) if kind == "done" else Finished(run, None, content)
            give(connection)


def _work(connection: Connection, data: ComparisonData, threads: int) -> None:
    """Carry out runs until nobody sends one any more (a worker process)."""
    # Ctrl-C goes to every process of a terminal; the one that the person talks to decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    from seqwise.experiments.comparison.fit import carry_out

    torch.set_num_threads(threads)
    while True:
        try:
            run = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[str, Any] = ("done", carry_out(run, data))
        except SeqwiseError as error:
            answer = ("refused", error)
        except Exception as error:
            answer = ("bug", f"{type(error).__name__}: {error}")
        try:
            connection.send(answer)
        except OSError:
            return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


class Clock:
    """Says how long the rest will take.

    Args:
        jobs: how many runs go on side by side.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs, self._seconds = jobs, list[float]()

    def over(self, seconds: float) -> None:
        """Count a run that took so long."""
        self._seconds.append(seconds)

    def left(self, runs: int) -> str:
        """Return how long so many runs will take, in words."""
        if not self._seconds or runs <= 0:
            return ""
        recent = sorted(self._seconds[-RECENT:])  # the first run of each process compiles: the median forgets it
        seconds = runs * recent[len(recent) // 2] / self._jobs
        return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
