"""Models that are replaced while they are served."""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import contextmanager

import httpx
import pytest
from live_server import serving, wait_until

from saved_toy import save_toy, toy_labels
from seqwise.serving import watching
from seqwise.serving.watching import fingerprint

LABELS = {**toy_labels(), "classes": ["one", "two", "three"]}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watching.Watcher.__init__, "__defaults__", (0.05,))


@pytest.fixture
def folder(tmp_path):
    save_toy(tmp_path / "toy")
    return tmp_path / "toy"


def label(server):
    return httpx.post(server.url + "/predict", json={"text": "the cat sat"}).json()["probabilities"].keys()


def told(server):
    return httpx.get(server.url + "/models").json()["models"][0]


def metric(server, name):
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)}


def test_a_changed_folder_takes_over(folder):
    with serving({"toy": folder}, reload_on_change=True, timeout_s=0.2) as server:
        before = told(server)["version"]
        assert set(label(server)) == {"ham", "spam", "other"}
        save_toy(folder, labels=LABELS)
        wait_until(lambda: set(label(server)) == {"one", "two", "three"})
        assert told(server)["version"] != before
        assert "reload_error" not in told(server)
        assert metric(server, "seqwise_reloads_total") == {'seqwise_reloads_total{model="toy",result="loaded"}': 1}
        shown = metric(server, "seqwise_model{")
        assert sorted(shown.values()) == [0, 1]
        assert {key for key, value in shown.items() if value} == {
            key for key in shown if told(server)["version"][:12] in key
        }


def test_without_the_option_nothing_is_looked_at(folder):
    with serving({"toy": folder}) as server:
        save_toy(folder, labels=LABELS)
        threading.Event().wait(0.5)
        assert set(label(server)) == {"ham", "spam", "other"}


def damage_weights(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))


def damage_config(folder):
    (folder / "config.json").write_text("{")


def change_task(folder):
    from seqwise.prediction.folder import _with_seal

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(_with_seal({**config, "task": "regress"})))


def take_away(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize("damage", [damage_weights, damage_config, change_task, take_away])
def test_a_damaged_folder_changes_nothing_and_is_tried_again_when_it_changes(folder, damage):
    with serving({"toy": folder}, reload_on_change=True, timeout_s=0.2) as server:
        damage(folder)
        reason = wait_until(lambda: told(server).get("reload_error"))
        assert str(folder) not in reason
        assert set(label(server)) == {"ham", "spam", "other"}
        assert metric(server, "seqwise_reloads_total")['seqwise_reloads_total{model="toy",result="refused"}'] >= 1
        save_toy(folder, labels=LABELS)
        wait_until(lambda: set(label(server)) == {"one", "two", "three"})
        assert "reload_error" not in told(server)


def test_a_model_that_fails_at_its_own_example_does_not_take_over(folder, monkeypatch):
    with serving({"toy": folder}, reload_on_change=True, timeout_s=0.2) as server:
        monkeypatch.setattr(watching, "try_example", lambda running: 1 / 0)
        save_toy(folder, labels=LABELS)
        reason = wait_until(lambda: told(server).get("reload_error"))
        assert reason == "it does not answer its own example: ZeroDivisionError"
        assert set(label(server)) == {"ham", "spam", "other"}


def test_what_no_model_is_read_from_may_change(folder):
    before = fingerprint(folder)
    (folder / "report.html").write_text("x")
    (folder / "checkpoints").mkdir()
    assert fingerprint(folder) == before
    os.utime(folder / "vocabulary.json", ns=(1, 1))
    assert fingerprint(folder) != before


@contextmanager
def asking(server, clients=4):
    """Clients that ask all the time; yields what they got."""
    answers, ended = [], threading.Event()

    def ask():
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not ended.is_set():
                for path, body in (
                    ("/predict", {"text": "the cat sat"}),
                    ("/batch_predict", {"inputs": ["no", "yes yes yes", "a dog ran far away"] * 5}),
                ):
                    response = client.post(path, json=body)
                    answer = response.json()
                    answers.append(
                        (response.status_code, tuple(answer.get("predictions", [answer])[0].get("probabilities", ())))
                    )

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    yield answers
    ended.set()
    for thread in threads:
        thread.join(60)


def test_no_request_fails_while_models_are_replaced(folder):
    with serving({"toy": folder}, reload_on_change=True, timeout_s=1.0) as server, asking(server) as answers:
        for number in range(4):
            names = [f"{letter}{number}" for letter in "abc"]
            save_toy(folder, labels={**toy_labels(), "classes": names})
            wait_until(lambda names=names: (200, tuple(names)) in answers)
    assert {status for status, _ in answers} == {200}
    assert len({names for _, names in answers}) == 5
