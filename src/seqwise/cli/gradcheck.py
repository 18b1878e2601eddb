"""`seqwise gradcheck`: derived gradients beside autograd and finite differences."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table
from seqwise.cli.options import Json


def gradcheck(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Cells (FILE:NAME for your own) and losses; all built-in ones if none is given.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check the gradients of cells and losses.

    The derived backpropagation through time of a cell, or the closed form of a loss, is compared with autograd and
    with central finite differences, in float64. The exit code is 1 when one differs.

    \b
    Examples:
      seqwise gradcheck
      seqwise gradcheck lstm softmax
      seqwise gradcheck my_cells.py:leaky --json
    """
    from seqwise.experiments.gradcheck import AUTOGRAD_TOLERANCE, DIFFERENCES_TOLERANCE, check_gradients

    checks = check_gradients(names or ())
    passed = all(check.passed for check in checks)
    if json:
        listed = [
            {
                "name": check.name,
                "against_autograd": _finite(check.against_autograd),
                "against_finite_differences": _finite(check.against_differences),
                "passed": check.passed,
            }
            for check in checks
        ]
        tolerances = {"autograd": AUTOGRAD_TOLERANCE, "finite_differences": DIFFERENCES_TOLERANCE}
        print_json({"tolerances": tolerances, "checks": listed, "passed": passed})
    else:
        rows = [
            [
                check.name,
                _written(check.against_autograd),
                _written(check.against_differences),
                "pass" if check.passed else "FAIL",
            ]
            for check in checks
        ]
        rows.append(["allowed", f"{AUTOGRAD_TOLERANCE:.0e}", f"{DIFFERENCES_TOLERANCE:.0e}", ""])
        title = "Gradients in closed form, float64: largest relative difference"
        print_table(title, ["name", "from autograd", "from finite differences", ""], rows)
    if not passed:
        raise typer.Exit(1)


def _finite(difference: float) -> float | None:
    return difference if math.isfinite(difference) else None


def _written(difference: float) -> str:
    return f"{difference:.1e}" if math.isfinite(difference) else "not finite"
