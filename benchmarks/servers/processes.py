"""Servers and their client as processes that are started, stopped, halted and measured; all on the loopback interface."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
START_LIMIT_S, STOP_LIMIT_S = 120.0, 20.0
OURS = ["-c", "from seqwise.cli import main; main()", "serve"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ask(port: int, path: str, body: Any = None, timeout: float = 30.0) -> tuple[int, Any]:
    """Status and JSON of one answer over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        content = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, content, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        return answer.status, json.loads(content) if content.startswith(("{", "[")) else content
    finally:
        connection.close()


class Server:
    """A server in a session of its own, with all processes that it starts.

    Args:
        name: in tables.
        command: after the interpreter; PORT in it becomes the port.
        question: body of a request to /predict.
        threads: of torch's operators; None: as many as it takes.
    """

    def __init__(self, name: str, command: Sequence[str], question: dict[str, Any], threads: int | None = None) -> None:
        self.name, self.port, self.question = name, free_port(), question
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `stop`)
        words = [sys.executable, *(str(self.port) if word == "PORT" else word for word in command)]
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            words,
            cwd=HERE,
            env=os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)}),
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.threads = threads
        try:
            self.answer = self._first_answer(begin)
        except BaseException:
            self.stop()
            raise
        self.seconds_to_answer = time.perf_counter() - begin

    def _first_answer(self, begin: float) -> dict[str, Any]:
        while time.perf_counter() - begin < START_LIMIT_S:
            if self.process.poll() is not None:
                self.log.seek(0)
                raise RuntimeError(f"{self.name} ended: {self.log.read().decode(errors='replace')[-2000:]}")
            try:
                status, answer = ask(self.port, "/predict", self.question)
                if status == 200:
                    return answer
                raise RuntimeError(f"{self.name} answers {status}: {answer}")
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
        raise RuntimeError(f"{self.name} does not answer")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def halt(self) -> None:
        """Take the processors away from it."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End all its processes."""
        for number, patience in ((signal.SIGTERM, STOP_LIMIT_S), (signal.SIGKILL, STOP_LIMIT_S)):
            try:
                os.killpg(self.process.pid, signal.SIGCONT)
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.log.close()

    def memory(self) -> int:
        """Bytes of resident memory of all its processes."""
        import psutil

        root = psutil.Process(self.process.pid)
        return sum(one.memory_info().rss for one in [root, *root.children(recursive=True)])


@contextmanager
def running(
    servers: Sequence[tuple[str, Sequence[str], Sequence[int | None]]], bodies: Sequence[str], seconds: float
) -> Iterator[list[Server]]:
    """Servers that run and are warm, all of them halted; stopped at the end.

    Args:
        servers: name, command, and numbers of threads: that with which the server answers most requests is kept.
        bodies: of requests.
        seconds: for which each is tried.
    """
    kept: list[Server] = []
    started: list[Server] = []
    try:
        for name, command, choices in servers:
            rates: dict[Server, float] = {}
            for threads in choices:
                server = Server(name, command, json.loads(bodies[0]), threads)
                started.append(server)
                server.halt()
                load(server, bodies, seconds, connections=8)
                rates[server] = load(server, bodies, seconds, connections=32)["rate"]
            kept.append(max(rates, key=rates.__getitem__))
            for server in rates:
                if server is not kept[-1]:
                    server.stop()
                    started.remove(server)
        yield kept
    finally:
        for server in started:
            server.stop()


def load(server: Server, bodies: Sequence[str], seconds: float, **spec: Any) -> dict[str, Any]:
    """What the client measures of a server that nobody else uses meanwhile; the others are halted."""
    given = {"port": server.port, "bodies": list(bodies), "seconds": seconds, **spec}
    server.resume()
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / "load.py")],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the client failed: {done.stderr[-2000:]}")
        return json.loads(done.stdout)
    finally:
        server.halt()
