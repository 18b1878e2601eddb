"""Options that several commands share, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a trained model.", show_default=False)]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on standard output and nothing else.", show_default=False),
]
Device = Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to compute.")]
OptionalDevice = Annotated[
    str | None, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to compute: training.device.")
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, metavar="N", help="Seed of everything random: training.seed.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Set one configuration key; may be repeated."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the model that is there.", show_default=False)]


def joined_columns(names: list[str] | None) -> str | None:
    """The column of texts that an option names, which may be given several times: those columns are joined."""
    return " + ".join(names) if names else None
