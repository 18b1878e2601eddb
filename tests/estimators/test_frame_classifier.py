"""Sequences of numbers: the same estimator, folder and treatments of rare classes as of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqwise.data import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import SequenceClassifier, VectorClassifier
from seqwise.models import ModelSettings, SequenceModel
from seqwise.models.batch import Batch, EncodedExamples
from seqwise.prediction import Predictor

SMALL: dict[str, Any] = {"epochs": 6, "hidden_size": 12, "num_layers": 1, "learning_rate": 0.02, "refit": False}


def ordered(count: int, seed: int = 0, rare: float = 0.5) -> tuple[list[np.ndarray], list[str]]:
    """Two bumps in one of two channels each; the class is which comes first: no statistic of the frames tells it."""
    random = np.random.default_rng(seed)
    sequences, labels = [], []
    for _ in range(count):
        steps = random.integers(12, 24)
        frames = 0.1 * random.normal(size=(steps, 2))
        first, second = sorted(random.choice(np.arange(1, steps - 1), 2, replace=False))
        up = random.random() < rare
        frames[first, int(up)] += 1
        frames[second, 1 - int(up)] += 1
        sequences.append(frames)
        labels.append("up" if up else "down")
    return sequences, labels


@pytest.fixture(scope="module")
def fitted() -> SequenceClassifier:
    return SequenceClassifier(**{**SMALL, "epochs": 15}).fit(*ordered(400))


def test_order_is_learned(fitted: SequenceClassifier) -> None:
    assert fitted.score(*ordered(100, seed=1)) > 0.9
    assert fitted.settings_.model.architecture == "recurrent"


def test_frames_arrays_and_a_cube_are_the_same_to_it(fitted: SequenceClassifier) -> None:
    sequences, _ = ordered(5, seed=2)
    of_lists = fitted.predict_proba(sequences)
    np.testing.assert_array_equal(of_lists, fitted.predict_proba(Frames.from_rows(sequences)))
    np.testing.assert_allclose(of_lists, fitted.predict_proba([one.tolist() for one in sequences]), atol=1e-6)
    cube = np.stack([one[:12] for one in sequences])
    np.testing.assert_array_equal(fitted.predict_proba(cube), fitted.predict_proba(list(cube)))


def test_padding_never_changes_an_answer(fitted: SequenceClassifier) -> None:
    sequences, _ = ordered(8, seed=3)
    together = fitted.predict_proba(sequences)
    alone = np.concatenate([fitted.predict_proba([one]) for one in sequences])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_what_is_beyond_a_sequence_is_never_read() -> None:
    torch.manual_seed(0)
    settings = ModelSettings(architecture="recurrent", hidden_size=5, pooling="last+max+mean+attention")
    model = SequenceModel(settings, vocabulary_size=0, ngrams=0, classes=3, frame_size=4).eval()
    frames, lengths = torch.randn(2, 6, 4), torch.tensor([6, 2])
    clean = model(Batch(None, lengths, None, frames=frames))
    poisoned = frames.clone()
    poisoned[1, 2:] = torch.nan
    torch.testing.assert_close(model(Batch(None, lengths, None, frames=poisoned)), clean)


def test_a_saved_model_answers_as_before(fitted: SequenceClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    sequences, _ = ordered(20, seed=4)
    expected = fitted.predict_proba(sequences)
    np.testing.assert_array_equal(SequenceClassifier.load(tmp_path / "model").predict_proba(sequences), expected)
    predictor = Predictor.load(tmp_path / "model")
    assert predictor.reads_frames
    np.testing.assert_array_equal(predictor.predict_proba(sequences), expected)
    again = SequenceClassifier.load(tmp_path / "model").set_params(epochs=1).fit(*ordered(40))
    assert again.settings_.frames == fitted.settings_.frames


def test_chunks_of_steps_do_not_change_answers(fitted: SequenceClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences, _ = ordered(30, seed=5)
    expected = fitted.predict_proba(sequences)
    monkeypatch.setattr("seqwise.prediction.predictor.STEPS", 40)
    np.testing.assert_allclose(fitted.predict_proba(sequences), expected, atol=1e-5)


def test_one_vector_an_example_is_read_by_dense_layers() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 5))
    labels = np.where((vectors[:, 0] * vectors[:, 1]) > 0, "same", "other")
    model = SequenceClassifier(epochs=30, head_layers=1, hidden_size=32, dropout=0.0).fit(vectors[:, None], labels)
    assert model.settings_.model.architecture == "dense"
    assert model.score(vectors[:, None], labels) > 0.9
    linear = SequenceClassifier(epochs=30, head_layers=0, dropout=0.0).fit(vectors[:, None], labels)
    assert linear.score(vectors[:, None], labels) < 0.75


@pytest.mark.parametrize(
    "treatment",
    [
        {"loss": "focal"},
        {"loss": "logit_adjusted"},
        {"class_weight": "balanced"},
        {"sampler": "oversample"},
        {"sampler": "progressive"},
    ],
)
def test_every_treatment_of_rare_classes_works_on_frames(treatment: dict[str, Any]) -> None:
    sequences, labels = ordered(150, rare=0.2)
    model = SequenceClassifier(**SMALL, **treatment).fit(sequences, labels)
    model.choose_decisions(threshold="recall=0.9", calibrate="temperature", positive="up")
    assert model.predict_proba(sequences).shape == (150, 2)


def test_synthetic_examples_are_made_of_what_the_layers_have_read() -> None:
    pytest.importorskip("imblearn")
    sequences, labels = ordered(150, rare=0.2)
    model = SequenceClassifier(**SMALL, synthetic="smote").fit(sequences, labels)
    assert model.predict_proba(sequences).shape == (150, 2)


def test_several_labels_an_example_are_learned() -> None:
    sequences, labels = ordered(120)
    sets = [[label, "any"] if i % 3 else [label] for i, label in enumerate(labels)]
    model = SequenceClassifier(**SMALL).fit(sequences, sets)
    assert {name for names in model.predict(sequences) for name in names} <= {"up", "down", "any"}


def test_masks_are_for_training_only() -> None:
    model = SequenceClassifier(**SMALL, word_dropout=0.5, embedding_dropout=0.5).fit(*ordered(60))
    sequences, _ = ordered(10, seed=6)
    np.testing.assert_array_equal(model.predict_proba(sequences), model.predict_proba(sequences))


def test_batches_are_padded_frames_of_the_rows_asked_for() -> None:
    frames = Frames.from_rows([np.ones((2, 3)), np.full((1, 3), 2.0), np.full((3, 3), 3.0)])
    examples = EncodedExamples(frames=frames, targets=np.array([0, 1, 2]))
    assert len(examples) == 3
    assert examples.lengths.tolist() == [2, 1, 3]
    batch = examples.batch(np.array([2, 1]))
    assert batch.frames is not None
    assert batch.frames[:, :, 0].tolist() == [[3, 3, 3], [2, 0, 0]]
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [3, 1]


def test_settings_of_texts_are_refused(fitted: SequenceClassifier) -> None:
    sequences, labels = ordered(20)
    for setting, what in (
        ({"architecture": "wide_deep"}, "wide_deep is for texts"),
        ({"architecture": "dense"}, "dense reads one vector an example"),
        ({"vectors": "glove.txt"}, r"model\.vectors is for texts"),
        ({"embedding": "one_hot"}, r"model\.embedding one_hot is for texts"),
        ({"position_embedding": 4}, r"model\.position_embedding is for texts"),
        ({"frames": {"bands": 1}}, r"frames\.bands"),
    ):
        with pytest.raises(ConfigurationError, match=what):
            SequenceClassifier(**{**SMALL, **setting}).fit(sequences, labels)
    with pytest.raises(ConfigurationError, match="the examples are texts"):
        SequenceClassifier(**SMALL, frames={}).fit(["a b", "c d"] * 5, ["x", "y"] * 5)
    with pytest.raises(ConfigurationError, match="dense reads one vector an example, and the examples are texts"):
        SequenceClassifier(**SMALL, architecture="dense").fit(["a b", "c d"] * 5, ["x", "y"] * 5)
    with pytest.raises(DataError, match="the model reads frames, and X holds something else"):
        fitted.predict(["a text"])
    with pytest.raises(DataError, match="the frames have 3 channels, and the model was trained on 2 channels"):
        fitted.predict([np.zeros((4, 3))])


def test_a_vector_classifier_reads_frames_of_one_step() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 3)).astype(np.float32)
    labels = np.where(vectors[:, 0] > 0, "a", "b")
    one_each = Frames.from_rows(vectors[:, None])
    model = VectorClassifier(epochs=20).fit(one_each, labels)
    np.testing.assert_array_equal(model.predict_proba(one_each), model.predict_proba(vectors))
    with pytest.raises(DataError, match="sequence 2 has 2 steps"):
        model.predict(Frames.from_rows([vectors[:1], vectors[:2]]))
