"""`seqwise predict`: what a trained model says of new sequences."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqwise.cli.asked import Asked
from seqwise.cli.console import say
from seqwise.cli.options import Device, Json, ModelFolder, joined_columns
from seqwise.cli.tasks import predict_task
from seqwise.errors import ConfigurationError

if TYPE_CHECKING:
    from seqwise.prediction.classified import Prediction

UNDECIDED = "-"  # instead of a label where the model abstains, or gives none of several
ESTIMATES = ("em", "bbse")
TEXT_SHOWN = 60  # characters of a text repeated beside its label


def predict(
    folder: ModelFolder,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="Texts to classify, or .wav files for a model of sounds; - reads lines from standard input.",
            show_default=False,
        ),
    ] = None,
    input_: Annotated[Path | None, typer.Option("--input", help="Read the texts from a file.", metavar="FILE")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the input's columns, label and probabilities to a file.", metavar="FILE")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Column of the texts, if not as in training.", metavar="COL")
    ] = None,
    frames: Annotated[
        list[str] | None, typer.Option(help="Column of the numbers, if not as in training.", metavar="COL")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file.")] = False,
    priors: Annotated[
        str | None,
        typer.Option(help="Share of each class where the answers are used.", metavar="CLASS=SHARE,CLASS=SHARE"),
    ] = None,
    estimate_priors: Annotated[
        str | None,
        typer.Option(
            help="Estimate these shares from the texts: em or bbse. Keeps all texts in memory.", metavar="METHOD"
        ),
    ] = None,
    abstain_below: Annotated[
        float | None, typer.Option(help="Give no label below this probability.", metavar="PROBABILITY")
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(
            "--beam", help="Translators, transcribers: hypotheses kept of each text; 1 is greedy.", metavar="N"
        ),
    ] = None,
    n_best: Annotated[
        int | None, typer.Option("--n-best", help="Translators: answers for each text.", metavar="N")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--horizon", help="Forecasters: steps ahead.", metavar="N", show_default=False)
    ] = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Predict the classes of new sequences.

    One line for each text, in order: label (- where the model abstains), probability, and the beginning of the text. Of a
    model of several labels: those that reach their thresholds, and the greatest probability of any. Of a tagger: a line for
    each span, with type, probability, from, to (characters of the text) and words, and an empty line after each text; of
    frames for each segment, with label, probability, from and to (seconds). Of a
    translator: the translation; with --n-best number of the text, score and translation of each answer.

    \b
    Examples:
      seqwise predict my-model "what a film" "two hours of my life"
      cat reviews.txt | seqwise predict my-model -
      seqwise predict my-model --input new.csv --output labelled.csv
      seqwise predict en-de "A man sleeps." --beam 10 --n-best 3
      seqwise predict digits one.wav two.wav
    """
    if bool(texts) == bool(input_):
        raise ConfigurationError("give either texts, or --input FILE, or - to read lines from standard input")
    if texts and "-" in texts and len(texts) > 1:
        raise ConfigurationError("- reads every text from standard input: give no other text beside it")
    for option, given in (("--text", text), ("--frames", frames)):
        if given and not input_:
            raise ConfigurationError(f"{option} names a column of the --input file, and there is none")
    if overwrite and not output:
        raise ConfigurationError("--overwrite replaces the --output file, and there is none")
    if priors and estimate_priors:
        raise ConfigurationError("--priors states what --estimate-priors estimates: give one of them")
    if estimate_priors and estimate_priors not in ESTIMATES:
        raise ConfigurationError(f"--estimate-priors is one of {', '.join(ESTIMATES)}, not {estimate_priors!r}")
    from seqwise.prediction import task_of

    task = task_of(folder)
    if task != "classify":
        options = {
            "--frames": frames,
            "--output": output,
            "--priors": priors,
            "--estimate-priors": estimate_priors,
            "--abstain-below": abstain_below,
            "--beam": None if beam is None else str(beam),  # 0 is given too
            "--n-best": None if n_best is None else str(n_best),
            "--horizon": None if horizon is None else str(horizon),
        }
        if len(text or frames or ()) > 1:
            raise ConfigurationError(f"a model of --task {task} takes one column of the --input file")
        column = next(iter(text or frames or ()), None)
        asked = Asked(folder, texts or [], input_, column, output, overwrite, device, json, beam, n_best, horizon)
        predict_task(task, asked, options)
        return
    for option, value in (("--beam", beam), ("--n-best", n_best), ("--horizon", horizon)):
        if value is not None:
            raise ConfigurationError(f"{option} is not for classification")
    from seqwise.experiments.decisions import numbers_by_name
    from seqwise.experiments.prediction import FEW, PredictionRun

    stated = None if priors is None else numbers_by_name([priors], "--priors")
    run = PredictionRun(folder, device=device, priors=stated, abstain_below=abstain_below)
    if input_:
        source = run.from_file(input_, joined_columns(text), frames)
    else:
        source = run.from_lines(sys.stdin.buffer) if texts == ["-"] else run.from_texts(texts or [])
    for note in source.notes:
        say(f"Note: {note}")
    if estimate_priors:
        source, shares = run.estimate_priors(source, estimate_priors)
        say("Estimated class shares: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))
        if source.rows is not None and source.rows < FEW:
            texts_read = f"{source.rows} text{'' if source.rows == 1 else 's'}"
            say(f"Note: estimated from {texts_read}, these shares say little; hundreds are needed")
    if output:
        rows = run.write(source, output, overwrite=overwrite)
        document = {"output": str(output), "rows": rows}
        print(dumps(document)) if json else say(f"{rows:,} rows with labels written to {output}")
    elif json:
        _print_document(run.classes, run.answers(source))
    else:
        shown = ending if run.reads_frames else beginning  # of a sound's path the name matters
        for prediction in run.answers(source):
            labels = prediction.label if isinstance(prediction.label, str) else ", ".join(prediction.label or ())
            print(
                labels or UNDECIDED,
                f"{prediction.probability:.4f}",
                shown(prediction.text),
                sep="\t",
                flush=True,
            )


def beginning(text: str) -> str:
    """The first characters of a text, on one line."""
    words = " ".join(text[: 4 * TEXT_SHOWN].split())
    return words if len(words) <= TEXT_SHOWN else words[: TEXT_SHOWN - 1] + "…"


def ending(path: str) -> str:
    """The last characters of a path."""
    return path if len(path) <= TEXT_SHOWN else "…" + path[1 - TEXT_SHOWN :]


def _print_document(classes: list[str], predictions: Iterable[Prediction]) -> None:
    """Print one JSON document piece by piece: the input may be larger than the memory."""
    print(f'{{"classes": {dumps(classes, ensure_ascii=False)}, "predictions": [', end="")
    for separator, prediction in zip(chain(["\n"], iter(lambda: ",\n", None)), predictions, strict=False):
        print(separator + dumps(prediction.to_dict(), ensure_ascii=False), end="")
    print("\n]}")
