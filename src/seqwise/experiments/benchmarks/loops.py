"""The opponents: each cell that torch.nn lacks, as the best plain PyTorch loop that one can write by hand.

What makes them good: the input projection of all steps is one product before the loop, both biases in it; a step has one
`addmm` per recurrent product; gates share one call of the sigmoid; `lerp` and `addcmul` do two or three elementwise
operations in one; parts of a tensor are taken without tracking views. Autograd differentiates them. Measured and left out,
because they gained nothing: transposed weights copied, one input product per stage.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqwise.cells import Cell, cell, gru, lstm, lstm_peephole, sigmoid, tanh
from seqwise.kernels.contract import Weights

States = tuple[Tensor, ...]
Step = Callable[[Any, States, tuple[Tensor, ...]], States]


@cell
def own_cell(x: Any, h: Any, c: Any, p: Any) -> Any:
    """A cell of a user's own: two recurrent products, two states, a learned vector."""
    s = sigmoid(x.s + h.s + p.s * c)
    m = tanh(x.m + (s * h).m)
    c = s * c + (1 - s) * m
    return m * tanh(c), c


class Loop(NamedTuple):
    """A recurrence as a loop.

    Attributes:
        prepare: (x (T, B, D), weights) -> what each step reads of the input, and the constants of all steps.
        step: (the step's input, states (B, H), constants) -> next states. `torch.compile` may take its place.
    """

    prepare: Callable[[Tensor, Weights], tuple[Iterable[Any], tuple[Tensor, ...]]]
    step: Step

    def run(
        self, x: Tensor, initial: States, weights: Weights, mask: Tensor | None, step: Step | None = None
    ) -> States:
        """Outputs (T, B, H) and final states (B, H); `mask` (B, H) multiplies what enters the recurrent product."""
        step = step or self.step
        inputs, constants = self.prepare(x, weights)
        constants = constants if mask is None else (*constants, mask)
        states, outputs = initial, []
        for now in inputs:
            states = step(now, states, constants)
            outputs.append(states[0])
        return torch.stack(outputs), *states


def _biases(weights: Weights) -> Tensor:
    assert weights.input_bias is not None
    assert weights.recurrent_bias is not None
    return weights.input_bias + weights.recurrent_bias


def _recurrent(weights: Weights) -> Tensor:
    assert weights.recurrent is not None
    return weights.recurrent


def _double_candidate(rows: Tensor) -> Tensor:
    """Rows of the gates i, f, g, o with those of g twice as large: tanh(v) = 2 sigmoid(2 v) - 1, one function for all."""
    return (rows.unflatten(0, (4, -1)) * rows.new_tensor([1, 1, 2, 1]).view(4, *[1] * rows.dim())).flatten(0, 1)


def _prepare_lstm(x: Tensor, weights: Weights) -> tuple[Iterable[Tensor], tuple[Tensor, ...]]:
    projected = F.linear(x, _double_candidate(weights.input), _double_candidate(_biases(weights)))
    return projected.unbind(0), (_double_candidate(_recurrent(weights)).t(),)


def _step_lstm(now: Tensor, states: States, constants: tuple[Tensor, ...]) -> States:
    h, c = states
    recurrent, mask = constants
    i, f, g, o = torch.sigmoid(torch.addmm(now, h * mask, recurrent)).unsafe_chunk(4, 1)
    c = torch.addcmul(f * c - i, i, g, value=2)
    return o * torch.tanh(c), c


def _prepare_peephole(x: Tensor, weights: Weights) -> tuple[Iterable[Tensor], tuple[Tensor, ...]]:
    assert weights.vectors is not None
    projected = F.linear(x, weights.input, _biases(weights))
    # Expanded once: the gradient is then summed over the rows once, and not at every step.
    seen = (vector.expand(x.shape[1], -1) for vector in weights.vectors.unbind(0))
    return projected.unbind(0), (_recurrent(weights).t(), *seen)


def _step_peephole(now: Tensor, states: States, constants: tuple[Tensor, ...]) -> States:
    h, c = states
    recurrent, see_i, see_f, see_o = constants
    i, f, g, o = torch.addmm(now, h, recurrent).unsafe_chunk(4, 1)
    i = torch.sigmoid(torch.addcmul(i, see_i, c))
    f = torch.sigmoid(torch.addcmul(f, see_f, c))
    c = torch.addcmul(f * c, i, torch.tanh(g))
    return torch.sigmoid(torch.addcmul(o, see_o, c)) * torch.tanh(c), c


def _prepare_gru(x: Tensor, weights: Weights) -> tuple[Iterable[tuple[Tensor, Tensor]], tuple[Tensor, ...]]:
    return _prepare_two_products(x, weights, 2)


def _step_gru(now: tuple[Tensor, Tensor], states: States, constants: tuple[Tensor, ...]) -> States:
    (h,), (first, second) = states, constants
    r, z = torch.sigmoid(torch.addmm(now[0], h, first)).unsafe_chunk(2, 1)
    return (torch.lerp(h, torch.tanh(torch.addmm(now[1], r * h, second)), z),)


def _prepare_own(x: Tensor, weights: Weights) -> tuple[Iterable[tuple[Tensor, Tensor]], tuple[Tensor, ...]]:
    assert weights.vectors is not None
    inputs, constants = _prepare_two_products(x, weights, 1)
    return inputs, (*constants, weights.vectors[0].expand(x.shape[1], -1))


def _step_own(now: tuple[Tensor, Tensor], states: States, constants: tuple[Tensor, ...]) -> States:
    h, c = states
    first, second, see = constants
    s = torch.sigmoid(torch.addcmul(torch.addmm(now[0], h, first), see, c))
    m = torch.tanh(torch.addmm(now[1], s * h, second))
    c = torch.lerp(m, c, s)
    return m * torch.tanh(c), c


def _prepare_two_products(
    x: Tensor, weights: Weights, gates: int
) -> tuple[Iterable[tuple[Tensor, Tensor]], tuple[Tensor, ...]]:
    """For a cell with two stages, whose first has so many gates and whose second has one."""
    recurrent = _recurrent(weights)
    border = gates * recurrent.shape[1]
    parts = F.linear(x, weights.input, _biases(weights)).split([border, recurrent.shape[1]], -1)
    inputs = zip(parts[0].unbind(0), parts[1].unbind(0), strict=True)
    return inputs, (recurrent[:border].t(), recurrent[border:].t())


LOOPS: dict[Cell, Loop] = {
    gru: Loop(_prepare_gru, _step_gru),
    lstm: Loop(_prepare_lstm, _step_lstm),
    lstm_peephole: Loop(_prepare_peephole, _step_peephole),
    own_cell: Loop(_prepare_own, _step_own),
}
"""The LSTM's loop is the one with recurrent dropout and needs a mask."""
