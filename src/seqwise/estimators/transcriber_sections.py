"""The sections of a transcriber's configuration, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqwise.errors import ConfigurationError
from seqwise.estimators.sections import SectionSet
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.transcriber_settings import TranscriberSearchSettings, TranscriberSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

FRAME_DEFAULTS: dict[str, Any] = {"normalise": "sequence"}
TEXT_DEFAULTS: dict[str, Any] = {"unit": "characters", "lowercase": False, "normalize": "NFC"}
TRAINING_DEFAULTS: dict[str, Any] = {
    "metric": "wer",
    "epochs": 40,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 0.01,
    "clip_norm": 2.0,
    "schedule": "one_cycle",
    "warmup": 0.15,
    "select": "best",
}
METRICS = ("wer", "cer")
SECTIONS = ("frames", "text", "model", "search", "training")


@dataclass(frozen=True)
class TranscriberSections(SectionSet):
    """How frames and transcripts are read, which layers the model has, how it searches, how it is trained."""

    frames: FrameSettings
    text: TextSettings
    model: TranscriberSettings
    search: TranscriberSearchSettings
    training: TrainingSettings


def check_training(training: TrainingSettings) -> None:
    """Refuse what a transcriber's training has no use for.

    Raises:
        ConfigurationError: names the setting.
    """
    if training.metric not in METRICS:
        raise ConfigurationError(f"training.metric of a transcriber is wer or cer, not {training.metric}")
    if training.refit:
        raise ConfigurationError("training.refit is not for transcribers: set it to false")
