"""`seqwise demo`: the main job on names, without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seqwise.cli.console import class_table, confusion_table, metrics_table, print_json, print_table, say
from seqwise.cli.options import Device, Json, Set


def demo(
    data: Annotated[
        Literal["gender", "language"], typer.Option(help="Sex of first names, or language of surnames.")
    ] = "gender",
    out: Annotated[
        Path | None, typer.Option(help="Folder for names and model.  [default: seqwise-demo]", metavar="DIR")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of everything random.")] = 0,
    set_: Set = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Show the main job on names, in about a minute.

    Nothing is downloaded: the names ship inside the package Faker.

    \b
    Examples:
      seqwise demo
      seqwise demo --data language
    """
    from seqwise.experiments.demo import run_demo

    result = run_demo(data, out, seed=seed, device=device, overrides=tuple(set_ or ()), say=say)
    if json:
        print_json(result.to_dict())
    else:
        test = result.outcome.metrics["test"]
        confusion_table(test)
        metrics_table(test, f"Test: {test['examples']:,} names never seen in training, 95% intervals in brackets")
        class_table(test)
        print_table("Some of them", ["name", "predicted", "probability", "true"], result.rows(), numbers=False)
        print(result.outcome.verdict)
        print(f"\nReport: {result.model / 'report.html'}")
        print("\nNow type")
        for command in result.next_commands():
            print(f"  {command}")
    if result.outcome.interrupted:
        raise typer.Exit(130)
