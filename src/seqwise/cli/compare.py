"""`seqwise compare`: every treatment (or cell, or model) side by side on your own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json, OptionalDevice, Seed, Set


def compare(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A file, a folder of {train,validation,test}.parquet, or a named data set.",
            show_default=False,
        ),
    ],
    vary: Annotated[
        str,
        typer.Option(metavar="WHAT", help="imbalance, cell, encoder, model, or any setting: SECTION.KEY=V1,V2,V3."),
    ] = "imbalance",
    treatments: Annotated[
        str | None,
        typer.Option(help="Only these treatments (or cells, or models): A,B,C; all is the default.", metavar="NAMES"),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Column of the sequences; several are joined into one.", metavar="COL")
    ] = None,
    frames: Annotated[
        list[str] | None,
        typer.Option(help="Column of numbers instead of texts; several are joined channel by channel.", metavar="COL"),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes.", metavar="COL")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of sample weights.", metavar="COL")] = None,
    test: Annotated[
        str | None, typer.Option(help="Test data; by default a fifth of DATA is cut off.", metavar="DATA")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Cross-validate instead of a test part.", metavar="K", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each variant, from --seed upwards.", metavar="N")] = 3,
    metric: Annotated[
        str,
        typer.Option(help="macro_f1, accuracy, balanced_accuracy, mcc, ...; of labels micro_f1, ...", metavar="NAME"),
    ] = "macro_f1",
    config: Annotated[Path | None, typer.Option(help="YAML file with the configuration.", metavar="FILE")] = None,
    set_: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for tables, pictures and runs; by default seqwise-runs/compare-...", metavar="DIR"),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Runs side by side; by default one a processor.", metavar="N", min=1)
    ] = None,
    device: OptionalDevice = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Compare treatments of rare classes, cells or whole models fairly.

    One row a variant, all on the same splits: mean over seeds, paired difference to the first with a corrected p-value,
    seconds. Finished runs are kept in the folder: the same command goes on where it was interrupted, and more seeds or
    variants only add runs.

    \b
    Examples:
      seqwise compare reviews.csv --text review --label sentiment
      seqwise compare sms_spam --treatments ce,weighted,focal --seeds 5 --out spam-treatments
      seqwise compare names.tsv --text name --label sex --vary cell --treatments rnn,gru,lstm
      seqwise compare trec --vary encoder --set model.architecture=recurrent
      seqwise compare trec --vary model.hidden_size=64,128,256
    """
    from seqwise.experiments.comparison.comparing import ComparisonRequest, run_comparison
    from seqwise.experiments.comparison.report import table_of
    from seqwise.experiments.configuration import build_configuration

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
    result = run_comparison(
        ComparisonRequest(
            data=data,
            vary=vary,
            configuration=configuration,
            variants=treatments,
            seeds=seeds,
            folds=folds,
            metric=metric,
            test=test,
            folder=out,
            jobs=jobs,
        ),
        say=say,
    )
    if json:
        print_json(result.to_dict())
    else:
        if result.rows:
            print_table(*table_of(result))
        for name, reason in result.skipped.items():
            print(f"Skipped: {name}: {reason}")
        print(result.recommendation)
        print(f"\nTables and pictures: {result.folder}")
    if result.interrupted:
        say(f"Interrupted: {result.done} of {result.planned} runs are finished; the same command goes on from there.")
        raise typer.Exit(130)
