import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from seqwise.errors import ConfigurationError
from seqwise.metrics import LabelCalibration, fit_label_calibration, multilabel_metrics

METHODS = ("temperature", "platt", "isotonic")


def distorted(examples=3000, labels=4, seed=0):
    """Labels drawn from true probabilities, and the probabilities of a model that pushes each label up."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1.0, 1.5, size=(examples, labels))
    targets = (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(int)
    claimed = 1 / (1 + np.exp(-(2.0 * logits + np.arange(labels))))
    return targets, claimed


@pytest.mark.parametrize("method", METHODS)
def test_calibration_improves_what_was_distorted_on_new_examples(method):
    targets, claimed = distorted()
    fitted = fit_label_calibration(method, targets, claimed)
    new, said = distorted(seed=1)
    names = ["a", "b", "c", "d"]
    before, after = (multilabel_metrics(new, p, names, resamples=0) for p in (said, fitted(said)))
    for figure in ("log_loss", "expected_calibration_error"):
        assert after[figure]["value"] < before[figure]["value"]
    if method != "temperature":  # which knows no shift
        assert after["expected_calibration_error"]["value"] < 0.02


def test_platt_is_logistic_regression_on_the_log_odds():
    targets, claimed = distorted()
    weights = np.random.default_rng(2).uniform(0.5, 2, len(targets))
    fitted = fit_label_calibration("platt", targets, claimed, weights)
    odds = np.log(claimed / (1 - claimed))
    for j in range(4):
        theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(odds[:, [j]], targets[:, j], weights)
        expected = theirs.predict_proba(odds[:, [j]])[:, 1]
        np.testing.assert_allclose(fitted(claimed)[:, j], expected, atol=2e-3)  # the softened targets


def test_isotonic_is_that_of_scikit_learn():
    targets, claimed = distorted()
    fitted = fit_label_calibration("isotonic", targets, claimed)(claimed)
    for j in range(4):
        theirs = IsotonicRegression().fit_transform(claimed[:, j], targets[:, j])
        inside = (theirs > 0.001) & (theirs < 0.999)
        np.testing.assert_allclose(fitted[inside, j], theirs[inside], rtol=1e-9)


def test_temperature_has_the_least_log_loss_of_all_slopes():
    targets, claimed = distorted()
    slope = fit_label_calibration("temperature", targets, claimed).parameters["slope"]
    odds = np.log(claimed / (1 - claimed))

    def loss(a):
        return (np.logaddexp(0, a * odds) - a * odds * targets).mean()

    assert all(loss(slope) <= loss(slope * change) for change in (0.5, 0.99, 1.01, 2))


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_examples_by_a_label_is_kept(method):
    targets, claimed = distorted(400)
    calibrated = fit_label_calibration(method, targets, claimed)(claimed)
    order = np.argsort(claimed, axis=0)
    assert (np.diff(np.take_along_axis(calibrated, order, axis=0), axis=0) >= 0).all()
    assert ((calibrated > 0) & (calibrated < 1)).all()


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_label_with_few_examples_takes_the_calibration_of_all(method):
    targets, claimed = distorted(400)
    targets[:, 2] = 0
    targets[:3, 2] = 1
    targets[:, 3] = 0
    fitted = fit_label_calibration(method, targets, claimed)
    same = np.repeat(np.linspace(0.01, 0.99, 50)[:, None], 4, axis=1)
    curves = fitted(same)
    np.testing.assert_array_equal(curves[:, 2], curves[:, 3])
    everything = fit_label_calibration(method, targets, claimed, few=10**9)
    np.testing.assert_allclose(curves[:, 2], everything(same)[:, 0])


@pytest.mark.parametrize("method", METHODS)
def test_it_survives_the_way_through_json_and_certain_probabilities(method):
    targets, claimed = distorted(400)
    claimed[0], claimed[1] = 0.0, 1.0
    fitted = fit_label_calibration(method, targets, claimed)
    again = LabelCalibration.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)), 4)
    np.testing.assert_array_equal(again(claimed), fitted(claimed))
    assert np.isfinite(again(claimed)).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"method": "plat"}, "did you mean platt"),
        ({"method": "vector"}, "there are temperature, platt, isotonic"),
        ({"method": "temperature", "slope": -1.0}, "not those of temperature calibration of 2 labels"),
        ({"method": "temperature", "slope": 1.0, "shift": 0.0}, "not those of temperature"),
        ({"method": "platt", "slope": [1.0], "shift": [0.0]}, "not those of platt calibration of 2 labels"),
        ({"method": "isotonic", "knots": [[[0, 1], [0.1, 0.9]]]}, "not those of isotonic"),
        ({"method": "isotonic", "knots": [[[0, 1], [0.9, 0.1]]] * 2}, "not those of isotonic"),
    ],
)
def test_wrong_contents_are_refused(content, message):
    with pytest.raises(ConfigurationError, match=message):
        LabelCalibration.from_dict(content, 2)
