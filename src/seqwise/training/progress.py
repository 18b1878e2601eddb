"""The progress bar."""

from __future__ import annotations

import sys
from typing import Any

from seqwise.training.callbacks import Callback
from seqwise.training.run import Run


class Progress(Callback):
    """A bar on standard error with loss, metric and remaining time; where that is no terminal, nothing.

    Args:
        verbose: without a terminal, print one line an epoch instead.
    """

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._bar: Any = None
        self._task: Any = None
        self._metric = ""

    def on_start(self, run: Run) -> None:
        """Show the bar, on the main process only."""
        if run.engine.rank != 0 or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("training {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[text]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("training", total=1.0, epoch="", text="")
        self._bar.start()

    def on_step(self, run: Run) -> None:
        """Move the bar."""
        if self._bar is not None:
            mean = run.totals.loss / run.totals.examples
            left = run.elapsed * (1 - run.progress) / run.progress
            self._bar.update(
                self._task,
                completed=run.progress,
                epoch=f"{run.epoch + 1}/{run.settings.epochs}",
                text=f"loss {mean:.3f}{self._metric}, {clock(left)} left",
            )

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """Show the validation metric, or print the epoch's line."""
        value = record["validation"].get(run.settings.metric)
        self._metric = f", {run.settings.metric} {value:.3f}" if value is not None else ""
        if self._bar is None and self._verbose and run.engine.rank == 0 and record["loss"] is not None:
            best = ", best so far" if record["best"] else ""
            print(
                f"epoch {record['epoch']}/{run.settings.epochs}: loss {record['loss']:.4f}{self._metric}"
                f" ({clock(record['seconds'])}{best})",
                file=sys.stderr,
            )

    def on_end(self, run: Run) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def clock(seconds: float) -> str:
    """Return the seconds as 0:07, 12:30 or 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
