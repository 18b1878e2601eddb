"""The configuration section `training`: how a model is fitted."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Metric = (
    Literal["macro_f1", "accuracy", "balanced_accuracy", "log_loss", "micro_f1", "mean_average_precision"]
    | Literal["mae", "rmse", "r2", "mase"]
    | Literal["wer", "cer"]
)
"""What an epoch can be judged by: figures of classes and labels, of numbers, and of transcripts."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?)\s*h)?\s*(?:(\d+(?:\.\d+)?)\s*m)?\s*(?:(\d+(?:\.\d+)?)\s*s?)?\s*", re.IGNORECASE
)


def duration(value: object) -> object:
    """Seconds from "90s", "5m", "1h", "1h30m" or a plain number; anything else is handed on for pydantic to refuse."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None or not any(match.groups()):
        raise ValueError(f"a duration is written like 90s, 5m or 1h, not {value!r}")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * _SECONDS["h"] + minutes * _SECONDS["m"] + seconds


class TrainingSettings(BaseModel):
    """How a model is fitted.

    Attributes:
        epochs: passes over the training data, at most (early stopping and the time budget may end sooner).
        batch_size: examples a step.
        optimizer: "gradient_descent" takes one step an epoch, with the gradient of all examples; "momentum" is sgd with
            it.
        learning_rate: the peak of the schedule; a group of parameters may have its own.
        momentum: for the optimizer "momentum".
        weight_decay: decoupled for adamw (Loshchilov and Hutter 2019), an L2 penalty w/2 |p|^2 for the others; never on
            biases or other parameters with fewer than two axes.
        clip_norm: the gradient is scaled down to this Euclidean norm over all parameters (Pascanu et al. 2013); None:
            never.
        clip_value: every gradient entry is cut to [-v, v], before clip_norm looks at it.
        schedule: the learning rate over the whole run (see `seqwise.training.schedule`).
        warmup: share of the run in which the rate rises; None: 0.3 for one_cycle and 0 for the others.
        patience: stop after so many epochs in a row that did not improve `metric`; None: never.
        metric: what "best" means on the validation part; accuracy and balanced accuracy are of classes only, micro_f1 and
            mean_average_precision of labels, of which an example may have several; mae, rmse and r2 of
            numbers; wer and cer, word and character error rate, of transcripts.
        select: which weights a fit that came to its end keeps: "best" by `metric`, or "last", where the schedule ends at
            rate zero and choosing among epochs would follow noise. One cut short by Ctrl-C or a divergence keeps the best.
        refit: after that, an estimator that held a part back for validation fits once more, on all examples, with what it
            found out. The figures that it reports are those of the first fit.
        average: validate and keep an average of the weights: "ema" exponential, after every step; "swa" the mean over
            the ends of the epochs in the second half of the run (Izmailov et al. 2018).
        average_decay: of "ema".
        seed: of dropout, shuffling and everything else that is random in the fit.
        device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N".
        precision: "bfloat16" runs the forward pass under autocast; parameters and optimiser stay float32.
        time_budget: seconds for the whole fit, or "90s", "5m", "1h"; the schedule then anneals to the end of the
            budget.
        checkpoint_seconds: a checkpoint is written at least this often, besides after the epochs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["sgd", "momentum", "adam", "adamw", "gradient_descent"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    clip_norm: float | None = Field(default=1.0, gt=0, allow_inf_nan=False)
    clip_value: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "one_cycle", "linear"] = "constant"
    warmup: float | None = Field(default=None, ge=0, lt=1)
    patience: int | None = Field(default=None, ge=1)
    metric: Metric = "macro_f1"
    select: Literal["best", "last"] = "best"
    refit: bool = False
    average: Literal["none", "ema", "swa"] = "none"
    average_decay: float = Field(default=0.999, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    precision: Literal["float32", "bfloat16"] = "float32"
    time_budget: Annotated[float | None, BeforeValidator(duration)] = Field(default=None, gt=0, allow_inf_nan=False)
    checkpoint_seconds: Annotated[float, BeforeValidator(duration)] = Field(default=60.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _no_setting_is_ignored(self) -> Self:
        fields = type(self).model_fields
        if self.momentum != fields["momentum"].default and self.optimizer != "momentum":
            raise ValueError(f"momentum belongs to the optimizer 'momentum', not to {self.optimizer!r}")
        if self.average_decay != fields["average_decay"].default and self.average != "ema":
            raise ValueError(f"average_decay belongs to the average 'ema', not to {self.average!r}")
        if self.select == "last" and self.patience is not None:
            raise ValueError("patience stops at the best epoch, select 'last' keeps the last: set one of the two")
        return self
