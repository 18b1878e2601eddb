"""The packed classifier against its module, which is what was trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqwise.data import Frames
from seqwise.models import EncodedExamples, ModelSettings, SequenceModel, SignalFeatures, TextFeatures, logits_of
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.packed import PackedClassifier, pack
from seqwise.text import TextSettings
from tolerances import assert_close

TEXTS = [
    "the cat sat",
    "a dog ran far away",
    "no",
    "yes yes yes",
    "",
    "🙂 שלום",
    "the dog sat far away from the cat " * 5,
]
CLASSES = 3


def model_of(settings: ModelSettings) -> tuple[TextFeatures, SequenceModel]:
    features = TextFeatures(TextSettings(unit="words", min_count=1), settings)
    features.fit_encode(TEXTS)
    module = SequenceModel(
        settings, vocabulary_size=features.vocabulary_size, ngrams=features.ngram_count, classes=CLASSES
    )
    return features, with_random_weights(module)


def with_random_weights(module: SequenceModel) -> SequenceModel:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.normal_(generator=generator, std=0.5)
    return module.eval()


def settings_of(**changes: object) -> ModelSettings:
    given = {"embedding_size": 6, "hidden_size": 5, "word_ngrams": (1, 2), "character_ngrams": None, "min_documents": 1}
    return ModelSettings(**{**given, "ngram_positions": False, **changes})


def packed(features: TextFeatures, settings: ModelSettings, module: SequenceModel) -> PackedClassifier | None:
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    sections = {"text": features.pipeline.settings.model_dump(), "model": settings.model_dump()}
    return pack(sections, features.to_dict(), weights, CLASSES, lambda: module)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cell": "gru", "bidirectional": False, "architecture": "recurrent", "pooling": "last"},
        {"cell": "lstm_peephole", "num_layers": 3, "pooling": "mean+last", "head_layers": 2},
        {"cell": "rnn", "embedding": "one_hot", "pooling": "max"},
        {"cell": "lstm", "num_layers": 2, "ngram_weighting": "binary"},
    ],
)
def test_it_gives_the_logits_of_the_module(changes: dict[str, object]) -> None:
    settings = settings_of(**changes)
    features, module = model_of(settings)
    model = packed(features, settings, module)
    assert model is not None
    examples = model.encode(TEXTS)
    expected = torch.from_numpy(logits_of(module, features.encode(TEXTS)))
    assert_close(torch.from_numpy(model.logits(examples)), expected)
    assert_close(torch.from_numpy(model.logits(examples, batch_size=2)), expected)
    assert model.module is module


def test_rows_of_a_batch_never_meet() -> None:
    settings = settings_of(num_layers=2)
    features, module = model_of(settings)
    model = packed(features, settings, module)
    assert model is not None
    together = model.logits(model.encode(TEXTS))
    alone = np.concatenate([model.logits(model.encode([text])) for text in TEXTS])
    assert_close(torch.from_numpy(together), torch.from_numpy(alone))


def test_frames_are_read_as_the_module_reads_them() -> None:
    generator = np.random.default_rng(0)
    frames = Frames.from_rows([generator.standard_normal((steps, 4)).astype(np.float32) for steps in (7, 1, 30)])
    features = SignalFeatures(FrameSettings())
    features.fit_encode(frames)
    settings = settings_of(architecture="recurrent", cell="gru")
    module = with_random_weights(
        SequenceModel(settings, vocabulary_size=0, ngrams=0, classes=CLASSES, frame_size=features.frame_size)
    )
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    model = pack({"model": settings.model_dump()}, features.to_dict(), weights, CLASSES, lambda: module)
    assert model is not None
    examples: EncodedExamples = model.encode(frames)
    assert_close(torch.from_numpy(model.logits(examples)), torch.from_numpy(logits_of(module, features.encode(frames))))


@pytest.mark.parametrize("changes", [{"pooling": "attention"}, {"zoneout": 0.1}, {"position_embedding": 8}])
def test_unusual_models_are_left_to_their_module(changes: dict[str, object]) -> None:
    settings = settings_of(**changes)
    features, module = model_of(settings)
    assert packed(features, settings, module) is None


def test_weights_of_another_shape_name_or_type_are_left_to_whoever_says_what_is_wrong() -> None:
    settings = settings_of()
    features, module = model_of(settings)
    sections = {"text": features.pipeline.settings.model_dump(), "model": settings.model_dump()}
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    for name, array in (("scales", np.ones(3, np.float32)), ("more", np.ones(1)), ("shift", np.zeros(CLASSES))):
        assert pack(sections, features.to_dict(), {**weights, name: array}, CLASSES, lambda: module) is None
