"""The sections of a translator's configuration, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqwise.errors import ConfigurationError
from seqwise.estimators.sections import SectionSet
from seqwise.models import SearchSettings, TranslatorSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

TEXT_DEFAULTS: dict[str, Any] = {
    "unit": "bpe",
    "lowercase": False,
    "normalize": "NFC",
    "max_vocabulary": 8000,
    "max_length": 100,
    "keep": "first",
}
TRAINING_DEFAULTS: dict[str, Any] = {
    "metric": "log_loss",
    "epochs": 20,
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "clip_norm": 1.0,
    "schedule": "one_cycle",
    "warmup": 0.1,
    "select": "best",
    "average": "ema",
}
SECTIONS = ("text", "target_text", "model", "search", "training")


@dataclass(frozen=True)
class TranslatorSections(SectionSet):
    """How both sides are read, which parts the model has, how it searches, how it is trained."""

    text: TextSettings
    target_text: TextSettings
    model: TranslatorSettings
    search: SearchSettings
    training: TrainingSettings


def of_target(text: TextSettings, target: TextSettings) -> TextSettings:
    """Return how targets are read: as sources, but for what was set."""
    return text.model_copy(update={name: getattr(target, name) for name in target.model_fields_set})


def check_training(training: TrainingSettings) -> None:
    """Refuse what a translator's training has no use for.

    Raises:
        ConfigurationError: names the setting.
    """
    if training.metric != "log_loss":
        raise ConfigurationError(f"training.metric of a translator is log_loss, not {training.metric}")
    if training.refit:
        raise ConfigurationError("training.refit is not for translators: set it to false")
