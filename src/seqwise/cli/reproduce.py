"""`seqwise reproduce`: the figure of a lecture or paper beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json, OptionalDevice, Overwrite, Seed, Set


def _print_recipes(asked: bool) -> None:
    if asked:
        from seqwise.experiments.recipes import recipe_names, recipe_title

        rows = [[name, recipe_title(name)] for name in recipe_names()]
        print_table("Recipes", ["recipe", "what it does"], rows, numbers=False)
        raise typer.Exit


def reproduce(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a recipe.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the model; by default seqwise-runs/RECIPE, replaced each time.", metavar="DIR"),
    ] = None,
    set_: Set = None,
    device: OptionalDevice = None,
    seed: Seed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")] = False,
    overwrite: Overwrite = False,
    json: Json = False,
    list_: Annotated[
        bool, typer.Option("--list", callback=_print_recipes, is_eager=True, help="List the recipes and stop.")
    ] = False,
) -> None:
    """Reproduce the figure of a lecture or paper.

    A recipe is a data set, a configuration and a reference; it goes through the very run of `seqwise train`. Some run
    several times and print one table: steps on and off, or other models.

    \b
    Examples:
      seqwise reproduce --list
      seqwise reproduce imdb-rnn
      seqwise reproduce trec --json
      seqwise reproduce tweets-lstm
      seqwise reproduce embeddings-imdb --set embedding.epochs=5
    """
    from seqwise.experiments.recipes import ReproductionRequest, reproduce

    result = reproduce(
        ReproductionRequest(
            name=recipe,
            folder=out,
            overrides=tuple(set_ or ()),
            seed=seed,
            device=device,
            overwrite=overwrite,
            resume=resume,
            say=say,
        )
    )
    if json:
        print_json(result.to_dict())
    elif result.table is not None:
        print_table(recipe, *result.table)
        if result.chosen:
            print(result.chosen)
        figures = [
            f"{name.replace('_', ' ')} {value:.3f}" for name, value in result.reference.items() if name != "source"
        ]
        print(f"Reference: {result.reference['source']}: {', '.join(figures)}")
        print(f"Time: {result.seconds:.0f} s")
        print(f"Everything else: {result.folder}")
    else:
        print_table(recipe, result.header(), result.rows())
        print(f"Reference: {result.reference['source']}")
        print(f"Time: {result.seconds:.0f} s")
        report = result.folder / "report.html"
        if result.folder.exists():
            print(f"Report: {report if report.exists() else result.folder}")
    if result.interrupted:
        say(f"Interrupted: the best model so far is saved in {result.folder}; add --resume to go on.")
        raise typer.Exit(130)
