"""From raw texts or frames to the arrays that a model reads: what is fitted on training data and saved as the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.models.batch import EncodedExamples
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.settings import ModelSettings
from seqwise.text import NgramFeatures, TextPipeline, TextSettings


class TextFeatures:
    """Symbols for the recurrent part and n-grams for the linear part, as far as the architecture needs them.

    Args:
        text: settings with the unit decided ("auto" is not accepted here).
        model: settings with the n-gram ranges decided.
        folder: where encoded texts are kept in memory-mapped files; None keeps them in memory.
        wanted: tells of a symbol below `text.min_count` whether it stays in the vocabulary nevertheless.
    """

    def __init__(
        self,
        text: TextSettings,
        model: ModelSettings,
        folder: Path | None = None,
        wanted: Callable[[str], bool] | None = None,
    ) -> None:
        self.folder = folder
        self.pipeline = TextPipeline(text, wanted) if model.architecture != "linear" else None
        self.ngrams: NgramFeatures | None = None
        if model.architecture != "recurrent":
            self.ngrams = NgramFeatures(
                words=model.word_ngrams,
                characters=model.character_ngrams,
                positions=model.ngram_positions,
                max_features=model.max_ngrams,
                min_documents=model.min_documents,
                weighting=model.ngram_weighting,
                lowercase=text.lowercase,
                clean=text.clean,
                stop_words=text.stop_words,
                keep_words=text.keep_words,
                lemmas=text.lemmas,
                stems=text.stems,
                unit="tokens" if text.unit in ("tokens", "whitespace") else "words",
            )

    def fit_encode(
        self, texts: Iterable[Any], targets: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> EncodedExamples:
        """Count symbols and n-grams in the training texts and return the texts as arrays."""
        return EncodedExamples(
            tokens=None if self.pipeline is None else self.pipeline.fit_encode(texts, folder=self.folder),
            ngrams=None if self.ngrams is None else self.ngrams.fit_transform(texts, folder=self.folder),
            targets=targets,
            weights=weights,
        )

    def encode(
        self, texts: Iterable[Any], targets: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> EncodedExamples:
        """Return the texts as arrays."""
        return EncodedExamples(
            tokens=None if self.pipeline is None else self.pipeline.encode(texts, folder=self.folder),
            ngrams=None if self.ngrams is None else self.ngrams.transform(texts, folder=self.folder),
            targets=targets,
            weights=weights,
        )

    @property
    def vocabulary_size(self) -> int:
        """V of the recurrent part, 0 without one."""
        return 0 if self.pipeline is None else len(self.pipeline.vocabulary)

    @property
    def ngram_count(self) -> int:
        """Known n-grams, 0 without a linear part."""
        return 0 if self.ngrams is None else len(self.ngrams)

    @property
    def frame_size(self) -> int:
        """Numbers of a step: texts have symbols instead."""
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Return what `vocabulary.json` holds."""
        return {
            "pipeline": None if self.pipeline is None else self.pipeline.to_dict(),
            "ngrams": None if self.ngrams is None else self.ngrams.to_dict(),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any], text: TextSettings, model: ModelSettings) -> TextFeatures:
        """Return the features that `to_dict` described."""
        features = cls(text, model)
        if features.pipeline is not None:
            features.pipeline = TextPipeline.from_dict(saved["pipeline"])
        if features.ngrams is not None:
            features.ngrams = NgramFeatures.from_dict(saved["ngrams"])
        return features


class SignalFeatures:
    """Frames for the recurrent part: what `TextFeatures` are for texts.

    Args:
        settings: "auto" is decided when it is fitted.

    Attributes:
        frames: what is computed of them.
    """

    pipeline: TextPipeline | None = None
    ngrams: NgramFeatures | None = None
    vocabulary_size = 0
    ngram_count = 0

    def __init__(self, settings: FrameSettings) -> None:
        self.folder: Path | None = None
        self.frames = FrameFeatures(settings)

    def fit_encode(
        self, frames: Iterable[Any], targets: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> EncodedExamples:
        """Learn means and deviations from the training frames and return the frames as arrays."""
        return EncodedExamples(frames=self.frames.fit_encode(frames), targets=targets, weights=weights)

    def encode(
        self, frames: Iterable[Any], targets: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> EncodedExamples:
        """Return the frames as arrays."""
        return EncodedExamples(frames=self.frames.encode(frames), targets=targets, weights=weights)

    @property
    def frame_size(self) -> int:
        """Numbers of a step."""
        return self.frames.size

    def to_dict(self) -> dict[str, Any]:
        """Return what `vocabulary.json` holds."""
        return {"frames": self.frames.to_dict()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> SignalFeatures:
        """Return the features that `to_dict` described."""
        features = cls(FrameSettings())
        features.frames = FrameFeatures.from_dict(saved["frames"])
        return features


Features = TextFeatures | SignalFeatures
"""What a classifier reads, and how."""


def saved_features(settings: dict[str, Any], vocabulary: dict[str, Any]) -> Features:
    """Return the features that a folder describes.

    Args:
        settings: the sections of `config.json`.
        vocabulary: the whole of `vocabulary.json`.

    Raises:
        ValidationError: of pydantic: a section is not what it should be.
    """
    if "frames" in vocabulary:
        return SignalFeatures.from_dict(vocabulary)
    text, model = TextSettings.model_validate(settings["text"]), ModelSettings.model_validate(settings["model"])
    return TextFeatures.from_dict(vocabulary, text, model)
