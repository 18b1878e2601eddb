"""`seqwise tune`: search for the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json, OptionalDevice, Seed, Set


def tune(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A file, a folder of {train,validation,test}.parquet, or a named data set.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the trials and the best.", show_default=False)
    ],
    text: Annotated[
        list[str] | None, typer.Option(help="Column of the sequences; several are joined into one.", metavar="COL")
    ] = None,
    frames: Annotated[
        list[str] | None,
        typer.Option(help="Column of numbers instead of texts; several are joined channel by channel.", metavar="COL"),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes.", metavar="COL")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of sample weights.", metavar="COL")] = None,
    budget: Annotated[str, typer.Option(help="Time for the search: 90s, 30m, 2h.", metavar="TIME")] = "30m",
    trials: Annotated[
        int | None,
        typer.Option(help="At most so many trials, earlier calls included.", metavar="N", show_default=False),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(help="macro_f1, accuracy, balanced_accuracy, mcc, ...; of labels micro_f1, ...", metavar="NAME"),
    ] = "macro_f1",
    seeds: Annotated[int, typer.Option(help="Fits of each trial, whose mean counts.", metavar="N")] = 1,
    config: Annotated[
        Path | None, typer.Option(help="YAML file; what it sets is not searched.", metavar="FILE")
    ] = None,
    set_: Set = None,
    device: OptionalDevice = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Search for the best configuration within a time budget.

    The default configuration is the first trial; all are judged on the same validation examples. The best one is written
    to DIR/best.yaml. The same command goes on with the search.

    \b
    Examples:
      seqwise tune reviews.csv --text review --label sentiment --budget 30m --out search
      seqwise tune sms_spam --budget 10m --set model.architecture=wide_deep --out search
      seqwise train reviews.csv --config search/best.yaml --out my-model
    """
    from seqwise.experiments.configuration import build_configuration
    from seqwise.experiments.tuning.report import table_of
    from seqwise.experiments.tuning.searching import TuningRequest, budget_in_seconds, run_tuning

    configuration = build_configuration(
        config,
        set_ or (),
        {
            "data.text": text,
            "data.frames": frames,
            "data.label": label,
            "data.weight": weight,
            "training.device": device,
            "training.seed": seed,
        },
    )
    request = TuningRequest(
        data=data,
        configuration=configuration,
        folder=out,
        budget=budget_in_seconds(budget),
        trials=trials,
        metric=metric,
        seeds=seeds,
    )
    result = run_tuning(request, say=say)
    if json:
        print_json(result.to_dict())
    else:
        print_table(*table_of(result))
        print(result.sentence)
        print(f"\nTrain with it: seqwise train {data} --config {out / 'best.yaml'} --out DIR")
    if result.interrupted:
        say(f"Interrupted: {len(result.trials)} trials are kept in {out}; the same command goes on.")
        raise typer.Exit(130)
