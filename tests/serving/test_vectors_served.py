"""Word vectors over HTTP: the right words, bounds, and what is wrong named."""

import asyncio

import httpx
import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from seqwise.embeddings import WordVectors
from seqwise.serving.application import create_app
from seqwise.serving.settings import ServerSettings
from tolerances import assert_close

WORDS = ("king", "queen", "man", "woman", "apple", "pear", "Paris")


@pytest.fixture(scope="module")
def vectors():
    return WordVectors(WORDS, np.random.default_rng(3).normal(size=(len(WORDS), 5)))


@pytest.fixture(scope="module")
def file(vectors, tmp_path_factory):
    file = tmp_path_factory.mktemp("vectors") / "words.safetensors"
    vectors.save(file)
    return file


@pytest.fixture(scope="module")
def client(file):
    with TestClient(create_app({"words": file}, ServerSettings())) as client:
        yield client


def found(response):
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["model"] == "words"
    return [of["word"] for of in body["neighbours"]], [of["similarity"] for of in body["neighbours"]]


def assert_cosines(cosines, expected):
    assert_close(torch.tensor(cosines), torch.tensor([of.score for of in expected]), "cosines")


def test_neighbours_are_those_of_the_library(client, vectors):
    words, cosines = found(client.post("/neighbours", json={"word": "king", "k": 4}))

    expected = vectors.neighbours("king", 4)
    assert words == [of.word for of in expected]
    assert_cosines(cosines, expected)


def test_an_analogy_is_that_of_the_library(client, vectors):
    words, cosines = found(client.post("/analogy", json={"positive": ["king", "woman"], "negative": ["man"], "k": 3}))

    expected = vectors.analogy("man", "king", "woman", 3)
    assert words == [of.word for of in expected]
    assert not {"king", "woman", "man"} & set(words)
    assert_cosines(cosines, expected)


def test_case_is_looked_past(client):
    assert (
        found(client.post("/neighbours", json={"word": "PARIS"}))[0]
        == found(client.post("/neighbours", json={"word": "Paris"}))[0]
    )


def test_more_words_than_there_are_gives_all_others(client):
    words, _ = found(client.post("/neighbours", json={"word": "pear", "k": 100}))
    assert sorted(words) == sorted(set(WORDS) - {"pear"})


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("neighbours", {"word": "kign"}, "word"),
        ("analogy", {"positive": ["kign", "woman"]}, "positive"),
        ("analogy", {"positive": ["king"], "negative": ["kign"]}, "negative"),
    ],
)
def test_an_unknown_word_is_named_with_one_like_it(client, path, body, field):
    answer = client.post(f"/{path}", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert "kign" in answer.json()["detail"]
    assert "king" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"word": ""},
        {"word": "a" * 201},
        {"word": "king", "k": 0},
        {"word": "king", "k": 101},
        {"word": "king", "k": 2.5},
        {"word": ["king"]},
        {"word": "king", "more": 1},
    ],
)
def test_what_is_out_of_bounds_is_refused(client, body):
    assert client.post("/neighbours", json=body).status_code == 422


@pytest.mark.parametrize("body", [{"positive": []}, {"positive": ["king"] * 11}, {"negative": ["king"]}])
def test_analogies_have_bounds_too(client, body):
    assert client.post("/analogy", json=body).status_code == 422


def test_the_models_tell_what_vectors_can_do(client):
    (model,) = client.get("/models").json()["models"]

    assert model["task"] == "vectors"
    assert model["verbs"] == ["neighbours", "analogy"]
    assert (model["words"], model["size"]) == (len(WORDS), 5)
    assert len(model["version"]) == 64
    assert "path" not in model
    assert found(client.post("/neighbours", json=model["example"]))


def test_one_query_does_not_change_another(file, vectors):
    async def all_at_once():
        transport = httpx.ASGITransport(create_app({"words": file}, ServerSettings()))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as many:
            return await asyncio.gather(
                *(many.post("/neighbours", json={"word": word, "k": 1 + place}) for place, word in enumerate(WORDS)),
                many.post("/neighbours", json={"word": "no such word"}),
            )

    *answers, unknown = asyncio.run(all_at_once())

    assert unknown.status_code == 422
    for place, (word, answer) in enumerate(zip(WORDS, answers, strict=True)):
        words, cosines = found(answer)
        expected = vectors.neighbours(word, min(1 + place, len(WORDS) - 1))
        assert words == [of.word for of in expected]
        assert_cosines(cosines, expected)
