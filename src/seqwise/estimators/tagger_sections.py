"""The sections of a tagger's configuration: their defaults, and what is decided once the tags are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.embeddings import WordVectors
from seqwise.errors import ConfigurationError
from seqwise.estimators.pretrained import GivenVectors, find_file
from seqwise.estimators.tag_targets import TagCode
from seqwise.losses import ImbalanceSettings
from seqwise.models import TaggerSettings
from seqwise.prediction.tagger import PLAIN
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

TRAINING_DEFAULTS: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "clip_norm": 5.0,
    "schedule": "one_cycle",
    "warmup": 0.1,
    "select": "best",
}
METRICS = ("micro_f1", "macro_f1", "accuracy")


@dataclass(frozen=True)
class TaggerSections:
    """How tokens are read, which layers the model has, how rare tags are treated, how it is trained."""

    text: TextSettings
    model: TaggerSettings
    imbalance: ImbalanceSettings
    training: TrainingSettings

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain values, as in `config.json`."""
        names = ("text", "model", "imbalance", "training")
        return {name: getattr(self, name).model_dump(mode="json") for name in names}


def decided(sections: TaggerSections, code: TagCode) -> TaggerSections:
    """Return the sections with scheme and metric decided.

    Raises:
        ConfigurationError: a setting that is not for taggers, or that does not go with another one.
    """
    training, imbalance, model = sections.training, code.spread(sections.imbalance), sections.model
    if "metric" not in training.model_fields_set:
        training = training.model_copy(update={"metric": "accuracy" if code.scheme == PLAIN else "micro_f1"})
    if training.metric not in METRICS:
        raise ConfigurationError(f"training.metric of a tagger is one of {', '.join(METRICS)}, not {training.metric}")
    if training.refit:
        raise ConfigurationError("training.refit is not for taggers: set it to false")
    for name in ("prior_correction", "synthetic"):
        if getattr(imbalance, name):
            raise ConfigurationError(f"imbalance.{name} is for one class a text, not for tags")
    if imbalance.sampler != "instance":
        raise ConfigurationError("imbalance.sampler draws texts of one class, and a sentence has many tags")
    if model.head == "crf" and (imbalance.loss != "cross_entropy" or imbalance.label_smoothing):
        raise ConfigurationError(
            "a conditional random field is fitted by its likelihood, with class weights if need be: "
            "set model.head to 'softmax' for another loss"
        )
    if model.freeze_vectors and model.vectors is None:
        raise ConfigurationError("freeze_vectors is for vectors of a file: model.vectors names none")
    model = model.model_copy(update={"scheme": code.scheme})
    return TaggerSections(sections.text, model, imbalance, training)


def read_vectors(model: TaggerSettings) -> GivenVectors | None:
    """Return the vectors that the section `model` names, None without.

    Raises:
        ConfigurationError: they are of another size than was set.
        FileError: the file cannot be read.
    """
    if model.vectors is None:
        return None
    vectors = WordVectors.load(find_file(model.vectors))
    if "embedding_size" in model.model_fields_set and model.embedding_size != vectors.size:
        raise ConfigurationError(
            f"embedding_size is {model.embedding_size}, and the vectors of {model.vectors} have {vectors.size} "
            "numbers: leave it out"
        )
    return GivenVectors(vectors, f"{Path(model.vectors).name} has")
