"""Every task over HTTP: the answers of its predictor, whoever else asks."""

from __future__ import annotations

import base64
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from live_server import serving
from served_models import BUILDERS, CHANNELS, RATE, SENTENCES, TEXTS, frames

from seqwise.data import Frames
from seqwise.prediction import Predictor
from seqwise.prediction.forecaster import ForecasterPredictor
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.prediction.transcriber import TranscriberPredictor
from seqwise.prediction.translator import TranslatorPredictor
from seqwise.serving import asking

CLOSE = 2e-6  # probabilities are written with six digits
NEAR = 1e-4  # numbers of 32 bits whose sums have another order
SOUND = [0.1 * np.sin(place / 5) for place in range(1000)]
SERIES = [[float(np.sin(step / 2)), 5.0] for step in range(30)]


def inputs_of(name: str) -> list[dict[str, Any]]:
    """Inputs of unequal length for a model."""
    match name:
        case "classifier" | "labels" | "regressor":
            return [{"text": text} for text in [*TEXTS[:4], "", "unknown words 🙂"]]
        case "tokens":
            return [{"tokens": text.split()} for text in TEXTS[:5]]
        case "columns":
            return [{"fields": {"title": text, "body": "film"}} for text in TEXTS[:4]] + [
                {"fields": {"title": None, "body": "bad plot"}}
            ]
        case "frames" | "frame-tagger" | "transcriber":
            return [{"frames": row.tolist()} for row in frames(5, seed=7, longest=20)]
        case "vectors":
            return [{"frames": row.tolist()} for row in np.random.default_rng(8).normal(size=(5, CHANNELS))]
        case "sounds":
            return [{"frames": SOUND}, {"frames": SOUND[:500]}, {"frames": SOUND[100:], "rate": 2 * RATE}]
        case "tagger":
            return [{"text": text} for text in SENTENCES] + [{"tokens": ["Anna", "dog"]}]
        case "language":
            return [{"text": text} for text in [*TEXTS[:4], "", "entirely new"]]
        case "forecaster":
            return [{"series": SERIES}, {"series": SERIES[:20]}, {"series": [[None, 5.0], *SERIES[:20]]}]
        case "known":
            return [{"series": [0.0, 3.0] * 5, "known": [0.0, 1.0] * 7}, {"series": [3.0] * 8, "known": [1.0] * 12}]
        case "translator":
            return [{"text": text} for text in ["a man runs", "red dog", "a a a dog", ""]]
        case "generator":
            return [{"condition": name} for name in ("warm", "cold")] + [{}]
    return []


PREDICTING = [name for name in BUILDERS if name not in ("language", "musician")]


def close(one: Any, other: Any, tolerance: float = NEAR) -> None:
    """Fail unless two answers are the same but for rounding."""
    assert type(one) is type(other) or isinstance(one, float | int)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            close(one[name], other[name], tolerance)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for parts in zip(one, other, strict=True):
            close(*parts, tolerance)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=tolerance, abs=tolerance)
    else:
        assert one == other


@pytest.mark.parametrize("name", PREDICTING)
def test_several_inputs_are_answered_as_each_alone(client, name):
    inputs = inputs_of(name)
    alone = []
    for given in inputs:
        answer = client.post("/predict", json={"model": name, **given})
        assert answer.status_code == 200, answer.text
        assert answer.json().pop("model") == name
        alone.append({key: value for key, value in answer.json().items() if key != "model"})
    answer = client.post("/batch_predict", json={"model": name, "inputs": inputs})
    assert answer.status_code == 200, answer.text
    together = answer.json()
    assert list(together) == ["model", "predictions"]
    for one, other in zip(together["predictions"], alone, strict=True):
        close(one, other)


@pytest.mark.parametrize("name", ["classifier", "tagger", "frames", "translator", "regressor"])
def test_who_asks_at_the_same_time_changes_no_answer(client, name):
    requests = [{"model": name, **given} for given in inputs_of(name)] * 12
    alone = [client.post("/predict", json=request).json() for request in requests[: len(requests) // 12]]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda request: client.post("/predict", json=request).json(), requests))
    for answer, expected in zip(answers, alone * 12, strict=True):
        close(answer, expected)


@pytest.mark.parametrize("name", ["classifier", "tokens", "labels", "frames", "vectors"])
def test_a_classifier_answers_as_its_predictor_decides(client, folders, name):
    predictor = Predictor.load(folders[name], "cpu")
    inputs = inputs_of(name)
    given: Any = [of.get("text", of.get("tokens")) for of in inputs]
    if predictor.reads_frames:
        given = [np.array(of["frames"]) if name == "frames" else np.array(of["frames"])[None] for of in inputs]
    expected = predictor.predict_proba(given)
    answers = client.post("/batch_predict", json={"model": name, "inputs": inputs}).json()["predictions"]
    for answer, row, label in zip(answers, expected, predictor.predict(given), strict=True):
        assert list(answer["probabilities"]) == [str(of) for of in predictor.classes]
        np.testing.assert_allclose(list(answer["probabilities"].values()), row, atol=CLOSE)
        assert (answer["labels"] if name == "labels" else answer["label"]) == (
            list(label) if name == "labels" else label
        )


def test_columns_are_joined_as_in_training(client, folders):
    predictor = Predictor.load(folders["columns"], "cpu")
    fields = {"title": "good film", "body": "bad plot"}
    answer = client.post("/predict", json={"model": "columns", "fields": fields}).json()
    np.testing.assert_allclose(list(answer["probabilities"].values()), predictor.predict_proba([fields])[0], atol=CLOSE)


def test_priors_thresholds_and_abstention_are_those_of_the_command_line(client, folders):
    predictor = Predictor.load(folders["classifier"], "cpu")
    own, shares = predictor.decisions, {"bad": 0.98, "good": 0.02}
    asked = {"model": "classifier", "text": TEXTS[0]}
    for priors, below in ((None, None), (shares, None), (None, 0.999), (shares, 0.9)):
        ordered = None if priors is None else np.array([priors[str(name)] for name in predictor.classes])
        predictor.decisions = own.used(priors=ordered, abstain_below=below)
        (label,), (row,) = predictor.predict([TEXTS[0]]), predictor.predict_proba([TEXTS[0]])
        options = {"priors": priors, "abstain_below": below}
        answer = client.post("/predict", json=asked | {name: of for name, of in options.items() if of}).json()
        assert answer["label"] == label
        np.testing.assert_allclose(list(answer["probabilities"].values()), row, atol=CLOSE)
    predictor.decisions = own
    assert client.post("/predict", json=asked).json()["label"] == predictor.predict([TEXTS[0]])[0]


def wav(samples: np.ndarray, rate: int) -> str:
    """A .wav file of 16 bits in base64."""
    body = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(body))  # noqa: E501  # fmt: skip
    return base64.b64encode(head + body).decode()


def test_a_sound_is_heard_at_the_rate_that_it_says(client, folders):
    predictor = Predictor.load(folders["sounds"], "cpu")
    samples = np.array(SOUND)
    for rate in (int(RATE), 2 * int(RATE)):
        heard = (samples * 32767).astype("<i2") / 32768
        expected = predictor.predict_proba(Frames.from_rows([heard], float(rate)))[0]
        asked = {"model": "sounds", "wav": wav(samples, rate)}
        answer = client.post("/predict", json=asked)
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(list(answer.json()["probabilities"].values()), expected, atol=CLOSE)


def test_a_missing_number_is_what_it_is_for_the_predictor(client, folders):
    predictor = Predictor.load(folders["frames"], "cpu")
    rows = [[0.5, None, 1.0], [None, 2.0, 0.0], [1.0, 1.0, 1.0]]
    expected = predictor.predict_proba([np.array(rows, dtype=float)])[0]
    answer = client.post("/predict", json={"model": "frames", "frames": rows}).json()
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=CLOSE)


def test_a_tagger_gives_tokens_tags_and_places(client, folders):
    for name in ("tagger", "frame-tagger"):
        predictor = TaggerPredictor.load(folders[name], "cpu")
        inputs = inputs_of(name)
        given = [np.array(of["frames"]) if "frames" in of else of.get("text", of.get("tokens")) for of in inputs]
        expected = [of.to_dict() for of in predictor.tag(given)]
        answers = client.post("/batch_predict", json={"model": name, "inputs": inputs}).json()["predictions"]
        for answer, of in zip(answers, expected, strict=True):
            close(answer, {key: _listed(value) for key, value in of.items()})


def _listed(value: Any) -> Any:
    return [_listed(of) for of in value] if isinstance(value, list | tuple) else value


def test_a_language_model_scores_as_it_does_alone(client, folders):
    predictor = LanguagePredictor.load(folders["language"], "cpu")
    for given in inputs_of("language"):
        answer = client.post("/score", json={"model": "language", **given}).json()
        close(answer, {"model": "language", **_plain(predictor.score([given["text"]])[0].to_dict())})


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    return {key: _listed(value) for key, value in told.items()}


def test_a_regressor_gives_the_number_of_every_target(client, folders):
    predictor = RegressorPredictor.load(folders["regressor"], "cpu")
    answer = client.post("/predict", json={"model": "regressor", "text": TEXTS[1]}).json()
    close(answer, {"model": "regressor", "values": predictor.named(predictor.predict([TEXTS[1]]))[0]})


def test_a_forecaster_gives_the_steps_ahead_and_their_bounds(client, folders):
    predictor = ForecasterPredictor.load(folders["forecaster"], "cpu")
    forecasts = predictor.predict([np.array(SERIES)])
    low, high = predictor.intervals(forecasts, 0.9)
    answer = client.post("/predict", json={"model": "forecaster", "series": SERIES}).json()
    expected = {"channels": list(predictor.scale.names), "forecasts": forecasts[0].tolist()}
    close(answer, {"model": "forecaster", **expected, "low": low[0].tolist(), "high": high[0].tolist()})
    asked = {"model": "forecaster", "series": SERIES}
    wider = client.post("/predict", json={**asked, "level": 0.99}).json()
    assert wider["high"][0][0] >= answer["high"][0][0]
    longer = client.post("/predict", json={**asked, "horizon": 9}).json()
    assert len(longer["forecasts"]) == 9
    assert "low" not in longer, "errors were measured up to four steps ahead"
    close(longer["forecasts"][:4], answer["forecasts"])


def test_a_translator_gives_the_best_ones_and_where_it_looked(client, folders):
    predictor = TranslatorPredictor.load(folders["translator"], "cpu")
    asked = {"model": "translator", "text": "a red dog", "beam": 4, "n_best": 3}
    expected = predictor.translate(["a red dog"], beam=4, n_best=3)[0]
    close(client.post("/predict", json=asked).json(), {"model": "translator", **expected.to_dict(attention=True)}, 2e-4)
    plain = client.post("/predict", json={**asked, "attention": False}).json()
    assert "attention" not in plain["answers"][0]
    assert len(plain["answers"]) == 3


def test_a_transcriber_searches_as_wide_as_it_is_asked_to(client, folders):
    predictor = TranscriberPredictor.load(folders["transcriber"], "cpu")
    given = inputs_of("transcriber")[0]
    for options in ({}, {"beam": 1}, {"beam": 20}):
        predictor.use(**options)
        expected = predictor.transcribe([np.array(given["frames"], np.float32)])[0].to_dict()
        close(
            client.post("/predict", json={"model": "transcriber", **given, **options}).json(),
            {"model": "transcriber", **expected},
        )


def test_a_generator_finds_the_most_probable_text(client, folders):
    predictor = GeneratorPredictor.load(folders["generator"], "cpu")
    for condition in ("warm", "cold", None):
        expected = predictor.predict([condition], beam=3, max_tokens=12)[0]
        asked = {"model": "generator", "condition": condition, "beam": 3, "max_tokens": 12}
        assert client.post("/predict", json=asked).json() == {"model": "generator", "text": expected}


@pytest.mark.parametrize("name", BUILDERS)
def test_what_a_model_tells_of_itself_can_be_asked(client, name):
    told = client.get(f"/models/{name}").json()
    assert told["name"] == name
    assert {"task", "estimator", "unit", "cell", "version", "verbs", "example", "streams", "figures"} <= set(told)
    for verb in {"predict", "score", "explain", "trace"} & set(told["verbs"]):
        answer = client.post(f"/{verb}", json={"model": name, **told["example"]})
        assert answer.status_code == 200, (verb, answer.text)
    assert str(told).find("/tmp") == -1, "no path is told"


def test_thresholds_calibration_and_classes_are_told(client, folders):
    predictor = Predictor.load(folders["classifier"], "cpu")
    told = client.get("/models/classifier").json()
    assert told["classes"] == [str(name) for name in predictor.classes]
    assert list(told["thresholds"].values()) == pytest.approx(predictor.decisions.thresholds.tolist())
    assert told["calibrated"] is True
    assert told["cell"] == "lstm"
    assert told["several_labels"] is False
    assert client.get("/models/labels").json()["several_labels"] is True
    assert client.get("/models/sounds").json()["rate"] == RATE


def test_every_model_with_states_is_explained_as_by_the_library(client, folders):
    from seqwise.explanation import explain, trace

    text = TEXTS[1]
    predictor = Predictor.load(folders["classifier"], "cpu")
    for method in ("integrated_gradients", "occlusion", "gradient_x_input"):
        asked = {"model": "classifier", "text": text, "method": method, "target": "bad"}
        answer = client.post("/explain", json=asked).json()
        expected = explain(predictor, text, method=method, target="bad").to_dict()
        close(answer, {"model": "classifier", **expected}, 1e-3)
    answer = client.post("/trace", json={"model": "classifier", "text": text}).json()
    close(answer, {"model": "classifier", **trace(predictor, text).to_dict()}, 1e-3)
    tagged = {"model": "tagger", "text": "Anna sees Rome", "position": 2}
    assert client.post("/explain", json=tagged).json()["position"] == 2
    wrong = client.post("/explain", json={"model": "classifier", "text": text, "target": "nothing"})
    assert wrong.status_code == 422


def test_a_large_request_is_read_beside_the_event_loop_and_answered_the_same(client):
    texts = [TEXTS[place % len(TEXTS)] for place in range(1000)]
    padded = [{"text": text + " " * 300} for text in texts]
    large = client.post("/batch_predict", json={"model": "classifier", "inputs": padded})
    assert len(large.request.content) > asking.LARGE
    small = client.post("/batch_predict", json={"model": "classifier", "inputs": texts})
    close(large.json(), small.json())


def test_an_exported_model_answers_and_is_explained_by_occlusion(folders, tmp_path):
    pytest.importorskip("onnxruntime")
    from seqwise.export.onnx_export import export_onnx

    for name in ("classifier", "tagger", "language"):
        export_onnx(folders[name], tmp_path / name)
    exported = {name: tmp_path / name for name in ("classifier", "tagger", "language")}
    with serving(exported) as server, httpx.Client(base_url=server.url) as client:
        for name, verb in (("classifier", "predict"), ("tagger", "predict"), ("language", "score")):
            told = client.get(f"/models/{name}").json()
            assert "trace" not in told["verbs"]
            asked = {"model": name, **told["example"]}
            assert client.post(f"/{verb}", json=asked).status_code == 200
            answer = client.post("/explain", json=asked)
            assert answer.json()["method"] == "occlusion"
            refused = client.post("/explain", json={**asked, "method": "integrated_gradients"})
            assert (refused.status_code, refused.json()["field"]) == (422, "method")
        given = inputs_of("classifier")
        answers = client.post("/batch_predict", json={"model": "classifier", "inputs": given}).json()["predictions"]
        expected = Predictor.load(folders["classifier"], "cpu").predict_proba([of["text"] for of in given])
        for answer, row in zip(answers, expected, strict=True):
            np.testing.assert_allclose(list(answer["probabilities"].values()), row, atol=1e-5)
