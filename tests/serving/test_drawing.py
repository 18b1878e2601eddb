"""Texts and music that come symbol by symbol."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest
from live_server import problem_of, serving, wait_until

from seqwise.prediction.generator import GeneratorPredictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.sampling import Sampling
from seqwise.serving import event_stream


def events(response: httpx.Response) -> list[tuple[str, dict]]:
    """Name and data of every event."""
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.split("\n\n"):
        if not block or block.startswith(":"):
            continue
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((lines.get("event", "message"), json.loads(lines["data"])))
    return found


@pytest.mark.parametrize(
    ("options", "sampling"),
    [
        ({}, Sampling()),
        ({"temperature": 0.5, "seed": 3, "max_tokens": 7}, Sampling(0.5, max_tokens=7, seed=3)),
        ({"top_k": 2, "top_p": 0.9, "max_tokens": 5}, Sampling(1.0, 2, 0.9, 5)),
        ({"temperature": 0, "max_tokens": 3}, Sampling(0, max_tokens=3)),
    ],
)
def test_pieces_are_those_that_the_command_line_draws(client, folders, options, sampling):
    predictor = LanguagePredictor.load(folders["language"], "cpu")
    expected = list(predictor.generate("a good", sampling))
    *pieces, (last, whole) = events(client.post("/generate", json={"model": "language", "prompt": "a good", **options}))
    assert pieces == [("message", {"text": piece}) for piece in expected]
    assert last == "end"
    reason = "max_tokens" if len(expected) == sampling.max_tokens else "end"
    assert whole == {"model": "language", "text": "".join(expected), "reason": reason}
    asked = {"model": "language", "prompt": "a good", "stream": False, **options}
    assert client.post("/generate", json=asked).json() == whole


def test_a_generator_draws_the_first_of_its_samples(client, folders):
    predictor = GeneratorPredictor.load(folders["generator"], "cpu")
    for condition, guidance in (("warm", 0.0), ("cold", 2.0)):
        sampling = Sampling(max_tokens=9, seed=5)
        (expected,) = predictor.sample([condition], sampling, prompt="re", guidance=guidance)
        asked = {
            "model": "generator",
            "condition": condition,
            "prompt": "re",
            "max_tokens": 9,
            "seed": 5,
            "stream": False,
        }
        answer = client.post("/generate", json={**asked, "guidance": guidance}).json()
        assert "re" + answer["text"] == expected


def test_music_comes_chord_by_chord(client, folders):
    predictor = GeneratorPredictor.load(folders["musician"], "cpu")
    seed = [[60, 64], [62]]
    (expected,) = predictor.sample_pieces(None, Sampling(max_tokens=6, seed=2), count=1, seed=seed)
    *chords, (last, whole) = events(
        client.post("/generate", json={"model": "musician", "chords": seed, "max_tokens": 6, "seed": 2})
    )
    assert [data["chord"] for _, data in chords] == expected == whole["chords"]
    assert (last, whole["reason"]) == ("end", "max_tokens")


class Slow:
    """A model that draws slowly, and counts what it has drawn.

    Args:
        server: whose language model it is.
        wait: seconds that each symbol takes.
    """

    def __init__(self, server, wait=0.02):
        self.drawn, self.wait, self.go = 0, wait, threading.Event()
        self.go.set()
        predictor = server.models["language"].served.predictor
        self._generate = predictor.generate
        predictor.generate = self.generate

    def generate(self, prompt, sampling):
        for _ in range(sampling.max_tokens):
            self.go.wait(30)
            time.sleep(self.wait)
            self.drawn += 1
            yield "x"


@pytest.fixture
def server(folders):
    with serving({"language": folders["language"]}, max_streams=2, timeout_s=2.0) as running:
        yield running


def test_a_client_that_goes_away_stops_the_drawing_at_the_next_symbol(server):
    slow = Slow(server)
    with (
        httpx.Client(base_url=server.url) as one,
        one.stream("POST", "/generate", json={"max_tokens": 1000}) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == 'data: {"text":"x"}'
    wait_until(lambda: not server.models.beside.busy, 5)
    assert slow.drawn < 60


def test_more_at_a_time_than_the_server_draws_are_refused(server):
    slow = Slow(server)
    slow.go.clear()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(httpx.post(f"{server.url}/generate", json={"max_tokens": 2})))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: server.models.beside._drawn == 2)
    refused = httpx.post(f"{server.url}/generate", json={"max_tokens": 2})
    assert problem_of(refused)["status"] == 429
    assert int(refused.headers["retry-after"]) >= 1
    slow.go.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    wait_until(lambda: not server.models.beside.busy)
    assert httpx.post(f"{server.url}/generate", json={"max_tokens": 2}).status_code == 200


def test_what_is_not_drawn_in_time_is_left_out(server):
    Slow(server, wait=0.1)
    answer = httpx.post(f"{server.url}/generate", json={"max_tokens": 1000, "stream": False}, timeout=30).json()
    assert answer["reason"] == "timeout"
    assert 5 < len(answer["text"]) < 40


def test_an_error_in_between_ends_the_events_with_a_problem(server):
    predictor = server.models["language"].served.predictor

    def breaking(prompt, sampling):
        yield "x"
        raise RuntimeError("a secret")

    predictor.generate = breaking
    answer = httpx.post(f"{server.url}/generate", json={})
    (_, first), (last, problem) = events(answer)
    assert first == {"text": "x"}
    assert (last, problem["status"]) == ("error", 500)
    assert "secret" not in answer.text


def test_a_silent_connection_gets_comments(server, monkeypatch):
    monkeypatch.setattr(event_stream, "BEAT_S", 0.05)
    Slow(server, wait=0.4)
    lines = httpx.post(f"{server.url}/generate", json={"max_tokens": 2}).text.splitlines()
    assert lines.count(": still drawing") >= 3
    assert lines.count('data: {"text":"x"}') == 2
