"""A cell in figures: stages, parameters and operations per unit.

Axis letters: D input features, H hidden units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from seqwise.cells.cell import Cell
from seqwise.cells.derive import Derivative, derive
from seqwise.cells.linearity import find_linearity
from seqwise.cells.program import LEAVES, Node

_NO_ARITHMETIC = LEAVES | {"recurrent", "upstream", "transposed"}


def describe_cell(cell: Cell) -> dict[str, Any]:
    """What a cell consists of and costs, ready for JSON.

    Args:
        cell: The cell.

    Returns:
        `name`, `source`, `states`, `gates`, `stages` (the gates of each recurrent product), `vectors`, `linear` and its
        `reason`; per unit and step: `parameters` (a formula in D and H) and `parameters_square` (its factor of H where
        D = H, and the rest), `elementwise_forward` and `elementwise_backward` (operation -> how often),
        `products_forward` and `products_backward` (multiplications of matrix products, with those for the gradients
        of the weights, as formulas).
    """
    program = cell.program
    derivative = derive(program)
    inputs, recurrent = len(program.input_gates), len(program.recurrent_gates)
    linearity = find_linearity(program)
    return {
        "name": cell.name,
        "source": cell.source,
        "states": list(program.states),
        "gates": list(program.gates),
        "stages": [list(stage.gates) for stage in program.stages],
        "vectors": list(program.vectors),
        "linear": linearity.is_linear,
        "reason": linearity.reason,
        "parameters": _formula(inputs, recurrent, inputs + recurrent + len(program.vectors)),
        "parameters_square": _formula(0, inputs + recurrent, inputs + recurrent + len(program.vectors)),
        "products_forward": _formula(inputs, recurrent),
        "products_backward": _formula(2 * inputs, 2 * recurrent),
        "elementwise_forward": _count(program.nodes),
        "elementwise_backward": _count(_find_adjoints(derivative)),
    }


def _formula(inputs: int, recurrent: int, rest: int = 0) -> str:
    factors = ((inputs, "D"), (recurrent, "H"))
    parts = [letter if count == 1 else f"{count} {letter}" for count, letter in factors if count]
    return " + ".join([*parts, str(rest)] if rest else parts)


def _count(nodes: Iterable[Node]) -> dict[str, int]:
    counts = Counter(node.operation for node in nodes if node.operation not in _NO_ARITHMETIC)
    return dict(counts.most_common())


def _find_adjoints(derivative: Derivative) -> list[Node]:
    """The nodes beyond the forward step that some gradient needs."""
    first = len(derivative.program.nodes)
    waiting = [*derivative.states, *derivative.input_gates, *derivative.recurrent_gates, *derivative.vectors]
    found: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index >= first and index not in found:
            found.add(index)
            waiting += derivative.nodes[index].arguments
    return [derivative.nodes[index] for index in sorted(found)]
