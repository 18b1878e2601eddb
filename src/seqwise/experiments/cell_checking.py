"""Checks one cell in float64: every backend that can run it against the reference, and the derived gradient.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from seqwise.cells import Cell, Program
from seqwise.experiments.gradcheck import AUTOGRAD_TOLERANCE, DIFFERENCES_TOLERANCE, check_problem, pose
from seqwise.ops import BACKENDS, Variant, Weights, recurrence

_TOLERANCE = (
    1e-9  # relative, of float64: sums over steps in another order differ by some hundred units in the last place
)
_SMALLEST = 1e-6  # where every number is smaller, differences are taken relative to this
_B, _T, _D, _H = 5, 7, 6, 9


class Comparison(NamedTuple):
    """Two ways to compute the same numbers.

    Attributes:
        name: What was compared with what.
        difference: The largest difference relative to the largest number; infinite where something is not finite.
        tolerance: What is allowed.
    """

    name: str
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether they agree."""
        return self.difference <= self.tolerance


def compare_backends(cell: Cell) -> list[Comparison]:
    """Run a cell on every backend that can, and compare outputs, final states and all gradients with the reference's.

    Args:
        cell: The cell.

    Returns:
        One comparison for each backend; those that cannot run the cell are left out.
    """
    cases = {
        "whole rows": Variant(),
        "reversed": Variant(reverse=True),
        "ragged rows": Variant(lengths=_draw_lengths()),
    }
    comparisons = []
    x = torch.empty(0, dtype=torch.float64)
    for name, backend in BACKENDS.items():
        able = {k: v for k, v in cases.items() if not backend.find_obstacle(cell.program, v, x)}
        if name == "reference" or not able:
            continue
        difference = max(_compare(cell, variant, name) for variant in able.values())
        comparisons.append(Comparison(f"backend {name}, {', '.join(able)}", difference, _TOLERANCE))
    return comparisons


def compare_gradients(cell: Cell) -> list[Comparison]:
    """Compare the derived backpropagation through time with autograd and with central finite differences.

    Args:
        cell: The cell.

    Returns:
        One comparison for each.
    """
    check = check_problem(cell.name, pose(cell))
    return [
        Comparison("derived gradient against autograd", check.against_autograd, AUTOGRAD_TOLERANCE),
        Comparison("derived gradient against finite differences", check.against_differences, DIFFERENCES_TOLERANCE),
    ]


def _compare(cell: Cell, variant: Variant, backend: str) -> float:
    ours, expected = (_run(cell, variant, name) for name in (backend, "reference"))
    return max(_relative_difference(a, b) for a, b in zip(ours, expected, strict=True))


def _run(cell: Cell, variant: Variant, backend: str) -> list[Tensor]:
    """Outputs, final states, and gradients for random upstream gradients: of the input, the states, every parameter."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(_T, _B, _D, generator=draw, dtype=torch.float64).requires_grad_()
    initial = tuple(
        torch.randn(_B, _H, generator=draw, dtype=torch.float64).requires_grad_() for _ in cell.program.states
    )
    weights = _draw_weights(cell.program, draw)
    result = recurrence(cell, x, initial, weights, variant, backend=backend)
    values = [result.outputs, *result.finals]
    upstream = [torch.randn(v.shape, generator=draw, dtype=torch.float64) for v in values]
    leaves = [x, *initial, *(w for w in weights if w is not None)]
    gradients = torch.autograd.grad(values, leaves, upstream, materialize_grads=True)
    return [*(v.detach() for v in values), *gradients]


def _draw_weights(program: Program, draw: torch.Generator) -> Weights:
    rows = [len(gates) * _H for gates in (program.input_gates, program.recurrent_gates)]
    shapes = [(rows[0], _D), (rows[1], _H), (rows[0],), (rows[1],), (len(program.vectors), _H)]
    parts = (torch.randn(shape, generator=draw, dtype=torch.float64) * 0.4 if shape[0] else None for shape in shapes)
    return Weights(*(None if part is None else part.requires_grad_() for part in parts))  # type: ignore[arg-type]


def _draw_lengths() -> Tensor:
    return torch.tensor([_T, 1, 4, 0, _T - 1])


def _relative_difference(ours: Tensor, expected: Tensor) -> float:
    if ours.shape != expected.shape or not (ours.isfinite().all() and expected.isfinite().all()):
        return math.inf
    if expected.numel() == 0:
        return 0.0
    largest = float(expected.abs().max())
    return float((ours - expected).abs().max()) / max(largest, _SMALLEST)
