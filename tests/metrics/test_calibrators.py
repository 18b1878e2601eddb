import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss

from seqwise.errors import ConfigurationError
from seqwise.metrics import (
    Calibration,
    brier_score,
    classwise_calibration_error,
    expected_calibration_error,
    fit_calibration,
)

METHODS = ["temperature", "bcts", "vector", "platt", "isotonic"]


def overconfident(examples=4000, classes=3, seed=0, factor=3.0):
    """True probabilities, targets drawn from them, and claims that are too sure by a factor of the logits."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(examples, classes)) + np.linspace(1, 0, classes)
    truth = softmax(logits)
    targets = (truth.cumsum(axis=1) < generator.random((examples, 1))).sum(axis=1)
    return truth, targets, softmax(factor * logits)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def error(targets, probabilities):
    return expected_calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_calibration_makes_claims_come_true_on_other_examples(method, classes):
    _, targets, claims = overconfident(classes=classes)
    fitted = fit_calibration(method, targets, claims)
    _, others, fresh = overconfident(classes=classes, seed=1)
    calibrated = fitted(fresh)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=1e-12)
    assert error(others, calibrated) < 0.4 * error(others, fresh)
    assert classwise_calibration_error(others, calibrated).mean() < classwise_calibration_error(others, fresh).mean()
    assert brier_score(others, calibrated) < brier_score(others, fresh)
    assert log_loss(others, calibrated) < log_loss(others, fresh)


def test_the_temperature_is_the_one_of_least_log_loss():
    _, targets, claims = overconfident()
    weights = np.random.default_rng(2).uniform(0, 2, len(targets))
    fitted = fit_calibration("temperature", targets, claims, weights)
    found = minimize_scalar(
        lambda slope: log_loss(targets, softmax(slope * np.log(claims)), sample_weight=weights), bounds=(0.01, 10)
    ).x
    assert fitted.parameters["slope"] == pytest.approx(found, rel=1e-3)
    assert fitted.parameters["slope"] == pytest.approx(1 / 3, rel=0.1)


def test_isotonic_knots_are_those_of_scikit_learn():
    _, targets, claims = overconfident(500, 2)
    least = 0.5 / 501
    theirs = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(claims[:, 1], targets)
    fitted = fit_calibration("isotonic", targets, claims)
    fresh = overconfident(500, 2, seed=3)[2]
    np.testing.assert_allclose(fitted(fresh)[:, 1], theirs.predict(fresh[:, 1]), rtol=1e-12)


def test_the_brier_score_of_two_classes_is_twice_that_of_scikit_learn():
    _, targets, claims = overconfident(200, 2)
    assert brier_score(targets, claims) == pytest.approx(2 * brier_score_loss(targets, claims[:, 1]))


def test_temperature_keeps_the_order_of_the_classes_in_every_example():
    _, targets, claims = overconfident(classes=5)
    calibrated = fit_calibration("temperature", targets, claims)(claims)
    np.testing.assert_array_equal(np.argsort(calibrated, axis=1), np.argsort(claims, axis=1))


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_of_two_classes_the_order_of_the_examples_is_never_reversed(method):
    generator = np.random.default_rng(4)
    scores = generator.random(300)
    targets = generator.integers(0, 2, 300)  # nothing to learn: the temptation to reverse is greatest
    for labels in (targets, (scores < 0.5).astype(int)):
        claims = np.stack([1 - scores, scores], axis=1)
        calibrated = fit_calibration(method, labels, claims)(claims)[:, 1]
        steps = np.diff(calibrated[np.argsort(scores)])
        assert (steps >= 0).all()
        if method != "isotonic":
            assert (steps > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_examples_without_a_mistake_and_claims_of_zero_and_one_stay_finite(method):
    claims = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.9, 0.1, 0.0]])
    fitted = fit_calibration(method, [0, 1, 2, 0], claims)
    calibrated = fitted(claims)
    assert np.isfinite(calibrated).all()
    assert (calibrated >= 0).all()
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("method", METHODS)
def test_what_is_saved_as_json_answers_the_same(method, classes):
    _, targets, claims = overconfident(300, classes)
    fitted = fit_calibration(method, targets, claims)
    loaded = Calibration.from_dict(json.loads(json.dumps(fitted.to_dict())), classes)
    np.testing.assert_array_equal(loaded(claims), fitted(claims))
    if method != "temperature":
        with pytest.raises(ConfigurationError, match="5 classes"):
            Calibration.from_dict(fitted.to_dict(), 5)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"method": "magic"},
        {"method": "temperature"},
        {"method": "temperature", "slope": -1},
        {"method": "temperature", "slope": [1, 2]},
        {"method": "temperature", "slope": 1, "extra": 2},
        {"method": "platt", "slope": [1], "shift": ["x"]},
        {"method": "isotonic", "knots": [[[0, 1], [1, 0]]]},
        {"method": "isotonic", "knots": [[[], []]]},
        {"method": "isotonic", "knots": 3},
    ],
)
def test_a_calibration_that_is_none_is_refused(content):
    with pytest.raises(ConfigurationError):
        Calibration.from_dict(content, 2)


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean isotonic"):
        fit_calibration("isotnic", [0, 1], np.eye(2))


@pytest.mark.parametrize("method", ["temperature", "bcts", "vector"])
def test_few_examples_without_a_mistake_do_not_ask_for_certainty(method):
    probabilities = np.array([[0.7, 0.3], [0.3, 0.7]] * 5)
    claimed = fit_calibration(method, [0, 1] * 5, probabilities)(probabilities).max(axis=1)
    assert (claimed > 0.7).all()
    assert (claimed < 0.99).all()
