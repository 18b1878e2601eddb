"""What recurrent layers hold while they read: every state, and every gate of the cell's equations, at every step.

Axis letters: T steps, D input features, H hidden units, G gates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from seqwise.cells import Program
from seqwise.cells.gates import PROJECTIONS, find_gate_values
from seqwise.kernels.reference import evaluate_step, split_stages
from seqwise.layers.recurrent import Recurrent
from seqwise.ops import Variant, Weights, recurrence


class LayerTrace(NamedTuple):
    """One layer in one direction.

    Attributes:
        layer: which, from 0.
        reverse: whether it reads from the end.
        states: name -> its value after each step, (T, H).
        gates: name -> its value in each step, (T, H).
    """

    layer: int
    reverse: bool
    states: dict[str, Tensor]
    gates: dict[str, Tensor]


@torch.no_grad()
def trace_layers(layers: Recurrent, x: Tensor) -> list[LayerTrace]:
    """Read one sequence as in evaluation, from zero states, and keep everything.

    A gate is the first activation of its projections (`seqwise.cells.gates`); where there is none that belongs to it alone,
    the sum of its projections is taken.

    Args:
        layers: of any cell.
        x: (T, D).

    Returns:
        Layer by layer, of each the forward direction first.
    """
    program, found = layers.cell.program, []
    x = x.unsqueeze(1)
    for layer, endings in enumerate(layers._endings()):
        outputs = []
        for direction, ending in enumerate(endings):
            weights, reverse = layers._weights(ending), direction == 1
            variant = Variant(reverse=reverse, all_states=True, zoneout=layers._draw_zoneout(x))
            initial = tuple(x.new_zeros(1, layers.hidden_size) for _ in program.states)
            result = recurrence(program, x, initial, weights, variant)
            states = tuple(track.squeeze(1) for track in result.states)
            gates = _gates(program, x.squeeze(1), tuple(_before(state, reverse) for state in states), weights)
            found.append(LayerTrace(layer, reverse, dict(zip(program.states, states, strict=True)), gates))
            outputs.append(result.outputs)
        x = torch.cat(outputs, -1)
    return found


def _before(states: Tensor, reverse: bool) -> Tensor:
    """The state before each step, from that after it, (T, H)."""
    nothing = torch.zeros_like(states[:1])
    return torch.cat([states[1:], nothing] if reverse else [nothing, states[:-1]])


def _gates(program: Program, x: Tensor, before: tuple[Tensor, ...], weights: Weights) -> dict[str, Tensor]:
    """Every gate at every step, (T, H): with the states before them known, all steps are computed side by side."""
    projected = F.linear(x, weights.input, weights.input_bias)  # (T, G*H)
    vectors = {} if weights.vectors is None else dict(zip(program.vectors, weights.vectors.unbind(0), strict=True))
    products = split_stages(program, weights, before[0].shape[-1])
    values = evaluate_step(program, projected, before, products, vectors)
    gates = {}
    for gate, index in find_gate_values(program).items():
        parts = [v for v, n in zip(values, program.nodes, strict=True) if n.operation in PROJECTIONS and n.name == gate]
        gates[gate] = values[index] if index is not None else torch.stack(parts).sum(0)
    return gates
