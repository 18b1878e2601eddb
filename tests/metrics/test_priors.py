import numpy as np
import pytest

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics import (
    check_priors,
    confusion_matrix,
    correct_priors,
    estimate_priors_bbse,
    estimate_priors_em,
    implied_priors,
)

SOURCE, TARGET = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def drawn(shares, examples, seed):
    """Targets and points of three Gaussian clouds."""
    generator = np.random.default_rng(seed)
    targets = generator.choice(3, size=examples, p=shares)
    return targets, CENTRES[targets] + generator.normal(size=(examples, 2))


def posterior(points, shares):
    """The exact probabilities, in a world with these shares."""
    squares = ((points[:, None] - CENTRES) ** 2).sum(axis=2)
    joint = shares * np.exp(-squares / 2)
    return joint / joint.sum(axis=1, keepdims=True)


def test_correction_gives_the_exact_probabilities_of_the_other_world():
    _, points = drawn(TARGET, 500, 0)
    corrected = correct_priors(posterior(points, SOURCE), SOURCE, TARGET)
    np.testing.assert_allclose(corrected, posterior(points, TARGET), rtol=1e-10)


def test_correction_to_the_same_shares_changes_nothing_and_is_undone_by_its_reverse():
    _, points = drawn(TARGET, 50, 1)
    claims = posterior(points, SOURCE)
    np.testing.assert_allclose(correct_priors(claims, SOURCE, SOURCE), claims, rtol=1e-12)
    there = correct_priors(claims, SOURCE, TARGET)
    np.testing.assert_allclose(correct_priors(there, TARGET, SOURCE), claims, rtol=1e-10)


def test_a_class_that_cannot_occur_leaves_probabilities_that_sum_to_one():
    corrected = correct_priors(np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]]), SOURCE, np.array([0.0, 0.4, 0.6]))
    np.testing.assert_allclose(corrected.sum(axis=1), 1, rtol=1e-12)
    assert (corrected[:, 0] == 0).all()


def test_em_finds_the_shares_of_a_simulated_shift():
    targets, points = drawn(TARGET, 20_000, 2)
    found = estimate_priors_em(posterior(points, SOURCE), SOURCE)
    # The standard error of a share is about 0.5%: overlap makes it larger than that of counting.
    np.testing.assert_allclose(found, np.bincount(targets) / len(targets), atol=0.02)
    assert found.sum() == pytest.approx(1)


def test_em_finds_the_maximum_of_the_likelihood():
    _, points = drawn(TARGET, 400, 3)
    claims = posterior(points, SOURCE)
    found = estimate_priors_em(claims, SOURCE)

    def likelihood(shares):
        return np.log(claims @ (shares / SOURCE)).sum()

    generator = np.random.default_rng(4)
    for _ in range(300):
        other = np.abs(found + generator.normal(scale=0.02, size=3))
        assert likelihood(other / other.sum()) <= likelihood(found) + 1e-6


def test_black_box_estimation_finds_the_shares_even_from_distorted_probabilities():
    targets, points = drawn(SOURCE, 100_000, 5)
    others, shifted = drawn(TARGET, 100_000, 6)
    distorted = np.array([1.0, 3.0, 1.0])  # a classifier that prefers the second class
    predicted = (posterior(points, SOURCE) * distorted).argmax(axis=1)
    answers = (posterior(shifted, SOURCE) * distorted).argmax(axis=1)
    found = estimate_priors_bbse(np.bincount(answers, minlength=3), confusion_matrix(targets, predicted, 3))
    np.testing.assert_allclose(found, np.bincount(others) / len(others), atol=0.03)
    plain = np.bincount(answers, minlength=3) / len(answers)
    assert np.abs(found - TARGET).max() < 0.3 * np.abs(plain - TARGET).max()


def test_implied_priors_are_those_that_the_probabilities_were_made_for():
    targets, points = drawn(SOURCE, 20_000, 7)
    uniform = np.full(3, 1 / 3)
    np.testing.assert_allclose(implied_priors(targets, posterior(points, uniform)), uniform, atol=0.02)
    np.testing.assert_allclose(implied_priors(targets, posterior(points, SOURCE)), SOURCE, atol=0.02)


def test_implied_priors_make_the_probabilities_sum_to_the_number_of_examples():
    targets, points = drawn(SOURCE, 2000, 8)
    claims = posterior(points, np.full(3, 1 / 3))
    shares = np.bincount(targets) / 2000
    corrected = correct_priors(claims, implied_priors(targets, claims), shares)
    np.testing.assert_allclose(corrected.mean(axis=0), shares, atol=2e-3)  # one imagined example in two thousand


def test_a_class_without_examples_keeps_a_share():
    claims = np.array([[0.6, 0.3, 0.1]] * 20)
    shares = implied_priors(np.array([0, 1] * 10), claims)
    assert (shares > 0).all()


def test_from_no_examples_nothing_is_estimated():
    with pytest.raises(DataError, match="no examples"):
        estimate_priors_em(np.empty((0, 3)), SOURCE)
    with pytest.raises(DataError, match="no examples"):
        estimate_priors_bbse(np.zeros(3), np.eye(3))


def test_a_classifier_that_cannot_tell_classes_apart_is_refused_by_bbse():
    with pytest.raises(DataError, match="same answers"):
        estimate_priors_bbse([5, 5], [[4, 4], [2, 2]])


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"ham": 0.5, "spm": 0.5}, "did you mean spam"),
        ({"ham": 1.0}, "'spam' is missing"),
        ({"ham": 0.5, "spam": 0.6}, "sum to 1.1, not to 1"),
        ({"ham": 1.5, "spam": -0.5}, "0 to 1"),
    ],
)
def test_wrong_priors_are_refused(priors, message):
    with pytest.raises(ConfigurationError, match=message):
        check_priors(priors, ["ham", "spam"])


def test_priors_come_in_the_order_of_the_classes():
    np.testing.assert_array_equal(check_priors({"spam": 0.1, "ham": 0.9}, ["ham", "spam"]), [0.9, 0.1])
