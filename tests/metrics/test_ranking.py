import numpy as np
import pytest
import sklearn.metrics as oracle

from seqwise.metrics import average_precision, precision_recall_curve
from seqwise.metrics.ranking import ResampledRanking


@pytest.fixture(params=["distinct scores", "ties", "weights"])
def ranked(request):
    generator = np.random.default_rng(9)
    positive = generator.random(200) < 0.3
    scores = np.clip(generator.normal(0.4 + 0.2 * positive, 0.2), 0, 1)
    if request.param == "ties":
        scores = scores.round(1)
    return positive, scores, generator.uniform(0.1, 3, 200) if request.param == "weights" else None


def test_average_precision_is_that_of_scikit_learn(ranked):
    positive, scores, weights = ranked
    theirs = oracle.average_precision_score(positive, scores, sample_weight=weights)
    assert average_precision(positive, scores, weights) == pytest.approx(theirs, rel=1e-12)


def test_the_curve_is_that_of_scikit_learn(ranked):
    positive, scores, weights = ranked
    theirs = oracle.precision_recall_curve(positive, scores, sample_weight=weights)
    for ours, other in zip(precision_recall_curve(positive, scores, weights), theirs, strict=True):
        np.testing.assert_allclose(ours, other[::-1][len(other) - len(ours) :], rtol=1e-12)


def test_many_weightings_at_once_give_what_each_gives_alone(ranked):
    positive, scores, _ = ranked
    counts = np.random.default_rng(1).integers(0, 3, (200, 8)).astype(float)
    counts[~positive, 0] = 0  # only positives drawn
    together = ResampledRanking(positive, scores)(counts.copy())[0]
    alone = [average_precision(positive, scores, column) for column in counts.T]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    repeated = [np.repeat(np.arange(200), column.astype(int)) for column in counts.T]
    np.testing.assert_allclose(
        together, [oracle.average_precision_score(positive[r], scores[r]) for r in repeated], rtol=1e-12
    )


def test_without_positives_the_area_is_undefined():
    scores = np.array([0.1, 0.9, 0.5])
    assert np.isnan(average_precision(np.zeros(3, dtype=bool), scores))
    assert np.isnan(average_precision([True, False, False], scores, [0, 1, 1]))
    resampled = ResampledRanking(np.zeros(3, dtype=bool), scores, [0.5])
    assert np.isnan(resampled(np.ones((3, 2)))).all()
    some = ResampledRanking(np.array([True, False, False]), scores)
    np.testing.assert_array_equal(some(np.array([[0.0, 1], [1, 1], [1, 1]]))[0], [np.nan, 1 / 3])


def test_resampling_leaves_the_weights_it_was_given_alone():
    weights = np.ones((4, 3))
    ResampledRanking(np.array([True, False, True, False]), np.arange(4.0))(weights)
    assert (weights == 1).all()
