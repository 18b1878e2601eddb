"""The configuration section `imbalance`: how rare classes are treated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _by_name(weights: Any) -> Any:
    """Labels of any type are named by their text, as in a model folder."""
    return {str(label): weight for label, weight in weights.items()} if isinstance(weights, dict) else weights


ClassWeight = Annotated[Literal["balanced"] | dict[str, float] | None, BeforeValidator(_by_name)]


class ImbalanceSettings(BaseModel):
    """How rare classes are treated in the loss.

    Attributes:
        class_weight: None weighs every class alike; "balanced" gives class j of K the weight n / (K n_j); a mapping
            names weights by class (classes that it leaves out weigh 1).
        label_smoothing: share of the target probability that is spread over all classes.
        prior_correction: tau of a correction after training: tau log(class share) is subtracted from the logits, so that
            rare classes are chosen more often (Menon et al. 2021, section 4.1). 0 leaves the decisions as trained.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_weight: ClassWeight = None
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    prior_correction: float = Field(default=0.0, ge=0.0, le=2.0)
