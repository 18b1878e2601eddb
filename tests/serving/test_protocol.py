"""The Open Inference Protocol: the same answers as tensors, and its errors."""

from __future__ import annotations

import numpy as np
import pytest
from live_server import serving
from served_models import SENTENCES, TEXTS, frames

BYTES = {
    "classifier": "text",
    "labels": "text",
    "tagger": "text",
    "regressor": "text",
    "translator": "text",
    "language": "text",
    "generator": "condition",
}


FRAMES = {"name": "frames", "datatype": "FP32"}


def texts_of(name):
    given = {"tagger": SENTENCES, "translator": ["a man runs", "dog"], "generator": ["warm", "cold"]}
    return given.get(name, TEXTS[:3])


def bytes_tensor(name, texts, **other):
    return {"name": name, "shape": [len(texts)], "datatype": "BYTES", "data": texts, **other}


def tensors(answer):
    """The outputs of an answer as arrays by name."""
    assert answer.status_code == 200, answer.text
    found = {}
    for tensor in answer.json()["outputs"]:
        assert len(tensor["data"]) == np.prod(tensor["shape"])
        found[tensor["name"]] = np.array(tensor["data"], dtype=object).reshape(tensor["shape"])
    return found


def test_the_server_and_its_health(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json()["ready"] is True
    server = client.get("/v2").json()
    assert set(server) == {"name", "version", "extensions"}
    assert client.get("/v2/models/classifier/ready").json() == {"name": "classifier", "ready": True}


@pytest.mark.parametrize(("name", "field"), BYTES.items())
def test_texts_are_answered_as_several_inputs_are(client, name, field):
    texts = texts_of(name)
    request = {"id": "seven", "inputs": [bytes_tensor(field, texts)]}
    answer = client.post(f"/v2/models/{name}/infer", json=request)
    assert (answer.json()["model_name"], answer.json()["id"]) == (name, "seven")
    found = tensors(answer)
    told = client.get(f"/v2/models/{name}").json()
    assert [tensor["name"] for tensor in told["outputs"]] == list(found)
    for tensor in told["outputs"]:
        actual = found[tensor["name"]].shape
        assert [size for size in tensor["shape"] if size != -1] == [
            got for size, got in zip(tensor["shape"], actual, strict=True) if size != -1
        ]
    if name == "language":
        expected = [client.post("/score", json={"model": name, field: text}).json() for text in texts]
        assert found["perplexity"] == pytest.approx([of["perplexity"] for of in expected])
        return
    inputs = [{field: text} for text in texts]
    expected = client.post("/batch_predict", json={"model": name, "inputs": inputs}).json()["predictions"]
    match name:
        case "classifier":
            assert found["label"].tolist() == [of["label"] for of in expected]
            assert found["probabilities"].astype(float) == pytest.approx(
                np.array([list(of["probabilities"].values()) for of in expected])
            )
            assert found["classes"].tolist() == list(expected[0]["probabilities"])
        case "labels":
            names = found["classes"].tolist()
            assert [[names[i] for i in np.flatnonzero(row)] for row in found["labels"]] == [
                of["labels"] for of in expected
            ]
        case "tagger":
            for row, length, of in zip(found["tags"], found["lengths"], expected, strict=True):
                assert row[:length].tolist() == [tag for _, tag, _ in of["tokens"]]
                assert set(row[length:]) <= {""}
        case "regressor":
            assert found["values"][:, 0].tolist() == pytest.approx(
                [of["values"]["target"] for of in expected], rel=1e-5
            )
            assert found["targets"].tolist() == ["target"]
        case "translator":
            assert found["translation"].tolist() == [of["translation"] for of in expected]
        case "generator":
            assert found["text"].tolist() == [of["text"] for of in expected]


@pytest.mark.parametrize("name", ["frames", "frame-tagger", "transcriber"])
def test_sequences_of_unequal_length_come_with_their_lengths(client, name):
    rows = frames(3, seed=11)
    lengths = [len(row) for row in rows]
    padded = np.full((3, max(lengths), 3), 99.0)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    inputs = [
        {"name": "frames", "shape": list(padded.shape), "datatype": "FP32", "data": padded.tolist()},
        {"name": "lengths", "shape": [3], "datatype": "INT64", "data": lengths},
    ]
    found = tensors(client.post(f"/v2/models/{name}/infer", json={"inputs": inputs}))
    request = {"model": name, "inputs": [{"frames": row.tolist()} for row in rows]}
    expected = client.post("/batch_predict", json=request).json()["predictions"]
    match name:
        case "frames":
            assert found["probability"] == pytest.approx([of["probability"] for of in expected], abs=2e-6)
        case "frame-tagger":
            for row, length, of in zip(found["tags"], lengths, expected, strict=True):
                assert row[:length].tolist() == of["tags"]
        case "transcriber":
            assert found["text"].tolist() == [of["text"] for of in expected]
    flat = [{**inputs[0], "data": padded.ravel().tolist()}, inputs[1]]
    again = tensors(client.post(f"/v2/models/{name}/infer", json={"inputs": flat}))
    assert {key: of.tolist() for key, of in again.items()} == {key: of.tolist() for key, of in found.items()}


def test_series_vectors_and_columns_are_tensors(client):
    series = np.sin(np.arange(40)).reshape(1, 20, 2)
    tensor = {"name": "series", "shape": [1, 20, 2], "datatype": "FP64", "data": series.tolist()}
    found = tensors(client.post("/v2/models/forecaster/infer", json={"inputs": [tensor], "parameters": {"horizon": 3}}))
    assert found["forecasts"].shape == (1, 3, 2)
    vectors = {"name": "frames", "shape": [2, 3], "datatype": "FP32", "data": [0.1, 0.2, 0.3, 1, 2, 3]}
    found = tensors(client.post("/v2/models/vectors/infer", json={"inputs": [vectors]}))
    asked = {"model": "vectors", "inputs": [{"frames": [0.1, 0.2, 0.3]}, {"frames": [1, 2, 3]}]}
    expected = client.post("/batch_predict", json=asked).json()["predictions"]
    assert found["label"].tolist() == [of["label"] for of in expected]
    columns = [bytes_tensor("title", ["good", "bad"]), bytes_tensor("body", ["film", "plot"])]
    found = tensors(client.post("/v2/models/columns/infer", json={"inputs": columns}))
    asked = {"model": "columns", "inputs": [{"fields": {"title": "good", "body": "film"}}] * 2}
    assert found["label"][0] == client.post("/batch_predict", json=asked).json()["predictions"][0]["label"]


def test_options_are_parameters_and_outputs_can_be_chosen(client):
    request = {
        "inputs": [{**bytes_tensor("text", TEXTS[:2]), "shape": [2, 1], "data": [[text] for text in TEXTS[:2]]}],
        "outputs": [{"name": "label"}],
        "parameters": {"abstain_below": 1.0, "content_type": "str"},
    }
    found = tensors(client.post("/v2/models/classifier/infer", json=request))
    assert list(found) == ["label"]
    assert found["label"].tolist() == ["", ""], "nothing is that sure"


@pytest.mark.parametrize(
    ("name", "change", "status", "field"),
    [
        ("classifier", {"shape": [3]}, 422, "inputs.0.data"),
        ("classifier", {"shape": [-1]}, 422, "inputs.0.shape"),
        ("classifier", {"shape": [2000]}, 422, "inputs.0.shape"),
        ("classifier", {"shape": [2, 2**40, 2**40]}, 422, "inputs.0.shape"),
        ("classifier", {"name": "texts"}, 422, "inputs.0.name"),
        ("classifier", {"datatype": "FP32", "data": [1, 2]}, 422, "text"),
        ("classifier", {"datatype": "FP13"}, 422, "inputs.0.datatype"),
        ("classifier", {"datatype": "BOOL", "data": [True, False]}, 422, "inputs.0.datatype"),
        ("classifier", {"data": ["a", 3]}, 422, "inputs.0.data.1"),
        ("classifier", {"data": None}, 422, "inputs.0.data"),
        ("classifier", {"data": ["a", "b" * 501]}, 413, "inputs.1.text"),
        (
            "frames",
            {"name": "frames", "datatype": "FP32", "shape": [2, 3], "data": [[1, 2, 3], [1, 2]]},
            422,
            "inputs.0.data",
        ),
        (
            "frames",
            {"name": "frames", "datatype": "FP32", "shape": [2, 1, 2], "data": [1, 2, 3, 4]},
            422,
            "inputs.0.frames.0",
        ),
        ("frames", {"name": "frames", "datatype": "FP32", "data": ["1", "2"]}, 422, "inputs.0.data.0"),
        ("nobody", {}, 404, "model"),
        ("musician", {}, 422, "model"),
    ],
    ids=str,
)
def test_a_wrong_tensor_is_a_problem_with_the_member_that_the_protocol_wants(client, name, change, status, field):
    request = {"inputs": [{**bytes_tensor("text", ["a", "b"]), **change}]}
    answer = client.post(f"/v2/models/{name}/infer", json=request)
    problem = answer.json()
    assert (answer.status_code, problem.get("field")) == (status, field), problem
    assert problem["error"] == problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_server_that_stops_is_not_ready_but_lives(folders):
    import httpx

    with serving({"classifier": folders["classifier"]}) as server:
        server.app.state.gate.draining = True
        assert httpx.get(f"{server.url}/v2/health/ready").status_code == 503
        assert httpx.get(f"{server.url}/v2/health/live").status_code == 200
        server.app.state.gate.draining = False
