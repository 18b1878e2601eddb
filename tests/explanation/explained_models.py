"""Small models with random weights, in memory: what the tests of explanations ask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from seqwise.data import Frames
from seqwise.models import (
    FrameSettings,
    FrameTaggerFeatures,
    LanguageNetwork,
    LanguageSettings,
    ModelSettings,
    SavedLanguageModel,
    SavedModel,
    SavedTagger,
    SequenceModel,
    SignalFeatures,
    TaggerFeatures,
    TaggerSettings,
    TextFeatures,
    build_tagger,
)
from seqwise.prediction import FolderContent, Predictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.text import TextPipeline, TextSettings

TEXTS = ["the cat sat on the mat", "a dog ran far away", "no", "yes yes, not yet!", "Ünïque 🙂 שלום words"]
CLASSES = ["ham", "spam", "other"]
SENTENCES = [["Anna", "lives", "in", "Bonn", "."], ["In", "1990", "B2B", "ended", "iPads", "..."]]
TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]
RANDOM = np.random.default_rng(5)
FRAMES = Frames.from_rows([RANDOM.normal(size=(steps, 3)) for steps in (9, 4, 7)], 50.0)


def randomised(module, spread=0.6):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.normal_(std=spread, generator=generator)
    return module.eval().requires_grad_(False)


def content(config, labels=None):
    return FolderContent(Path("in memory"), config, {}, {}, labels or {})


def classifier(
    classes=CLASSES, *, multilabel=False, text=None, texts=TEXTS, frames=None, frame_settings=None, **settings
):
    """A predictor of texts, or of frames where some are given."""
    given = {"embedding_size": 4, "hidden_size": 3, "word_ngrams": (1, 2), **settings}
    model = ModelSettings(**given)
    text = TextSettings(**{"unit": "words", **(text or {})})
    if frames is None:
        features = TextFeatures(text, model)
        features.fit_encode(texts)
    else:
        features = SignalFeatures(FrameSettings(**(frame_settings or {})))
        features.fit_encode(frames)
    module = SequenceModel(
        model,
        vocabulary_size=features.vocabulary_size,
        ngrams=features.ngram_count,
        classes=len(classes),
        frame_size=features.frame_size,
    )
    labels = {
        "classes": list(classes),
        "counts": [1] * len(classes),
        "priors": [1 / len(classes)] * len(classes),
        "thresholds": None,
        "calibration": None,
        **({"kind": "multilabel"} if multilabel else {}),
    }
    config = {
        "unit": text.unit if frames is None else "frames",
        "settings": {"data": {}, "text": text.model_dump(), "model": model.model_dump()},
    }
    return Predictor(content(config, labels), SavedModel(randomised(module), features))


def regressor(**settings):
    predictor = classifier(["stars", "length"], **settings)
    targets = {"names": ["stars", "length"], "mean": [0.0, 0.0], "deviation": [1.0, 1.0]}
    made = RegressorPredictor.__new__(RegressorPredictor)
    made.config, made.settings, made.model = predictor.config, predictor.settings, predictor._model
    made.scale = type("Scale", (), {"names": targets["names"]})()
    return made


def tagger(**settings):
    """A predictor of the tags of words."""
    features = TaggerFeatures(TextSettings())
    features.fit(SENTENCES)
    small = {"embedding_size": 5, "character_size": 4, "character_hidden_size": 3, "hidden_size": 6}
    model = TaggerSettings(**{**small, "scheme": "BIO", "head": "crf", **settings})
    module = randomised(build_tagger(model, features, TAGS))
    config = {"unit": "words", "settings": {"model": model.model_dump()}}
    return TaggerPredictor(content(config, {"classes": TAGS, "counts": [1] * 5}), SavedTagger(module, features))


def frame_tagger(frame_settings=None, **settings):
    """A predictor of the tags of frames."""
    features = FrameTaggerFeatures(FrameSettings(**(frame_settings or {})))
    features.fit(FRAMES)
    model = TaggerSettings(**{"hidden_size": 6, "scheme": "none", "head": "softmax", **settings})
    module = randomised(build_tagger(model, features, TAGS))
    config = {"unit": "frames", "settings": {"model": model.model_dump()}}
    return TaggerPredictor(content(config, {"classes": TAGS, "counts": [1] * 5}), SavedTagger(module, features))


def language_model(unit="words", end_mark=True, texts=TEXTS, **settings):
    """A predictor of what comes next."""
    pipeline = TextPipeline(TextSettings(unit=unit, end_mark=end_mark))
    pipeline.fit(texts)
    model = LanguageSettings(**{"embedding_size": 6, "hidden_size": 5, **settings})
    module = randomised(LanguageNetwork(model, len(pipeline.vocabulary)))
    config = {"unit": unit, "settings": {"model": model.model_dump()}}
    return LanguagePredictor(content(config), SavedLanguageModel(module, pipeline))
