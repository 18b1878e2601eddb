"""A client that asks a server over HTTP/1.1 and measures: what is asked comes as JSON on standard input, figures go out.

Open loop: requests are due at random times of a given rate (Poisson), whatever the server does, and the latency of each
counts from when it was due: a server that falls behind cannot hide it. Closed loop: every connection sends its next request
when it has its answer. Requests are prepared bytes over connections that stay open.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections import Counter, deque
from typing import Any

END = b"\r\n\r\n"
STARTING = 0.05  # seconds before the first request is due


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, load: Load) -> None:
        self.load, self.due, self.missing, self.status = load, 0.0, -1, 0
        self.buffer = b""
        self.busy = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, due: float) -> None:
        self.due, self.busy = due, True
        self.transport.write(self.load.next_request())

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            data = self.buffer + data if self.buffer else data
            end = data.find(END)
            if end < 0:
                self.buffer = data
                return
            head = data[:end].lower()
            self.buffer, self.status = b"", int(data[9:12])
            start = head.find(b"content-length:")
            stop = head.find(b"\r\n", start)
            length = int(head[start + 15 : stop if stop > 0 else len(head)])
            self.missing = end + 4 + length - len(data)
        else:
            self.missing -= len(data)
        if self.missing == 0:
            self.missing, self.busy = -1, False
            self.load.answered(self, self.status)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.load.over:
            self.load.lost(self)


class Load:
    """One measurement.

    Args:
        spec: "port", "bodies", "path", "seconds", "connections", and "rate" (open loop) or "pause" (closed loop, seconds
            between answer and next request). With "shed" what finds no free connection when it is due is not sent.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec, self.over = spec, False
        self.random = random.Random(spec.get("seed", 0))
        path, port = spec.get("path", "/predict"), spec["port"]
        self.requests = [
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
            for body in (text.encode() for text in spec["bodies"])
        ]
        self.random.shuffle(self.requests)
        self.sent = self.shed = 0
        self.idle: list[Connection] = []
        self.made: list[Connection] = []
        self.opening: set[asyncio.Task[None]] = set()
        self.waiting: deque[float] = deque()
        self.taken: list[float] = []  # seconds, of answers with status 200
        self.statuses: Counter[str] = Counter()

    def next_request(self) -> bytes:
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]

    def answered(self, connection: Connection, status: int) -> None:
        now = time.perf_counter()
        self.statuses[str(status)] += 1
        if status == 200:
            self.taken.append(now - connection.due)
        if "rate" not in self.spec:
            if now < self.end:
                if pause := self.spec.get("pause", 0.0):
                    self.loop.call_later(pause, lambda: connection.ask(time.perf_counter()))
                else:
                    connection.ask(now)
        elif self.waiting:
            connection.ask(self.waiting.popleft())
        else:
            self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Replace a connection: servers close those that nothing has come on for some seconds."""
        self.made.remove(connection)
        if connection.busy:
            self.statuses["lost"] += 1
        else:
            self.idle.remove(connection)
        task = self.loop.create_task(self.connect())
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def connect(self) -> None:
        _, connection = await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self.spec["port"])
        self.made.append(connection)
        if self.waiting:
            connection.ask(self.waiting.popleft())
        else:
            self.idle.append(connection)

    async def run(self) -> dict[str, Any]:
        self.loop = asyncio.get_running_loop()
        for _ in range(self.spec["connections"]):
            await self.connect()
        begin = time.perf_counter() + STARTING
        self.end = begin + self.spec["seconds"]
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime
        due = 0
        if "rate" in self.spec:
            due = await self._offer(begin)
        else:
            await asyncio.sleep(STARTING)
            for connection in self.idle[:]:
                connection.ask(time.perf_counter())
            self.idle.clear()
            await asyncio.sleep(self.spec["seconds"])
        patience = time.perf_counter() + self.spec.get("patience", 5.0)
        while any(connection.busy for connection in self.made) and time.perf_counter() < patience:
            await asyncio.sleep(0.01)
        self.over = True
        unanswered = sum(connection.busy for connection in self.made) + len(self.waiting)
        for connection in self.made:
            connection.transport.close()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        ordered = sorted(self.taken)
        seconds = self.spec["seconds"]
        return {
            "due": due or self.sent,
            "shed": self.shed,
            "statuses": dict(self.statuses),
            "unanswered": unanswered,
            "rate": len(ordered) / seconds,
            "p50": quantile(ordered, 0.5),
            "p99": quantile(ordered, 0.99),
            "most": ordered[-1] if ordered else float("nan"),
            "client_cpu": (usage.ru_utime + usage.ru_stime - cpu) / seconds,
        }

    async def _offer(self, begin: float) -> int:
        """Send each request when it is due, or when a connection is free."""
        rate, at, due = self.spec["rate"], begin, 0
        while True:
            at += self.random.expovariate(rate)
            if at >= self.end:
                await asyncio.sleep(max(0.0, self.end - time.perf_counter()))
                return due
            # Of several that are due at once, all are sent before the answers are looked at.
            if (rest := at - time.perf_counter()) > 0:
                await asyncio.sleep(rest)
            due += 1
            if self.idle:
                self.idle.pop().ask(at)
            elif self.spec.get("shed"):
                self.shed += 1
            else:
                self.waiting.append(at)


if __name__ == "__main__":
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    print(json.dumps(run(Load(json.load(sys.stdin)).run())))
