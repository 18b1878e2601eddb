"""`seqwise train`: from a file of labelled sequences to an evaluated model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from seqwise.cli.console import class_table, metrics_table, part_table, print_json, say
from seqwise.cli.options import Json, OptionalDevice, Overwrite, Seed, Set
from seqwise.cli.tasks import train_task


def _print_schema(asked: bool) -> None:
    if asked:
        from seqwise.experiments.configuration import configuration_schema

        print_json(configuration_schema())
        raise typer.Exit


def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A file, a folder of {train,validation,test}.parquet, or a named data set.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the model.", show_default=False)],
    task: Annotated[
        str,
        typer.Option(help="What is learned, see above.", metavar="TASK"),
    ] = "classify",
    text: Annotated[
        list[str] | None, typer.Option(help="Column of the sequences; several are joined into one.", metavar="COL")
    ] = None,
    frames: Annotated[
        list[str] | None,
        typer.Option(help="Column of numbers instead of texts; several are joined channel by channel.", metavar="COL"),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes.", metavar="COL")] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Column of what comes out where that is no class: texts, sequences, numbers.", metavar="COL"),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of sample weights.", metavar="COL")] = None,
    validation: Annotated[
        str | None, typer.Option(help="Validation data; by default a part of DATA is held back.", metavar="DATA")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Test data: only evaluated, never learned from.", metavar="DATA")
    ] = None,
    positive: Annotated[str | None, typer.Option(help="The class of interest of two.", metavar="LABEL")] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Choose thresholds on the validation part: f1, f2, recall=0.9, precision=0.99, cost, "
            "balanced_accuracy, youden.",
            metavar="AIM",
        ),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost",
            help="What a mistake costs: fp=1, fn=20, CLASS=5, TRUE>ANSWER=3; may be repeated.",
            metavar="NAME=COST",
        ),
    ] = None,
    calibrate: Annotated[
        str,
        typer.Option(
            help="Calibrate on the validation part: temperature, bcts, vector, platt, isotonic, none; auto "
            "calibrates what a treatment of rare classes distorts.",
            metavar="METHOD",
        ),
    ] = "auto",
    imbalance: Annotated[
        str | None,
        typer.Option(
            help="Treatment of rare classes: ce, weighted, focal, asl, effective, logit_adjusted, ldam, balanced_softmax, "
            "prior_correction, oversample, undersample, square_root, class_balanced, progressive, smote, borderline_smote, "
            "adasyn. seqwise compare shows them on your data.",
            metavar="NAME",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="wide_deep, recurrent or linear: model.architecture.", metavar="NAME")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="recurrent or transformer: model.encoder.", metavar="NAME", show_default=False)
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Folder of a language model to start from: model.start_from.", metavar="DIR", show_default=False
        ),
    ] = None,
    vectors: Annotated[
        str | None, typer.Option(help="File of word vectors to start from: model.vectors.", metavar="FILE")
    ] = None,
    pretrain_vectors: Annotated[
        bool | None,
        typer.Option(
            "--pretrain-vectors",
            help="Train them first, on the training texts: model.pretrain_vectors, model.pretraining.",
            show_default=False,
        ),
    ] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(
            help="Further texts for that: a text file, one a line, or a table: data.unlabelled.", metavar="FILE"
        ),
    ] = None,
    freeze_vectors: Annotated[
        bool | None,
        typer.Option("--freeze-vectors", help="They stay as they are: model.freeze_vectors.", show_default=False),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with the configuration.", metavar="FILE")] = None,
    set_: Set = None,
    time_budget: Annotated[
        str | None, typer.Option(help="End within this time, everything included: 90s, 5m, 1h.", metavar="TIME")
    ] = None,
    device: OptionalDevice = None,
    seed: Seed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")] = False,
    overwrite: Overwrite = False,
    json: Json = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            callback=_print_schema,
            is_eager=True,
            help="Print the JSON Schema of the configuration and stop.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Train a model of sequences and report honestly.

    Beside the model a plain baseline is fitted on the same examples; both stand in the table, in metrics.json and in
    report.html. Of classes the rare ones decide (macro F1).

    \b
    --task      from                      to                        baseline
    classify    --text or --frames        --label: classes          n-grams; statistics of the frames
    tag         --text or --frames        --label: a tag a step     most frequent tag; regression on the step
    lm          --text                    what comes next           Kneser-Ney n-grams
    translate   --text                    --target: texts           IBM model 1, word by word
    transcribe  --frames (sounds too)     --target: texts           the utterance that sounds most alike
    generate    --label, --frames or none --target: texts, music    bigrams; the nearest vector
    regress     --text or --frames        --target: numbers         ridge regression
    forecast    --frames                  what comes next           linear auto-regression, last value

    \b
    Examples:
      seqwise train reviews.csv --text review --label sentiment --out my-model
      seqwise train sms_spam --test sms_spam --positive spam --out spam-model
      seqwise train sms_spam --positive spam --out m --threshold precision=0.99 --calibrate platt
      seqwise train tweets.csv --text tweet --label tone --out m --imbalance logit_adjusted
      seqwise train tweets.csv --text tweet --label tone --out m --pretrain-vectors --unlabelled more.txt
      seqwise train names.tsv --text name --label sex --out m --time-budget 5m --set model.cell=gru
      seqwise train conll2003 --task tag --test conll2003 --out ner --vectors glove.6B.100d.top50k.txt.xz
      seqwise train activities --task tag --test activities --out moves --set data.group=user
      seqwise train spoken_digits --frames samples --label label --out digits
      seqwise train tinyshakespeare --task lm --out lm --set text.unit=characters
      seqwise train reviews.csv --text review --label sentiment --out m --start-from lm
      seqwise train multi30k --task translate --text en --target de --test multi30k --out en-de
      seqwise train names_language --task generate --label label --target name --out names
      seqwise train an4 --task transcribe --test an4 --out speech --set frames.rate=100
      seqwise train imdb --task regress --target rating --out stars
      seqwise train activities --task forecast --frames frames --out next
    """
    started = time.monotonic()  # the imports that follow count: they take seconds on a cold machine
    if task != "classify":
        flags = {
            "data.text": text,
            "data.label": label,
            "data.frames": frames,
            "data.target": target,
            "data.weight": weight,
            "model.architecture": model,
            "model.encoder": encoder,
            "model.start_from": start_from,
            "model.pretrain_vectors": pretrain_vectors,
            "model.vectors": vectors,
            "model.freeze_vectors": freeze_vectors,
            "training.time_budget": time_budget,
            "training.device": device,
            "training.seed": seed,
        }
        options = {
            "--text": text,
            "--label": label,
            "--frames": frames,
            "--target": target,
            "--weight": weight,
            "--positive": positive,
            "--threshold": threshold,
            "--cost": cost,
            "--calibrate": None if calibrate == "auto" else calibrate,
            "--model": model,
            "--encoder": encoder,
            "--start-from": start_from,
            "--vectors": vectors,
            "--pretrain-vectors": pretrain_vectors,
            "--unlabelled": unlabelled,
            "--freeze-vectors": freeze_vectors,
        }
        request: dict[str, Any] = {"validation": validation, "test": test, "overwrite": overwrite, "resume": resume}
        request["started"] = started
        train_task(task, data, out, options, flags, config, set_, imbalance=imbalance, json=json, **request)
        return
    from seqwise.errors import ConfigurationError
    from seqwise.experiments.configuration import build_configuration
    from seqwise.experiments.decisions import DecisionRequest, numbers_by_name
    from seqwise.experiments.training import TrainingRequest, run_training

    if target is not None:
        raise ConfigurationError("--target is not for classification: name the column of the classes by --label")
    configuration = build_configuration(
        config,
        set_ or (),
        {
            "data.text": text,
            "data.label": label,
            "data.frames": frames,
            "data.weight": weight,
            "model.architecture": model,
            "model.encoder": encoder,
            "model.start_from": start_from,
            "data.unlabelled": unlabelled,
            "model.vectors": vectors,
            "model.pretrain_vectors": pretrain_vectors,
            "model.freeze_vectors": freeze_vectors,
            "training.time_budget": time_budget,
            "training.device": device,
            "training.seed": seed,
        },
        treatment=imbalance,
    )
    of_classes = TrainingRequest(
        data=data,
        configuration=configuration,
        folder=out,
        validation=validation,
        test=test,
        positive=positive,
        decisions=DecisionRequest(threshold, calibrate, numbers_by_name(cost or (), "--cost")),
        overwrite=overwrite,
        resume=resume,
        started=started,
    )
    outcome = run_training(of_classes, say=say)
    if json:
        print_json(outcome.to_dict())
    else:
        for part, block in outcome.metrics.items():
            metrics_table(block, f"{part.capitalize()}: {block['examples']:,} examples, 95% intervals in brackets")
        class_table(outcome.metrics.get("test", outcome.metrics["validation"]))
        if len(outcome.parts) > 1:
            part_table(outcome.parts)
        print(outcome.verdict)
        print(f"\nReport:  {out / 'report.html'}")
        example = "recording.wav" if outcome.reads_frames else '"a text of yours"'
        print(f"Predict: seqwise predict {out} {example}")
        print(f"Serve:   seqwise serve {out}")
        if not test:
            print(f"Test:    seqwise evaluate {out} TEST_DATA")
    if outcome.interrupted:
        say(f"Interrupted: the best model so far is saved in {out}; add --resume to go on.")
        raise typer.Exit(130)
