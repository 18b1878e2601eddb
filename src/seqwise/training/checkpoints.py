"""When a checkpoint is written, and how a fit goes on from one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigurationError
from seqwise.training.callbacks import Callback
from seqwise.training.checkpoint_store import clear, load_checkpoint, save_checkpoint
from seqwise.training.run import Run
from seqwise.training.settings import TrainingSettings

# May differ when a fit goes on: they decide where and how long it runs, not what it computes.
_FREE_SETTINGS = {"time_budget", "checkpoint_seconds", "device"}


class Checkpoints(Callback):
    """Writes a checkpoint after every epoch and every `checkpoint_seconds`, and before an interrupted fit ends.

    Where epochs are so short that writing would take more than a tenth of the time, some epochs go without. A fit that
    came to its end leaves one small checkpoint, without the optimiser. A full disk is a warning; training goes on.

    Args:
        folder: of the checkpoints.
        settings: of the fit; a checkpoint of other settings is refused.
        fingerprint: of data and model, likewise.
        others: callbacks whose states are saved too.
    """

    def __init__(self, folder: Path, settings: TrainingSettings, fingerprint: str, others: Sequence[Callback]) -> None:
        self._folder = folder
        self._seconds = settings.checkpoint_seconds
        self._settings = settings.model_dump(mode="json", exclude=_FREE_SETTINGS)
        self._fingerprint = fingerprint
        self._others = others
        self._written = 0.0  # when, in seconds since the start of the fit
        self._cost: float | None = None  # seconds that the last one took
        self._restored_finished = False

    def restore(self, run: Run) -> None:
        """Put the newest sound checkpoint into the run and the other callbacks; without one, nothing happens.

        Raises:
            ConfigurationError: it was made with other settings, other data or another number of processes.
            FileError: there are only damaged ones.
        """
        saved = load_checkpoint(self._folder)
        if saved is None:
            return
        for key, value in self._settings.items():
            if saved["settings"].get(key) != value:
                raise ConfigurationError(
                    f"the checkpoint in {self._folder} was made with training.{key} {saved['settings'].get(key)}, "
                    f"not {value}: resume with the same settings, or start again with --overwrite"
                )
        if saved["fingerprint"] != self._fingerprint:
            raise ConfigurationError(
                f"the checkpoint in {self._folder} was made from other data or for another model: "
                "resume with the same, or start again with --overwrite"
            )
        if saved["processes"] != run.engine.world:
            raise ConfigurationError(
                f"the checkpoint in {self._folder} was made by {saved['processes']} process(es), this fit has "
                f"{run.engine.world}: resume with as many"
            )
        try:
            run.load_state(saved["run"])
        except (RuntimeError, ValueError) as error:  # how torch says that names or shapes do not fit
            raise ConfigurationError(f"the checkpoint in {self._folder} does not fit the model: {error}") from None
        self._written = run.elapsed
        self._restored_finished = saved["run"]["optimizer"] is None
        for callback in self._others:
            state = saved["callbacks"].get(type(callback).__name__)
            if state is not None:
                callback.load_state(state)

    def start_afresh(self) -> None:
        """Remove the checkpoints of an earlier fit, which a later `restore` would mistake for this one's."""
        clear(self._folder, unfinished_only=False)

    def on_start(self, run: Run) -> None:
        """Remove what a crash left half written."""
        if run.engine.rank == 0:
            clear(self._folder, unfinished_only=True)

    def on_step(self, run: Run) -> None:
        """Write one if the last is old enough (never between the batches of one full-batch step)."""
        if run.updated and run.elapsed - self._written >= self._seconds:
            self._write(run, run.state())

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """Write one, unless that is too costly for epochs so short."""
        within_a_step = run.full_batch and run.step > 0
        affordable = self._cost is None or run.elapsed - self._written >= 9 * self._cost
        if not within_a_step and (affordable or run.stop is not None):
            self._write(run, run.state())

    def on_end(self, run: Run) -> None:
        """Leave a small checkpoint where there is nothing left to do."""
        if run.history.stopped in {"finished", "patience"} and not self._restored_finished:
            self._write(run, run.final_state(), kept=1)

    def _write(self, run: Run, state: dict[str, Any], kept: int = 2) -> None:
        start = run.now()
        if run.engine.rank == 0:
            tree = {
                "settings": self._settings,
                "fingerprint": self._fingerprint,
                "processes": run.engine.world,
                "run": state,
                "callbacks": {
                    type(callback).__name__: callback.state() for callback in self._others if callback.state()
                },
            }
            try:
                save_checkpoint(self._folder, tree, kept)
            except OSError as error:
                reason = error.strerror or error
                warnings.warn(
                    f"no checkpoint could be written to {self._folder} ({reason}); training goes on", stacklevel=2
                )
        self._written, self._cost = run.engine.agree((run.now(), run.now() - start))
