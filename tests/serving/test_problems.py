"""What a client is told when something is wrong, and what the log says of it."""

from __future__ import annotations

import json
import logging
import os
import threading

import httpx
import pytest
from live_server import problem_of, read_all, serving, wait_until

from saved_toy import save_toy
from seqwise.serving.logs import JsonLines, RequestLog, described
from seqwise.serving.problems import Refused

SECRET = "a text of a user"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "toy"
    save_toy(path)
    return path


@pytest.fixture(scope="module")
def server(toy):
    with serving({"toy": toy}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"no", None),
        (b"[]", None),
        (b"null", None),
        (b'{"text": "\xff"}', None),
        (b'{"text": "\\ud800"}', None),
        (b'{"text": NaN}', None),
        (b'{"text": 1e999}', "text"),
        (b'{"text": ' + b"9" * 5000 + b"}", None),
        (b'{"text": ' + b"9" * 500 + b"}", "text"),
        (b'{"text": "no", "texts": "yes"}', "texts"),
        (b'{"text": "no", "model": 5}', "model"),
        (b'{"text": "no", "abstain_below": 2}', "abstain_below"),
        (b'{"text": "no", "priors": {"ham": "much"}}', "priors.ham"),
    ],
)
def test_a_wrong_body_gets_a_problem_that_names_the_field(client, body, field):
    problem = problem_of(client.post("/predict", content=body))
    assert problem["status"] == 422
    assert problem.get("field") == field


def test_a_long_name_of_a_field_is_cut(client):
    problem = problem_of(client.post("/predict", json={"text": "no", "ä" * 5000: 1}))
    assert problem["status"] == 422
    assert len(json.dumps(problem)) < 10_000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/%00/..%2f..%2fetc/passwd", 404),
        ("GET", "/predict", 405),
        ("HEAD", "/predict", 405),
        ("OPTIONS", "/predict", 405),
        ("DELETE", "/models", 405),
        ("POST", "/predict/", 404),
    ],
)
def test_other_paths_and_methods_get_problems(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    if method != "HEAD":
        problem_of(response)
    if status == 405:
        assert response.headers["allow"]


def test_what_is_no_http_gets_a_problem(server):
    with server.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01 hello\r\n\r\n")
        answer = read_all(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["status"] == 400


def test_the_content_type_of_a_request_does_not_matter(client):
    answers = [
        client.post("/predict", content=b'{"text": "no"}', headers={"Content-Type": kind}).json()
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["model"] == "toy"


def test_an_error_that_nobody_expected_has_a_number_and_tells_nothing(server, client, caplog):
    verb = server.models["toy"].served.verbs["predict"]
    read = verb.read

    def fail(body, options):
        raise RuntimeError(f"cannot compute {body.text}")

    object.__setattr__(verb, "read", fail)
    with caplog.at_level(logging.ERROR):
        problem = problem_of(client.post("/predict", json={"text": SECRET}))
    object.__setattr__(verb, "read", read)
    assert problem["status"] == 500
    assert SECRET not in json.dumps(problem)
    assert "RuntimeError" not in json.dumps(problem)
    (record,) = caplog.records
    line = json.loads(JsonLines().format(record))
    assert line["id"] in problem["detail"]
    assert line["error"] == "RuntimeError"
    assert line["path"] == "/predict"
    assert any("test_problems.py" in frame and "fail" in frame for frame in line["frames"])
    assert SECRET not in JsonLines().format(record)
    assert SECRET in JsonLines(messages=True).format(record)
    assert client.post("/predict", json={"text": "no"}).status_code == 200


def test_an_error_in_the_batch_is_one_too(server, client, caplog):
    verb = server.models["toy"].served.verbs["predict"]
    served = server.models["toy"].served
    observed = served.observed
    served.observed = lambda answer: 1 / 0
    problem = problem_of(client.post("/predict", json={"text": SECRET}))
    served.observed = observed
    assert problem["status"] == 500
    assert verb is served.verbs["predict"]
    assert client.post("/predict", json={"text": "no"}).status_code == 200


def test_a_problem_is_json_whatever_its_words_are():
    refused = Refused(422, "half a pair \ud800 " + "x" * 5000, "a\udfff")
    problem = json.loads(refused.content())
    assert len(problem["detail"]) <= 1000
    assert problem["field"] == "a?"


def test_what_asyncio_says_of_an_exception_is_cut():
    said = f"Future exception was never retrieved\nfuture: <Future exception=ValueError({SECRET!r})>"
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, said, (), None)
    assert json.loads(JsonLines().format(record))["message"] == "Future exception was never retrieved"
    assert SECRET in JsonLines(messages=True).format(record)


def test_an_error_is_described_without_its_message():
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        told = described(error, messages=False)
    assert SECRET not in json.dumps(told)
    assert told["error"] == "ValueError"


class Pipe:
    """A request log that can be read."""

    def __init__(self):
        self._read, write = os.pipe()
        self.log = RequestLog(write)
        self._write = write

    def lines(self):
        self.log.close()
        os.close(self._write)
        with os.fdopen(self._read, "rb") as file:
            return [json.loads(line) for line in file]


def requests_logged(toy, **settings):
    pipe = Pipe()
    with serving({"toy": toy}, quiet=False, **settings) as server, httpx.Client(base_url=server.url) as client:
        client.get("/models")  # makes the gate
        server.app.state.gate._request_log = pipe.log
        client.post("/predict", json={"text": SECRET})
        client.post("/batch_predict", json={"inputs": ["no", SECRET]})
        client.post("/predict", content=SECRET)
        client.get(f"/models/{SECRET}")
        client.get(f"/{SECRET}")
    return pipe.lines()


def test_the_log_has_a_line_for_every_request_and_no_text_of_anybody(toy):
    lines = requests_logged(toy)
    assert [(line["method"], line["path"], line["status"]) for line in lines[:3]] == [
        ("POST", "/predict", 200),
        ("POST", "/batch_predict", 200),
        ("POST", "/predict", 422),
    ]
    assert lines[0]["model"] == lines[1]["model"] == "toy"
    assert lines[1]["inputs"] == 2
    assert all(line["ms"] >= 0 and line["time"].endswith("Z") for line in lines)
    assert len(lines) == 5
    assert SECRET not in json.dumps(lines)
    assert SECRET.replace(" ", "%20") not in json.dumps(lines)


def test_the_log_has_the_bodies_where_that_is_wanted(toy):
    lines = requests_logged(toy, log_texts=True)
    assert lines[0]["body"] == {"text": SECRET}
    assert lines[1]["body"] == {"inputs": ["no", SECRET]}
    assert lines[2]["body"] == SECRET  # no JSON: as it is
    assert lines[2]["body_bytes"] == len(SECRET)


def test_a_log_that_nobody_reads_holds_nobody_up():
    read, write = os.pipe()
    log = RequestLog(write)
    for number in range(60_000):
        log.write({"message": "request", "number": number})
    drained = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(read, 2**20), b"")])
    drained.start()
    wait_until(lambda: not log._lines)
    log.close()
    os.close(write)
    drained.join(10)
    os.close(read)
