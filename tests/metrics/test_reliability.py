import numpy as np
import pytest
import sklearn.metrics as oracle
from sklearn.calibration import calibration_curve

from seqwise.metrics import expected_calibration_error, reliability_bins
from seqwise.metrics.calibration import bin_numbers, log_losses


def test_log_loss_is_that_of_scikit_learn_even_at_zero():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(4), 100)
    probabilities[0] = [0, 0, 0, 1]
    targets = generator.integers(0, 4, 100)
    targets[:2] = 0
    weights = generator.uniform(0, 2, 100)
    ours = log_losses(targets, probabilities)
    assert ours[0] == pytest.approx(36.04, abs=0.01)
    theirs = oracle.log_loss(targets, probabilities, sample_weight=weights)
    assert np.average(ours, weights=weights) == pytest.approx(theirs, rel=1e-12)


def test_reliability_bins_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    confidence = generator.uniform(0.3, 1, 500)
    confidence[:4] = [1 / 3, 2 / 3, 1.0, 0.6]  # on an edge
    correct = generator.random(500) < confidence**2
    found = reliability_bins(confidence, correct)
    accuracy, claimed = calibration_curve(correct, confidence, n_bins=15)
    np.testing.assert_allclose(found.accuracy, accuracy, rtol=1e-12)
    np.testing.assert_allclose(found.confidence, claimed, rtol=1e-12)
    assert found.weight.sum() == pytest.approx(1)
    assert expected_calibration_error(confidence, correct) == pytest.approx(
        np.abs(accuracy - claimed) @ found.weight, rel=1e-12
    )


def test_a_weight_counts_like_as_many_copies():
    generator = np.random.default_rng(2)
    confidence, correct = generator.random(60), generator.random(60) < 0.5
    copies = generator.integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), copies)
    assert expected_calibration_error(confidence, correct, copies) == pytest.approx(
        expected_calibration_error(confidence[repeated], correct[repeated]), rel=1e-12
    )


def test_confident_and_always_right_is_perfectly_calibrated():
    assert expected_calibration_error(np.ones(5), np.ones(5, dtype=bool)) == 0
    assert expected_calibration_error(np.ones(5), np.zeros(5, dtype=bool)) == 1


def test_bins_are_closed_on_the_right():
    np.testing.assert_array_equal(bin_numbers(np.array([0, 0.25, 0.2500001, 0.5, 1.0]), 4), [0, 0, 1, 1, 3])
