"""The API's description: its examples are asked and answered, and its schemas hold for them."""

from __future__ import annotations

import json

import httpx
import jsonschema_rs
import pytest
from live_server import serving
from test_tasks import close

from seqwise.serving.openapi import REFUSALS

ASKED = ("/predict", "/batch_predict", "/score", "/explain", "/trace", "/generate")


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def suits(document, schema, value):
    """Whether a value is what a schema of the document says."""
    whole = {**schema, "components": document["components"]}
    return jsonschema_rs.validator_for(whole).is_valid(value)


@pytest.mark.parametrize("path", ASKED)
def test_every_example_is_answered_with_just_what_the_document_says(client, document, path):
    operation = document["paths"][path]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    answers = operation["responses"]["200"]["content"]
    said = answers["application/json"].get("examples", {})
    assert body["examples"], "there is one of every model"
    for name, example in body["examples"].items():
        assert suits(document, body["schema"], example["value"]), (name, example)
        answer = client.post(path, json=example["value"])
        assert answer.status_code == 200, answer.text
        kind = answer.headers["content-type"].split(";")[0]
        if kind == "text/event-stream":
            assert answer.text == answers[kind]["examples"][name]["value"]
            continue
        assert suits(document, answers[kind]["schema"], answer.json()), (name, answer.json())
        if (expected := said.get(name)) is not None:
            close(answer.json(), expected["value"])


def test_tensors_of_every_model_are_answered(client, document):
    body = document["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]["application/json"]
    assert len(body["examples"]) >= 15
    for name, example in body["examples"].items():
        assert suits(document, body["schema"], example["value"])
        answer = client.post(f"/v2/models/{name}/infer", json=example["value"])
        assert answer.status_code == 200, (name, answer.text)


def test_every_model_has_an_example_of_what_it_can_be_asked(client, document):
    for model in client.get("/models").json()["models"]:
        for verb in model["verbs"]:
            content = document["paths"][f"/{verb}"]["post"]["requestBody"]["content"]["application/json"]
            assert model["name"] in content["examples"]


def test_a_request_that_the_schema_does_not_allow_is_refused(client, document):
    schema = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    wrong = [
        {"model": "classifier"},
        {"model": "classifier", "text": 3},
        {"model": "nobody", "text": "a"},
        {"model": "tokens", "text": "a", "tokens": ["a"]},
        {"model": "frames", "frames": [[1.0, 2.0]]},
        {"model": "classifier", "text": "a", "more": 1},
        {"text": "a"},
    ]
    for body in wrong:
        assert not suits(document, schema, body), body
        assert client.post("/predict", json=body).status_code in (404, 422)


def test_every_operation_says_which_problems_there_are(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            told = set(operation["responses"])
            assert {str(status) for status in REFUSALS if status != 401} <= told
            assert "401" not in told, "this server needs no key"
            assert operation["responses"]["422"]["content"].keys() == {"application/problem+json"}
    names = [operation["operationId"] for of in document["paths"].values() for operation in of.values()]
    assert len(set(names)) == len(names)
    assert not any("HTTPValidationError" in name for name in document["components"]["schemas"])


def test_all_references_lead_somewhere(document):
    text = json.dumps(document)
    for part in text.split('"$ref": "#/components/schemas/')[1:]:
        assert part.split('"')[0] in document["components"]["schemas"]
    assert "#/$defs" not in text


def test_one_model_needs_no_name_and_keys_are_in_the_document(folders, tmp_path):
    (tmp_path / "keys").write_text("a-long-enough-key-of-some-letters\n")
    (tmp_path / "keys").chmod(0o600)
    headers = {"Authorization": "Bearer a-long-enough-key-of-some-letters"}
    with serving({"only": folders["language"]}, api_key_file=tmp_path / "keys") as server:
        assert httpx.get(f"{server.url}/openapi.json").status_code == 401
        document = httpx.get(f"{server.url}/openapi.json", headers=headers).json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert "401" in document["paths"]["/score"]["post"]["responses"]
    assert document["paths"]["/v2/health/live"]["get"]["security"] == []
    assert "401" not in document["paths"]["/v2/health/live"]["get"]["responses"]
    body = document["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]
    assert "model" not in body["examples"]["only"]["value"]
    assert suits(document, body["schema"], {"text": "a"})
    assert suits(document, body["schema"], {"model": "only", "text": "a"})
    assert "/predict" not in document["paths"], "a language model is scored"
