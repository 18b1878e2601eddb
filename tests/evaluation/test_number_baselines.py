"""The baselines of numbers and forecasts: scikit-learn and arithmetic outside, saved and read again."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from seqwise.data import Frames
from seqwise.errors import DataError
from seqwise.evaluation.forecast_baseline import LAST, LINEAR, SEASONAL, ForecastBaseline
from seqwise.evaluation.regression_baseline import PENALTIES, RegressionBaseline, frame_statistics
from seqwise.prediction.series_scale import SeriesScale

WORDS = {"awful": -2.0, "bad": -1.0, "good": 1.0, "great": 2.0}


def reviews(count=200, seed=0):
    generator = np.random.default_rng(seed)
    rows = [generator.choice(list(WORDS), generator.integers(1, 4)).tolist() for _ in range(count)]
    return [" ".join([*row, "film"]) for row in rows], np.array([[5 + sum(map(WORDS.get, row))] for row in rows])


def test_it_is_about_as_good_as_the_best_of_scikit_learns_ridges_on_its_tf_idf():
    texts, stars = reviews()
    others, true = reviews(100, seed=1)
    baseline = RegressionBaseline.fit(texts, stars)
    ours = np.abs(baseline.predict(others) - true).mean()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    matrix = vectorizer.fit_transform(texts)
    theirs = min(
        np.abs(Ridge(alpha=alpha).fit(matrix, stars).predict(vectorizer.transform(others)).reshape(-1, 1) - true).mean()
        for alpha in PENALTIES
    )
    assert ours < 1.25 * theirs
    assert np.allclose(baseline.constant(2), stars.mean())


@pytest.mark.parametrize("bounded", [False, True])
def test_a_saved_regression_baseline_answers_as_before(bounded):
    texts, stars = reviews(60)
    both = np.concatenate([stars, 100 - stars], axis=1)
    baseline = RegressionBaseline.fit(texts, both, np.ones(60), bounded=bounded)
    again = RegressionBaseline.from_dict(json.loads(json.dumps(baseline.to_dict())))
    extreme = ["great " * 40, "awful " * 40]
    np.testing.assert_array_equal(again.predict(extreme), baseline.predict(extreme))
    assert (baseline.predict(extreme)[:, 0].max() <= stars.max()) or not bounded
    with pytest.raises(DataError, match="no baseline of a regressor"):
        RegressionBaseline.from_dict({"kind": "tags"})
    with pytest.raises(DataError, match="lacks or garbles"):
        RegressionBaseline.from_dict({"kind": "regression"})


def test_frames_are_known_by_their_statistics():
    rows = [np.array([[1.0, 5.0], [3.0, np.nan], [2.0, 7.0]], np.float32), np.array([[4.0, np.nan]], np.float32)]
    found = frame_statistics(Frames.from_rows(rows))
    assert found.shape == (2, 15)
    assert found[0, :7] == pytest.approx([2, np.std([1, 3, 2]), 1, 3, 1, 2, 1.5])
    assert found[0, 7:14] == pytest.approx([6, 1, 5, 7, 5, 7, 2])
    assert found[:, 14].tolist() == [3, 1]
    assert found[1, 7:14].tolist() == [0] * 7, "a channel without any number"
    targets = np.array([[row[0, 0]] for row in rows])
    baseline = RegressionBaseline.fit(Frames.from_rows(rows * 20), np.tile(targets, (20, 1)))
    again = RegressionBaseline.from_dict(json.loads(json.dumps(baseline.to_dict())))
    assert np.abs(again.predict(Frames.from_rows(rows)) - targets).max() < 0.5


def test_the_three_forecasts_are_what_their_names_say_and_survive_saving():
    t = np.arange(120.0)
    rows = [np.stack([np.sin(2 * np.pi * t / 12) + 3, 0.1 * t], axis=1)]
    scale = SeriesScale.of(rows, ["wave", "trend"])
    baseline = ForecastBaseline.fit(rows, None, scale, None, lags=24, period=12, penalty=1e-9)
    history, future = rows[0][:90], rows[0][90:110]
    found = baseline.forecasts([history], 20)
    assert list(found) == [LINEAR, LAST, SEASONAL]
    assert np.abs(found[LINEAR][0] - future).max() < 0.05, "a wave and a line are linear in their past"
    assert (found[LAST][0] == history[-1]).all()
    np.testing.assert_array_equal(found[SEASONAL][0, :12], history[-12:])
    np.testing.assert_array_equal(found[SEASONAL][0, 12:], history[-12:-4])
    again = ForecastBaseline.from_dict(json.loads(json.dumps(baseline.to_dict())))
    np.testing.assert_allclose(again.forecasts([history], 20)[LINEAR], found[LINEAR], rtol=1e-12)
    with pytest.raises(DataError, match="no baseline of a forecaster"):
        ForecastBaseline.from_dict({"kind": "regression"})
    with pytest.raises(DataError, match="does not fit its channels"):
        ForecastBaseline.from_dict({**baseline.to_dict(), "bias": [0.0]})
