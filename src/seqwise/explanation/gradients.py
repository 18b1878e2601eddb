"""Attributions from gradients: integrated gradients, gradient x input.

Both give every number of the input a value; those of a step are added up.

Axis letters: T steps, N n-grams, D numbers of a step, K points of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Inputs = tuple[Tensor, ...]
"""What an output is a function of: (1, T, D), or (1, N) where each number is by itself."""
Output = Callable[..., Tensor]
"""From inputs with K rows to (K,)."""

TOLERANCE = 0.01  # of the change of the output that the values may miss
LEAST_CHANGE = 1.0  # a smaller change is taken for this one: nobody reads a hundredth of a log-odds
FIRST_PARTS, NODES = 4, 4
FEWEST_STEPS, MOST_STEPS = FIRST_PARTS * NODES, 1024
MOST_READ = 2**21  # steps of inputs times gradients: what a long recording may cost
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
    most_steps: int | None = None,
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
        most_steps: gradients at the most, though the gap may then be larger; None are 1024, or fewer of inputs of more than
            2,048 steps, but at least 16.

    Returns:
        See `Integrated`.
    """
    if most_steps is None:
        most_steps = min(MOST_STEPS, max(FEWEST_STEPS, MOST_READ // _steps(inputs)))
    edges = np.linspace(0, 1, min(FIRST_PARTS, max(1, most_steps // NODES)) + 1).tolist()
    heights = _heights(output, inputs, baselines, edges)
    allowed = tolerance * max(abs(heights[-1] - heights[0]), LEAST_CHANGE)
    parts = _measured(output, inputs, baselines, list(zip(pairwise(edges), pairwise(heights), strict=True)))
    steps = NODES * len(parts)
    while sum(part.gap for part in parts) > allowed:
        parts.sort(key=lambda part: -part.gap)
        wrong = [part for part in parts if part.gap > allowed / len(parts)][: (most_steps - steps) // (2 * NODES)]
        if not wrong:
            break
        middles = [(part.low + part.high) / 2 for part in wrong]
        halves = []
        for part, middle, height in zip(wrong, middles, _heights(output, inputs, baselines, middles), strict=True):
            halves.append(((part.low, middle), (part.ends[0], height)))
            halves.append(((middle, part.high), (height, part.ends[1])))
        parts = parts[len(wrong) :] + _measured(output, inputs, baselines, halves)
        steps += NODES * len(halves)
    values = [np.sum([part.values[k] for part in parts], axis=0) for k in range(len(inputs))]
    return Integrated(values, heights[-1], heights[0], steps)


def gradient_x_input(output: Output, inputs: Inputs) -> tuple[list[np.ndarray], float]:
    """Return input times gradient at the input (Shrikumar et al. 2016), as `Integrated.values`; and the output."""
    zeros = tuple(torch.zeros_like(x) for x in inputs)
    values = [slopes[0].cpu().numpy() for slopes in _slopes(output, inputs, zeros, [1.0])]
    return values, _heights(output, inputs, zeros, [1.0])[0]


def _measured(
    output: Output, inputs: Inputs, baselines: Inputs, spans: Sequence[tuple[tuple[float, float], tuple[float, float]]]
) -> list[_Part]:
    """Parts of the path, from where each begins and ends and the output there; as many side by side as fit."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    found, size = [], max(1, _rows(inputs) // NODES)
    for first in range(0, len(spans), size):
        several = spans[first : first + size]
        lows, highs = np.array([span for span, _ in several]).T[:, :, None]
        points = (lows + highs) / 2 + (highs - lows) / 2 * nodes
        shares = torch.from_numpy((highs - lows) / 2 * weights)  # (parts, nodes)
        totals = [
            torch.einsum("pn,pnt->pt", shares.to(slopes.device), slopes.view(*shares.shape, -1)).cpu().numpy()
            for slopes in _slopes(output, inputs, baselines, points.flatten().tolist())
        ]
        for row, (span, ends) in enumerate(several):
            found.append(_Part(*span, ends, [total[row] for total in totals]))
    return found


def _slopes(output: Output, inputs: Inputs, baselines: Inputs, points: Sequence[float]) -> list[Tensor]:
    """(x - b) times the gradient at points of the path, added up for each step: (K, T) or (K, N) float64."""
    rows = [row.requires_grad_() for row in _between(inputs, baselines, points)]
    with torch.enable_grad():
        gradients = torch.autograd.grad(output(*rows).sum(), rows, allow_unused=True)
    found = []
    for x, b, row, gradient in zip(inputs, baselines, rows, gradients, strict=True):
        products = torch.zeros_like(row) if gradient is None else gradient * (x - b)
        found.append((products.flatten(2).sum(2) if x.dim() > 2 else products).double())
    return found


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
    return max(1, TOGETHER // _steps(inputs))


def _steps(inputs: Inputs) -> int:
    """Steps or numbers of the longest input."""
    return max([1, *(x.shape[1] for x in inputs)])
