import numpy as np
import pytest
from scipy import special

from seqwise.metrics.link_functions import STEEP, class_log_odds, log_odds, sigmoid, softmax

LOGITS = np.random.default_rng(0).normal(scale=8, size=(50, 4))


def test_probabilities_are_those_of_scipy():
    np.testing.assert_allclose(softmax(LOGITS), special.softmax(LOGITS, axis=1), rtol=1e-12)
    np.testing.assert_allclose(sigmoid(LOGITS), special.expit(LOGITS), rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_do_not_overflow(dtype):
    logits = np.array([[-1e4, 1e4], [1e4, 1e4]], dtype=dtype)
    np.testing.assert_array_equal(softmax(logits), [[0, 1], [0.5, 0.5]])
    np.testing.assert_array_equal(sigmoid(logits), [[0, 1], [1, 1]])


def test_log_odds_undo_the_sigmoid_and_end_where_float64_does():
    z = np.linspace(-15, 15, 31)
    np.testing.assert_allclose(log_odds(sigmoid(z)), z, rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(log_odds(np.array([0.0, 0.5, 1.0])), [-STEEP, 0, STEEP])


def test_log_odds_of_classes_are_exact_beyond_what_probabilities_can_write():
    np.testing.assert_allclose(class_log_odds(np.log(softmax(LOGITS))), special.logit(softmax(LOGITS)), rtol=1e-6)
    np.testing.assert_allclose(class_log_odds(np.array([[0.0, -300.0]])), [[300.0, -300.0]])
