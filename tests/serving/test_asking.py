"""Requests that are wrong: the status, and the field by the name that the client gave it."""

from __future__ import annotations

import pytest
from live_server import problem_of

A_FRAME = [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("predict", {"model": "classifier"}, 422, "text"),
        ("predict", {"model": "classifier", "text": 3}, 422, "text"),
        ("predict", {"model": "classifier", "text": None}, 422, "text"),
        ("predict", {"model": "classifier", "text": "a", "tone": 1}, 422, "tone"),
        ("predict", {"model": "classifier", "text": "a" * 501}, 413, "text"),
        ("predict", {"model": "classifier", "text": "a", "abstain_below": 2.0}, 422, "abstain_below"),
        ("predict", {"model": "classifier", "text": "a", "priors": {"good": 0.5}}, 422, "priors"),
        ("predict", {"model": "classifier", "text": "a", "priors": {"good": 0.5, "ba": 0.5}}, 422, "priors"),
        ("predict", {"model": "classifier", "text": "a", "priors": {"good": "0.5"}}, 422, "priors.good"),
        ("predict", {"model": "labels", "text": "a", "abstain_below": 0.5}, 422, "abstain_below"),
        ("predict", {"model": "tokens", "tokens": ["a", 3]}, 422, "tokens.1"),
        ("predict", {"model": "tokens", "tokens": ["a"], "text": "a"}, 422, "tokens"),
        ("predict", {"model": "tokens"}, 422, "text"),
        ("predict", {"model": "columns", "fields": {"title": "a"}}, 422, "fields.body"),
        ("predict", {"model": "columns", "fields": {"title": "a", "body": "b", "more": "c"}}, 422, "fields"),
        ("predict", {"model": "columns", "fields": {"title": 3, "body": "b"}}, 422, "fields.title"),
        ("predict", {"model": "frames", "frames": [A_FRAME, [0.0, 1.0]]}, 422, "frames.1"),
        ("predict", {"model": "frames", "frames": [A_FRAME, [0.0, 1.0, "2"]]}, 422, "frames.1.2"),
        ("predict", {"model": "frames", "frames": [A_FRAME, [0.0, 1.0, True]]}, 422, "frames.1.2"),
        ("predict", {"model": "frames", "frames": []}, 422, "frames"),
        ("predict", {"model": "frames", "frames": [[1e300, 0.0, 0.0]]}, 422, "frames"),
        ("predict", {"model": "frames", "frames": [[-1e16, 0.0, 0.0]]}, 422, "frames"),
        ("predict", {"model": "frames", "frames": [A_FRAME] * 501}, 413, "frames"),
        ("predict", {"model": "frames", "frames": [A_FRAME], "rate": 0}, 422, "rate"),
        ("predict", {"model": "sounds", "wav": "not base64"}, 422, "wav"),
        ("predict", {"model": "sounds", "wav": "Ünïcode"}, 422, "wav"),
        ("predict", {"model": "sounds", "wav": "UklGRg=="}, 422, "wav"),
        ("predict", {"model": "sounds", "frames": [0.0] * 500, "rate": 0.01}, 413, "frames"),
        ("predict", {"model": "forecaster", "series": [[0.0, 1.0]], "horizon": 0}, 422, "horizon"),
        ("predict", {"model": "forecaster", "series": [[0.0, 1.0]], "horizon": 10**6}, 413, "horizon"),
        ("predict", {"model": "forecaster", "series": [[0.0, 1.0]], "level": 0.7}, 422, "level"),
        ("predict", {"model": "known", "series": [1.0, 2.0], "known": [0.0]}, 422, "known"),
        ("predict", {"model": "known", "series": [1.0, 2.0]}, 422, "known"),
        ("predict", {"model": "translator", "text": "a", "beam": 2, "n_best": 3}, 422, "n_best"),
        ("predict", {"model": "translator", "text": "a", "beam": 10**9}, 422, "beam"),
        ("predict", {"model": "generator", "condition": "hot"}, 422, "condition"),
        ("predict", {"model": "language", "text": "a"}, 422, "model"),
        ("generate", {"model": "language", "top_p": 0.0}, 422, "top_p"),
        ("generate", {"model": "language", "temperature": -1}, 422, "temperature"),
        ("generate", {"model": "language", "max_tokens": 10**6}, 422, "max_tokens"),
        ("generate", {"model": "language", "seed": -1}, 422, "seed"),
        ("generate", {"model": "language", "guidance": 1.0}, 422, "guidance"),
        ("generate", {"model": "generator", "prompt": "r7"}, 422, None),
        ("generate", {"model": "musician", "chords": [[300]]}, 422, "chords.0.0"),
        ("generate", {"model": "musician", "chords": [[3]]}, 422, "chords"),
        ("explain", {"model": "classifier", "text": "a", "method": "magic"}, 422, "method"),
        ("explain", {"model": "tagger", "text": "Anna", "position": 7}, 422, None),
        ("predict", {"model": "nothing", "text": "a"}, 404, "model"),
        ("predict", {"text": "a"}, 422, "model"),
        ("predict", {"model": 3, "text": "a"}, 422, "model"),
        ("batch_predict", {"model": "classifier", "inputs": []}, 422, "inputs"),
        ("batch_predict", {"model": "classifier", "inputs": ["a"] * 1025}, 422, "inputs"),
        ("batch_predict", {"model": "classifier", "inputs": ["a", {"text": 3}]}, 422, "inputs.1.text"),
        ("batch_predict", {"model": "classifier", "inputs": ["a", {"txt": "b"}]}, 422, "inputs.1.text"),
        ("batch_predict", {"model": "classifier", "inputs": ["a", 3]}, 422, "inputs.1"),
        ("batch_predict", {"model": "classifier", "inputs": ["a", "b" * 501]}, 413, "inputs.1.text"),
        ("batch_predict", {"model": "classifier", "inputs": ["a"], "priors": {"x": 1.0}}, 422, "priors"),
        ("batch_predict", {"model": "frames", "inputs": [{"frames": [[0.0]]}]}, 422, "inputs.0.frames.0"),
        ("batch_predict", {"model": "frames", "inputs": ["a text"]}, 422, "inputs.0"),
        ("batch_predict", {"model": "tokens", "inputs": [{}]}, 422, "inputs.0.text"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else None,
)
def test_a_wrong_field_is_called_as_the_client_wrote_it(client, path, body, status, field):
    response = client.post(f"/{path}", json=body)
    problem = problem_of(response)
    assert (response.status_code, problem.get("field")) == (status, field), problem
    assert "Input" not in problem.get("field", ""), "no name of a class"


def test_a_text_for_a_model_of_frames_says_what_it_wants_with_an_example(client):
    problem = problem_of(client.post("/predict", json={"model": "frames", "text": "a text"}))
    assert problem["field"] == "frames"
    assert '"frames":[[0.0,0.0,0.0]' in problem["detail"]


def test_a_key_that_is_not_known_is_named_beside_the_one_that_is_missing(client):
    problem = problem_of(client.post("/predict", json={"model": "classifier", "texts": "good"}))
    assert problem["field"] == "text"
    assert problem["detail"].startswith(
        "text: this is needed, and there is no field 'texts'; an input of this model is"
    )


def test_what_no_served_model_can_be_asked_is_said_of_the_model(folders):
    import httpx
    from live_server import serving

    with serving({"only": folders["classifier"]}) as server:
        problem = problem_of(httpx.post(f"{server.url}/score", json={"text": "good"}))
    assert (problem["status"], problem["field"]) == (422, "model")
    assert problem["detail"] == "the model 'only' does not score; it can be asked to predict, explain, trace"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"text"', b"\xff", b'{"text": NaN}', b'{"text": "\\ud800"}'])
def test_what_is_no_json_object_is_refused(client, content):
    assert problem_of(client.post("/predict", content=content))["status"] == 422


@pytest.mark.parametrize("name", ["frames", "frame-tagger", "sounds", "transcriber", "forecaster"])
def test_numbers_far_from_those_of_training_have_a_sound_answer_or_a_problem(client, name):
    far = [1e15, -1e15, 1e15]
    rows = {"sounds": far * 200, "forecaster": [far[:2]] * 4}.get(name, [far, [0.0, 1.0, 2.0]] * 3)
    field = "series" if name == "forecaster" else "frames"
    answer = client.post("/predict", json={"model": name, field: rows})
    assert answer.status_code in (200, 422)
    assert "NaN" not in answer.text
    assert "Infinity" not in answer.text


def test_any_content_type_is_read_as_json(client):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}  # that of curl -d
    answer = client.post("/predict", content=b'{"model": "classifier", "text": "good"}', headers=kind)
    assert answer.status_code == 200


def test_the_models_name_may_be_left_out_where_one_is_served(folders):
    import httpx
    from live_server import serving

    with serving({"only": folders["classifier"]}, on_long="truncate", max_length=8) as server:
        answer = httpx.post(f"{server.url}/predict", json={"text": "good film"})
        assert answer.json()["model"] == "only"
        shorter = httpx.post(f"{server.url}/predict", json={"text": "good fil"})
        assert shorter.json() == answer.json(), "the beginning is read"
