"""The baseline of frames: what a sequence is without its order."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seqwise.data import Frames
from seqwise.errors import ModelFolderError
from seqwise.evaluation.baseline import Baseline, fit_baseline
from seqwise.evaluation.frame_statistics import FrameStatistics
from seqwise.models import FrameSettings


def sequences(count: int, seed: int = 0) -> Frames:
    random = np.random.default_rng(seed)
    return Frames.from_rows([random.normal(size=(random.integers(1, 9), 2)) * [1, 3] + [0, 5] for _ in range(count)])


def test_statistics_are_those_of_numpy() -> None:
    frames = sequences(20)
    found = FrameStatistics(FrameSettings(normalise="none", stack=2, stride=3)).fit_transform(frames)
    raw = np.array(
        [
            np.concatenate([row.mean(0), row.std(0), row.min(0), row.max(0), row[0], row[-1], [np.log(len(row))]])
            for row in frames
        ]
    )
    np.testing.assert_allclose(found, (raw - raw.mean(0)) / raw.std(0), rtol=1e-4, atol=1e-5)


def test_the_order_of_the_middle_does_not_matter() -> None:
    frames = sequences(20)
    statistics = FrameStatistics()
    statistics.fit_transform(frames)
    shuffled = []
    for row in frames:
        middle = np.random.default_rng(1).permutation(row[1:-1])
        shuffled.append(np.concatenate([row[:1], middle, row[-1:]]) if len(row) > 1 else row)
    np.testing.assert_allclose(statistics.transform(shuffled), statistics.transform(frames), atol=1e-5)


def test_vectors_are_their_own_statistics() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 4)) + 7
    found = FrameStatistics().fit_transform(vectors[:, None])
    np.testing.assert_allclose(found, (vectors - vectors.mean(0)) / vectors.std(0), rtol=1e-4, atol=1e-5)


def test_the_baseline_learns_is_described_and_saved() -> None:
    random = np.random.default_rng(3)
    labels = np.array(["low", "high"] * 60)
    frames = Frames.from_rows([random.normal(size=(10, 2)) + (label == "high") for label in labels])
    baseline = fit_baseline(frames, labels)
    assert (baseline.predict_proba(frames).argmax(1) == (labels == "low")).mean() > 0.9
    assert baseline.description.startswith(
        "logistic regression on the statistics of the frames (mean, deviation, least"
    )
    again = Baseline.from_parts(json.loads(json.dumps(baseline.to_dict())), baseline.arrays())
    np.testing.assert_allclose(again.predict_proba(frames), baseline.predict_proba(frames), rtol=1e-6)
    damaged = baseline.to_dict()
    damaged["features"]["frames"]["mean"] = [0.0]
    with pytest.raises(ModelFolderError, match="damaged"):
        Baseline.from_parts(damaged, baseline.arrays())


def test_weights_and_several_labels_are_heeded() -> None:
    random = np.random.default_rng(3)
    has = random.random((80, 2)) < 0.5
    frames = Frames.from_rows([random.normal(size=(6, 2)) + 2 * row for row in has])
    baseline = fit_baseline(frames, has, classes=["a", "b"])
    assert (baseline.decide(baseline.predict_proba(frames)) == has).mean() > 0.85
    weights = np.where(np.arange(80) < 40, 1.0, 0.0)
    labels = np.where(has[:, 0], "a", "b")
    some = fit_baseline(frames, labels, sample_weight=weights)
    alone = fit_baseline(frames.take(np.arange(40)), labels[:40])
    np.testing.assert_allclose(some.predict_proba(frames), alone.predict_proba(frames), rtol=1e-5)
