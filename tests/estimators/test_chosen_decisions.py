"""Calibration and thresholds of a fitted classifier: chosen on validation examples, kept by the folder."""

import subprocess
import sys

import numpy as np
import pytest

from seqwise import SequenceClassifier
from seqwise.errors import ConfigurationError
from seqwise.estimators.decisions import describe_decisions, fit_decisions
from seqwise.metrics import Calibration, choose_thresholds, decide, parse_criterion
from seqwise.prediction import Predictor


def noisy_messages(rows, seed):
    """Rare "spam" that shares many of its words with "ham"."""
    random = np.random.default_rng(seed)
    labels = np.where(random.random(rows) < 0.15, "spam", "ham")
    words = {
        "ham": [*["lunch", "home", "call"] * 3, "win", "free"],
        "spam": [*["win", "free", "prize"] * 2, "call", "home"],
    }
    return [" ".join(random.choice(words[label], 4)) for label in labels], labels


@pytest.fixture(scope="module")
def fitted():
    texts, labels = noisy_messages(600, 0)
    return SequenceClassifier(architecture="linear", validation=0.3, class_weight="balanced", refit=False).fit(
        texts, labels
    )


@pytest.fixture
def simulated():
    random = np.random.default_rng(3)
    targets = random.choice(3, 3000, p=[0.9, 0.08, 0.02])
    z = 1.5 * np.eye(3)[targets] + random.standard_normal((3000, 3))
    return targets, np.exp(z) / np.exp(z).sum(1, keepdims=True)


def test_a_treatment_that_distorts_is_calibrated_and_no_answer_changes(fitted):
    _, targets, raw = fitted.validation_
    assert fitted.decisions_["calibration"]["method"] == "bcts"
    record = fitted.decisions_["criterion"]["calibration"]
    assert record["log_loss_after"] < record["log_loss_before"]
    calibrated = Calibration.from_dict(fitted.decisions_["calibration"], 2)(raw)
    answers = decide(calibrated, fitted.decisions_["thresholds"])
    np.testing.assert_array_equal(answers, raw.argmax(1))
    assert abs(calibrated[:, 1].mean() - (targets == 1).mean()) < 0.01 < abs(raw[:, 1].mean() - (targets == 1).mean())
    assert "leave the answers" in " ".join(describe_decisions(fitted.decisions_, ["ham", "spam"]))


def test_bcts_keeps_the_answers_of_many_classes(simulated):
    targets, probabilities = simulated
    chosen = fit_decisions(targets, probabilities, ["a", "b", "c"], calibrate="bcts", keep_answers=True)
    after = Calibration.from_dict(chosen["calibration"], 3)(probabilities)
    np.testing.assert_array_equal(decide(after, chosen["thresholds"]), probabilities.argmax(1))


def test_without_a_treatment_nothing_is_changed():
    texts, labels = noisy_messages(200, 1)
    model = SequenceClassifier(architecture="linear", validation=0.3, refit=False).fit(texts, labels)
    assert model.decisions_["calibration"] is None
    assert model.decisions_["thresholds"] is None
    np.testing.assert_array_equal(model.predict(texts), model.classes_[model.predict_proba(texts).argmax(1)])


@pytest.mark.parametrize("threshold", ["f2", "recall=0.9", "precision=0.9", "balanced_accuracy", "youden", "cost"])
def test_thresholds_are_those_of_the_calibrated_validation_part(fitted, threshold):
    costs = {"fp": 1, "fn": 20} if threshold == "cost" else None
    fitted.choose_decisions(threshold=threshold, calibrate="platt", positive="spam", costs=costs)
    _, targets, raw = fitted.validation_
    calibrated = Calibration.from_dict(fitted.decisions_["calibration"], 2)(raw)
    expected = choose_thresholds(
        targets,
        calibrated,
        parse_criterion(threshold),
        positive=1,
        costs=[[0, 1], [20, 0]] if costs else None,
    )
    np.testing.assert_allclose(fitted.decisions_["thresholds"], expected.values, rtol=1e-12)
    assert fitted.decisions_["criterion"]["after"] == expected.after


def test_a_saved_model_decides_alike_in_a_new_process(fitted, tmp_path):
    texts, _ = noisy_messages(60, 9)
    fitted.choose_decisions(threshold="recall=0.9", calibrate="isotonic", positive="spam").save(tmp_path / "m")
    expected = fitted.predict(texts).tolist()
    assert set(expected) == {"ham", "spam"}
    assert SequenceClassifier.load(tmp_path / "m").predict(texts).tolist() == expected
    assert Predictor.load(tmp_path / "m", device="cpu").predict(texts) == expected
    program = (
        "import sys, json; from seqwise.prediction import Predictor;"
        "print(json.dumps(Predictor.load(sys.argv[1], device='cpu').predict(sys.argv[2:])))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "m", *texts], capture_output=True, text=True, check=True
    )
    assert eval(out.stdout) == expected


def test_wrong_requests_are_named(fitted):
    with pytest.raises(ConfigurationError, match="did you mean isotonic"):
        fitted.choose_decisions(calibrate="isotonik")
    with pytest.raises(ConfigurationError, match="did you mean youden"):
        fitted.choose_decisions(threshold="yuden")
    texts, labels = noisy_messages(40, 1)
    bare = SequenceClassifier(architecture="linear", validation=0.0).fit(texts, labels)
    with pytest.raises(ConfigurationError, match="there are none"):
        bare.choose_decisions(threshold="f1")
