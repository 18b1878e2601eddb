"""Who may ask: keys, and pages of other origins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os

import httpx
import pytest
from live_server import problem_of, serving
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from saved_toy import save_toy
from seqwise.errors import ConfigurationError, FileError
from seqwise.serving import keys as module
from seqwise.serving.gate import is_foreign
from seqwise.serving.keys import Keys, read_digests, shown_key

KEY, OTHER = "first-key-of-several", "another"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the tests\n\n{KEY}\n  {OTHER}  \n")
    path.chmod(0o600)
    return path


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("shown", "accepted"),
    [
        (KEY.encode(), True),
        (OTHER.encode(), True),
        (KEY[:-1].encode(), False),
        (KEY.encode() + b"x", False),
        (b"", False),
        (None, False),
        (b"# of the tests", False),
        (b"\xff\x00", False),
        (hashlib.sha256(KEY.encode()).digest(), False),
    ],
)
def test_only_whole_keys_of_the_file_are_accepted(file, shown, accepted):
    assert Keys(file).accepts(shown) is accepted


def test_every_key_is_compared_in_constant_time_whichever_is_right(file, monkeypatch):
    compared = []

    class Watched:
        @staticmethod
        def compare_digest(a, b):
            compared.append((len(a), len(b)))
            return hmac.compare_digest(a, b)

    monkeypatch.setattr(module, "hmac", Watched)
    keys = Keys(file)
    for shown in (KEY.encode(), OTHER.encode(), b"wrong", b"x" * 100_000, None):
        compared.clear()
        keys.accepts(shown)
        assert compared == [(32, 32), (32, 32)]


def test_no_key_is_kept_as_it_is(file):
    assert KEY not in repr(vars(Keys(file)))
    assert all(len(digest) == 32 for digest in read_digests(file))


def test_a_changed_file_is_read_again_and_a_useless_one_is_not(file, caplog):
    clock = Clock()
    keys = Keys(file, clock)
    file.write_text("new-key\n")
    assert keys.accepts(KEY.encode())  # it looks once a second
    clock.now = 2.0
    assert keys.accepts(b"new-key")
    assert not keys.accepts(KEY.encode())
    for useless in ("", "# nothing\n", "two words\n"):
        file.write_text(useless)
        clock.now += 2
        assert keys.accepts(b"new-key")
    file.unlink()
    clock.now += 2
    assert keys.accepts(b"new-key")
    assert "new-key" not in caplog.text


@pytest.mark.parametrize("content", ["", "# nothing\n\n", "two words\n", "ä\n", "x" * 513])
def test_a_useless_file_is_an_error(tmp_path, content):
    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="key"):
        Keys(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileError, match="cannot be read: No such file"):
        Keys(tmp_path / "none")


@pytest.mark.skipif(os.name != "posix", reason="other systems keep rights otherwise")
def test_a_file_that_others_can_read_is_warned_of(file, caplog):
    file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        Keys(file)
    assert "chmod 600" in caplog.text


def in_base64(key):
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=")


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ([(b"authorization", b"Bearer abc")], b"abc"),
        ([(b"authorization", b"bearer  abc ")], b"abc"),
        ([(b"authorization", b"Basic abc")], None),
        ([(b"x-api-key", b"abc")], b"abc"),
        ([(b"sec-websocket-protocol", b"seqwise, key." + in_base64(KEY))], KEY.encode()),
        ([(b"sec-websocket-protocol", b"seqwise, key.\xff")], None),
        ([(b"sec-websocket-protocol", b"seqwise")], None),
        ([(b"cookie", b"abc")], None),
        ([], None),
    ],
)
def test_a_key_is_shown_in_one_of_three_places(headers, shown):
    assert shown_key(headers) == shown


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "toy"
    save_toy(path)
    return path


@pytest.fixture(scope="module")
def server(toy, tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(KEY)
    with serving({"toy": toy}, api_key_file=path, cors_origin=("https://friend.example",)) as server:

        @server.app.get("/v2/health/live")
        @server.app.get("/page/app.js")
        async def answer():
            return {}

        @server.app.websocket("/echo")
        async def echo(socket: WebSocket) -> None:
            await socket.accept("seqwise" if "seqwise" in socket.scope["subprotocols"] else None)
            await socket.send_text(await socket.receive_text())
            await socket.close()

        yield server


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": f"Basic {KEY}"}])
@pytest.mark.parametrize("path", ["/predict", "/models", "/metrics", "/openapi.json", "/nowhere", "/page", "//"])
def test_without_the_key_there_is_nothing(server, path, headers):
    response = httpx.request("POST" if path == "/predict" else "GET", server.url + path, headers=headers)
    assert problem_of(response)["status"] == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
def test_with_the_key_there_is_all(server, headers):
    assert httpx.post(server.url + "/predict", json={"text": "no"}, headers=headers).status_code == 200
    assert httpx.get(server.url + "/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v2/health/live", "/page/app.js"])
def test_health_and_the_files_of_the_page_need_no_key(server, path):
    assert httpx.get(server.url + path).status_code == 200


def test_an_open_path_does_not_open_another(server):
    for path in ("/page/../models", "/page/%2e%2e/models", "/page//models", "/page/%2e%2e%2fmodels"):
        with server.connect() as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = connection.recv(65536)
        assert answer.split()[1] in (b"401", b"404")
        assert b"toy" not in answer


def test_a_websocket_needs_the_key_too(server):
    url = server.url.replace("http", "ws") + "/echo"
    with pytest.raises(InvalidStatus) as refused:
        connect(url).__enter__()
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["content-type"] == "application/problem+json"
    with connect(url, additional_headers={"X-API-Key": KEY}) as socket:
        socket.send("a")
        assert socket.recv() == "a"
    with connect(url, subprotocols=["seqwise", "key." + in_base64(KEY).decode()]) as socket:
        assert socket.subprotocol == "seqwise"
        socket.send("b")
        assert socket.recv() == "b"


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({b"host": b"a:1", b"origin": b"http://a:1"}, False),
        ({b"host": b"a:1", b"origin": b"http://b:1"}, True),
        ({b"host": b"a:1", b"origin": b"http://a:2"}, True),
        ({b"host": b"a:1", b"origin": b"null"}, True),
        ({b"host": b"a:1", b"origin": b"http://[b"}, True),
        ({b"host": b"a:1", b"origin": b"https://b", b"sec-fetch-site": b"same-origin"}, False),  # behind a proxy
        ({b"host": b"a:1", b"origin": b"http://a:1", b"sec-fetch-site": b"cross-site"}, True),
        ({b"host": b"a:1", b"sec-fetch-site": b"same-site"}, True),
        ({b"host": b"a:1", b"origin": b"https://friend.example", b"sec-fetch-site": b"cross-site"}, False),
    ],
)
def test_a_page_of_another_origin_is_known(headers, foreign):
    assert is_foreign(headers, {b"https://friend.example"}) is foreign


def test_pages_of_other_origins_ask_nothing_unless_they_are_named(server):
    def ask(origin):
        return httpx.post(server.url + "/predict", json={"text": "no"}, headers={"X-API-Key": KEY, "Origin": origin})

    assert problem_of(ask("https://evil.example"))["status"] == 403
    friendly = ask("https://friend.example")
    assert friendly.status_code == 200
    assert friendly.headers["access-control-allow-origin"] == "https://friend.example"
    url = server.url.replace("http", "ws") + "/echo"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, origin="https://evil.example", additional_headers={"X-API-Key": KEY}).__enter__()
    assert refused.value.response.status_code == 403


def test_browsers_ask_for_leave_without_a_key(server):
    def preflight(origin):
        return httpx.options(
            server.url + "/predict",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization",
            },
        )

    assert preflight("https://friend.example").status_code == 200
    assert "access-control-allow-origin" not in preflight("https://evil.example").headers


def test_there_is_no_cors_by_default(toy):
    with serving({"toy": toy}) as server:
        response = httpx.get(server.url + "/models", headers={"Origin": "https://friend.example"})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]
