"""Attributions from gradients: integrated gradients, gradient x input.

Both give every number of the input a value; those of a step are added up.

Axis letters: T steps, N n-grams, D numbers of a step, K points of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Inputs = tuple[Tensor, ...]
"""What an output is a function of: (1, T, D), or (1, N) where each number is by itself."""
Output = Callable[..., Tensor]
"""From inputs with K rows to (K,)."""

TOLERANCE = 0.01  # of the change of the output that the values may miss
LEAST_CHANGE = 0.1  # a smaller change is taken for this one: no more digits than anybody reads
FIRST_PARTS, NODES = 4, 4
MOST_STEPS = 1024
TOGETHER = 2**15  # steps of all rows that are read side by side


class Integrated(NamedTuple):
    """What integrated gradients give.

    Attributes:
        values: of each input, (T,) or (N,) float64.
        output: for the input.
        baseline: for the baseline.
        steps: gradients that were computed.
    """

    values: list[np.ndarray]
    output: float
    baseline: float
    steps: int


@dataclass(frozen=True)
class _Part:
    """A part of the path, with the change of the output over it and what the gradients say of it."""

    low: float
    high: float
    ends: tuple[float, float]
    values: list[np.ndarray]

    @property
    def gap(self) -> float:
        return abs(sum(float(of.sum()) for of in self.values) - (self.ends[1] - self.ends[0]))


def integrated_gradients(
    output: Output,
    inputs: Inputs,
    baselines: Inputs,
    *,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
) -> Integrated:
    """Attribute the change of an output on the straight path from baselines to inputs (Sundararajan et al. 2017).

    The value of input i is (x_i - b_i) times the mean of the output's derivative by it on the path; all values add up to
    the change of the output ("completeness"). That holds on every part of the path too, so where the integral, by
    Gauss-Legendre quadrature, misses the change of its part, that part is halved: what bends sharply gets many points, and
    what is smooth few.

    Args:
        output: see `Output`.
        inputs: see `Inputs`.
        baselines: of the same shapes.
        tolerance: the gaps of all parts together may be this share of the change of the output.
        most_steps: gradients at the most; the gap may then be larger.

    Returns:
        See `Integrated`.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    steps = 0

    def measure(low: float, high: float, ends: tuple[float, float]) -> _Part:
        nonlocal steps
        steps += NODES
        middle, half = (low + high) / 2, (high - low) / 2
        slopes = _slopes(output, inputs, baselines, (middle + half * nodes).tolist(), (half * weights).tolist())
        return _Part(low, high, ends, slopes)

    edges = np.linspace(0, 1, min(FIRST_PARTS, max(1, most_steps // NODES)) + 1).tolist()
    heights = _heights(output, inputs, baselines, edges)
    change = heights[-1] - heights[0]
    allowed = tolerance * max(abs(change), LEAST_CHANGE)
    parts = [measure(edges[i], edges[i + 1], (heights[i], heights[i + 1])) for i in range(len(edges) - 1)]
    while sum(part.gap for part in parts) > allowed:
        room = (most_steps - steps) // (2 * NODES)
        parts.sort(key=lambda part: -part.gap)
        wrong = [part for part in parts if part.gap > allowed / len(parts)][:room]
        if not wrong:
            break
        middles = [(part.low + part.high) / 2 for part in wrong]
        halves = []
        for part, middle, height in zip(wrong, middles, _heights(output, inputs, baselines, middles), strict=True):
            halves.append(measure(part.low, middle, (part.ends[0], height)))
            halves.append(measure(middle, part.high, (height, part.ends[1])))
        parts = parts[len(wrong) :] + halves
    values = [np.sum([part.values[k] for part in parts], axis=0) for k in range(len(inputs))]
    return Integrated(values, heights[-1], heights[0], steps)


def gradient_x_input(output: Output, inputs: Inputs) -> tuple[list[np.ndarray], float]:
    """Return input times gradient at the input (Shrikumar et al. 2016), as `Integrated.values`; and the output."""
    zeros = tuple(torch.zeros_like(x) for x in inputs)
    return _slopes(output, inputs, zeros, [1.0], [1.0]), _heights(output, inputs, zeros, [1.0])[0]


def _slopes(
    output: Output, inputs: Inputs, baselines: Inputs, points: Sequence[float], weights: Sequence[float]
) -> list[np.ndarray]:
    """The weighted sum over points of (x - b) times the gradient, added up for each step."""
    totals = [torch.zeros(x.shape[1], dtype=torch.float64, device=x.device) for x in inputs]
    size = _rows(inputs)
    for first in range(0, len(points), size):
        rows = [row.requires_grad_() for row in _between(inputs, baselines, points[first : first + size])]
        with torch.enable_grad():
            gradients = torch.autograd.grad(output(*rows).sum(), rows, allow_unused=True)
        for total, x, b, gradient in zip(totals, inputs, baselines, gradients, strict=True):
            if gradient is None:
                continue
            share = torch.tensor(weights[first : first + size], dtype=torch.float64, device=x.device)
            of_steps = (gradient * (x - b)).flatten(2).sum(2) if x.dim() > 2 else gradient * (x - b)
            total += share @ of_steps.double()
    return [total.cpu().numpy() for total in totals]


@torch.no_grad()
def _heights(output: Output, inputs: Inputs, baselines: Inputs, points: Sequence[float]) -> list[float]:
    """The output at points of the path."""
    size, found = _rows(inputs), []
    for first in range(0, len(points), size):
        found += output(*_between(inputs, baselines, points[first : first + size])).double().tolist()
    return found


def _between(inputs: Inputs, baselines: Inputs, points: Sequence[float]) -> list[Tensor]:
    rows = []
    for x, b in zip(inputs, baselines, strict=True):
        share = torch.tensor(points, dtype=x.dtype, device=x.device).view(-1, *[1] * (x.dim() - 1))
        rows.append(torch.lerp(b.expand(len(points), *x.shape[1:]), x.expand(len(points), *x.shape[1:]), share))
    return rows


def _rows(inputs: Inputs) -> int:
    return max(1, TOGETHER // max([1, *(x.shape[1] for x in inputs)]))
