"""Sessions over a real WebSocket: a message, an answer, in order; errors, closing codes, slow and vanished clients."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import ExitStack
from socket import SHUT_RDWR

import httpx
import pytest
from live_server import serving, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from stream_cases import TEXTS, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "m"
    save("classifier", {}, path)
    return path


@pytest.fixture(scope="module")
def server(folder):
    with serving({"m": folder}, max_body=20_000, timeout_s=5.0) as server:
        yield server


def opened(server, **headers):
    return httpx.post(server.url + "/sessions", json={}, headers=headers).json()["session"]


def stream(server, session, **more):
    return connect(f"ws://127.0.0.1:{server.port}/sessions/{session}/stream", **more)


def asked(socket, message):
    socket.send(json.dumps(message))
    return json.loads(socket.recv(timeout=20))


def test_the_answers_over_a_websocket_are_those_over_http(server):
    one, other = opened(server), opened(server)
    with stream(server, one) as socket:
        for word in " ".join(TEXTS[:4]).split():
            answer = asked(socket, {"input": word})
            expected = httpx.post(f"{server.url}/sessions/{other}/step", json={"input": word}).json()
            assert {**answer, "session": ""} == {**expected, "session": ""}
        several = asked(socket, {"inputs": ["a", "b"]})
        assert [answer["label"] for answer in several["answers"]][-1] == several["label"]
    assert httpx.get(f"{server.url}/sessions/{one}").json()["steps"] == several["steps"] == 14


def test_answers_come_in_the_order_of_the_messages_however_quickly_these_come(server):
    with stream(server, opened(server)) as socket:
        for _ in range(300):
            socket.send('{"input": "good"}')
        assert [json.loads(socket.recv())["steps"] for _ in range(300)] == list(range(1, 301))


def test_a_wrong_message_gets_a_problem_and_the_conversation_goes_on(server):
    with stream(server, opened(server)) as socket:
        asked(socket, {"input": "good"})
        for message in ("{", "[]", "3", '{"input": 3}', '{"more": 1}', '{"inputs": ["a", null]}', '{"input": NaN}', ""):
            socket.send(message)
            problem = json.loads(socket.recv(timeout=20))["error"]
            assert (problem["status"], problem["title"]) == (422, "Unprocessable Entity"), message
            assert problem["detail"]
        assert asked(socket, {"inputs": ["a", None]})["error"]["field"] == "inputs.1"
        assert asked(socket, {"input": "day"})["steps"] == 2


def test_what_cannot_be_answered_closes_with_its_code(server):
    with stream(server, opened(server)) as socket:
        socket.send(b"\x00\x01")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd.code == 1003
    with stream(server, opened(server)) as socket:
        socket.send('{"input": "' + "x" * 30_000 + '"}')
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd.code == 1009


def test_an_unknown_session_is_refused_before_there_is_a_conversation(server):
    for session in ("0-" + "a" * 24, "nothing"):
        with pytest.raises(InvalidStatus) as refused, stream(server, session):
            pass
        assert refused.value.response.status_code == 404
        assert json.loads(refused.value.response.body)["status"] == 404


def test_deleting_a_session_closes_its_websocket(server):
    session = opened(server)
    with stream(server, session) as socket:
        asked(socket, {"input": "good"})
        assert httpx.delete(f"{server.url}/sessions/{session}").status_code == 204
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd.code == 4404


def test_an_idle_session_closes_its_websocket(folder):
    with serving({"m": folder}, session_idle_s=2) as server, stream(server, opened(server)) as socket:
        for _ in range(4):
            asked(socket, {"input": "good"})
            time.sleep(0.7)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd.code == 4408


def test_a_server_that_stops_closes_with_the_code_of_a_restart(folder):
    with ExitStack() as stack:
        with serving({"m": folder}) as server:
            socket = stack.enter_context(stream(server, opened(server)))
            asked(socket, {"input": "good"})
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd.code == 1012


def test_a_client_that_vanishes_leaves_its_session_to_come_back_to(server):
    session = opened(server)
    with stream(server, session, close_timeout=0.1) as socket:
        asked(socket, {"input": "good"})
        socket.socket.shutdown(SHUT_RDWR)
    wait_until(lambda: len(server.connections) == 0)
    with stream(server, session) as again:
        assert asked(again, {"input": "day"})["steps"] == 2


def test_a_client_that_reads_nothing_is_closed_and_keeps_no_one_waiting(folder):
    with serving({"m": folder}, timeout_s=1.0) as server:
        session = opened(server)

        async def flood():
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
            key = base64.b64encode(b"k" * 16).decode()
            writer.write(
                f"GET /sessions/{session}/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            message = json.dumps({"inputs": ["a"] * 100}).encode()
            frame = b"\x81\xfe" + len(message).to_bytes(2, "big") + b"\0\0\0\0" + message
            try:
                for _ in range(20_000):  # each answer is ten times as long as the message
                    writer.write(frame)
                    await asyncio.wait_for(writer.drain(), 20)
            except ConnectionError:
                return True
            finally:
                writer.transport.abort()
            return False

        assert asyncio.run(flood())
        wait_until(lambda: len(server.connections) == 0, 10)
        assert httpx.get(f"{server.url}/models").status_code == 200


def test_a_key_is_needed_for_all_of_it(folder, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("k" * 40 + "\n")
    keys.chmod(0o600)
    header = {"Authorization": "Bearer " + "k" * 40}
    with serving({"m": folder}, api_key_file=keys) as server:
        assert httpx.post(server.url + "/sessions", json={}).status_code == 401
        session = opened(server, **header)
        for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/step"), ("GET", "/state")):
            assert httpx.request(method, f"{server.url}/sessions/{session}{rest}").status_code == 401
        with pytest.raises(InvalidStatus) as refused, stream(server, session):
            pass
        assert refused.value.response.status_code == 401
        with stream(server, session, additional_headers=header) as socket:
            assert asked(socket, {"input": "good"})["steps"] == 1
        shown = base64.urlsafe_b64encode(b"k" * 40).decode().rstrip("=")
        with stream(server, session, subprotocols=["seqwise", f"key.{shown}"]) as socket:
            assert socket.subprotocol == "seqwise"
            assert asked(socket, {"input": "day"})["steps"] == 2


def test_a_page_of_another_origin_gets_no_websocket(server):
    with pytest.raises(InvalidStatus) as refused, stream(server, opened(server), origin="https://elsewhere.example"):
        pass
    assert refused.value.response.status_code == 403
