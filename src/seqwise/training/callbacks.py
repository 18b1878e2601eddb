"""What is optional in a fit, one small class each."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections import deque
from pathlib import Path
from typing import Any

import torch

from seqwise.errors import ConfigurationError
from seqwise.training.run import Run, Validate

LOWER_IS_BETTER = frozenset({"log_loss", "mae", "rmse", "mase", "wer", "cer"})
"""Validation figures of which less is better."""


class Callback:
    """Looks on at fixed moments of a fit; may set `run.stop`. What `state` returns is in every checkpoint."""

    def on_start(self, run: Run) -> None:
        """Before the first step, of a resumed fit too."""

    def on_step(self, run: Run) -> None:
        """After every step; `run.step` counts it already."""

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """After an epoch and its validation; `record` is the history's newest. Also after an epoch cut short."""

    def on_end(self, run: Run) -> None:
        """After the fit, however it ended."""

    def state(self) -> dict[str, Any]:
        """Return numbers, texts and tensors, in dictionaries and lists, that `load_state` takes back."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""


class TimeBudget(Callback):
    """Ends the fit so early that the step, the validation and the checkpoint that still come fit into the budget.

    Args:
        seconds: for the whole fit.
        validate: timed once before the first step, for a budget may be shorter than an epoch.
    """

    MARGIN = 0.95  # of the budget is used: timings vary, and the caller still has to save

    def __init__(self, seconds: float, validate: Validate | None) -> None:
        self._seconds = seconds
        self._validate = validate
        self._recent: deque[float] = deque(maxlen=50)
        self._last = 0.0

    def on_start(self, run: Run) -> None:
        """Time a validation and see whether there is time for a step at all."""
        run.time_limit = self.MARGIN * self._seconds
        run.validated(self._validate)
        run.elapsed = self._last = run.engine.agree(run.now())
        self._look(run)

    def on_step(self, run: Run) -> None:
        """Move the schedule and stop in time."""
        self._recent.append(run.elapsed - self._last)
        self._last = run.elapsed
        self._look(run)

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """Leave the validation out of the duration of the next step."""
        self._last = run.elapsed
        self._look(run)

    def _look(self, run: Run) -> None:
        # The slowest of the recent steps: a long batch, or one with a checkpoint after it, can come again. Twice: the
        # clock was read in the middle of the last one.
        end = run.time_limit - 1.1 * run.validation_seconds - 2 * max(self._recent, default=0.0)
        run.time_share = min(1.0, run.elapsed / end) if end > 0 else 1.0
        if run.elapsed >= end and run.stop is None:
            run.stop = "time"


class WeightAverage(Callback):
    """Averages the weights: `run.averaged` is then validated and kept instead of the raw weights.

    Args:
        kind: "ema", an exponential average after every update, which starts short so that it forgets the initial
            weights; or "swa", the plain mean over the ends of the epochs in the second half of the fit (Izmailov et al.
            2018).
        decay: of "ema".
    """

    def __init__(self, kind: str, decay: float) -> None:
        self._kind, self._decay, self._count = kind, decay, 0

    def on_step(self, run: Run) -> None:
        """Take the current weights in, where it is time."""
        if self._kind == "ema":
            if not run.updated:
                return
            self._count += 1
            share = 1 - min(self._decay, (1 + self._count) / (10 + self._count))
        else:
            if not (run.last_step or run.stop == "time") or run.progress < 0.5:
                return
            self._count += 1
            share = 1 / self._count
        with torch.no_grad():
            weights = {name: p.detach() for name, p in run.model.named_parameters() if p.requires_grad}
            if run.averaged is None:
                run.averaged = {name: tensor.clone() for name, tensor in weights.items()}
            torch._foreach_lerp_(list(run.averaged.values()), list(weights.values()), share)

    def state(self) -> dict[str, Any]:
        """Return how many weights are in the average (the average itself belongs to the run)."""
        return {"count": self._count}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        self._count = state["count"]


class BestWeights(Callback):
    """Keeps the weights with the best validation, and stops when it has not improved for `patience` epochs in a row."""

    def __init__(self, metric: str, patience: int | None) -> None:
        self._metric, self._patience, self._waited = metric, patience, 0
        self._sign = -1.0 if metric in LOWER_IS_BETTER else 1.0

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """Compare with the best so far; a metric that is not a number never is better."""
        if not record["validation"]:  # interrupted before it
            return
        if self._metric not in record["validation"]:
            known = ", ".join(record["validation"])
            raise ConfigurationError(f"training.metric is {self._metric}, but the validation reports only {known}")
        value, best = record["validation"][self._metric], run.history.best_value
        if not math.isnan(value) and (best is None or self._sign * value > self._sign * best):
            run.best = {name: tensor.detach().clone() for name, tensor in run.weights().items()}
            run.history.best_epoch, run.history.best_value = record["epoch"], value
            record["best"], self._waited = True, 0
            return
        self._waited += 1
        if self._patience is not None and self._waited >= self._patience and run.stop is None:
            run.stop = "patience"

    def state(self) -> dict[str, Any]:
        """Return how long nothing has improved."""
        return {"waited": self._waited}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on waiting."""
        self._waited = state["waited"]


class HistoryWriter(Callback):
    """Writes `history.jsonl`, one line an epoch, whole each time: a resumed fit leaves no epoch twice."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """Write all records so far."""
        if run.engine.rank != 0:
            return
        lines = "".join(json.dumps(finite(entry)) + "\n" for entry in run.history.epochs)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(lines, encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            warnings.warn(f"{self._path} could not be written ({error.strerror}); training goes on", stacklevel=2)


def finite(value: Any) -> Any:
    """Return the value with every NaN and infinity in it, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [finite(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
