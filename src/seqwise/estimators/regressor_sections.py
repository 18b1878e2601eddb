"""The sections of a regressor's configuration, and what is decided once the training data are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigurationError
from seqwise.estimators.choices import Profile, choose
from seqwise.estimators.pretrained import GivenVectors, read_pretrained
from seqwise.estimators.sections import Sections
from seqwise.losses import ImbalanceSettings, RegressionSettings
from seqwise.models import ModelSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

METRICS = ("mae", "rmse", "r2")


@dataclass(frozen=True)
class RegressorSections:
    """How inputs are read, which parts the model has, which error is minimised, how it is trained."""

    text: TextSettings
    model: ModelSettings
    regression: RegressionSettings
    training: TrainingSettings

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain values, as in `config.json`."""
        names = ("text", "model", "regression", "training")
        return {name: getattr(self, name).model_dump(mode="json") for name in names}


def decided(
    sections: RegressorSections, profile: Profile, texts: Any, folder: Path | None
) -> tuple[RegressorSections, GivenVectors | None]:
    """Return the sections with every value decided, and the word vectors to start from.

    What nobody set is what the classifier would choose for such texts; the metric is that which the loss asks for.

    Args:
        sections: as a person set them.
        profile: of the training texts.
        texts: of training, for vectors that are trained.
        folder: where trained vectors are kept for a fit that is resumed; None keeps them nowhere.

    Raises:
        ConfigurationError: a setting that is not for regression, or that does not go with another one.
    """
    plain = Sections(sections.text, sections.model, ImbalanceSettings(), sections.training)
    chosen, vectors = read_pretrained(plain, choose(profile, plain), texts, None, folder)
    training = chosen.training
    if "metric" not in sections.training.model_fields_set:
        training = training.model_copy(update={"metric": "rmse" if sections.regression.loss == "squared" else "mae"})
    if training.metric not in METRICS:
        raise ConfigurationError(
            f"training.metric of a regressor is one of {', '.join(METRICS)}, not {training.metric}"
        )
    return RegressorSections(chosen.text, chosen.model, sections.regression, training), vectors
