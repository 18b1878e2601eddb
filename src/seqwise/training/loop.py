"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seqwise.errors import ConfigurationError, DivergenceError
from seqwise.training.callbacks import BestWeights, Callback, HistoryWriter, TimeBudget, WeightAverage
from seqwise.training.checkpoints import Checkpoints
from seqwise.training.engine import Engine
from seqwise.training.history import History
from seqwise.training.interruption import Interruption
from seqwise.training.optimizers import ParameterGroups, build_optimizer
from seqwise.training.random_states import seeded
from seqwise.training.run import Run, Validate
from seqwise.training.settings import TrainingSettings

Loss = Callable[[nn.Module, Any], Tensor | tuple[Tensor, Tensor | None]]


def train(
    model: nn.Module,
    batches: Callable[[int], Any],
    loss: Loss,
    *,
    settings: TrainingSettings,
    validate: Validate | None = None,
    parameter_groups: ParameterGroups | None = None,
    callbacks: Sequence[Callback] = (),
    folder: Path | None = None,
    resume: bool = False,
    fingerprint: str = "",
) -> History:
    """Fit a model in place; it is left with its best or last weights, as the settings say, in evaluation mode.

    Args:
        model: any module; it is moved to the settings' device and stays there.
        batches: number of the epoch (from 0) -> its batches, sized and iterable, the same for the same number every
            time. Batches that can be indexed too are not built where a resumed or distributed fit passes over them.
        loss: model and batch -> loss of each example (B,), or that and the weights of the examples (B,) or None. The
            loop multiplies the two and divides the sum by B. It must call the model that it is given, not another
            reference to it.
        settings: a `TrainingSettings`.
        validate: model -> metrics, `settings.metric` among them; called after each epoch, in evaluation mode, without
            gradients.
        parameter_groups: model -> groups with own learning rates, see `build_optimizer`.
        callbacks: further ones, called after those that the settings ask for.
        folder: history.jsonl and checkpoints/ go there; None: neither is written.
        resume: go on from the newest sound checkpoint in the folder, if there is one.
        fingerprint: identifies data and model; a checkpoint of another one is refused.

    Returns:
        The history of the fit. `stopped` and `interrupted` say why it ended.

    Raises:
        ConfigurationError: settings that need a validation without one, or a checkpoint of another fit.
        DeviceError: the device is not there.
        DivergenceError: the loss became NaN or infinite; the model has the best weights so far.
    """
    engine = Engine(settings.device, settings.precision)
    model.to(engine.device)
    run = Run(model, build_optimizer(model, settings, parameter_groups), settings, engine)
    hooks = [*standard_callbacks(settings, validate, folder), *callbacks]
    checkpoints = Checkpoints(folder / "checkpoints", settings, fingerprint, hooks) if folder is not None else None
    if checkpoints is not None and resume:
        checkpoints.restore(run)
    elif checkpoints is not None and engine.rank == 0:
        checkpoints.start_afresh()
    hooks = [*hooks, checkpoints] if checkpoints is not None else hooks
    try:
        with seeded(settings.seed, engine.rank), Interruption() as interruption:
            for hook in hooks:
                hook.on_start(run)
            fit(run, batches, loss, validate, hooks, interruption)
        run.finish()
    except (DivergenceError, KeyboardInterrupt) as error:
        run.stop = "diverged" if isinstance(error, DivergenceError) else "interrupted"
        run.finish()
        raise
    finally:
        for hook in hooks:
            hook.on_end(run)
    return run.history


def fit(
    run: Run,
    batches: Callable[[int], Any],
    loss: Loss,
    validate: Validate | None,
    callbacks: Sequence[Callback],
    interruption: Interruption,
) -> None:
    """Take a run from where it is to its end: batch, loss, backward, clip, step, log."""
    engine, optimizer = run.engine, run.optimizer
    model = engine.wrap(run.model.train())
    while run.stop is None and run.epoch < run.settings.epochs:
        for batch, counts in run.batches(batches):
            run.set_rates()
            with engine.autocast():
                losses = per_example(loss(model, batch)) * counts
            asked, examples, run.elapsed = engine.sum(interruption.requested, len(losses) * counts, run.clock())
            # Distributed training averages gradients over the processes; full-batch descent divides by n once all are
            # in.
            scale = engine.world if run.full_batch else engine.world / examples
            total = losses.sum()
            (total * scale).backward()
            run.updated = not run.full_batch or run.step + 1 == run.steps
            norm = run.clip(run.totals.examples + examples if run.full_batch else 1) if run.updated else None
            run.log(examples, total, norm)
            if run.updated:
                optimizer.step()
                optimizer.zero_grad()
            run.step += 1
            if asked:
                run.stop = "interrupted"
            for callback in callbacks:
                callback.on_step(run)
            if run.stop:
                break
        record = run.end_epoch(validate)
        for callback in callbacks:
            callback.on_epoch(run, record)


def per_example(loss: Tensor | tuple[Tensor, Tensor | None]) -> Tensor:
    """Return the weighted loss of each example, (B,), as float32."""
    losses, weights = loss if isinstance(loss, tuple) else (loss, None)
    if losses.ndim != 1:
        raise ValueError(f"the loss must return one value per example, (B,), got shape {tuple(losses.shape)}")
    return losses.float() if weights is None else losses.float() * weights


def standard_callbacks(settings: TrainingSettings, validate: Validate | None, folder: Path | None) -> list[Callback]:
    """Return the callbacks that the settings ask for, in the order in which they must be called."""
    if settings.patience is not None and validate is None:
        raise ConfigurationError(
            "training.patience needs a validation part: set data.validation above 0, or patience to null"
        )
    callbacks: list[Callback] = []
    if settings.time_budget is not None:
        callbacks.append(TimeBudget(settings.time_budget, validate))
    if settings.average != "none":
        callbacks.append(WeightAverage(settings.average, settings.average_decay))
    if validate is not None:  # with select "last" too: a fit cut short goes back to the best
        callbacks.append(BestWeights(settings.metric, settings.patience))
    if folder is not None:
        callbacks.append(HistoryWriter(folder / "history.jsonl"))
    return callbacks
