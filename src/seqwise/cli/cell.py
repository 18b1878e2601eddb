"""`seqwise cell`: the built-in recurrences and a person's own: what they compute, and whether their gradient is right."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="Show and check recurrences.", rich_markup_mode=None)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A built-in cell, or FILE:NAME for your own.", show_default=False)
]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the built-in cells.

    Parameters are per hidden unit: D is the width of the input, H the number of hidden units.

    \b
    Example:
      seqwise cell list
    """
    from seqwise.cells import LIBRARY
    from seqwise.cells.description import describe_cell

    described = [describe_cell(one) for one in LIBRARY.values()]
    if json:
        print_json(described)
        return
    header = ["name", "states", "recurrent products", "gates", "parameters per unit", "source"]
    rows = [
        [one["name"], " ".join(one["states"]), _stages(one), " ".join(one["gates"]), one["parameters"], one["source"]]
        for one in described
    ]
    print_table("Cells", header, rows, numbers=False)


@app.command()
def show(
    name: Name,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print LaTeX instead of text, and nothing else.", show_default=False)
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the equations to a page for the browser.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the equations of a cell and the backpropagation through time that is derived from them.

    \b
    Examples:
      seqwise cell show lstm
      seqwise cell show my_cells.py:leaky --html leaky.html
    """
    from seqwise.cells.description import describe_cell
    from seqwise.cells.loading import find_cell

    cell = find_cell(name)
    equations = cell.equations()
    if html is not None:
        html.write_text(equations.to_html(), encoding="utf-8")
        say(f"Wrote {html}.")
    if json:
        print_json(describe_cell(cell) | {"text": equations.to_text(), "latex": equations.to_latex()})
    elif latex:
        print(equations.to_latex(), end="")
    else:
        print(equations.to_text())
        _print_figures(describe_cell(cell))


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Check a cell: trace it, derive its gradient, and compare what each backend computes with float64 autograd.

    The derived gradient itself is compared with autograd and with finite differences, as `seqwise gradcheck` does. The
    exit code is 1 when a comparison fails.

    \b
    Examples:
      seqwise cell check my_cells.py:leaky
      seqwise cell check lstm --json
    """
    from seqwise.cells.description import describe_cell
    from seqwise.cells.loading import find_cell
    from seqwise.experiments.cell_checking import compare_backends, compare_gradients

    cell = find_cell(name)
    described = describe_cell(cell)
    comparisons = [*compare_backends(cell), *compare_gradients(cell)]
    passed = all(one.passed for one in comparisons)
    if json:
        listed = [
            {
                "name": one.name,
                "difference": one.difference if math.isfinite(one.difference) else None,
                "tolerance": one.tolerance,
                "passed": one.passed,
            }
            for one in comparisons
        ]
        print_json(described | {"comparisons": listed, "passed": passed})
    else:
        _print_figures(described)
        rows = [
            [one.name, f"{one.difference:.1e}", f"{one.tolerance:.0e}", "agrees" if one.passed else "DIFFERS"]
            for one in comparisons
        ]
        title = f"\n{cell.name}: outputs and gradients in float64, largest relative difference"
        print_table(title, ["compared", "difference", "allowed", ""], rows)
    if not passed:
        raise typer.Exit(1)


def _print_figures(described: dict[str, Any]) -> None:
    title = "Per hidden unit and step (D inputs, H hidden units)"
    print(f"{title}\n{'-' * len(title)}\n")
    for name, value in (
        ("recurrent products", _stages(described)),
        ("parameters", f"{described['parameters']}; for D = H {described['parameters_square']}"),
        ("multiplications of the matrix products, forward", described["products_forward"]),
        ("multiplications of the matrix products, backward", described["products_backward"]),
        ("elementwise operations, forward", _operations(described["elementwise_forward"])),
        ("elementwise operations, backward", _operations(described["elementwise_backward"])),
        ("linear in its state", f"{'yes' if described['linear'] else 'no'}: {described['reason']}"),
    ):
        print(f"  {name}: {value}")


def _stages(described: dict[str, Any]) -> str:
    """2: r z, n."""
    stages = [" ".join(gates) for gates in described["stages"]]
    return f"{len(stages)}: {', '.join(stages)}" if stages else "none"


def _operations(counts: dict[str, int]) -> str:
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{sum(counts.values())} ({parts})" if counts else "none"
