"""Figures of numbers: scikit-learn and scipy outside, then the laws of weights and intervals."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as theirs

from seqwise.errors import DataError
from seqwise.metrics.regression import (
    mean_absolute_error,
    numbers,
    quick_regression_figures,
    r2_score,
    regression_metrics,
    root_mean_squared_error,
    spearman_correlation,
)

N, K = 200, 2


def problem(seed=0):
    generator = np.random.default_rng(seed)
    true = np.round(generator.normal(5, 2, (N, K)))  # ties
    return true, true + generator.normal(0, 1, (N, K)), generator.integers(0, 4, N).astype(float)


@pytest.mark.parametrize(
    ("ours", "oracle"),
    [
        (mean_absolute_error, theirs.mean_absolute_error),
        (root_mean_squared_error, theirs.root_mean_squared_error),
        (r2_score, theirs.r2_score),
    ],
)
def test_each_figure_is_scikit_learns_with_weights_and_several_targets(ours, oracle):
    true, said, weights = problem()
    assert ours(numbers(true, said))[0] == pytest.approx(oracle(true, said), rel=1e-10)
    assert ours(numbers(true, said, weights))[0] == pytest.approx(oracle(true, said, sample_weight=weights), rel=1e-10)


def test_spearman_is_scipys_with_ties():
    true, said, _ = problem()
    said = np.round(said)
    expected = np.mean([spearmanr(true[:, k], said[:, k]).statistic for k in range(K)])
    assert spearman_correlation(numbers(true, said))[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("ours", [mean_absolute_error, root_mean_squared_error, r2_score, spearman_correlation])
def test_an_example_drawn_twice_is_an_example_that_is_there_twice(ours):
    true, said, counts = problem()
    repeated = np.repeat(np.arange(N), counts.astype(int))
    found = ours(numbers(true, said), np.stack([counts, np.ones(N)], axis=1))
    assert found[0] == pytest.approx(ours(numbers(true[repeated], said[repeated]))[0], rel=1e-10)
    assert found[1] == pytest.approx(ours(numbers(true, said))[0], rel=1e-10)


def test_the_macro_error_counts_a_rare_value_as_much_as_a_frequent_one():
    true = np.array([1.0] * 9 + [10.0])[:, None]
    said = np.array([1.5] * 9 + [4.0])[:, None]
    block = regression_metrics(true, said, names=["stars"], groups=[np.array([5.0])], resamples=50)
    assert block["mae"]["value"] == pytest.approx((9 * 0.5 + 6) / 10)
    assert block["macro_mae"]["value"] == pytest.approx((0.5 + 6) / 2)
    assert [row["examples"] for row in block["per_value"]["stars"]] == [9, 1]
    assert block["per_value"]["stars"][1]["bias"] == -6


def test_the_difference_is_measured_on_the_same_resamples():
    true, said, _ = problem()
    block = regression_metrics(
        true, said, {"same": said, "mean": np.full_like(true, 5.0)}, names=["a", "b"], groups=[[4.5]] * 2
    )
    assert (block["difference"]["low"], block["difference"]["high"]) == (0.0, 0.0)
    assert set(block["others"]) == {"mean"}
    assert block["mae"]["low"] < block["mae"]["value"] < block["mae"]["high"]
    assert set(block["per_target"]) == {"a", "b"}


def test_intervals_cover_about_as_often_as_they_claim():
    generator, covered = np.random.default_rng(0), 0
    truth = np.sqrt(2 / np.pi)
    for number in range(60):
        true = np.zeros((150, 1))
        block = regression_metrics(
            true, generator.normal(size=(150, 1)), names=["x"], groups=[np.empty(0)], resamples=200, seed=number
        )
        covered += block["mae"]["low"] <= truth <= block["mae"]["high"]
    assert covered >= 50


def test_a_target_that_does_not_vary_has_no_r2():
    assert np.isnan(quick_regression_figures(np.full(5, 3.0), np.arange(5.0))["r2"])


def test_large_numbers_keep_their_digits():
    true = 1e9 + np.array([0.0, 1.0, 2.0, 3.0])
    assert quick_regression_figures(true, true + 0.5)["r2"] == pytest.approx(theirs.r2_score(true, true + 0.5))


def test_wrong_numbers_are_named():
    with pytest.raises(DataError, match=r"one shape.*\(3,\) and \(2,\)"):
        numbers([1, 2, 3], [1, 2])
    with pytest.raises(DataError, match="predictions of example 2 are not finite"):
        numbers([1, 2, 3], [1, np.nan, 3])
    with pytest.raises(DataError, match="no examples"):
        numbers([], [])
