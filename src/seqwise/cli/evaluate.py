"""`seqwise evaluate`: how good a trained model is on other labelled data."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from seqwise.cli.console import class_table, confusion_table, metrics_table, print_json, say
from seqwise.cli.options import Device, Json, ModelFolder, joined_columns
from seqwise.cli.tasks import evaluate_task, refuse_options


def evaluate(
    folder: ModelFolder,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A file, or a folder or named data set of which the test part is taken.",
            show_default=False,
        ),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", help="Column of the sequences, if not as in training.", metavar="COL"),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of the classes, if not as in training.", metavar="COL")
    ] = None,
    frames: Annotated[
        list[str] | None, typer.Option(help="Column of the numbers, if not as in training.", metavar="COL")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of what comes out, if not as in training.", metavar="COL")
    ] = None,
    adapt: Annotated[
        float | None,
        typer.Option(
            help="Language models: go on learning while reading, at this rate (try 0.1).",
            metavar="RATE",
            show_default=False,
        ),
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(
            "--beam",
            help="Translators: hypotheses kept of each text, if not as the model says.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Write the figures to metrics.json as its test block.")] = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Evaluate a trained model on other data.

    A classifier needs labelled data, a tagger tagged sentences, a language model any text.

    Its baseline is evaluated beside it. The columns of training are remembered. A label that training never saw is an
    error: no model could predict it.

    \b
    Examples:
      seqwise evaluate my-model test.csv
      seqwise evaluate my-model test.csv --save --json > figures.json
    """
    from seqwise.errors import ConfigurationError
    from seqwise.experiments.evaluation import run_evaluation
    from seqwise.prediction import task_of

    task, text = task_of(folder), joined_columns(texts)
    if adapt is not None and task != "lm":
        raise ConfigurationError("--adapt is for language models")
    if adapt is not None and not 0 < adapt < 1000:
        raise ConfigurationError(f"--adapt is a learning rate above 0, not {adapt}")
    if task != "classify":
        refuse_options(task, {"--text": text, "--label": label, "--frames": frames, "--target": target})
        options: dict[str, Any] = {} if adapt is None else {"adapt": adapt}
        if beam is not None:
            refuse_options(task, {"--beam": str(beam)})
            options["beam"] = beam
        columns = {"text": text, "label": label, "frames": tuple(frames or ()) or None, "target": target}
        evaluate_task(task, folder, data, columns=columns, save=save, device=device, json=json, **options)
        return
    if beam is not None:
        raise ConfigurationError("--beam is for translators")
    if target is not None:
        raise ConfigurationError("--target is not for classification: name the column of the classes by --label")
    outcome = run_evaluation(folder, data, text=text, frames=frames, label=label, save=save, device=device, say=say)
    if json:
        print_json(outcome.metrics)
        return
    metrics_table(
        outcome.metrics, f"{outcome.name}: {outcome.metrics['examples']:,} examples, 95% intervals in brackets"
    )
    class_table(outcome.metrics)
    confusion_table(outcome.metrics)
    if outcome.verdict:
        print(outcome.verdict)
