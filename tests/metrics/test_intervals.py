import numpy as np
import pytest

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics import classification_metrics, describe, paired_difference
from seqwise.metrics.intervals import cells, figure, resampled_cells, resampled_multiplicities


def test_the_interval_of_an_accuracy_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(11)
    truth, runs, covered = 0.8, 400, 0
    for run in range(runs):
        targets = np.zeros(150, dtype=int)
        predictions = (generator.random(150) > truth).astype(int)
        probabilities = np.full((150, 2), 0.5)
        got = classification_metrics(
            targets, probabilities, ["a", "b"], predictions=predictions, resamples=200, seed=run
        )["accuracy"]
        covered += got["low"] <= truth <= got["high"]
    # 95% less the small-sample error of the percentile method; 400 runs have a standard error of 1.1%.
    assert 0.91 <= covered / runs <= 0.98


def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(12)
    runs, covered = 1000, 0
    for run in range(runs):
        hard = generator.random(200) < 0.3  # both fail together: the figures are correlated
        a = np.where(hard, generator.random(200) < 0.7, generator.random(200) < 0.05).astype(int)
        b = np.where(hard, generator.random(200) < 0.7, generator.random(200) < 0.15).astype(int)
        got = paired_difference(np.zeros(200, dtype=int), a, b, "accuracy", resamples=400, seed=run)
        covered += got["low"] <= 0.7 * 0.10 <= got["high"]
    # The percentile method covers 93.8% at 200 examples (3,000 runs at 1,000 resamples); the standard error here is 0.8%.
    assert 0.91 <= covered / runs <= 0.98


@pytest.mark.parametrize("distinct", [False, True], ids=["few cells", "every example a cell"])
def test_both_ways_of_drawing_cells_have_the_moments_of_drawing_examples(distinct):
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 2, 60)
    weights = generator.uniform(0.5, 2, 60) if distinct else None
    groups = cells(labels, weights=weights)
    sums = np.concatenate([*resampled_cells(groups, 4000, np.random.default_rng(1))])
    assert sums.shape == (4000, len(groups.examples))
    of_first = sums[:, groups.labels[0] == 0].sum(axis=1)
    each = np.where(labels == 0, 1.0 if weights is None else weights, 0.0)
    # One example drawn n times: mean n * mean, variance n * variance. Four standard errors at 4,000 resamples.
    assert of_first.mean() == pytest.approx(each.sum(), abs=4 * np.sqrt(60 * each.var() / 4000))
    assert of_first.var() == pytest.approx(60 * each.var(), rel=4 * np.sqrt(2 / 4000))
    if not distinct:
        assert (sums.sum(axis=1) == 60).all()


def test_multiplicities_draw_every_example_alike_and_always_as_many():
    blocks = [*resampled_multiplicities(7, 3000, np.random.default_rng(2))]
    counts = np.concatenate(blocks, axis=1)
    assert counts.shape == (7, 3000)
    assert (counts.sum(axis=0) == 7).all()
    np.testing.assert_allclose(counts.mean(axis=1), 1, atol=0.08)


def test_blocks_of_any_size_add_up_to_all_resamples(monkeypatch):
    monkeypatch.setattr("seqwise.metrics.intervals.DRAWS_AT_ONCE", 30)
    assert sum(block.shape[1] for block in resampled_multiplicities(7, 50, np.random.default_rng(0))) == 50
    groups = cells(np.repeat([0, 1], 100))
    assert sum(len(block) for block in resampled_cells(groups, 50, np.random.default_rng(0))) == 50


def test_an_interval_holds_its_own_value():
    assert figure(0.5, np.array([0.6, 0.7, 0.8])) == {"value": 0.5, "low": 0.5, "high": pytest.approx(0.795)}


def test_undefined_is_none_and_never_nan():
    nothing = {"value": None, "low": None, "high": None}
    assert figure(float("nan"), np.array([1.0])) == nothing
    assert figure(0.5, np.array([np.nan])) == {"value": 0.5, "low": None, "high": None}
    assert figure(0.5, np.array([np.nan, 0.4, 0.4]))["low"] == 0.4


def test_figures_are_described_for_people():
    assert describe({"value": 0.91234, "low": 0.9, "high": 0.92}) == "0.912 (0.900 to 0.920)"
    assert describe({"value": 0.5, "low": None, "high": None}, 1) == "0.5"
    assert describe({"value": None, "low": None, "high": None}) == "undefined"


def test_a_model_does_not_differ_from_itself():
    generator = np.random.default_rng(0)
    targets, predictions = generator.integers(0, 3, (2, 50))
    got = paired_difference(targets, predictions, predictions)
    assert got == {"value": 0, "low": 0, "high": 0}


@pytest.mark.parametrize("weighted", [False, True])
def test_a_difference_is_the_difference_and_changes_sign_when_swapped(weighted):
    generator = np.random.default_rng(6)
    targets = generator.integers(0, 3, 400)
    good = np.where(generator.random(400) < 0.9, targets, 0)
    poor = np.where(generator.random(400) < 0.5, targets, 1)
    weights = generator.uniform(0, 2, 400) if weighted else None
    probabilities = np.full((400, 3), 1 / 3)

    def alone(predictions):
        return classification_metrics(
            targets, probabilities, list("abc"), predictions=predictions, sample_weight=weights, resamples=0
        )["mcc"]["value"]

    there = paired_difference(targets, good, poor, "mcc", sample_weight=weights)
    back = paired_difference(targets, poor, good, "mcc", sample_weight=weights)
    assert there["value"] == pytest.approx(alone(good) - alone(poor), rel=1e-12)
    assert there["low"] > 0
    assert back["high"] < 0
    assert back["value"] == pytest.approx(-there["value"], rel=1e-12)


def test_pairing_makes_the_interval_narrower_than_two_separate_ones():
    generator = np.random.default_rng(7)
    targets = generator.integers(0, 2, 500)
    a = np.where(generator.random(500) < 0.7, targets, 1 - targets)
    b = np.where(generator.random(500) < 0.02, 1 - a, a)
    paired = paired_difference(targets, a, b, "accuracy")
    probabilities = np.full((500, 2), 0.5)
    alone = classification_metrics(targets, probabilities, ["x", "y"], predictions=a)["accuracy"]
    assert paired["high"] - paired["low"] < 0.5 * (alone["high"] - alone["low"])


def test_one_example_has_no_interval():
    assert paired_difference([0], [0], [1], "accuracy") == {"value": 1.0, "low": None, "high": None}


def test_a_comparison_of_nothing_or_by_no_metric_says_so():
    with pytest.raises(ConfigurationError, match=r"no metric 'f2'.*macro_f1"):
        paired_difference([0], [0], [0], "f2")
    with pytest.raises(DataError, match="no examples"):
        paired_difference([], [], [])
    with pytest.raises(DataError, match=r"predictions_b must have the shape \(2,\), not \(1,\)"):
        paired_difference([0, 1], [0, 1], [0])
