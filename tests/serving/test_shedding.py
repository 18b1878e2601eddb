"""What a server does while it is full: refusals that cost nothing, counted, and right on the wire."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from live_server import Here, serving, wait_until

from saved_toy import save_toy
from seqwise.serving.batching import crowded

BODY = json.dumps({"text": "yes"}).encode()
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(BODY)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "toy"
    save_toy(path)
    return path


class Full:
    """A server whose one model is busy and whose queue is full, until `end`."""

    def __init__(self, server: Here) -> None:
        self.server, self._going = server, threading.Event()
        server.slow_down("toy", lambda: self._going.wait(60))
        self._pool = ThreadPoolExecutor(2)
        begun = threading.Event()
        server.slow_down("toy", begun.set)
        self._asked = [self._pool.submit(self._ask)]
        assert begun.wait(60)
        self._asked.append(self._pool.submit(self._ask))
        wait_until(lambda: server.models["toy"].full)

    def _ask(self) -> int:
        return httpx.post(f"{self.server.url}/predict", content=BODY, timeout=60).status_code

    def end(self) -> list[int]:
        self._going.set()
        found = [asked.result(60) for asked in self._asked]
        self._pool.shutdown()
        return found


@pytest.fixture
def full(toy):
    with serving({"toy": toy}, max_queue=1, max_batch=1) as server:
        state = Full(server)
        try:
            yield state
        finally:
            state.end()


def exchange(connection: socket.socket, *parts: bytes) -> bytes:
    for part in parts:
        connection.sendall(part)
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        answer += connection.recv(65536)
    return answer


def test_refusals_are_problems_and_the_connection_lives_on(full: Full) -> None:
    with socket.create_connection(("127.0.0.1", full.server.port), timeout=30) as connection:
        for _ in range(3):
            assert exchange(connection, HEAD + b"\r\n" + BODY) == crowded().http()
        assert full.end() == [200, 200]
        wait_until(lambda: not full.server.models["toy"].full)
        answer = exchange(connection, HEAD + b"\r\n" + BODY)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["label"] in ("ham", "spam", "other")


def test_the_bytes_of_a_refusal_say_what_the_parsed_request_would_have_been_told(full: Full) -> None:
    at_once = httpx.post(f"{full.server.url}/predict", content=BODY)
    parts = HEAD.partition(b"Host")
    with socket.create_connection(("127.0.0.1", full.server.port), timeout=30) as connection:
        prepared = exchange(connection, HEAD + b"\r\n" + BODY)
        parsed = exchange(connection, parts[0], parts[1] + parts[2] + b"\r\n", BODY)
    assert at_once.status_code == 429
    for answer in (prepared, parsed):
        head, _, content = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"retry-after: 1" in head.lower()
        assert json.loads(content) == at_once.json()


def test_refusals_are_counted(full: Full) -> None:
    def counted() -> float:
        text = httpx.get(f"{full.server.url}/metrics").text
        lines = [line for line in text.splitlines() if "request_seconds_count" in line and 'status="429"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    before = counted()
    with socket.create_connection(("127.0.0.1", full.server.port), timeout=30) as connection:
        for _ in range(5):
            exchange(connection, HEAD + b"\r\n" + BODY)
    assert counted() == before + 5


def test_whatever_is_not_a_usual_request_is_parsed(full: Full) -> None:
    shedding = full.server.app.state.shedding
    usual = HEAD + b"\r\n" + BODY
    assert shedding.refusal(usual) is not None
    for unusual in (
        usual[:-1],  # not all of it is there
        usual + b"POST",  # more than one
        usual.replace(b"/predict", b"/score"),
        usual.replace(b"POST", b"GET"),
        HEAD + b"Connection: close\r\n\r\n" + BODY,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + BODY,
        HEAD.replace(b"Content-Length", b"X") + b"\r\n" + BODY,
        b"",
    ):
        assert shedding.refusal(unusual) is None, unusual


def test_other_paths_answer_while_the_queue_is_full(full: Full) -> None:
    assert httpx.get(f"{full.server.url}/models").status_code == 200
    assert httpx.get(f"{full.server.url}/v2/health/live").status_code == 200


def test_what_comes_before_a_refusal_is_said_is_answered_after_it(full: Full) -> None:
    with socket.create_connection(("127.0.0.1", full.server.port), timeout=30) as connection:
        connection.sendall(HEAD + b"\r\n" + BODY)
        connection.sendall(HEAD + b"\r\n" + BODY)
        answer = b""
        while answer.count(b"too many requests wait already") < 2:
            answer += connection.recv(65536)
        assert answer.count(b"HTTP/1.1 429 ") == 2


def test_a_client_that_goes_before_its_refusal_leaves_nothing_behind(full: Full) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", full.server.port), timeout=30) as connection:
            connection.sendall(HEAD + b"\r\n" + BODY)
    with socket.create_connection(("127.0.0.1", full.server.port), timeout=30) as connection:
        assert exchange(connection, HEAD + b"\r\n" + BODY) == crowded().http()
