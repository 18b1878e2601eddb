"""From texts to vectors to a classifier to its answers, on a machine whose network answers nothing."""

import socket

import pytest
from program import QUICK, call, reviews, write_csv

from seqwise.embeddings import WordVectors


@pytest.fixture
def no_network(monkeypatch):
    asked = []

    def refuse(*arguments, **_):
        asked.append(arguments)
        raise OSError("the network is refused")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    return asked


@pytest.mark.slow
def test_the_whole_way_from_texts_to_answers_needs_no_network(no_network, tmp_path):
    rows = reviews(160)
    table = write_csv(tmp_path / "reviews.csv", ("review", "sentiment"), rows)
    text, vectors, model = tmp_path / "text.txt", tmp_path / "words.vec", tmp_path / "model"
    text.write_text("\n".join(review for review, _ in rows))
    answer = call(
        *("embed", text, "--out", vectors, "--size", 8, "--min-count", 1, "--threads", 1),
        *("--set", "text.clean=tweets", "--set", "text.stop_words=en", "--set", "text.stems=en", "--phrases", 1),
    )
    assert answer.code == 0, answer.err
    assert "the" not in WordVectors.load(vectors)
    assert call("vectors", "neighbours", vectors, "film").code == 0
    answer = call(
        *("train", table, "--text", "review", "--label", "sentiment", "--out", model, "--vectors", vectors),
        *(*QUICK[:4], *QUICK[6:], "--set", "text.stems=en"),
    )
    assert answer.code == 0, answer.err
    answer = call("predict", model, "-", stdin="a lovely film\na dull story\n")
    assert answer.code == 0, answer.err
    assert len(answer.out.strip().splitlines()) >= 2
    assert no_network == []
