"""`seqwise train --task`: everything but classification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from seqwise.cli.console import print_json, say
from seqwise.cli.language import language_table
from seqwise.cli.tagging import tagging_table

TAKEN = {  # task -> options that it takes, besides those that every task has
    "lm": {"--text"},
    "tag": {"--text", "--label", "--imbalance", "--vectors", "--freeze-vectors"},
}
TABLES: dict[str, Callable[[Mapping[str, Any], str], None]] = {"lm": language_table, "tag": tagging_table}
NEXT = {
    "lm": ('Score:    seqwise score {out} "a sentence of yours"', "Generate: seqwise generate {out}"),
    "tag": ('Predict:  seqwise predict {out} "a sentence of yours"',),
}


def refuse_options(task: str, given: Mapping[str, Any]) -> None:
    """Refuse options that a task does not take.

    Args:
        task: of the model.
        given: option -> its value; None or False where it was not given.

    Raises:
        ConfigurationError: there is no such task, or such an option was given.
    """
    from seqwise.errors import ConfigurationError, nearest

    if task not in TAKEN:
        raise ConfigurationError(f"there is no task {task!r}; {nearest(task, ['classify', *TAKEN])}")
    if wrong := [option for option, value in given.items() if value and option not in TAKEN[task]]:
        raise ConfigurationError(f"{wrong[0]} is for classification, not for --task {task}")


def train_task(
    task: str,
    data: str,
    out: Path,
    options: Mapping[str, Any],
    flags: Mapping[str, Any],
    config: Path | None,
    overrides: list[str] | None,
    *,
    imbalance: str | None,
    json: bool,
    **request: Any,
) -> None:
    """Train, and print the figures; the arguments are those of `seqwise train`.

    Args:
        task: which.
        data: to learn from.
        out: folder for the model.
        options: option -> its value, to be refused where the task does not take it.
        flags: "section.key" -> value.
        config: YAML file.
        overrides: "section.key=value".
        imbalance: treatment of rare classes, by name.
        json: print one document.
        **request: further values of `TaskRequest`.
    """
    from seqwise.experiments import tasks

    refuse_options(task, {**options, "--imbalance": imbalance})
    given = {key: value for key, value in flags.items() if value is not None}
    configuration = tasks.configure(task, config, overrides or (), given, treatment=imbalance)
    outcome = tasks.run(task, tasks.TaskRequest(data, configuration, out, **request), say=say)
    if json:
        print_json(outcome.to_dict())
    else:
        for part, block in outcome.metrics.items():
            TABLES[task](block, part.capitalize())
        print(outcome.verdict)
        print(f"\nReport:   {out / 'report.html'}")
        for line in NEXT[task]:
            print(line.format(out=out))
    if outcome.interrupted:
        say(f"Interrupted: the best model so far is saved in {out}; add --resume to go on.")
        raise typer.Exit(130)
