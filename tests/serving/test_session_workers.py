"""Sessions of a server with two processes: whoever takes a connection answers for the other; one of them dies."""

from __future__ import annotations

import base64
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from live_server import problem_of, program, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from stream_cases import save

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "m"
    save("classifier", {}, path)
    with ExitStack() as stack:
        server = stack.enter_context(program(str(path), "--workers", "2", "--timeout-s", "10", "--quiet"))
        # Every request has a connection of its own: the kernel chooses who takes it.
        alone = {"Connection": "close"}
        server.client = stack.enter_context(httpx.Client(base_url=server.url, headers=alone, timeout=30))
        yield server


def ask(server, method, path, **more):
    return server.client.request(method, path, **more)


def opened(server, worker):
    """A session of this worker."""

    def begin():
        session = ask(server, "POST", "/sessions", json={}).json()["session"]
        if session.startswith(f"{worker}-"):
            return session
        ask(server, "DELETE", f"/sessions/{session}")
        return ""

    return wait_until(begin, 60)


def stream(server, session):
    return connect(f"{server.url.replace('http', 'ws')}/sessions/{session}/stream")


def test_every_process_answers_for_every_session(server):
    for worker in (0, 1):
        session = opened(server, worker)
        for steps in range(1, 25):
            answer = ask(server, "POST", f"/sessions/{session}/step", json={"input": "good"})
            assert (answer.status_code, answer.json()["steps"]) == (200, steps)
            assert ask(server, "GET", f"/sessions/{session}").json() == answer.json()
        wrong = ask(server, "POST", f"/sessions/{session}/step", json={"input": 3})
        for _ in range(10):
            assert ask(server, "POST", f"/sessions/{session}/step", json={"input": 3}).json() == wrong.json()
        assert problem_of(wrong)["field"] == "input"
        states = {ask(server, "GET", f"/sessions/{session}/state").content for _ in range(10)}
        assert len(states) == 1
        assert ask(server, "DELETE", f"/sessions/{session}").status_code == 204
        for _ in range(10):
            assert ask(server, "GET", f"/sessions/{session}").status_code == 404


def test_steps_that_come_by_both_processes_are_all_taken(server):
    session = opened(server, 0)
    path = f"/sessions/{session}/step"
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: ask(server, "POST", path, json={"input": "day"}).json()["steps"], range(60)))
    assert sorted(found) == list(range(1, 61))


def test_a_websocket_is_relayed_to_the_process_that_has_the_session(server):
    for worker in (0, 1):
        session = opened(server, worker)
        for count in range(12):
            with stream(server, session) as socket:
                socket.send('{"input": "good"}')
                assert json.loads(socket.recv(timeout=20))["steps"] == count + 1
                socket.send("{")
                assert json.loads(socket.recv(timeout=20))["error"]["status"] == 422
        with ExitStack() as stack:
            sockets = [stack.enter_context(stream(server, session)) for _ in range(8)]
            ask(server, "DELETE", f"/sessions/{session}")
            for socket in sockets:
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(timeout=20)
                assert closed.value.rcvd.code == 4404
        for _ in range(8):
            with pytest.raises(InvalidStatus) as refused, stream(server, session):
                pass
            assert refused.value.response.status_code == 404


def test_the_sessions_of_a_killed_process_are_gone_and_go_on_from_what_was_exported(server):
    kept, lost = opened(server, 0), opened(server, 1)
    for session in (kept, lost):
        for _ in range(3):
            ask(server, "POST", f"/sessions/{session}/step", json={"input": "good"})
    content = ask(server, "GET", f"/sessions/{lost}/state").content
    before = ask(server, "GET", f"/sessions/{lost}").json()
    victim = next(child for child in server.children if number_of(child) == "1")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in server.children)
    for _ in range(10):
        answer = ask(server, "GET", f"/sessions/{lost}")
        assert answer.status_code == 404
        assert "its process has ended" in problem_of(answer)["detail"]
        assert ask(server, "POST", f"/sessions/{kept}/step", json={"input": "bad"}).status_code == 200
        with pytest.raises(InvalidStatus) as refused, stream(server, lost):
            pass
        assert refused.value.response.status_code == 404
    restored = ask(server, "POST", "/sessions", json={"state": base64.b64encode(content).decode()}).json()
    assert {**restored, "session": ""} == {**before, "session": ""}
    wait_until(lambda: len(server.children) == 2, 60)
    assert opened(server, 1) != lost
    for _ in range(10):
        assert ask(server, "GET", f"/sessions/{lost}").status_code == 404
    assert ask(server, "GET", f"/sessions/{kept}").json()["steps"] == 13


def number_of(child):
    """The number that a worker process was given."""
    environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    return next(pair.partition(b"=")[2].decode() for pair in environment if pair.startswith(b"SEQWISE_WORKER="))
