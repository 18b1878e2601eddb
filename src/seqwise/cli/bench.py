"""`seqwise bench`: how fast it is on this machine, beside what else there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="Measure the speed on this machine.", rich_markup_mode=None)


@app.callback()
def bench() -> None:
    """Measure the speed on this machine."""


@app.command()
def recurrent(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ROW", help="Measure this row; may be repeated.")
    ] = None,
    shapes: Annotated[
        list[int] | None, typer.Option("--shapes", metavar="N", help="Number of a shape, from 1; may be repeated.")
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="How often every side runs.")] = 15,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of PyTorch and Seqwise.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny shapes: does it run? The figures mean nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write recurrent_cpu.csv and recurrent_cpu.md there.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the recurrences on the CPU against torch.nn, hand-written loops, and ONNX Runtime.

    Nothing is timed whose outputs or gradients are wrong; then the exit code is 1.

    \b
    Examples:
      seqwise bench recurrent --quick
      seqwise bench recurrent --only lstm --only gru --shapes 1
    """
    from seqwise.experiments.benchmarks.recurrent import RecurrentBenchmark, run_recurrent_benchmark

    table = run_recurrent_benchmark(
        RecurrentBenchmark(tuple(only or ()), tuple(shapes or ()), repeats, threads, quick, say)
    )
    if out is not None:
        for path in table.write(out, "recurrent_cpu"):
            say(f"Written: {path}")
    if json:
        print_json(table.to_dict())
    else:
        print_table(*table.as_printed())
        print(table.describe_machine())
    if table.refused:
        raise typer.Exit(1)
