"""What a client cannot do to the server: every bound, over real HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from live_server import Here, problem_of, read_all, serving, wait_until
from starlette.responses import Response

from saved_toy import save_toy
from seqwise.serving.tasks.drawing import Drawing

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "toy"
    save_toy(path)
    return path


@pytest.fixture(scope="module")
def server(toy):
    with serving(
        {"toy": toy}, max_body=2000, read_timeout_s=0.5, keep_alive_s=1, max_length=100, max_inputs=3, timeout_s=20
    ) as server:
        yield server


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_body_of_more_bytes_is_refused_from_its_length_alone(server: Here):
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 2001\r\n\r\n")  # and not one byte of it
        answer = connection.recv(65536)
    assert status_of(answer) == 413
    assert b"2,000 bytes" in answer


def test_a_body_in_chunks_is_refused_when_it_has_become_too_long(server: Here):
    def endless():
        for _ in range(10_000):
            yield b'{"text": "' + b"x" * 100

    with httpx.Client() as client:
        response = client.post(server.url + "/predict", content=endless())
    assert response.status_code == 413
    problem_of(response)


def test_a_body_of_the_very_size_is_read(server: Here):
    body = b'{"text": "no"}'
    response = httpx.post(server.url + "/predict", content=body + b" " * (2000 - len(body)))
    assert response.status_code == 200


def test_who_sends_the_body_byte_by_byte_is_cut_off(server: Here):
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        connection.settimeout(0.1)
        answer = b""
        for _ in range(100):
            with contextlib.suppress(OSError):
                connection.send(b" ")
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
                break
    assert status_of(answer) == 408
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("begun", [b"", b"POST /predict HTTP/1.1\r\nHost: "])
def test_who_connects_and_says_nothing_or_half_a_head_is_cut_off(server: Here, begun):
    with server.connect() as connection:
        connection.sendall(begun)
        answer = read_all(connection)
    assert status_of(answer) == 408


def test_a_connection_that_is_idle_is_closed(server: Here):
    with server.connect() as connection:
        connection.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        assert status_of(read_all(connection)) == 200
    assert time.monotonic() - began < 10


def test_headers_without_end_are_refused(server: Here):
    with server.connect() as connection:
        connection.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\nA: ")
        sent = 0
        with contextlib.suppress(ConnectionError):  # it hangs up after a moment
            for _ in range(2000):
                connection.sendall(b"x" * 65536)
                time.sleep(0.005)
                sent += 1
    assert sent < 2000


def test_a_connection_too_many_is_refused_and_the_others_live(toy):
    with serving({"toy": toy}, max_connections=3) as server:
        held = [server.connect() for _ in range(3)]
        with server.connect() as connection:
            assert status_of(read_all(connection)) == 503
        held[0].sendall(b"GET /models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert status_of(read_all(held[0])) == 200
        with server.connect() as connection:  # there is room again
            connection.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert status_of(read_all(connection)) == 200
        for one in held:
            one.close()


def test_a_compressed_body_is_refused(server: Here):
    response = httpx.post(server.url + "/predict", content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert problem_of(response)["status"] == 415


def test_a_text_too_long_is_refused_by_its_name(server: Here):
    response = httpx.post(server.url + "/predict", json={"text": "x" * 101})
    assert problem_of(response)["status"] == 413
    assert response.json()["field"] == "text"


def test_the_beginning_of_a_text_too_long_is_read_where_the_server_is_told_so(toy):
    with serving({"toy": toy}, max_length=7, on_long="truncate") as server, httpx.Client(base_url=server.url) as client:
        long, short = (client.post("/predict", json={"text": text}).json() for text in ("the cat sat", "the cat"))
    assert long == short


def test_more_inputs_than_allowed_are_refused_by_name(server: Here):
    response = httpx.post(server.url + "/batch_predict", json={"inputs": ["no"] * 4})
    assert problem_of(response)["status"] == 422
    assert response.json()["field"] == "inputs"


@pytest.mark.parametrize("body", ["[" * 900, '{"text":' * 200 + "1" + "}" * 200, '{"a":' + "[" * 800 + "]" * 800 + "}"])
def test_deep_json_is_refused(server: Here, body):
    assert problem_of(httpx.post(server.url + "/predict", content=body))["status"] == 422


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(toy):
    go = threading.Event()
    with (
        serving({"toy": toy}, max_queue=2, max_batch=1) as server,
        httpx.Client(base_url=server.url) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        server.slow_down("toy", lambda: go.wait(30))
        begun = [pool.submit(client.post, "/predict", json={"text": "no"})]
        wait_until(lambda: server.app.state.gate.in_flight == 1)
        time.sleep(0.2)  # it is being computed, and leaves the queue to the others
        begun += [pool.submit(client.post, "/predict", json={"text": "no"}) for _ in range(2)]
        wait_until(lambda: server.models["toy"].batcher.queue == 2)
        response = client.post("/predict", json={"text": "no"})
        go.set()
        assert [one.result().status_code for one in begun] == [200] * 3
    assert problem_of(response)["status"] == 429
    assert int(response.headers["retry-after"]) >= 1


def test_a_request_without_an_answer_in_time_gets_504(toy):
    go = threading.Event()
    with serving({"toy": toy}, timeout_s=0.3) as server:
        server.slow_down("toy", lambda: go.wait(30))
        response = httpx.post(server.url + "/predict", json={"text": "no"})
        go.set()
    assert problem_of(response)["status"] == 504


def test_what_a_client_who_has_gone_asked_for_is_not_computed(toy, caplog):
    go, begun = threading.Event(), threading.Semaphore(0)
    computed = []
    with serving({"toy": toy}, max_batch=1) as server:
        answer = server.models["toy"].served.verbs["predict"].answer

        def noting(items):
            begun.release()
            go.wait(30)
            computed.extend(item.value[0] for item in items)
            return answer(items)

        object.__setattr__(server.models["toy"].served.verbs["predict"], "answer", noting)
        for text in ("one", "two"):
            body = json.dumps({"text": text}).encode()
            connection = server.connect()
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            if text == "one":
                assert begun.acquire(timeout=30)
                first = connection
            else:
                wait_until(lambda: server.models["toy"].batcher.queue == 1)
                connection.close()
        wait_until(lambda: server.models["toy"].batcher.queue == 0)
        wait_until(lambda: server.app.state.gate.in_flight == 1)
        first.close()
        wait_until(lambda: server.app.state.gate.in_flight == 0)
        go.set()
        assert httpx.post(server.url + "/predict", json={"text": "three"}).status_code == 200
    assert computed == ["one", "three"]
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def test_a_client_who_does_not_read_is_cut_off(toy):
    with serving({"toy": toy}, timeout_s=0.5) as server:

        @server.app.get("/large")
        async def send_much() -> Response:
            return Response(b"x" * 2**26)  # more than sockets hold

        with server.connect() as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100)
            connections = server.connections
            assert len(connections) == 1
            wait_until(lambda: not connections)


def test_what_is_drawn_for_a_client_who_has_gone_ends(everything: Here):
    drawn = []

    def slowly():
        while True:
            drawn.append("a")
            yield "a"
            time.sleep(0.01)

    verb = everything.models["language"].served.verbs["generate"]
    answer = verb.answer
    object.__setattr__(verb, "answer", lambda item: Drawing(slowly(), most=10**9))
    body = json.dumps({"model": "language", "prompt": "the"}).encode()
    with everything.connect() as connection:
        connection.sendall(b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert status_of(connection.recv(65536)) == 200
        wait_until(lambda: len(drawn) > 3)
        assert everything.models.beside.busy
    wait_until(lambda: not everything.models.beside.busy)
    object.__setattr__(verb, "answer", answer)
    assert everything.app.state.gate.in_flight == 0
