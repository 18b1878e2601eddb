"""What is computed by every side of a comparison: one cell, one shape, random numbers; and what comes out by the oracle.

The oracle is the reference backend in float64. A side whose outputs, final states or gradients (of the input, the initial
states and all weights, under random upstream gradients of every output) differ from it is never timed.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqwise.cells import Cell
from seqwise.kernels import reference
from seqwise.kernels.contract import Variant, Weights

# Largest difference as a share of the tensor's largest value. float32 sums of up to 12,800 terms, through up to 200
# steps: torch.nn's own code stays below a tenth of this.
TOLERANCE = 2e-4
MEAN_LENGTH = 0.4  # of the longest row of a ragged batch


class Shape(NamedTuple):
    """Sizes of one measurement: B, T, D, H."""

    batch: int
    steps: int
    features: int
    hidden: int

    def __str__(self) -> str:
        return "x".join(map(str, self))


class Side(NamedTuple):
    """One way to compute a case.

    Attributes:
        name: What the table calls it.
        run: What is timed.
        results: A fresh run as tensors by the oracle's names.
        clear: What happens before each run without being timed.
    """

    name: str
    run: Callable[[], object]
    results: Callable[[], dict[str, Tensor]]
    clear: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Case:
    """Inputs of one comparison.

    Attributes:
        cell: The recurrence.
        shape: B, T, D, H.
        training: Forward and backward; otherwise only forward.
        lengths: (B,) steps of each row, or None.
        recurrent_dropout: Share of the units that each side drops with a mask that it draws itself, as a user would.
        x: (T, B, D).
        initial: For each state (B, H).
        weights: Drawn as torch.nn draws them.
        upstream: Random gradients of the outputs (T, B, H) and of each final state (B, H).
    """

    cell: Cell
    shape: Shape
    training: bool
    lengths: Tensor | None
    recurrent_dropout: float
    x: Tensor
    initial: tuple[Tensor, ...]
    weights: Weights
    upstream: tuple[Tensor, ...]

    @property
    def operations(self) -> float:
        """Floating-point operations of the matrix products: twice as many backward as forward."""
        program = self.cell.program
        rows = self.shape.batch * self.shape.steps if self.lengths is None else int(self.lengths.sum())
        inputs, recurrent = len(program.input_gates), len(program.recurrent_gates)
        products = self.shape.hidden * (self.shape.features * inputs + self.shape.hidden * recurrent)
        return 2.0 * rows * products * (3 if self.training else 1)

    def leaves(self, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Fresh copies of what has a gradient, by the oracle's names."""
        named = {"x": self.x}
        named |= {f"initial {s}": v for s, v in zip(self.cell.program.states, self.initial, strict=True)}
        named |= {f"weights {n}": w for n, w in self.weights._asdict().items() if w is not None}
        return {name: value.to(dtype, copy=True).requires_grad_() for name, value in named.items()}

    def arrange(self, leaves: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, ...], Weights]:
        """x, initial states and weights from leaves."""
        initial = tuple(leaves[f"initial {s}"] for s in self.cell.program.states)
        return leaves["x"], initial, Weights(*(leaves.get(f"weights {n}") for n in Weights._fields))  # type: ignore[arg-type]

    def draw_mask(self, dtype: torch.dtype = torch.float32) -> Tensor | None:
        """One mask per sequence (B, H), the same for all who draw it first after `seed`."""
        if not self.recurrent_dropout:
            return None
        kept = 1 - self.recurrent_dropout
        return torch.empty(self.shape.batch, self.shape.hidden).bernoulli_(kept).div_(kept).to(dtype)

    def seed(self) -> None:
        """Make the next mask the known one."""
        torch.manual_seed(1)

    @cached_property
    def expected(self) -> dict[str, Tensor]:
        """The oracle's outputs, final states and gradients, float64."""
        leaves = self.leaves(torch.float64)
        x, initial, weights = self.arrange(leaves)
        self.seed()
        variant = Variant(self.lengths, recurrent_mask=self.draw_mask(torch.float64))
        with torch.set_grad_enabled(self.training):
            result = reference.forward(self.cell.program, x, initial, weights, variant)
            values = (result.outputs, *result.finals)
        if self.training:
            torch.autograd.backward(values, [u.double() for u in self.upstream])
        return name_results(self, values, leaves)

    def find_disagreement(self, side: Side, tolerance: float = TOLERANCE) -> tuple[str, float]:
        """What is wrong with a side's results in words, empty if nothing is; and the largest relative difference."""
        self.seed()
        actual, worst = side.results(), 0.0
        for name, expected in self.expected.items():
            if name not in actual:
                return f"{side.name} gives no {name}", math.inf
            value = actual[name].detach().double().reshape(expected.shape)
            scale = max(float(expected.abs().max()), 1e-12)
            difference = float((value - expected).abs().max()) / scale
            if not difference <= tolerance:  # NaN is a disagreement
                return (
                    f"{name} of {side.name} differs from the oracle by {difference:.1e} of its largest value",
                    difference,
                )
            worst = max(worst, difference)
        return "", worst


def make_case(
    cell: Cell, shape: Shape, *, training: bool = True, ragged: bool = False, recurrent_dropout: float = 0.0
) -> Case:
    """Random inputs; the same for the same arguments."""
    draw = torch.Generator().manual_seed(0)
    batch, steps, features, hidden = shape
    program = cell.program
    bound = 1 / math.sqrt(hidden)

    def uniform(*size: int) -> Tensor:
        return torch.empty(size).uniform_(-bound, bound, generator=draw)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=draw)

    rows, recurrent = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
    return Case(
        cell,
        shape,
        training,
        draw_lengths(batch, steps, draw) if ragged else None,
        recurrent_dropout,
        normal(steps, batch, features),
        tuple(normal(batch, hidden) for _ in program.states),
        Weights(
            uniform(rows, features),
            uniform(recurrent, hidden) if recurrent else None,
            uniform(rows),
            uniform(recurrent) if recurrent else None,
            uniform(len(program.vectors), hidden) if program.vectors else None,
        ),
        (normal(steps, batch, hidden), *(normal(batch, hidden) for _ in program.states)),
    )


def draw_lengths(batch: int, steps: int, draw: torch.Generator) -> Tensor:
    """Log-normal lengths (B,), the longest T, whose mean is `MEAN_LENGTH` of it: the spread is chosen so."""
    numbers = torch.randn(batch, generator=draw, dtype=torch.float64)
    numbers -= numbers.max()
    low, high = 0.0, 50.0
    for _ in range(60):
        spread = (low + high) / 2
        low, high = (spread, high) if float((spread * numbers).exp().mean()) > MEAN_LENGTH else (low, spread)
    return (steps * (high * numbers).exp()).round().clamp(1, steps).long()


def name_results(case: Case, values: Sequence[Tensor], leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    """Outputs, final states and (when training) gradients by the oracle's names."""
    states = case.cell.program.states
    named = {"outputs": values[0]} | {f"final {s}": v for s, v in zip(states, values[1:], strict=True)}
    if case.training:
        named |= {f"gradient of {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    return {name: value.detach() for name, value in named.items()}


def torch_side(name: str, case: Case, forward: Callable[[], Sequence[Any]], leaves: dict[str, Tensor]) -> Side:
    """A side that PyTorch runs: `forward` gives outputs and final states, in any shapes of the right size."""
    upstream: list[Tensor] = []

    def run() -> Sequence[Tensor]:
        if not case.training:
            with torch.no_grad():
                return forward()
        values = forward()
        if not upstream:
            upstream.extend(u.reshape(v.shape) for u, v in zip(case.upstream, values, strict=True))
        torch.autograd.backward(values, upstream)
        return values

    def clear() -> None:
        for leaf in leaves.values():
            leaf.grad = None

    def results() -> dict[str, Tensor]:
        clear()
        return {name: value.clone() for name, value in name_results(case, run(), leaves).items()}

    return Side(name, run, results, clear)
