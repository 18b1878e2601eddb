"""The sections of a tagger's configuration: their defaults, and what is decided once the tags are known."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from seqwise.embeddings import WordVectors
from seqwise.errors import ConfigurationError
from seqwise.estimators.pretrained import GivenVectors, find_file
from seqwise.estimators.sections import SectionSet
from seqwise.estimators.tag_targets import TagCode
from seqwise.losses import ImbalanceSettings
from seqwise.models import TaggerSettings
from seqwise.models.frame_settings import FrameSettings
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
class TaggerSections(SectionSet):
    """How words or frames are read, which layers the model has, how rare tags are treated, how it is trained."""

    text: TextSettings
    frames: FrameSettings
    model: TaggerSettings
    imbalance: ImbalanceSettings
    training: TrainingSettings

    @property
    def named(self) -> dict[str, Any]:
        """The sections by name."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


def read_as(sections: TaggerSections, *, framed: bool) -> TaggerSections:
    """Return the sections with what depends on whether frames are read, or words.

    Raises:
        ConfigurationError: a setting of the other one was given.
    """
    if framed and sections.text != TextSettings():
        raise ConfigurationError("the section text is for words, and this tagger reads frames: leave it out")
    if not framed and sections.frames != FrameSettings():
        raise ConfigurationError(
            "the section frames is for frames of numbers, and this tagger reads words: leave it out"
        )
    model = sections.model.decided(framed=framed)
    if framed:
        if model.scheme not in ("auto", PLAIN):
            raise ConfigurationError(
                f"model.scheme {model.scheme} is of spans of words; the labels of frames have none"
            )
        model = model.model_copy(update={"scheme": PLAIN})
    return replace(sections, model=model)


def decided(sections: TaggerSections, code: TagCode, *, framed: bool = False) -> TaggerSections:
    """Return the sections with scheme and metric decided.

    Raises:
        ConfigurationError: a setting that is not for taggers, or that does not go with another one.
    """
    training, imbalance, model = sections.training, code.spread(sections.imbalance), sections.model
    if "metric" not in training.model_fields_set:
        metric = "macro_f1" if framed else "accuracy" if code.scheme == PLAIN else "micro_f1"
        training = training.model_copy(update={"metric": metric})
    if training.metric not in METRICS:
        raise ConfigurationError(f"training.metric of a tagger is one of {', '.join(METRICS)}, not {training.metric}")
    if training.refit:
        raise ConfigurationError("training.refit is not for taggers: set it to false")
    if imbalance.synthetic:
        raise ConfigurationError("imbalance.synthetic is for one class a text, not for tags")
    if imbalance.sampler != "instance" and not framed:
        raise ConfigurationError("imbalance.sampler draws texts of one class, and a sentence has many tags")
    if model.head == "crf" and (
        imbalance.loss != "cross_entropy" or imbalance.label_smoothing or imbalance.prior_correction
    ):
        raise ConfigurationError(
            "a conditional random field is fitted by its likelihood, with class weights if need be: "
            "set model.head to 'softmax' for another loss"
        )
    if model.freeze_vectors and model.vectors is None:
        raise ConfigurationError("freeze_vectors is for vectors of a file: model.vectors names none")
    model = model.model_copy(update={"scheme": code.scheme})
    return replace(sections, model=model, imbalance=imbalance, training=training)


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
