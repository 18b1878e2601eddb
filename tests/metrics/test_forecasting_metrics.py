"""Figures of forecasts: by hand, and the laws of scale, intervals and coverage."""

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.metrics.forecasting import forecast_metrics, naive_scale


def problem(count=40, horizon=3, channels=2, seed=0):
    generator = np.random.default_rng(seed)
    true = generator.normal(size=(count, horizon, channels))
    return true, true + generator.normal(size=true.shape)


def test_figures_are_those_computed_by_hand():
    true, said = problem()
    naive = np.array([0.5, 2.0])
    block = forecast_metrics(true, said, naive)
    error = np.abs(said - true)
    assert block["mae"]["value"] == pytest.approx(error.mean())
    assert block["mase"]["value"] == pytest.approx((error / naive).mean())
    assert block["rmse"]["value"] == pytest.approx(np.sqrt(np.square(said - true).mean()))
    assert block["mase"]["low"] < block["mase"]["value"] < block["mase"]["high"]
    for step, row in enumerate(block["by_step"]):
        assert row["step"] == step + 1
        assert row["mae"] == pytest.approx(error[:, step].mean())
        assert row["rmse"] == pytest.approx(np.sqrt(np.square(said - true)[:, step].mean()))


def test_the_scaled_error_does_not_depend_on_the_unit_of_a_channel():
    true, said = problem()
    units = np.array([1e3, 1e-3])
    plain = forecast_metrics(true, said, np.array([0.5, 2.0]))
    other = forecast_metrics(true * units, said * units, np.array([0.5, 2.0]) * units)
    assert other["mase"]["value"] == pytest.approx(plain["mase"]["value"])


def test_the_naive_forecast_within_training_has_a_scaled_error_of_one():
    generator = np.random.default_rng(0)
    rows = [np.cumsum(generator.normal(size=(200, 2)), axis=0) for _ in range(3)]
    for period in (1, 7):
        naive = naive_scale(rows, period)
        true = np.concatenate([row[period:] for row in rows])[:, None]
        said = np.concatenate([row[:-period] for row in rows])[:, None]
        assert forecast_metrics(true, said, naive, resamples=10)["mase"]["value"] == pytest.approx(1)


def test_the_difference_is_measured_on_the_same_resamples():
    true, said = problem()
    block = forecast_metrics(true, said, np.ones(2), {"same": said, "zero": np.zeros_like(said)})
    assert block["baseline"]["name"] == "same"
    assert (block["difference"]["low"], block["difference"]["high"]) == (0.0, 0.0)
    assert set(block["others"]) == {"zero"}
    assert block["by_step"][0]["baselines"]["same"] == pytest.approx(block["by_step"][0]["mase"])


def test_coverage_counts_what_the_interval_holds():
    true, said = problem()
    low, high = np.full_like(true, -np.inf), np.full_like(true, np.inf)
    high[:10] = -np.inf
    block = forecast_metrics(true, said, np.ones(2), intervals={0.8: (low, high)})
    assert block["coverage"]["0.8"]["value"] == pytest.approx(0.75)
    assert block["by_step"][2]["coverage"]["0.8"] == pytest.approx(0.75)


def test_wrong_arguments_are_named():
    true, said = problem()
    with pytest.raises(DataError, match=r"forecasts: expected the shape"):
        forecast_metrics(true, said[:, :2], np.ones(2))
    with pytest.raises(DataError, match="no forecasts to evaluate"):
        forecast_metrics(true[:0], said[:0], np.ones(2))
    with pytest.raises(DataError, match="channel 1 never changes over 1 steps"):
        naive_scale([np.zeros((9, 1))], 1)
    with pytest.raises(DataError, match="longer than the period of 12"):
        naive_scale([np.zeros((9, 1))], 12)
