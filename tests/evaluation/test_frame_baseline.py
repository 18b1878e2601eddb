import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from seqwise.data.frames import Frames
from seqwise.errors import DataError
from seqwise.evaluation.frame_baseline import FrameBaseline
from seqwise.models import FrameSettings, FrameTaggerFeatures


def recordings(classes, seed=0):
    random = np.random.default_rng(seed)
    labels = [random.choice([-1, *range(classes)], size=length) for length in (50, 7, 30)]
    frames = [row[:, None] * [1.0, -0.5, 0.2] + random.normal(size=(len(row), 3)) for row in labels]
    return Frames.from_rows(frames), labels


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_class_weighted_logistic_regression_on_what_the_network_reads(classes):
    frames, targets = recordings(classes)
    features = FrameTaggerFeatures(FrameSettings(stack=2))
    features.fit(frames)
    names = ["a", "b", "c"][:classes]
    baseline = FrameBaseline.fit(features, frames, targets, names)
    encoded, flat = features.encode(frames).values, np.concatenate(targets)
    theirs = LogisticRegression(class_weight="balanced", max_iter=300).fit(encoded[flat >= 0], flat[flat >= 0])
    said = [name for row in baseline.predict(features, frames) for name in row]
    assert said == [names[i] for i in theirs.predict(encoded)]
    again = FrameBaseline.from_dict(json.loads(json.dumps(baseline.to_dict())))
    assert again.predict(features, frames) == baseline.predict(features, frames)


def test_it_answers_for_every_step_at_a_lower_rate():
    frames, targets = recordings(3)
    features = FrameTaggerFeatures(FrameSettings(stride=4))
    features.fit(frames)
    said = FrameBaseline.fit(features, frames, targets, ["a", "b", "c"]).predict(features, frames)
    assert [len(row) for row in said] == frames.lengths.tolist()
    assert len(set(said[0][:4])) == 1


@pytest.mark.parametrize("saved", [None, {}, {"classes": ["a"], "weights": [[1.0]], "bias": [1.0, 2.0]}])
def test_what_describes_no_baseline_is_refused(saved):
    with pytest.raises(DataError, match="baseline of frames"):
        FrameBaseline.from_dict(saved)


def test_features_of_another_model_are_refused():
    frames, targets = recordings(2)
    features, other = FrameTaggerFeatures(FrameSettings()), FrameTaggerFeatures(FrameSettings(stack=2))
    features.fit(frames)
    other.fit(frames)
    with pytest.raises(DataError, match="other features"):
        FrameBaseline.fit(features, frames, targets, ["a", "b"]).predict(other, frames)
