"""BPTT as it is derived from a cell, in plain PyTorch and without autograd: to be read, and to check the kernels by.

Nothing is fused. The forward pass saves the value of every node of every step; the backward pass recomputes nothing.
Whole rows only, from the first step to the last, without masks: what happens around a cell is not its gradient's matter.

Axis letters: B batch, T steps, D input features, H hidden units, V vectors, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqwise.cells import Derivative, Program, derive
from seqwise.kernels.contract import Gradients, Result, Upstream, Weights
from seqwise.kernels.reference import Product, evaluate_elementwise, evaluate_step, split_stages

Saved = list[list[Any]]
"""For each step the value of each node of the program, (B, H) mostly."""


def forward(program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights) -> tuple[Result, Saved]:
    """Run the recurrence and keep everything.

    Args:
        program: The cell.
        x: (T, B, D).
        initial: For each state (B, H).
        weights: See `Weights`.

    Returns:
        Outputs, final states and all states; what `backward` needs.
    """
    products = split_stages(program, weights, initial[0].shape[1])
    vectors = {} if weights.vectors is None else dict(zip(program.vectors, weights.vectors.unbind(0), strict=True))
    states, saved = initial, []
    for projected in F.linear(x, weights.input, weights.input_bias):  # (B, Gx*H)
        saved.append(evaluate_step(program, projected, states, products, vectors))
        states = tuple(saved[-1][out] for out in program.outputs)
    tracks = tuple(torch.stack([values[out] for values in saved]) for out in program.outputs)  # (T, B, H)
    return Result(tracks[0], states, tracks), saved


def backward(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, saved: Saved, upstream: Upstream
) -> Gradients:
    """Gradients of everything that `forward` read: its arguments, what it saved, and the gradients of its result."""
    derivative, hidden = derive(program), initial[0].shape[1]
    products = split_stages(program, weights, hidden)
    tracks = [(0, upstream.outputs), *enumerate(upstream.states)]  # what the loss says about states after each step
    arriving = [torch.zeros_like(s) if d is None else d for s, d in zip(initial, upstream.finals, strict=True)]
    steps: list[list[Tensor]] = []
    for t in reversed(range(len(x))):
        for state, track in tracks:
            arriving[state] = arriving[state] + (0.0 if track is None else track[t])
        arriving, *step = _undo_step(derivative, saved[t], arriving, products)
        steps.insert(0, step)
    d_input, d_recurrent, d_vectors = (torch.stack(part) for part in zip(*steps, strict=True))  # (T, B, ...)

    blocks = [d_recurrent.new_empty(0, hidden)]  # of dU, stage by stage: (adjoints of its gates) times (its operand)
    widths = [len(stage.gates) * hidden for stage in program.stages]
    for stage, d_gates in zip(program.stages, d_recurrent.split(widths, -1) if widths else (), strict=True):
        operands = torch.stack([values[stage.operand] for values in saved])  # (T, B, H)
        blocks.append(torch.einsum("tbg,tbh->gh", d_gates, operands))
    found = Weights(  # of F.linear(x, W, b) and F.linear(operand, U, b)
        input=torch.einsum("tbg,tbd->gd", d_input, x),
        recurrent=torch.cat(blocks),
        input_bias=d_input.sum((0, 1)),
        recurrent_bias=d_recurrent.sum((0, 1)),
        vectors=d_vectors.sum((0, 1)).unflatten(0, (-1, hidden)) if program.vectors else None,
    )
    wanted = (None if weight is None else gradient for gradient, weight in zip(found, weights, strict=True))
    return Gradients(d_input @ weights.input, tuple(arriving), Weights(*wanted))  # type: ignore[arg-type]  # input is wanted


def _undo_step(
    derivative: Derivative, saved: list[Any], arriving: list[Tensor], products: dict[int, Product]
) -> tuple[Any, ...]:
    """One step of the backward loop: the derived nodes, one after the other.

    Returns:
        Adjoints of the states before, and of input gates (B, Gx*H), recurrent gates (B, Gh*H) and vectors (B, V*H).
    """
    upstream = dict(zip(derivative.program.states, arriving, strict=True))
    values = list(saved)

    def take(nodes: tuple[int, ...]) -> list[Tensor]:
        # What no gradient reaches is the number 0, and what is the same for all rows may be (H,).
        return [torch.as_tensor(values[node]).to(arriving[0]).expand_as(arriving[0]) for node in nodes]

    for node in derivative.nodes[len(saved) :]:
        match node.operation:
            case "upstream":
                value: Any = upstream[node.name]
            case "transposed":  # undoes F.linear(operand, U, b) of one stage
                operand = derivative.program.stages[int(node.value)].operand
                value = torch.cat(take(node.arguments), -1) @ products[operand].matrix
            case _:
                value = evaluate_elementwise(node, values)
        values.append(value)
    nothing = arriving[0][:, :0]  # torch.cat refuses an empty list
    gates = (derivative.input_gates, derivative.recurrent_gates, derivative.vectors)
    return take(derivative.states), *(torch.cat([nothing, *take(group)], -1) for group in gates)
