"""Every task but classification: `seqwise train --task`, and `evaluate` for what it made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from seqwise.cli.asked import Asked
from seqwise.cli.console import describe_figure, print_json, print_table, say
from seqwise.cli.forecasting import forecast_series, steps_table
from seqwise.cli.generation import write_sequences
from seqwise.cli.regression import predict_numbers, values_table
from seqwise.cli.tagging import tag_sequences, types_table
from seqwise.cli.transcription import transcribe_files
from seqwise.cli.translation import translate_texts

TAKEN = {  # task -> options that it takes, besides those that every task has
    "forecast": {"--encoder", "--frames", "--target", "--output", "--horizon"},
    "generate": {"--frames", "--label", "--target"},
    "lm": {"--text", "--encoder", "--start-from", "--adapt"},
    "regress": {
        *("--text", "--frames", "--target", "--weight", "--model", "--output"),
        *("--encoder", "--vectors", "--pretrain-vectors", "--freeze-vectors"),
    },
    "tag": {
        *("--text", "--frames", "--label", "--imbalance", "--output"),
        *("--encoder", "--vectors", "--freeze-vectors"),
    },
    "transcribe": {"--encoder", "--frames", "--target", "--output", "--beam"},
    "translate": {"--encoder", "--text", "--target", "--output", "--beam", "--n-best"},
}
FURTHER: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "forecast": steps_table,
    "regress": values_table,
    "tag": types_table,
}
"""What is printed besides the figures."""
ANSWERS: dict[str, Callable[[Asked], None]] = {
    "forecast": forecast_series,
    "generate": write_sequences,
    "regress": predict_numbers,
    "tag": tag_sequences,
    "transcribe": transcribe_files,
    "translate": translate_texts,
}
"""What `seqwise predict` does."""
ASKED_BY = {"lm": "seqwise score or seqwise generate"}
"""Commands for models of which there is nothing to predict."""
NEXT = {
    "forecast": ("Predict:  seqwise predict {out} --input series.csv --horizon 12",),
    "generate": ("Generate: seqwise generate {out}",),
    "lm": ('Score:    seqwise score {out} "a sentence of yours"', "Generate: seqwise generate {out}"),
    "regress": ('Predict:  seqwise predict {out} "a text of yours"',),
    "tag": ('Predict:  seqwise predict {out} "a sentence of yours"',),
    "transcribe": ("Predict:  seqwise predict {out} one.wav two.wav",),
    "translate": ('Translate: seqwise predict {out} "a sentence of yours"',),
}
OF_FRAMES = ("Predict:  seqwise predict {out} --input recordings.parquet",)


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
        takers = [other for other, options in TAKEN.items() if wrong[0] in options]
        where = " and ".join(["classification", *(f"--task {other}" for other in takers)])
        raise ConfigurationError(f"{wrong[0]} is for {where}, not for --task {task}")


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
            task_table(task, block, part)
        print(outcome.verdict)
        print(f"\nReport:   {out / 'report.html'}")
        framed = task == "tag" and any("steps" in block for block in outcome.metrics.values())
        for line in OF_FRAMES if framed else NEXT[task]:
            print(line.format(out=out))
    if outcome.interrupted:
        say(f"Interrupted: the best model so far is saved in {out}; add --resume to go on.")
        raise typer.Exit(130)


def evaluate_task(
    task: str,
    folder: Path,
    data: str,
    *,
    columns: Mapping[str, Any],
    save: bool,
    device: str,
    json: bool,
    **options: Any,
) -> None:
    """Evaluate a model, and print its figures; the arguments are those of `seqwise evaluate`.

    Args:
        task: of the model.
        folder: of the model.
        data: to evaluate on.
        columns: keys of the section `data` that were given.
        save: write the figures to metrics.json.
        device: where it runs.
        json: print one document.
        **options: those of the task.
    """
    from seqwise.experiments.tasks import run_task_evaluation

    name, block, verdict = run_task_evaluation(folder, data, columns=columns, save=save, device=device, **options)
    if json:
        print_json(block)
        return
    task_table(task, block, "test", name)
    if verdict:
        print(verdict)


def predict_task(task: str, asked: Asked, options: Mapping[str, Any]) -> None:
    """Answer and print.

    Args:
        task: of the model.
        asked: what was asked.
        options: those that not every task takes -> their values.

    Raises:
        ConfigurationError: there is nothing to predict, or an option is not for this task.
    """
    from seqwise.errors import ConfigurationError

    if task in ASKED_BY:
        raise ConfigurationError(f"{asked.folder} holds a model of --task {task}: ask it by {ASKED_BY[task]}")
    refuse_options(task, options)
    ANSWERS[task](asked)


def task_table(task: str, block: Mapping[str, Any], split: str, name: str | None = None) -> None:
    """Print the figures of a model beside those of its baseline.

    Args:
        task: of the model.
        block: one block of `metrics.json`.
        split: which one.
        name: of the data, if not those of training.
    """
    from seqwise.experiments.tasks import find_task

    of, baseline = find_task(task), block.get("baseline")
    rows = [
        [named, describe_figure(block[key]), *([describe_figure(baseline.get(key))] if baseline else [])]
        for key, named in of.figures(block).items()
    ]
    title = f"{name or split.capitalize()}: {of.measured(block, split)}, 95% intervals in brackets"
    better = "lower is better" if of.lower_is_better else ""
    print_table(title, [better, "model", *([baseline.get("name", of.baseline)] if baseline else [])], rows)
    if task in FURTHER:
        FURTHER[task](block)
