"""The sections of a regressor's configuration, and what is decided once the training data are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.data import Frames
from seqwise.errors import ConfigurationError
from seqwise.estimators.choices import Profile, choose, choose_for_frames
from seqwise.estimators.pretrained import GivenVectors, read_pretrained
from seqwise.estimators.sections import Sections, SectionSet
from seqwise.losses import ImbalanceSettings, RegressionSettings
from seqwise.models import FrameSettings, ModelSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

METRICS = ("mae", "rmse", "r2")


@dataclass(frozen=True)
class RegressorSections(SectionSet):
    """How texts (or frames, unless that is None) are read, the model's parts, which error is minimised, the training."""

    text: TextSettings
    model: ModelSettings
    regression: RegressionSettings
    training: TrainingSettings
    frames: FrameSettings | None = None


def decided(
    sections: RegressorSections, inputs: Any, folder: Path | None
) -> tuple[RegressorSections, GivenVectors | None]:
    """Return the sections with every value decided, and the word vectors to start from.

    What nobody set is what the classifier would choose for such inputs; the metric is that which the loss asks for.

    Args:
        sections: as a person set them.
        inputs: texts or `Frames` of training.
        folder: where trained vectors are kept for a fit that is resumed; None keeps them nowhere.

    Raises:
        ConfigurationError: a setting that is not for regression, or that does not go with another one.
    """
    plain = Sections(sections.text, sections.model, ImbalanceSettings(), sections.training, sections.frames)
    vectors = None
    if isinstance(inputs, Frames):
        chosen = choose_for_frames(inputs, plain)
    elif sections.frames is not None:
        raise ConfigurationError("the section frames is for frames of numbers, and the examples are texts")
    else:
        profile = Profile.of(inputs, 2, sections.text)
        chosen, vectors = read_pretrained(plain, choose(profile, plain), inputs, None, folder)
    if sections.training.refit:
        raise ConfigurationError("training.refit is not for regressors: set it to false")
    if sections.model.start_from is not None:
        raise ConfigurationError("model.start_from is for classifiers and language models, not for regressors")
    training = chosen.training.model_copy(update={"refit": False})
    if "metric" not in sections.training.model_fields_set:
        training = training.model_copy(update={"metric": "rmse" if sections.regression.loss == "squared" else "mae"})
    if training.metric not in METRICS:
        raise ConfigurationError(
            f"training.metric of a regressor is one of {', '.join(METRICS)}, not {training.metric}"
        )
    return RegressorSections(chosen.text, chosen.model, sections.regression, training, chosen.frames), vectors
