"""Several processes that serve on one port: they are started, started again when one dies, and stopped together."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from seqwise.errors import ConfigurationError, SeqwiseError
from seqwise.serving import logs
from seqwise.serving.settings import RUN, WORKER, ServerSettings

log = logging.getLogger("seqwise.serving")

METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of a worker's environment: the folder of the metrics."""

LOOK_S = 0.2
SHORT_LIFE_S = 10.0  # who dies sooner is started again later and later
LONGEST_PAUSE_S = 30.0
BEYOND_GRACE_S = 5.0
LONGEST_SOCKET, SHORT_FOLDER = 100, "/tmp"
READY, FAILED = "ready", "failed"


@dataclass
class Worker:
    """One process of several.

    Attributes:
        number: from 0 on; whoever takes its place has the same.
        process: that serves.
        pipe: to it; it ends when we do.
        since: when it was started.
        ready: whether it listens.
    """

    number: int
    process: SpawnProcess
    pipe: Connection
    since: float
    ready: bool = False


class Supervisor:
    """Keeps several processes serving.

    Args:
        folders: of the models, by name.
        settings: of the server.
        sockets: that are bound, and that all of them listen on: when one dies the others go on taking what comes.
        ready: is called when all of them listen.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        settings: ServerSettings,
        sockets: Sequence[socket.socket],
        ready: Callable[[], None],
    ) -> None:
        share = max(1, _cores() // settings.workers)
        self._settings = settings if settings.threads else settings.model_copy(update={"threads": share})
        self._folders, self._sockets, self._ready = dict(folders), list(sockets), ready
        self._workers: dict[int, Worker] = {}
        self._paused: dict[int, tuple[float, float]] = {}  # when to start it, and how long it has waited
        self._stopping = self._announced = False
        self._processes = multiprocessing.get_context("spawn")

    def run(self) -> None:
        """Serve until told to stop.

        Raises:
            ModelFolderError: a folder is none; before anything is started.
            ConfigurationError: a worker could not start; says why.
        """
        check(self._folders)
        folder = _run_folder()
        os.mkdir(metrics := os.path.join(folder, "metrics"))
        os.environ[METRICS], os.environ[RUN] = metrics, folder
        before = {sig: signal.signal(sig, self._told) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in range(self._settings.workers):
                self._start(number)
            while not self._stopping:
                self._look()
        finally:
            self._stop()
            for sig, handler in before.items():
                signal.signal(sig, handler)
            del os.environ[METRICS], os.environ[RUN]
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self, number: int) -> None:
        ours, theirs = self._processes.Pipe()
        os.environ[WORKER] = str(number)
        process = self._processes.Process(
            target=work, args=(number, self._folders, self._settings, self._sockets, theirs), name=f"seqwise-{number}"
        )
        # Ctrl-C reaches all of us; what is ignored now the new process ignores from its first moment on.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.start()
        signal.signal(signal.SIGINT, before)
        theirs.close()
        self._workers[number] = Worker(number, process, ours, time.monotonic())

    def _look(self) -> None:
        """Wait a moment for news, and act on them."""
        workers = list(self._workers.values())
        wait([*(worker.process.sentinel for worker in workers), *(worker.pipe for worker in workers)], LOOK_S)
        for worker in workers:
            self._listen(worker)
            if not worker.process.is_alive() and not self._stopping:
                self._replace(worker)
        now = time.monotonic()
        for number, (at, _) in list(self._paused.items()):
            if at <= now and number not in self._workers and not self._stopping:
                self._start(number)

    def _listen(self, worker: Worker) -> None:
        """Hear what a worker says.

        Raises:
            ConfigurationError: it cannot start.
        """
        with contextlib.suppress(EOFError, OSError):
            while not worker.pipe.closed and worker.pipe.poll():
                said, what = worker.pipe.recv()
                if said == FAILED and not self._announced:
                    raise ConfigurationError(what)
                if said == FAILED:
                    log.error("a worker could not start again: %s", what)
                worker.ready = said == READY
        if not self._announced and all(one.ready for one in self._workers.values()):
            self._announced = True
            self._ready()

    def _replace(self, worker: Worker) -> None:
        """Start another in the place of one that has died.

        Raises:
            ConfigurationError: it died before it ever served.
        """
        from seqwise.serving.observation import forget_process

        worker.process.join()
        worker.pipe.close()
        del self._workers[worker.number]
        code = worker.process.exitcode
        if not self._announced:
            raise ConfigurationError(f"a process of the server ended while it started (exit code {code})")
        forget_process(worker.process.pid or 0)
        now = time.monotonic()
        _, waited = self._paused.pop(worker.number, (0.0, 0.0))
        pause = min(LONGEST_PAUSE_S, max(1.0, 2 * waited)) if now - worker.since < SHORT_LIFE_S else 0.0
        log.error(
            "a worker has died and is started again",
            extra={"fields": {"worker": worker.number, "code": code, "in_s": pause}},
        )
        self._paused[worker.number] = now + pause, pause
        if not pause:
            self._start(worker.number)

    def _told(self, sig: int, frame: FrameType | None) -> None:
        if self._stopping:  # for the second time: at once
            for worker in list(self._workers.values()):
                worker.process.kill()
            shutil.rmtree(os.environ[RUN], ignore_errors=True)
            os._exit(130)
        self._stopping = True

    def _stop(self) -> None:
        """Let all finish what they have begun, and end those that take too long."""
        self._stopping = True
        for worker in self._workers.values():
            if worker.process.is_alive():
                worker.process.terminate()
        until = time.monotonic() + self._settings.grace_s + BEYOND_GRACE_S
        for worker in self._workers.values():
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def check(folders: Mapping[str, Path]) -> None:
    """Find out what can be found out quickly about folders, before several processes read them.

    Raises:
        ModelFolderError: one is no model folder, or its config.json is damaged.
    """
    from seqwise.prediction.folder import task_of

    for path in folders.values():
        if not path.is_file():
            task_of(path)


def work(
    number: int,
    folders: Mapping[str, Path],
    settings: ServerSettings,
    sockets: Sequence[socket.socket],
    pipe: Connection,
) -> None:
    """Be one of several processes.

    Args:
        number: of this one.
        folders: of the models.
        settings: of the server.
        sockets: to listen on.
        pipe: to the supervisor.
    """
    from seqwise.serving.server import end, run

    os.environ[WORKER] = str(number)
    logs.configure(settings.log_texts)
    threading.Thread(target=_end_with, args=(pipe, settings.grace_s), name="seqwise-supervised", daemon=True).start()
    try:
        run(folders, settings, [*sockets, *_own_socket(number)], partial(pipe.send, (READY, "")))
        end(0)  # taking a large process apart would take longer than all that was to be finished
    except SeqwiseError as error:
        pipe.send((FAILED, str(error)))
        sys.exit(2)
    except OSError as error:
        pipe.send((FAILED, f"{error.strerror or error}"))
        sys.exit(2)
    except Exception as error:
        log.error("a process of the server failed", exc_info=error)
        pipe.send((FAILED, f"a process of the server failed: {type(error).__name__}; the log says where"))
        sys.exit(1)


def _run_folder() -> str:
    """A folder for the sockets and metrics of this run: a socket's path has room for a hundred characters."""
    folder = tempfile.mkdtemp(prefix="seqwise-serve-")
    if len(os.path.join(folder, "worker-999.sock")) <= LONGEST_SOCKET or not os.path.isdir(SHORT_FOLDER):
        return folder
    os.rmdir(folder)
    return tempfile.mkdtemp(prefix="seqwise-serve-", dir=SHORT_FOLDER)


def _own_socket(number: int) -> list[socket.socket]:
    """A socket by which the other processes can hand requests on to this one."""
    if not hasattr(socket, "AF_UNIX"):
        return []
    place = os.path.join(os.environ[RUN], f"worker-{number}.sock")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)  # of the one that was here before
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own.bind(place)
    return [own]


def _end_with(pipe: Connection, grace_s: float) -> None:
    """End this process when the supervisor has ended, whatever ended it."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s + BEYOND_GRACE_S)
    os._exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
