"""A generator from the parts of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqwise.models.frame_settings import FrameSettings
from seqwise.models.generator import GeneratorNetwork
from seqwise.models.generator_features import GeneratorFeatures
from seqwise.models.generator_settings import GeneratorSettings
from seqwise.text import TextSettings


@dataclass(frozen=True)
class SavedGenerator:
    """A module without its weights, and what turns conditions and sequences into its batches."""

    module: GeneratorNetwork
    features: GeneratorFeatures

    @classmethod
    def of(cls, features: GeneratorFeatures) -> SavedGenerator:
        """Build the module for the conditions and symbols that there are."""
        network = GeneratorNetwork(features.model, conditions=features.conditions, symbols=features.symbols)
        return cls(network, features)

    @classmethod
    def from_dicts(cls, settings: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> SavedGenerator:
        """Build what the sections of a configuration and `vocabulary.json` describe.

        Raises:
            DataError: they are damaged.
        """
        return cls.of(
            GeneratorFeatures.from_dict(
                vocabulary,
                TextSettings.model_validate(settings["text"]),
                GeneratorSettings.model_validate(settings["model"]),
                FrameSettings.model_validate(settings["frames"]),
            )
        )
