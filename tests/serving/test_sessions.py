"""Sessions over real HTTP: each step answers as the whole sequence would, bounded, in order, and movable."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from live_server import problem_of, serving, wait_until

from seqwise.prediction import Predictor
from seqwise.serving.streams import STEPS, reads_steps
from stream_cases import READERS, TEXTS, inputs_of, save

TASK_OF = {"classifier": "classify", "classifier, attention": "classify", "frames": "classify", "language": "lm",
           "tagger": "tag", "regressor": "regress", "forecaster": "forecast", "transcriber": "transcribe"}  # fmt: skip
SERVED = list(TASK_OF)
NAMES = {name: name.replace(", ", "-") for name in SERVED}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root, made = tmp_path_factory.mktemp("models"), {}
    for task, name in NAMES.items():
        save(task, {}, root / name)
        made[name] = root / name
    save("tagger", {"encoder": "transformer", "heads": 2}, root / "growing")
    save("classifier", {"bidirectional": True}, root / "both-ways")
    return {**made, "growing": root / "growing", "both-ways": root / "both-ways"}


@pytest.fixture(scope="module")
def server(folders):
    with serving(folders, max_length=200, max_inputs=50) as server:
        yield server


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def opened(client, model, **more):
    response = client.post("/sessions", json={"model": model, **more})
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/sessions/{response.json()['session']}"
    return response.json()


def stepped(client, session, x):
    response = client.post(f"/sessions/{session['session']}/step", json={"input": x})
    assert response.status_code == 200, response.text
    return response.json()


def plain(x):
    return x.tolist() if isinstance(x, np.ndarray) else x


def expected_of(task, predictor, x, state):
    """What the predictor's own stream says after a step, as the server writes it."""
    names = getattr(predictor, "classes", None)
    state, found = predictor.step(state, x)
    if task.startswith("classif") or task == "frames":
        probabilities = dict(zip(map(str, names), found.round(6).tolist(), strict=True))
        return state, {"probabilities": probabilities, "label": str(predictor.names(predictor.decide(found[None]))[0])}
    if task == "tagger":
        return state, {"probabilities": dict(zip(names, found.tolist(), strict=True)), "tag": names[found.argmax()]}
    if task == "language":
        best = predictor.pipeline.vocabulary.decode([int(found.argmax()) + 1])[0]
        return state, {"first": (best, float(np.exp(found.max())))}
    if task == "regressor":
        return state, {"values": dict(zip(predictor.scale.names, found.tolist(), strict=True))}
    if task == "forecaster":
        said = [None if np.isnan(number) else number for number in found[0].tolist()]
        return state, {"forecast": dict(zip(predictor.scale.names, said, strict=True))}
    return state, {"text": found}


@pytest.mark.parametrize("task", SERVED)
def test_every_step_answers_as_the_model_does_for_the_whole_so_far(task, folders, client):
    predictor = READERS.get(task, Predictor).load(folders[NAMES[task]], device="cpu")
    state, session = predictor.start(), opened(client, NAMES[task])
    assert session["steps"] == 0
    for x in inputs_of(task):
        state, expected = expected_of(task, predictor, x, state)
        answer = stepped(client, session, plain(x))
        if task == "language":
            first = answer["next"][0]
            assert (first["token"], pytest.approx(first["probability"])) == expected["first"]
            continue
        for name, value in expected.items():
            assert answer[name] == (pytest.approx(value, abs=2e-6) if isinstance(value, dict) else value)
    assert client.get(f"/sessions/{session['session']}").json() == answer
    client.delete(f"/sessions/{session['session']}")


def test_the_last_answer_is_that_of_predict_for_the_whole(client):
    session = opened(client, "classifier")
    for word in TEXTS[5].split():
        answer = stepped(client, session, word + " ")
    whole = client.post("/predict", json={"model": "classifier", "text": TEXTS[5]}).json()
    assert answer["label"] == whole["label"]
    assert answer["probabilities"] == pytest.approx(whole["probabilities"], abs=2e-6)


def test_the_log_probabilities_of_a_language_model_add_up_to_its_score(client):
    session = opened(client, "language")
    assert session["next"]
    said = [value for word in TEXTS[3].split() for _, value in stepped(client, session, word)["tokens"]]
    score = client.post("/score", json={"model": "language", "text": TEXTS[3]}).json()
    found = [value for _, value in score["tokens"]]
    assert said == pytest.approx(found[: len(said)], abs=1e-5)


@pytest.mark.parametrize("task", SERVED)
def test_several_inputs_at_once_are_the_same_steps(task, client):
    steps = [plain(x) for x in inputs_of(task)]
    one, other = opened(client, NAMES[task]), opened(client, NAMES[task])
    answers = [stepped(client, one, x) for x in steps]
    together = client.post(f"/sessions/{other['session']}/step", json={"inputs": steps}).json()
    assert len(together["answers"]) == len(steps)
    for alone, answer in zip(answers, together["answers"], strict=True):
        assert {name: alone[name] for name in answer} == answer
    assert together["steps"] == answers[-1]["steps"]


@pytest.mark.parametrize("task", SERVED)
def test_a_session_goes_on_from_its_state_bit_for_bit_in_another_server(task, folders, client):
    steps = [plain(x) for x in inputs_of(task)]
    session = opened(client, NAMES[task])
    before = [stepped(client, session, x) for x in steps[:5]]
    content = client.get(f"/sessions/{session['session']}/state")
    assert content.headers["content-type"] == "application/octet-stream"
    with serving({"m": folders[NAMES[task]]}) as other, httpx.Client(base_url=other.url, timeout=30) as there:
        moved = opened(there, "m", state=base64.b64encode(content.content).decode())
        assert moved["steps"] == before[-1]["steps"]
        for x in steps[5:]:
            here, elsewhere = stepped(client, session, x), stepped(there, moved, x)
            assert {**here, "session": "", "model": ""} == {**elsewhere, "session": "", "model": ""}


def test_a_state_that_is_none_is_refused_by_name(client):
    session = opened(client, "language")
    content = client.get(f"/sessions/{session['session']}/state").content
    for state in ("%", base64.b64encode(content[:-3]).decode(), base64.b64encode(b"\0" * 99).decode()):
        response = client.post("/sessions", json={"model": "language", "state": state})
        assert (response.status_code, problem_of(response)["field"]) == (422, "state")
    response = client.post("/sessions", json={"model": "tagger", "state": base64.b64encode(content).decode()})
    assert response.status_code == 422
    assert "another model" in problem_of(response)["detail"]


def test_a_model_that_needs_whole_sequences_says_so(client):
    response = client.post("/sessions", json={"model": "both-ways"})
    assert response.status_code == 422
    assert "whole sequence" in problem_of(response)["detail"]
    told = {one["name"]: one["streams"] for one in client.get("/models").json()["models"]}
    assert not told.pop("both-ways")
    assert all(told.values())


@pytest.mark.parametrize("key", ["x", "../../etc/passwd", *(f"{n}-{'a' * 24}" for n in ("0", "5", "00", "999"))])
def test_an_unknown_id_is_not_found(key, client):
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/step"), ("GET", "/state")):
        response = client.request(method, f"/sessions/{key}{rest}", json={"input": "a"} if method == "POST" else None)
        assert response.status_code == 404
        problem_of(response)


def test_a_deleted_session_is_gone_at_once(server, client):
    session = opened(client, "classifier")
    assert client.delete(f"/sessions/{session['session']}").status_code == 204
    assert client.get(f"/sessions/{session['session']}").status_code == 404
    assert client.delete(f"/sessions/{session['session']}").status_code == 404


@pytest.mark.parametrize(
    ("model", "body", "status", "field"),
    [
        ("classifier", {}, 422, "input"),
        ("classifier", {"input": "a", "inputs": ["b"]}, 422, "input"),
        ("classifier", {"inputs": []}, 422, "inputs"),
        ("classifier", {"inputs": None}, 422, "input"),
        ("classifier", {"input": 3}, 422, "input"),
        ("classifier", {"input": None}, 422, "input"),
        ("classifier", {"inputs": ["a", 3]}, 422, "inputs.1"),
        ("classifier", {"input": "a", "more": 1}, 422, "more"),
        ("classifier", {"input": "x" * 201}, 413, "input"),
        ("classifier", {"inputs": ["x"] * 51}, 413, "inputs"),
        ("classifier", {"inputs": ["x" * 101] * 2}, 413, "inputs"),
        ("tagger", {"input": ""}, 422, "input"),
        ("frames", {"input": [1, 2, 3]}, 422, "input"),
        ("frames", {"input": [1, 2, 3, "4"]}, 422, "input"),
        ("frames", {"input": [1, 2, 3, True]}, 422, "input"),
        ("frames", {"input": [1, 2, 3, 1e39]}, 422, "input"),
        ("frames", {"input": [1, 2, 3, None]}, 422, "input"),
        ("frames", {"input": 10**400}, 422, "input"),
        ("language", {"input": ["a"]}, 422, "input"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_step_is_refused_by_name_and_changes_nothing(model, body, status, field, client):
    session = opened(client, model)
    response = client.post(f"/sessions/{session['session']}/step", json=body)
    assert (response.status_code, problem_of(response).get("field")) == (status, field), response.text
    assert client.get(f"/sessions/{session['session']}").json() == session


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"a"', b"\xff", b'{"input": NaN}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body, client):
    session = opened(client, "classifier")
    assert client.post(f"/sessions/{session['session']}/step", content=body).status_code == 422
    assert client.post("/sessions", content=body).status_code == 422


def test_a_sequence_whose_state_grows_has_an_end(client):
    session = opened(client, "growing")
    for _ in range(4):
        response = client.post(f"/sessions/{session['session']}/step", json={"inputs": ["good"] * 50})
        assert response.status_code == 200
    response = client.post(f"/sessions/{session['session']}/step", json={"input": "good"})
    assert response.status_code == 413
    assert "at most 200" in problem_of(response)["detail"]


def test_there_are_only_so_many_sessions(folders):
    settings = {"max_sessions": 3, "session_idle_s": 50.0}
    with serving({"m": folders["classifier"]}, **settings) as server, httpx.Client(base_url=server.url) as client:
        sessions = [opened(client, "m") for _ in range(3)]
        response = client.post("/sessions", json={})
        assert response.status_code == 429
        assert 1 <= int(response.headers["retry-after"]) <= 50
        client.delete(f"/sessions/{sessions[1]['session']}")
        opened(client, "m")
        assert client.post("/sessions", json={}).status_code == 429
        assert "seqwise_sessions 3.0" in client.get("/metrics").text


def test_opening_many_at_once_does_not_overtake_the_bound(folders):
    with serving({"m": folders["classifier"]}, max_sessions=5) as server, ThreadPoolExecutor(16) as threads:
        found = threads.map(lambda _: httpx.post(server.url + "/sessions", json={}).status_code, range(40))
        assert sorted(found) == [201] * 5 + [429] * 35


def test_a_session_that_nobody_uses_is_forgotten_and_one_in_use_is_not(folders):
    with serving({"m": folders["classifier"]}, session_idle_s=3) as server, httpx.Client(base_url=server.url) as client:
        idle, used = opened(client, "m"), opened(client, "m")
        until, steps = time.monotonic() + 4, 0
        while time.monotonic() < until:
            steps = stepped(client, used, "good ")["steps"]
            time.sleep(0.05)
        assert client.get(f"/sessions/{used['session']}").json()["steps"] == steps
        assert client.get(f"/sessions/{idle['session']}").status_code == 404
        wait_until(lambda: "seqwise_sessions 0.0" in client.get("/metrics").text)


def test_steps_of_one_session_are_taken_in_order_and_none_is_lost(client, server):
    """Many clients at a time: the state at the end is that after as many steps, whatever their order."""
    session = opened(client, "language")
    symbols = ["good"] * 40
    with ThreadPoolExecutor(8) as threads:
        path = f"{server.url}/sessions/{session['session']}/step"
        answers = list(threads.map(lambda x: httpx.post(path, json={"input": x}).json(), symbols))
    assert sorted(answer["steps"] for answer in answers) == list(range(1, 41))
    alone = opened(client, "language")
    for _ in symbols:
        expected = stepped(client, alone, "good")
    assert client.get(f"/sessions/{session['session']}").json()["next"] == expected["next"]


def slowed(server, session, gate, started):
    """Let the steps of a session wait for a gate."""
    found = next(one for one in server.sessions._sessions.values() if one.key == session["session"])
    take = found.take

    def slow(*arguments):
        started.set()
        gate.wait(20)
        return take(*arguments)

    found.take = slow
    return found


@pytest.fixture
def small(folders, monkeypatch):
    """A server of which a test reaches the sessions."""
    from seqwise.serving import application

    kept = {}
    add = application.add_sessions

    def adding(app, models):
        kept["routes"] = add(app, models)
        return kept["routes"]

    monkeypatch.setattr(application, "add_sessions", adding)
    with serving({"m": folders["language"]}, timeout_s=0.5, max_queue=2) as server:
        server.sessions = kept["routes"]._sessions
        yield server


def test_a_slow_step_gets_504_blocks_nobody_else_and_is_taken(small):
    gate, started = threading.Event(), threading.Event()
    with httpx.Client(base_url=small.url, timeout=30) as client:
        one, other = opened(client, "m"), opened(client, "m")
        found = slowed(small, one, gate, started)
        response = client.post(f"/sessions/{one['session']}/step", json={"input": "good"})
        assert response.status_code == 504
        assert stepped(client, other, "good")["steps"] == 1
        waiting = client.post(f"/sessions/{one['session']}/step", json={"input": "bad"})
        assert waiting.status_code == 504
        gate.set()
        wait_until(lambda: found.count == 1)
        assert stepped(client, one, "day")["steps"] == 2


def test_too_many_waiting_steps_get_429(small):
    gate, started = threading.Event(), threading.Event()
    with httpx.Client(base_url=small.url, timeout=30) as client, ThreadPoolExecutor(8) as threads:
        one = opened(client, "m")
        slowed(small, one, gate, started)
        path = f"{small.url}/sessions/{one['session']}/step"
        found = list(threads.map(lambda _: httpx.post(path, json={"input": "a"}, timeout=30).status_code, range(8)))
        gate.set()
    assert set(found) == {429, 504}
    assert found.count(429) >= 4


def test_a_session_deleted_while_a_step_is_under_way_leaves_nothing(small):
    gate, started = threading.Event(), threading.Event()
    with httpx.Client(base_url=small.url, timeout=30) as client, ThreadPoolExecutor(2) as threads:
        one = opened(client, "m")
        slowed(small, one, gate, started)
        path = f"{small.url}/sessions/{one['session']}"
        under_way = threads.submit(lambda: httpx.post(f"{path}/step", json={"input": "a"}).status_code)
        assert started.wait(10)
        behind = threads.submit(lambda: httpx.post(f"{path}/step", json={"input": "a"}).status_code)
        time.sleep(0.1)
        assert client.delete(path).status_code == 204
        gate.set()
        assert under_way.result() == 404
        assert behind.result() == 404
        assert len(small.sessions) == 0


def test_what_the_settings_say_of_steps_is_what_start_says(tmp_path):
    from types import SimpleNamespace

    from seqwise.errors import InputError
    from stream_cases import ENCODERS, TASKS

    cases = [(task, encoder) for task in TASKS for encoder in ({}, ENCODERS["transformer"])]
    cases += [("classifier", {"bidirectional": True}), ("classifier", {"architecture": "wide_deep"})]
    cases += [
        ("tagger", {"head": "crf"}),
        ("transcriber", {"bidirectional": True}),
        ("transcriber", {"subsampling": "convolution"}),
    ]
    for number, (task, encoder) in enumerate(cases):
        path = tmp_path / str(number)
        save(task, encoder, path)
        predictor = READERS.get(task, Predictor).load(path, device="cpu")
        settings = SimpleNamespace(max_length=10)
        served = SimpleNamespace(name="m", task=TASK_OF[task], predictor=predictor, settings=settings)
        try:
            predictor.start()
        except InputError:
            assert not reads_steps(served), (task, encoder)
        else:
            assert reads_steps(served), (task, encoder)
    assert set(TASK_OF.values()) == set(STEPS)
