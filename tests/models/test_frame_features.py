"""What a network reads of frames: fitted on training data, saved, the same for one sequence as for many."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.signal import resample_poly

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings

NAN = float("nan")


def rows(count: int = 6, channels: int = 3, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    scale, shift = np.arange(1, channels + 1), 10.0 ** np.arange(channels)
    return [(random.normal(size=(random.integers(1, 30), channels)) * scale + shift) for _ in range(count)]


def test_means_and_deviations_are_those_of_the_training_data() -> None:
    training, other = rows(), rows(3, seed=1)
    features = FrameFeatures().fit(training)
    joined = np.concatenate(training)
    mean, deviation = joined.mean(axis=0), joined.std(axis=0)
    np.testing.assert_allclose(features.encode(training).values.std(axis=0), 1, rtol=1e-5)
    for encoded, row in zip(features.encode(other), other, strict=True):
        np.testing.assert_allclose(encoded, (row - mean) / deviation, rtol=1e-4, atol=1e-5)


def test_robust_figures_do_not_see_a_few_spikes_and_clip_them() -> None:
    random = np.random.default_rng(0)
    training = [4000 + 20 * random.normal(size=(2000, 1))]
    training[0][[5, 700]] = 700_000
    features = FrameFeatures(FrameSettings(normalise="robust")).fit(training)
    encoded = features.encode(training).values[:, 0]
    assert encoded.max() == 10
    kept = np.delete(encoded, [5, 700])
    assert abs(kept.mean()) < 0.1
    assert abs(kept.std() - 1) < 0.1
    again = FrameFeatures.from_dict(json.loads(json.dumps(features.to_dict())))
    np.testing.assert_array_equal(again.encode(training).values[:, 0], encoded)


def test_each_sequence_can_be_normalised_by_itself() -> None:
    features = FrameFeatures(FrameSettings(normalise="sequence")).fit(rows())
    for encoded, row in zip(features.encode(rows(3, seed=1)), rows(3, seed=1), strict=True):
        deviation = np.where(len(row) > 1, row.std(axis=0), 1)
        np.testing.assert_allclose(encoded, (row - row.mean(axis=0)) / deviation, rtol=1e-3, atol=1e-4)


def test_a_constant_channel_becomes_zero() -> None:
    training = [np.column_stack([row[:, :1], np.full((len(row), 1), 0.3)]) for row in rows()]
    encoded = FrameFeatures().fit_encode(training)
    np.testing.assert_allclose(encoded.values[:, 1], 0, atol=1e-6)


def test_missing_numbers_are_treated_as_stated() -> None:
    given = [np.array([[NAN, 1], [2, NAN], [NAN, 3]]), np.array([[NAN, 5], [4, NAN]])]
    means = [3.0, 3.0]
    expected = {
        "previous": [[[means[0], 1], [2, 1], [2, 3]], [[means[0], 5], [4, 5]]],
        "mean": [[[means[0], 1], [2, means[1]], [means[0], 3]], [[means[0], 5], [4, means[1]]]],
    }
    for treatment, wanted in expected.items():
        settings = FrameSettings(missing=treatment, normalise="none")  # type: ignore[arg-type]
        encoded = FrameFeatures(settings).fit_encode(given)
        for row, right in zip(encoded, wanted, strict=True):
            np.testing.assert_allclose(row, right)
    with pytest.raises(DataError, match=r"sequence 1 misses a number at step 1.*'refuse'"):
        FrameFeatures(FrameSettings(missing="refuse")).fit(given)
    with pytest.raises(DataError, match="channel 2 of the frames has no number at all"):
        FrameFeatures().fit([np.array([[1.0, NAN]])])


def test_stacking_and_striding_keep_what_they_say() -> None:
    features = FrameFeatures(FrameSettings(normalise="none", stack=3, stride=2))
    encoded = features.fit_encode([np.arange(5.0), np.arange(10.0, 12.0)])
    np.testing.assert_array_equal(encoded[0], [[0, 1, 2], [2, 3, 4], [4, 4, 4]])
    np.testing.assert_array_equal(encoded[1], [[10, 11, 11]])
    assert (features.size, features.reduction) == (3, 2)
    short = FrameFeatures(FrameSettings(normalise="none", max_length=2)).fit_encode([np.arange(5.0), np.arange(1.0)])
    np.testing.assert_array_equal(short[0], [[0], [1]])
    assert short.lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    "settings",
    [
        FrameSettings(),
        FrameSettings(features="mfcc", deltas=2, stack=2, stride=3),
        FrameSettings(features="none", deltas=1, normalise="sequence"),
        FrameSettings(rate=4000.0),
    ],
)
def test_a_sequence_is_encoded_alike_alone_and_after_saving(settings: FrameSettings) -> None:
    random = np.random.default_rng(4)
    sounds = Frames.from_rows([random.uniform(-1, 1, size) for size in (900, 2000, 400)], rate=8000.0)
    features = FrameFeatures(settings)
    together = features.fit_encode(sounds)
    assert together.channels == features.size
    again = FrameFeatures.from_dict(json.loads(json.dumps(features.to_dict())))
    assert again.settings == features.settings
    assert (again.size, again.reduction) == (features.size, features.reduction)
    for index in range(3):
        np.testing.assert_allclose(again.encode(sounds[index : index + 1])[0], together[index], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(features.encode(sounds).values, together.values)


def test_auto_takes_one_fast_channel_for_sound() -> None:
    sound = Frames.from_rows([np.sin(np.arange(900.0))], rate=8000.0)
    assert FrameFeatures().fit(sound).settings.features == "log_mel"
    assert FrameFeatures().fit(Frames.from_rows([np.sin(np.arange(900.0))], rate=50.0)).settings.features == "none"
    assert FrameFeatures().fit([np.sin(np.arange(900.0))]).settings.features == "none"


def test_another_rate_is_resampled_and_said() -> None:
    random = np.random.default_rng(4)
    features = FrameFeatures(FrameSettings(features="none", normalise="none"))
    features.fit(Frames.from_rows([random.normal(size=(20, 2))], rate=50.0))
    other = Frames.from_rows([random.normal(size=(40, 2))], rate=100.0)
    np.testing.assert_allclose(features.encode(other)[0], resample_poly(other[0], 1, 2), rtol=1e-5, atol=1e-6)
    assert features.note(other) == "The frames have 100 steps a second and were resampled to 50."
    assert features.note(Frames.from_rows([np.zeros((3, 2))])) is None


def test_what_does_not_fit_is_refused() -> None:
    features = FrameFeatures().fit(rows())
    with pytest.raises(DataError, match="the frames have 2 channels, and the model was trained on 3 channels"):
        features.encode([np.zeros((4, 2))])
    with pytest.raises(DataError, match="sequence 2 has no step"):
        features.encode([np.zeros((4, 3)), np.zeros((0, 3))])
    with pytest.raises(DataError, match="sequence 2 holds an infinite number, at step 3"):
        features.encode([np.zeros((4, 3)), np.array([[0, 0, 0], [0, 0, 0], [0, np.inf, 0]])])
    with pytest.raises(ConfigurationError, match="for one channel of sound, and the frames have 3 channels"):
        FrameFeatures(FrameSettings(features="mfcc", rate=8000.0)).fit(rows())
    with pytest.raises(ConfigurationError, match=r"set frames\.rate"):
        FrameFeatures(FrameSettings(features="mfcc")).fit([np.zeros(100)])
    with pytest.raises(ConfigurationError, match=r"frames\.hop"):
        FrameFeatures(FrameSettings(features="mfcc", rate=50.0)).fit([np.zeros(100)])
    damaged = features.to_dict() | {"mean": [1.0]}
    with pytest.raises(DataError, match="do not fit"):
        FrameFeatures.from_dict(damaged)
