"""What happened in a fit, epoch by epoch and step by step."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class History:
    """What happened in a fit.

    Attributes:
        epochs: one record an epoch: "epoch" (from 1), "steps", "examples", "loss" (mean over examples), "learning_rate"
            (of the first group, last step), "gradient_norm" (mean over the steps, before clipping),
            "gradient_norm_max", "seconds" (since the start of the fit), "validation" (what the validation gave, empty
            without), "best" (so far), "complete" (False where the epoch was cut short).
        losses: mean loss of every step.
        gradient_norms: Euclidean norm of the gradient of every step, before clipping.
        best_epoch: with the best validation; None without one.
        best_value: of the monitored metric then.
        kept_epoch: after which the weights that the model was left with were taken; None before the end of the first.
        stopped: why the fit ended: "finished", "patience", "time", "interrupted" or "diverged"; "" while it runs.
        seconds: how long the fit took, resumed parts together.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    best_value: float | None = None
    kept_epoch: int | None = None
    stopped: str = ""
    seconds: float = 0.0

    @property
    def interrupted(self) -> bool:
        """Whether the person stopped the fit."""
        return self.stopped == "interrupted"

    def record(self, entry: dict[str, Any]) -> None:
        """Add an epoch; one that was cut short and is now continued takes its old place."""
        if self.epochs and self.epochs[-1]["epoch"] == entry["epoch"]:
            self.epochs.pop()
        self.epochs.append(entry)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)
