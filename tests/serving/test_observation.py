"""The metrics: what is counted, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest
from live_server import serving
from prometheus_client.parser import text_string_to_metric_families

from saved_toy import save_toy
from seqwise.serving.observation import MOST_CLASSES, OTHER, Observation


def samples(text):
    """Values by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text.decode() if isinstance(text, bytes) else text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(found, name, **labels):
    return found.get((name, tuple(sorted(labels.items()))))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "toy"
    save_toy(path)
    return path


def test_requests_answers_and_models_are_counted(toy):
    with serving({"toy": toy}, max_length=50) as server, httpx.Client(base_url=server.url) as client:
        given = [client.post("/predict", json={"text": text}).json()["label"] for text in ("no", "yes yes yes")]
        given.append(client.post("/predict", json={"text": "a dog unheard of", "abstain_below": 1.0}).json()["label"])
        client.post("/predict", json={"text": "x" * 51})
        client.post("/batch_predict", json={"inputs": ["no"] * 5})
        version = client.get("/models").json()["models"][0]["version"]
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = samples(response.text)
    assert value(found, "seqwise_request_seconds_count", path="/predict", model="toy", status="200") == 3
    assert value(found, "seqwise_request_seconds_count", path="/predict", model="toy", status="413") == 1
    assert value(found, "seqwise_request_seconds_count", path="/batch_predict", model="toy", status="200") == 1
    assert value(found, "seqwise_answers_total", model="toy", verb="predict") == 8
    assert value(found, "seqwise_batch_size_sum", model="toy", verb="predict") == 8
    assert value(found, "seqwise_queue_seconds_count", model="toy") == 8
    counted = {
        labels: number for (name, labels), number in found.items() if name == "seqwise_predictions_total" and number
    }
    abstained = value(found, "seqwise_abstained_total", model="toy") or 0
    assert abstained == given.count(None) == 1
    assert sum(counted.values()) + abstained == 8
    assert value(found, "seqwise_model", model="toy", task="classify", version=version[:12]) == 1
    assert value(found, "seqwise_requests_in_flight") == 1  # the one that asks


def test_unknown_tokens_are_sampled(toy):
    with serving({"toy": toy}) as server, httpx.Client(base_url=server.url) as client:
        client.post("/predict", json={"text": "the cat unheardof sat"})
        found = samples(client.get("/metrics").text)
    assert value(found, "seqwise_sampled_tokens_total", model="toy", known="no") == 1
    assert value(found, "seqwise_sampled_tokens_total", model="toy", known="yes") == 3


def test_classes_have_a_bounded_number_of_series():
    observation = Observation()
    answers = [f"class {number}" for number in range(MOST_CLASSES + 50)]
    served = SimpleNamespace(name="many", observed=lambda answer: [("class", answer)], unknown=lambda items: (0, 0))
    count = observation.watched(served, lambda items: items)
    for _ in range(2):
        assert count(answers) == answers
    found = {labels: number for (name, labels), number in samples(observation.text(0)).items() if "predictions" in name}
    assert len(found) == MOST_CLASSES + 1
    assert found[("class", OTHER), ("model", "many")] == 100


def test_a_path_of_a_client_is_never_a_label(toy):
    with serving({"toy": toy}) as server, httpx.Client(base_url=server.url) as client:
        for number in range(20):
            client.get(f"/nowhere/{number}")
            client.get(f"/models/{number}")
        found = samples(client.get("/metrics").text)
    paths = {dict(labels)["path"] for (name, labels) in found if name == "seqwise_request_seconds_count"}
    assert paths == {"other", "/models/{name}"}


SEVERAL = """
import os, sys
from seqwise.serving.observation import Observation, forget_process
observation = Observation()
observation.request("/predict", "toy", 200, 0.01)
observation.sessions(2)
observation.serves("toy", "classify", "abc")
if len(sys.argv) > 1:
    forget_process(int(sys.argv[1]))
sys.stdout.write(observation.text(1).decode())
print("#", os.getpid())
"""


def test_the_figures_of_several_processes_are_added_up_and_those_of_a_dead_one_stay(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def process(*arguments):
        return subprocess.run(
            [sys.executable, "-c", SEVERAL, *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout

    first = process()
    found = samples(process(first.rsplit("# ", 1)[1].strip()))
    assert value(found, "seqwise_request_seconds_count", path="/predict", model="toy", status="200") == 2
    assert value(found, "seqwise_sessions") == 2  # of those that live
    assert value(found, "seqwise_model", model="toy", task="classify", version="abc") == 1
