"""A small model of both parts, saved: what the tests of the folder and the predictor read, damage and forge."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from seqwise.models import ModelSettings, SequenceModel, TextFeatures
from seqwise.prediction import write_folder
from seqwise.prediction.folder import _with_seal
from seqwise.text import TextSettings

TEXTS = ["the cat sat", "a dog ran far away", "no", "yes yes yes", "", "🙂 שלום"]
CLASSES = ["ham", "spam", "other"]


def toy_model(**model_settings):
    """Settings, features and module of a model with random weights."""
    text = TextSettings(unit="words", min_count=1)
    settings = ModelSettings(
        **{
            "embedding_size": 4,
            "hidden_size": 3,
            "pooling": "max+mean",
            "word_ngrams": (1, 2),
            "character_ngrams": None,
            "ngram_positions": False,
            "min_documents": 1,
            **model_settings,
        }
    )
    features = TextFeatures(text, settings)
    features.fit_encode(TEXTS)
    module = SequenceModel(
        settings, vocabulary_size=features.vocabulary_size, ngrams=features.ngram_count, classes=len(CLASSES)
    )
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.normal_(generator=generator)
    return text, settings, features, module.eval()


def toy_labels(**changes):
    return {
        "classes": CLASSES,
        "counts": [5, 3, 1],
        "priors": [0.5, 0.3, 0.2],
        "thresholds": None,
        "positive": None,
        "calibration": None,
        **changes,
    }


def toy_config(text, settings):
    sections = {
        "data": {"text": "message"},
        "text": text.model_dump(mode="json"),
        "model": settings.model_dump(mode="json"),
    }
    return {"task": "classify", "estimator": "SequenceClassifier", "settings": sections, "unit": "words"}


def save_toy(path: Path, labels=None, weights=None, **model_settings):
    """Save the toy model and return its features and module."""
    text, settings, features, module = toy_model(**model_settings)
    write_folder(
        path,
        config=toy_config(text, settings),
        weights=module.state_dict() if weights is None else weights,
        vocabulary=features.to_dict(),
        labels=labels or toy_labels(),
    )
    return features, module


def forge(path: Path, config=None, **files: bytes | dict):
    """Change parts of a folder as somebody would who also puts the hashes right. `files` by the stem of their names."""
    names = {"model": "model.safetensors", "vocabulary": "vocabulary.json", "labels": "labels.json"}
    current = json.loads((path / "config.json").read_text())
    current.update(config or {})
    for stem, content in files.items():
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (path / names[stem]).write_bytes(raw)
        current["files"][names[stem]] = hashlib.sha256(raw).hexdigest()
    (path / "config.json").write_text(json.dumps(_with_seal(current)))
