"""What a fit knows about itself while it goes on: the loop moves it on, callbacks read it and may ask it to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from seqwise.errors import ConfigurationError, DivergenceError
from seqwise.training.engine import Engine
from seqwise.training.history import History
from seqwise.training.random_states import random_states, set_random_states
from seqwise.training.schedule import rate_factor
from seqwise.training.settings import TrainingSettings

Validate = Callable[[nn.Module], Mapping[str, float]]


@dataclass
class Totals:
    """Sums over the steps of the current epoch."""

    examples: float = 0.0
    loss: float = 0.0
    norm: float = 0.0
    largest_norm: float = 0.0
    updates: int = 0


@dataclass
class Run:
    """The state of a fit.

    Attributes:
        model: the bare module on its device (not the distributed wrapper).
        optimizer: its groups carry "base_rate".
        settings: of this fit.
        engine: device, precision, processes.
        history: grows by a record an epoch.
        averaged: averaged parameters by name, where weights are averaged; they are validated and kept instead of the
            raw.
        best: the state dict with the best validation so far.
        epoch: complete epochs.
        step: steps of the current epoch that are done.
        steps: steps that the current epoch has.
        elapsed: seconds since the start (resumed parts together) at the last step; the same number on every process.
        time_limit: when, in seconds since the start, the fit has to be over; a callback may move it.
        time_share: share of the time budget that is used up, 0 without one.
        validation_seconds: the longest validation so far took.
        updated: whether the last step changed the weights (full-batch descent does so once an epoch).
        stop: why the fit is to end, None while it is not.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    settings: TrainingSettings
    engine: Engine
    history: History = field(default_factory=History)
    totals: Totals = field(default_factory=Totals)
    averaged: dict[str, Tensor] | None = None
    best: dict[str, Tensor] | None = None
    epoch: int = 0
    step: int = 0
    steps: int = 1
    elapsed: float = 0.0
    time_limit: float = math.inf
    time_share: float = 0.0
    validation_seconds: float = 0.0
    updated: bool = False
    stop: str | None = None

    def __post_init__(self) -> None:
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.full_batch = self.settings.optimizer == "gradient_descent"
        self._epoch_states = random_states()
        self._resumed_states: dict[str, Any] | None = None
        self._clock = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the whole fit that is over, 0 to 1, by epochs or by the time budget, whichever is further."""
        by_epochs = (self.epoch + self.step / self.steps) / self.settings.epochs
        return min(1.0, max(by_epochs, self.time_share))

    @property
    def last_step(self) -> bool:
        """Whether the current epoch has no step left."""
        return self.step >= self.steps

    def now(self) -> float:
        """Seconds since the start on this process's own clock."""
        return time.monotonic() - self._clock

    def clock(self) -> float:
        """Return what this process adds to the common clock: the main one its seconds, the others nothing."""
        return self.now() if self.engine.rank == 0 else 0.0

    def batches(self, epoch_batches: Callable[[int], Any]) -> Iterator[tuple[Any, bool]]:
        """Yield the steps of the epoch that are not yet done: a batch on the device, and whether it counts."""
        resumed, self._resumed_states = self._resumed_states, None
        if resumed is not None and self.step == 0:
            set_random_states(resumed)
            resumed = None
        if resumed is None:
            self._epoch_states = random_states()
        else:  # as at the epoch's start, in case the order of the batches is drawn from the global generators
            set_random_states(self._epoch_states)
        batches = epoch_batches(self.epoch)
        self.steps = self.engine.steps(batches)
        if not self.steps:
            raise ConfigurationError(f"epoch {self.epoch + 1} has no batch to train on")
        dealt = self.engine.deal(batches, skip=self.step)
        if resumed is not None:
            set_random_states(resumed)  # what passing over the steps already done may have drawn does not count
        for batch, counts in dealt:
            yield self.engine.to_device(batch), counts

    def set_rates(self) -> None:
        """Give every group the learning rate of the coming step (its middle: neither end of a schedule is wasted)."""
        middle = 0.5 if self.full_batch else (self.step + 0.5) / self.steps
        factor = rate_factor(self.settings, max((self.epoch + middle) / self.settings.epochs, self.time_share))
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_rate"] * factor

    def clip(self, divisor: float = 1.0) -> Tensor:
        """Divide the gradient, clip it as the settings say, and return its norm between the two, ()."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if divisor != 1:
            torch._foreach_div_(gradients, divisor)
        norm = clipped = torch.nn.utils.get_total_norm(gradients)
        if self.settings.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self.parameters, self.settings.clip_value)
            clipped = torch.nn.utils.get_total_norm(gradients)
        if self.settings.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.settings.clip_norm, clipped)
        return norm

    def log(self, examples: float, loss: Tensor, norm: Tensor | None) -> None:
        """Add a step to the totals and the history.

        Args:
            examples: that the step read, on all processes.
            loss: summed over this process's examples, ().
            norm: of the gradient before clipping, (); None where no update is due yet.

        Raises:
            DivergenceError: loss or norm is not finite. Called before the update: the weights are still sound.
        """
        # One transfer from the device for both numbers.
        values = torch.stack([value.detach().double() for value in (loss, norm) if value is not None]).tolist()
        mean = self.engine.sum(values[0])[0] / examples
        for name, value in zip(("loss", "gradient norm"), (mean, *values[1:]), strict=False):
            if not math.isfinite(value):
                rate = self.optimizer.param_groups[0]["lr"]
                raise DivergenceError(
                    f"the {name} became {value} in epoch {self.epoch + 1}, step {self.step + 1}, at learning rate "
                    f"{rate:.3g}: try a lower training.learning_rate, a smaller training.clip_norm, "
                    "or training.precision float32"
                )
        self.totals.examples += examples
        self.totals.loss += mean * examples
        self.history.losses.append(mean)
        for value in values[1:]:
            self.totals.norm += value
            self.totals.largest_norm = max(self.totals.largest_norm, value)
            self.totals.updates += 1
            self.history.gradient_norms.append(value)

    def weights(self) -> dict[str, Tensor]:
        """Return the state dict to be used outside: averaged parameters where there are any. Not copied."""
        return {**self.model.state_dict(), **(self.averaged or {})}

    @contextmanager
    def weights_for_use(self) -> Iterator[None]:
        """Inside the context the model has the weights that `weights` returns, and is in evaluation mode."""
        raw = {
            name: tensor.clone() for name, tensor in self.model.state_dict().items() if name in (self.averaged or {})
        }
        self.model.load_state_dict(self.weights())
        self.model.eval()
        try:
            yield
        finally:
            self.model.train()
            self.model.load_state_dict({**self.model.state_dict(), **raw})

    def validated(self, validate: Validate | None) -> dict[str, float]:
        """Return the validation metrics of the weights for use, on all processes alike; none without a validation."""
        if validate is None:
            return {}
        start = self.now()
        with self.weights_for_use(), torch.no_grad():
            metrics = dict(validate(self.model))
        metrics, seconds = self.engine.agree((metrics, self.now() - start))
        self.validation_seconds = max(self.validation_seconds, seconds)
        return metrics

    def end_epoch(self, validate: Validate | None) -> dict[str, Any]:
        """Validate, add the epoch's record to the history and return it; a complete epoch moves on to the next."""
        # A person who asked to stop does not wait for a validation.
        metrics = self.validated(validate) if self.stop != "interrupted" else {}
        self.elapsed = self.engine.agree(self.now())
        totals = self.totals
        record = {
            "epoch": self.epoch + 1,
            "steps": self.step,
            "examples": int(totals.examples),
            "loss": totals.loss / totals.examples if totals.examples else None,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "gradient_norm": totals.norm / totals.updates if totals.updates else None,
            "gradient_norm_max": totals.largest_norm if totals.updates else None,
            "seconds": self.elapsed,
            "validation": metrics,
            "best": False,
            "complete": self.last_step,
        }
        self.history.record(record)
        if self.last_step:
            self.epoch, self.step, self.totals = self.epoch + 1, 0, Totals()
        return record

    def finish(self) -> None:
        """Leave the best weights in the model, ready for use, and close the history."""
        takes_best = self.settings.select == "best" or self.stop in {"interrupted", "diverged"}
        if self.best is not None and takes_best:
            self.model.load_state_dict(self.best)
            self.history.kept_epoch = self.history.best_epoch
        else:
            self.model.load_state_dict(self.weights())
            self.history.kept_epoch = self.history.kept_epoch or len(self.history.epochs) or None
        self.optimizer.zero_grad(set_to_none=True)
        self.model.eval()
        self.history.stopped = self.stop or "finished"
        self.history.seconds = self.now()

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to go on after a crash as if there had been none."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "averaged": self.averaged,
            "epoch": self.epoch,
            "step": self.step,
            "totals": [getattr(self.totals, part.name) for part in fields(self.totals)],
            "elapsed": self.now(),
            "epochs": self.history.epochs,
            "losses": torch.tensor(self.history.losses, dtype=torch.float64),
            "gradient_norms": torch.tensor(self.history.gradient_norms, dtype=torch.float64),
            "best_epoch": self.history.best_epoch,
            "best_value": self.history.best_value,
            "kept_epoch": self.history.kept_epoch,
            "stop": self.stop if self.stop == "patience" else None,  # whatever else stopped it, it can go on
            "random": self.engine.gather({"now": random_states(), "epoch": self._epoch_states}),
        }

    def final_state(self) -> dict[str, Any]:
        """Return the same for a fit that is over: the weights are the final ones, the optimiser is left out."""
        return {**self.state(), "optimizer": None, "best": None, "averaged": None, "stop": self.history.stopped}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` or `final_state` returned."""
        self.model.load_state_dict(state["model"])
        if state["optimizer"] is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.stop = state["stop"]
        self.best, self.averaged = state["best"], state["averaged"]
        self.epoch, self.step = state["epoch"], state["step"]
        self.totals = Totals(*state["totals"])
        self._clock = time.monotonic() - state["elapsed"]
        self.elapsed = self.engine.agree(self.now())
        history = self.history
        history.epochs, history.best_epoch, history.best_value = (
            state["epochs"],
            state["best_epoch"],
            state["best_value"],
        )
        history.kept_epoch = state["kept_epoch"]
        history.losses, history.gradient_norms = state["losses"].tolist(), state["gradient_norms"].tolist()
        states = state["random"]
        if len(states) == self.engine.world:
            own = states[self.engine.rank]
            self._epoch_states, self._resumed_states = own["epoch"], own["now"]
