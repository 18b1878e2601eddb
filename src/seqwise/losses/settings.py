"""The configuration section `imbalance`: how rare classes are treated."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImbalanceSettings(BaseModel):
    """How rare classes are treated in the loss.

    Attributes:
        class_weight: None weighs every class alike; "balanced" gives class j of K the weight n / (K n_j); a mapping
            names weights by class (classes that it leaves out weigh 1).
        label_smoothing: share of the target probability that is spread over all classes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_weight: Literal["balanced"] | dict[str, float] | None = None
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
