"""What training has in common whatever the task: what is asked for, what comes out, and who does it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigurationError, nearest
from seqwise.experiments.reading import Say

HOMES = {"lm": "seqwise.experiments.language", "tag": "seqwise.experiments.tagging"}
"""Where tasks but classification are at home: modules with `configure` and `run`."""


@dataclass(frozen=True)
class TaskRequest:
    """What to train, and where to.

    Attributes:
        data: a file, a folder, or the name of a data set.
        configuration: every section that the task has.
        folder: for the model.
        validation: validation data; None holds back a part of `data`, unless it has one.
        test: test data, only evaluated.
        overwrite: replace the model in the folder.
        resume: go on where an interrupted run stopped.
        started: when the program began, on `time.monotonic`, if it did something before; the time budget counts from there.
    """

    data: str
    configuration: Any
    folder: Path
    validation: str | None = None
    test: str | None = None
    overwrite: bool = False
    resume: bool = False
    started: float | None = None


@dataclass(frozen=True)
class TaskOutcome:
    """What came out.

    Attributes:
        folder: where the model is.
        metrics: content of `metrics.json`.
        verdict: one sentence: has the model earned its place beside the baseline?
        notes: what a person should know.
        seconds: the whole run.
        interrupted: whether Ctrl-C ended it; the figures are those of the best model until then.
    """

    folder: Path
    metrics: dict[str, Any]
    verdict: str
    notes: list[str]
    seconds: float
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise train --json`."""
        return {
            **self.metrics,
            "verdict": self.verdict,
            "notes": self.notes,
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
            "interrupted": self.interrupted,
        }


def configure(
    task: str,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
    treatment: str | None = None,
) -> Any:
    """Return the configuration of a task: what the person gave over `base` over the defaults of the task.

    Args:
        task: a key of `HOMES`.
        file: a YAML file.
        overrides: "section.key=value".
        flags: "section.key" to value.
        base: sections to start from (a recipe's).
        treatment: of rare classes, by name.

    Raises:
        ConfigurationError: there is no such task, a key is unknown, or a value is not allowed.
    """
    return _home(task).configure(file, overrides, flags, base, treatment)


def run(task: str, request: TaskRequest, say: Say = lambda message: None) -> TaskOutcome:
    """Read, train, compare with the baseline, save.

    Raises:
        InputError: the data, the configuration or the folder are not as needed; nothing has been changed then.
        DivergenceError: the loss became NaN or infinite.
    """
    outcome: TaskOutcome = _home(task).run(request, say)
    return outcome


def _home(task: str) -> Any:
    if task not in HOMES:
        raise ConfigurationError(f"there is no task {task!r}; {nearest(task, ['classify', *HOMES])}")
    return importlib.import_module(HOMES[task])
