"""Series that go on: taught by what came, run freely, one step at a time; statsmodels' formulas by numpy outside."""

import numpy as np
import pytest
import torch

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import SequenceForecaster
from seqwise.estimators.autoregression import Autoregression, find_period, fit_autoregression, lagged
from seqwise.estimators.forecaster import held_end
from seqwise.estimators.forecaster_fitting import histories
from seqwise.models.forecaster import ForecasterNetwork
from seqwise.models.forecaster_settings import ForecasterSettings
from seqwise.prediction.series_scale import SeriesScale, complete
from tolerances import assert_close

SMALL = {
    "model": {"hidden_size": 16, "lags": 4, "window": 24, "horizon": 6, "dropout": 0.0},
    "training": {"epochs": 4, "batch_size": 16, "learning_rate": 0.01},
}


def waves(count=3, steps=260, seed=0, noise=0.05):
    """Two channels of period 12, which a bent wave and its neighbour are."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        t = np.arange(steps) + generator.uniform(0, 12)
        wave = np.sin(2 * np.pi * t / 12)
        rows.append(
            np.stack([100 + 5 * wave**3, 3 - np.cos(2 * np.pi * t / 12)], 1) + noise * generator.normal(size=(steps, 2))
        )
    return rows


@pytest.fixture(scope="module")
def fitted():
    return SequenceForecaster(**SMALL).fit(waves())


def test_it_forecasts_a_bent_wave_better_than_repeating_it(fitted):
    rows = waves(2, 80, seed=5)
    true, given = np.stack([row[60:66] for row in rows]), [row[:60] for row in rows]
    said = fitted.predict(given)
    assert said.shape == (2, 6, 2)
    season = np.stack([row[48:54] for row in rows])
    last = np.stack([np.repeat(row[59:60], 6, 0) for row in rows])
    assert np.abs(said - true).mean() < 0.3 * np.abs(last - true).mean()
    assert np.abs(said - true).mean() < 3 * np.abs(season - true).mean()
    assert fitted.period_ == 12
    assert fitted.score(rows) > 0.9


def test_a_forecast_is_fed_back_by_the_model_itself(fitted):
    row = waves(1, 60, seed=3)[0]
    far = fitted.predict([row], 4)[0]
    for step in range(4):
        by_hand = np.concatenate([row, far[:step]])
        np.testing.assert_allclose(fitted.predict([by_hand], 1)[0, 0], far[step], rtol=1e-4)


@pytest.mark.parametrize("difference", [0, 1, 12])
@pytest.mark.parametrize("model", [{}, {"cell": "gru"}, {"encoder": "transformer", "lags": 0}])
def test_step_by_step_is_exactly_what_the_whole_series_gives(difference, model):
    settings = {**SMALL["model"], "difference": difference, **model}
    estimator = SequenceForecaster(model=settings, training={**SMALL["training"], "epochs": 1}).fit(waves())
    rows = waves(2, 50, seed=4)
    whole = estimator.predictor_.one_step(rows)
    state, said = estimator.start(2), []
    for step in range(50):
        state, forecast = estimator.step(state, np.stack([row[step] for row in rows]))
        said.append(forecast)
    together = np.stack(said, 1)
    assert np.isnan(together[:, :difference]).all()
    for number in range(2):
        np.testing.assert_allclose(together[number, difference:-1], whole[number], rtol=1e-4, atol=1e-4)
    ahead = estimator.predict(rows, 1)
    np.testing.assert_allclose(together[:, -1], ahead[:, 0], rtol=1e-4, atol=1e-4)


def test_the_network_reads_in_pieces_what_it_reads_at_once():
    torch.manual_seed(0)
    network = ForecasterNetwork(ForecasterSettings(hidden_size=8, lags=3), 2, 1).double().eval()
    for part in (network.linear, network.known_weight, network.bias, network.head.weight):
        part.data.normal_()
    x = torch.randn(2, 11, 3, dtype=torch.float64)
    whole = network(x, torch.tensor([11, 11]))
    first, state = network.read(x[:, :5], network.start(2))
    second, state = network.read(x[:, 5:7], state)
    third, _ = network.read(x[:, 7:], state)
    assert_close(torch.cat([first, second, third], 1), whole)


def test_a_rollout_is_the_free_run_that_it_teaches_and_has_gradients():
    torch.manual_seed(0)
    network = ForecasterNetwork(ForecasterSettings(hidden_size=8, lags=3), 2, 1).double().eval()
    for part in (network.linear, network.known_weight, network.bias, network.head.weight):
        part.data.normal_(std=0.3)
    x = torch.randn(2, 12, 3, dtype=torch.float64)
    rolled = network.rollout(x, 5)
    assert_close(rolled, network.free_run(x[:, :7], 5, x[:, 7:11, 2:]))
    upstream = torch.randn_like(rolled)
    weight = network.encoder.layers.weight_hh_l0
    (found,) = torch.autograd.grad((rolled * upstream).sum(), weight)
    step = torch.zeros_like(weight)
    step[3, 2] = 1e-6
    with torch.no_grad():
        weight += step
        above = (network.rollout(x, 5) * upstream).sum()
        weight -= 2 * step
        below = (network.rollout(x, 5) * upstream).sum()
    assert float(found[3, 2]) == pytest.approx(float((above - below) / 2e-6), rel=1e-4)


def test_training_on_its_own_output_is_an_option():
    model = SequenceForecaster(**{**SMALL, "model": {**SMALL["model"], "rollout": 6}}).fit(waves(1))
    assert np.isfinite(model.predict(waves(1, 60, seed=5))).all()
    with pytest.raises(ConfigurationError, match="rollout is below window, got 24 and 24"):
        SequenceForecaster(model={"rollout": 24, "window": 24}).fit(waves(1))


def test_padding_never_changes_a_forecast():
    torch.manual_seed(0)
    network = ForecasterNetwork(ForecasterSettings(hidden_size=8, lags=3), 2).double().eval()
    network.head.weight.data.normal_()
    x = torch.randn(2, 9, 2, dtype=torch.float64)
    garbage = x.clone()
    garbage[1, 5:] = 1e6
    lengths = torch.tensor([9, 5])
    assert_close(network(garbage, lengths)[1, :5], network(x, lengths)[1, :5])


def test_the_linear_part_finds_the_process_that_made_the_series():
    generator = np.random.default_rng(0)
    first, second = np.array([[0.5, 0.2], [-0.3, 0.4]]), np.array([[-0.2, 0.0], [0.1, 0.3]])
    effect = np.array([[2.0], [-1.0]])
    known = generator.normal(size=(6000, 1))
    values = np.zeros((6000, 2))
    for t in range(2, 6000):
        values[t] = (
            first @ values[t - 1] + second @ values[t - 2] + effect @ known[t] + 0.7 + 0.1 * generator.normal(size=2)
        )
    found = fit_autoregression([values], 2, [known], penalty=0.0)
    np.testing.assert_allclose(found.weight[:, :, 1], first, atol=0.02)
    np.testing.assert_allclose(found.weight[:, :, 0], second, atol=0.02)
    np.testing.assert_allclose(found.known, effect, atol=0.02)
    np.testing.assert_allclose(found.bias, 0.7, atol=0.02)
    one = found.one_step(values[:-1], known[1:])
    assert np.abs(one[10:] - values[11:]).mean() < 0.1
    ahead = found.forecast(values[None, :100], 3, known[None, 100:103])
    np.testing.assert_allclose(ahead[0, 0], one[99])
    by_hand = first @ ahead[0, 0] + second @ values[99] + effect @ known[101] + 0.7
    np.testing.assert_allclose(ahead[0, 1], by_hand, atol=0.1)


def test_solving_in_pieces_is_solving_at_once(monkeypatch):
    rows = waves(2, 90)
    whole = fit_autoregression(rows, 5)
    monkeypatch.setattr("seqwise.estimators.autoregression.ROWS", 7)
    np.testing.assert_allclose(fit_autoregression(rows, 5).weight, whole.weight, atol=1e-8)


def test_lags_stand_oldest_first():
    values = np.arange(8.0).reshape(4, 2)
    assert lagged(values, 2)[2].tolist() == [2, 3, 4, 5]
    assert lagged(values, 2)[0].tolist() == [0, 0, 0, 1]


def test_the_model_is_its_linear_part_before_it_is_trained():
    rows = waves(1, 120)
    linear = fit_autoregression([SeriesScale.of(rows, ["a", "b"]).standardised(rows[0])], 4)
    network = ForecasterNetwork(ForecasterSettings(hidden_size=8, lags=4), 2).eval()
    network.linear.copy_(torch.from_numpy(linear.weight))
    network.bias.copy_(torch.from_numpy(linear.bias))
    x = SeriesScale.of(rows, ["a", "b"]).standardised(rows[0])
    said = network.free_run(torch.from_numpy(x[None, :50]), 5)[0]
    np.testing.assert_allclose(said.numpy(), linear.forecast(x[None, :50].astype(float), 5)[0], rtol=1e-4, atol=1e-5)
    assert isinstance(linear, Autoregression)


def test_known_inputs_of_the_steps_ahead_are_used():
    generator = np.random.default_rng(0)
    known = [generator.integers(0, 2, (200, 1)).astype(float) for _ in range(4)]
    rows = [3 * inputs + 0.05 * generator.normal(size=(200, 1)) for inputs in known]
    model = SequenceForecaster(**SMALL).fit(rows, known=known, known_names=["open"])
    future = np.concatenate([known[0][:40], [[1.0], [0.0], [1.0]]])
    said = model.predict([rows[0][:40]], 3, known=[future])
    np.testing.assert_allclose(said[0, :, 0], [3, 0, 3], atol=0.5)
    state = model.start()
    for step in range(40):
        state, forecast = model.step(state, rows[0][step], future[step + 1])
    np.testing.assert_allclose(forecast, said[:, 0], rtol=1e-4)
    whole = model.predictor_.one_step([rows[0][:40]], [known[0][:40]])[0]
    assert len(whole) == 39
    with pytest.raises(DataError, match=r"known inputs \(open\), and there are none"):
        model.predict([rows[0]])
    with pytest.raises(
        DataError, match=r"have the shape \(40, 1\), and \(43, 1\) is needed, its 3 steps ahead included"
    ):
        model.predict([rows[0][:40]], 3, known=[known[0][:40]])


def test_intervals_cover_about_as_often_as_they_claim():
    generator = np.random.default_rng(1)
    steps = 0.1 * generator.normal(size=(40, 150, 1))
    walks = [np.cumsum(step, 0) for step in steps]
    model = SequenceForecaster(**SMALL, validation=0.3).fit(walks[:25])
    chosen = histories(walks[25:], None, memory=24, horizon=6)
    said, low, high = model.predict_interval(chosen.series, 6, level=0.8)
    covered = ((low <= chosen.true) & (chosen.true <= high)).mean()
    assert 0.7 < covered < 0.9
    widths = (high - low)[0, :, 0]
    assert widths[5] > 1.6 * widths[0], "of a random walk they widen with the root of the steps ahead"
    assert said.shape == low.shape
    with pytest.raises(ConfigurationError, match=r"errors were measured up to 6 steps ahead \(model.horizon\), and 9"):
        model.predict_interval(walks[:1], 9)
    with pytest.raises(ConfigurationError, match=r"0\.5, 0\.8, 0\.9, 0\.95, 0\.99, not 0\.7"):
        model.predict_interval(walks[:1], 6, level=0.7)


def test_a_saved_model_forecasts_as_before(fitted, tmp_path):
    rows = waves(2, 60, seed=2)
    fitted.save(tmp_path / "m")
    loaded = SequenceForecaster.load(tmp_path / "m")
    for ours, theirs in zip(loaded.predict_interval(rows), fitted.predict_interval(rows), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.settings_ == fitted.settings_
    with pytest.raises(ModelFolderError):
        SequenceForecaster.load(tmp_path)


def test_differences_of_a_period_repeat_the_season_exactly():
    t = np.arange(240)
    season = (
        50
        + 10 * np.sin(2 * np.pi * t / 12)[:, None]
        + 0.5 * t[:, None]
        + 0.01 * np.random.default_rng(0).normal(size=(240, 1))
    )
    model = SequenceForecaster(**{**SMALL, "model": {**SMALL["model"], "difference": 12}}).fit([season])
    said = model.predict([season[:200]], 20)
    np.testing.assert_allclose(said[0], season[200:220], atol=0.5)


def test_frames_bring_their_names_and_their_rate():
    frames = Frames.from_rows(waves(2, 150), rate=50.0)
    model = SequenceForecaster(**SMALL).fit(frames)
    assert model.predictor_.scale.rate == 50.0
    with pytest.raises(DataError, match="trained on 50 steps a second, and these series have 20"):
        model.predict(Frames.from_rows(waves(1, 60), rate=20.0))


def test_the_end_of_each_series_is_held_back_and_never_its_middle():
    rows = [np.arange(100.0)[:, None], np.arange(10.0)[:, None]]
    kept, beside, (held, others) = held_end(rows, rows, 0.2, memory=8, horizon=6)
    assert kept[0][-1] == 79
    assert held[0][0] == 72, "the first forecast looks back on what was learned from"
    assert histories(held, None, memory=8, horizon=6).true[0, 0] == 80
    assert [len(row) for row in kept] == [80, 10], "what is too short to be cut stays whole"
    assert beside is not None
    assert others is not None
    assert len(held) == len(others) == 1
    with pytest.raises(DataError, match="no series is long enough"):
        held_end(rows[1:], None, 0.2, memory=8, horizon=6)


def test_no_step_is_forecast_twice_and_none_is_seen_before():
    rows = [np.arange(50.0)[:, None]]
    chosen = histories(rows, rows, memory=10, horizon=7)
    assert chosen.known is not None
    for given, known, true in zip(chosen.series, chosen.known, chosen.true, strict=True):
        assert len(given) == 10
        assert given[-1] + 1 == true[0]
        assert len(known) == 17
    ahead = np.concatenate(chosen.true).ravel()
    assert len(set(ahead)) == len(ahead)


def test_the_period_is_found_where_there_is_one():
    generator = np.random.default_rng(0)
    t = np.arange(600)
    assert find_period([np.sin(2 * np.pi * t / 24)[:, None] + 0.3 * generator.normal(size=(600, 1))]) in (23, 24, 25)
    assert find_period([generator.normal(size=(600, 2))]) == 1
    assert find_period([np.cumsum(generator.normal(size=(600, 1)), 0) + 0.1 * t[:, None]]) == 1
    assert find_period([np.zeros((5, 1))]) == 1


def test_a_gap_is_filled_from_before_and_never_from_ahead():
    rows, missing = complete([np.array([np.nan, 1.0, np.nan, np.nan, 4.0])])
    assert rows[0].ravel().tolist() == [1, 1, 1, 1, 4]
    assert missing == 3


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ([np.full((50, 2), 3.0)], "channel 1: it is 3 at every step of training"),
        ([np.array([1.0, np.inf, 2.0])], "series 1 holds an infinite number at step 2"),
        ([np.zeros((9, 2)), np.zeros((9, 3))], "series 2 has 3 channels, those before it 2"),
        ([np.full(9, np.nan)], "series 1 has no number at all in channel 1"),
        (["abc"], "series 1 is no array of numbers"),
        ([], "there is no series"),
    ],
)
def test_wrong_series_are_named(series, message):
    with pytest.raises(DataError, match=message):
        SequenceForecaster(**SMALL, validation=0.0).fit(series)


def test_wrong_settings_and_steps_are_named(fitted):
    with pytest.raises(ConfigurationError, match="cannot read a series from its end"):
        SequenceForecaster(model={"bidirectional": True}).fit(waves())
    with pytest.raises(ConfigurationError, match="delta is a parameter of the loss huber"):
        SequenceForecaster(model={"delta": 1.0}).fit(waves())
    with pytest.raises(ConfigurationError, match="from 1 on, got 0"):
        fitted.predict(waves(1), 0)
    with pytest.raises(DataError, match="series 1 has 3 channels, and the model was trained on 2"):
        fitted.predict([np.zeros((30, 3))])
    with pytest.raises(DataError, match="a step has 1 x 2 finite numbers"):
        fitted.step(fitted.start(), [1.0])
    with pytest.raises(DataError, match="trained without known inputs"):
        fitted.predict(waves(1), 2, known=waves(1))
