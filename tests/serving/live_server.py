"""Servers that answer over real HTTP: one in a thread of the test's process, one as a program of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from seqwise.serving.application import create_app
from seqwise.serving.server import Server
from seqwise.serving.settings import ServerSettings
from seqwise.serving.sockets import addresses, open_sockets

PROGRAM = "from seqwise.cli import main; main()"


class Here:
    """A server in a thread of this process.

    Attributes:
        app: that it serves.
        url: where.
        port: of it.
    """

    def __init__(self, folders: Mapping[str, Path], **settings: Any) -> None:
        chosen = ServerSettings(**{"quiet": True, "device": "cpu", "no_page": True} | settings)
        self.app = create_app(folders, chosen)
        self._sockets = open_sockets("127.0.0.1", 0)
        self.url = addresses(self._sockets)[0]
        self.port = self._sockets[0].getsockname()[1]
        listening = threading.Event()
        self._server = Server(self.app, chosen, listening.set)
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,))
        self._thread.start()
        assert listening.wait(120)

    @property
    def models(self) -> Any:
        return self.app.state.models

    @property
    def connections(self) -> set[Any]:
        return self._server.server_state.connections

    def slow_down(self, name: str, wait: Callable[[], Any]) -> None:
        """Let every batch of predictions of a model wait first."""
        served = self.models[name].served
        verb = served.verbs["predict"]
        answer = verb.answer

        def slow(items: list[Any]) -> Any:
            wait()
            return answer(items)

        object.__setattr__(verb, "answer", slow)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        for one in self._sockets:
            one.close()


@contextmanager
def serving(folders: Mapping[str, Path], **settings: Any) -> Iterator[Here]:
    server = Here(folders, **settings)
    try:
        yield server
    finally:
        server.stop()


class Program:
    """A server as a program of its own.

    Attributes:
        process: of it; of several workers their supervisor.
        url: where it listens.
        said: lines of its standard error so far.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve", *arguments, "--port", "0", "--device", "cpu"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,  # so that a signal to its group, as Ctrl-C is, does not reach the tests
        )
        self._listening = threading.Event()
        self.url = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not self._listening.wait(300) or not self.url:
            self.process.kill()
            self._reader.join()
            raise AssertionError("".join(self.said))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.said if line.startswith("{")]

    @property
    def children(self) -> list[int]:
        """Numbers of the worker processes, as the log and /proc know them."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = []
        for child in path.read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"spawn_main" in command:
                found.append(int(child))
        return found

    def stop(self, sig: int = signal.SIGTERM, timeout: float = 60) -> int:
        """Tell it to stop; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(timeout)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"Serving .* on (http://\S+)", line):
                self.url = found[1]
                self._listening.set()
        self.process.stderr.close()
        self._listening.set()


@contextmanager
def program(*arguments: str, **environment: str) -> Iterator[Program]:
    server = Program(*arguments, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(30)
        server._reader.join(10)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    parts = []
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def problem_of(response: httpx.Response, *further: str) -> dict[str, Any]:
    """The problem of an answer, which has to be one; `further` are members that it has besides."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert set(problem) - {"field"} == {"type", "title", "status", "detail", *further}
    return problem


def wait_until(true: Callable[[], Any], seconds: float = 120) -> Any:
    """What becomes true soon."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "it did not become true"
        time.sleep(0.02)
    return found
