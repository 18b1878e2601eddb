"""A transcriber from the parts of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqwise.models.transcriber import TranscriberNetwork
from seqwise.models.transcriber_features import TranscriberFeatures
from seqwise.models.transcriber_settings import TranscriberSearchSettings, TranscriberSettings
from seqwise.text.vocabulary import checked_strings


@dataclass(frozen=True)
class SavedTranscriber:
    """A module without its weights, what turns frames into its batches, and the words that it may say; None: all."""

    module: TranscriberNetwork
    features: TranscriberFeatures
    words: list[str] | None = None


def build_transcriber(model: TranscriberSettings, features: TranscriberFeatures) -> TranscriberNetwork:
    """Build the module for fitted features."""
    frames = features.frames.settings
    copies = (1 + frames.deltas) * frames.stack
    return TranscriberNetwork(model, channels=features.frames.size, symbols=features.size, copies=copies)


def load_transcriber(config: dict[str, Any], vocabulary: dict[str, Any], labels: dict[str, Any]) -> SavedTranscriber:
    """Build what `config.json` and `vocabulary.json` describe."""
    features, words = TranscriberFeatures.from_dict(vocabulary), vocabulary.get("words")
    model = TranscriberSettings.model_validate(config["settings"]["model"])
    TranscriberSearchSettings.model_validate(config["settings"]["search"])
    if words is not None:
        words = checked_strings(words, "word list")
    return SavedTranscriber(build_transcriber(model, features), features, words)
