"""From probabilities to answers: the order of the steps, what a saved folder says, and what an older one lacks."""

import numpy as np
import pytest

from saved_toy import CLASSES, TEXTS, forge, save_toy, toy_labels
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.metrics import Calibration, correct_priors
from seqwise.prediction import UNSURE, Decisions, Predictor

CALIBRATION = {"method": "bcts", "slope": 0.5, "shift": [0.3, -0.2, -0.1]}


@pytest.fixture
def rows():
    return np.random.default_rng(0).dirichlet([1.0, 0.5, 0.3], 200)


def plain(**changes):
    return Decisions.from_labels(toy_labels(**changes))


def test_calibration_comes_first_then_priors_then_thresholds(tmp_path):
    save_toy(tmp_path / "plain")
    save_toy(
        tmp_path / "m", toy_labels(calibration=CALIBRATION, thresholds=[0.6, 0.3, 0.1], implied_priors=[0.4, 0.4, 0.2])
    )
    raw = Predictor.load(tmp_path / "plain", device="cpu").predict_proba(TEXTS)
    predictor = Predictor.load(tmp_path / "m", device="cpu")
    calibrated = Calibration.from_dict(CALIBRATION, 3)(raw)
    np.testing.assert_allclose(predictor.predict_proba(TEXTS), calibrated, rtol=1e-12)
    predictor.decisions = predictor.decisions.used(priors=np.array([0.2, 0.3, 0.5]))
    corrected = correct_priors(calibrated, [0.4, 0.4, 0.2], [0.2, 0.3, 0.5])
    np.testing.assert_allclose(predictor.predict_proba(TEXTS), corrected, rtol=1e-12)
    assert predictor.predict(TEXTS) == [CLASSES[i] for i in (corrected / [0.6, 0.3, 0.1]).argmax(1)]


def test_abstention_is_below_the_probability_of_the_answer(rows):
    decisions = plain(thresholds=[0.6, 0.3, 0.1]).used(abstain_below=0.5)
    chosen = (rows / [0.6, 0.3, 0.1]).argmax(1)
    sure = rows[np.arange(len(rows)), chosen] >= 0.5
    assert 0 < sure.sum() < len(rows)
    np.testing.assert_array_equal(decisions.decide(rows), np.where(sure, chosen, UNSURE))


@pytest.mark.parametrize("level", [0, -0.1, 1.5, float("nan")])
def test_abstention_needs_a_probability(level):
    with pytest.raises(ConfigurationError, match="abstain_below is a probability"):
        plain().used(abstain_below=level)


def test_an_older_folder_takes_the_shares_of_training(rows):
    older = {name: value for name, value in toy_labels().items() if name not in ("implied_priors", "confusion")}
    decisions = Decisions.from_labels(older)
    np.testing.assert_array_equal(decisions.source, [0.5, 0.3, 0.2])
    np.testing.assert_array_equal(decisions.decide(rows), rows.argmax(1))


def test_em_and_bbse_find_the_shares_of_a_shifted_world():
    random = np.random.default_rng(1)
    source, world = np.array([0.8, 0.15, 0.05]), np.array([0.3, 0.3, 0.4])
    centres = 2.0 * np.eye(3)

    def sample(shares, n):
        targets = random.choice(3, n, p=shares)
        x = centres[targets] + random.standard_normal((n, 3))
        likelihood = np.exp(-0.5 * ((x[:, None] - centres) ** 2).sum(-1)) * source
        return targets, likelihood / likelihood.sum(1, keepdims=True)

    targets, known = sample(source, 20_000)
    confusion = np.zeros((3, 3))
    np.add.at(confusion, (targets, known.argmax(1)), 1)
    decisions = plain(implied_priors=source.tolist(), confusion=confusion.tolist())
    _, unlabelled = sample(world, 20_000)
    for method in ("em", "bbse"):
        np.testing.assert_allclose(decisions.estimate_priors(unlabelled, method), world, atol=0.02)


def test_bbse_without_a_confusion_matrix_and_an_unknown_method_are_refused(rows):
    with pytest.raises(DataError, match="no confusion matrix"):
        plain().estimate_priors(rows, "bbse")
    with pytest.raises(ConfigurationError, match="em or bbse, not 'guess'"):
        plain().estimate_priors(rows, "guess")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calibration": {"method": "magic"}}, "does not know"),
        ({"calibration": {"method": "bcts", "slope": 1.0, "shift": [0.0]}}, "does not know"),
        ({"implied_priors": [0.5, 0.5, 0.0]}, "implied prior"),
        ({"implied_priors": [0.5, 0.5]}, "implied_priors for 3 classes"),
        ({"confusion": [[1, 2, 3], [1, 2, 3], [1, 2]]}, "confusion matrix"),
    ],
)
def test_a_forged_decision_is_refused(tmp_path, changes, message):
    save_toy(tmp_path / "m")
    forge(tmp_path / "m", labels=toy_labels(**changes))
    with pytest.raises(ModelFolderError, match=message):
        Predictor.load(tmp_path / "m", device="cpu")
