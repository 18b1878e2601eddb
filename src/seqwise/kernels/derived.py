"""BPTT as it is derived from a cell, in plain PyTorch and without autograd: to be read, and to check the kernels by.

Nothing is fused. The forward pass saves the value of every node of every step; the backward pass recomputes nothing.
Whole rows only, from the first step to the last, without masks: what happens around a cell is not its gradient's matter.

Axis letters: B batch, T steps, D input features, H hidden units, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqwise.cells import Derivative, Program, derive
from seqwise.kernels.contract import Gradients, Result, Upstream, Weights
from seqwise.kernels.reference import Product, evaluate_elementwise, evaluate_step, split_stages


def forward(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights
) -> tuple[Result, list[list[Any]]]:
    """Run the recurrence and keep everything.

    Args:
        program: The cell.
        x: (T, B, D).
        initial: For each state (B, H).
        weights: See `Weights`.

    Returns:
        Outputs, final states and all states; for each step the value of each node of the program, (B, H) mostly.
    """
    products = split_stages(program, weights, initial[0].shape[1])
    vectors = {} if weights.vectors is None else dict(zip(program.vectors, weights.vectors.unbind(0), strict=True))
    states, saved = initial, []
    for projected in F.linear(x, weights.input, weights.input_bias):  # (B, Gx*H)
        values = evaluate_step(program, projected, states, products, vectors)
        states = tuple(values[out] for out in program.outputs)
        saved.append(values)
    tracks = tuple(torch.stack([values[out] for values in saved]) for out in program.outputs)  # (T, B, H)
    return Result(tracks[0], states, tracks), saved


def backward(
    program: Program,
    x: Tensor,
    initial: tuple[Tensor, ...],
    weights: Weights,
    saved: list[list[Any]],
    upstream: Upstream,
) -> Gradients:
    """Gradients of everything that `forward` read.

    Args:
        program: The cell.
        x: As given to `forward`; so the next two.
        initial: The same.
        weights: The same.
        saved: What `forward` saved.
        upstream: Gradients of its result.
    """
    derivative = derive(program)
    products = split_stages(program, weights, initial[0].shape[1])
    arriving = tuple(_or_zero(d, s) for d, s in zip(upstream.finals, initial, strict=True))  # dL / d(state after t)
    adjoints = []
    for t in reversed(range(len(x))):
        arriving = tuple(d + _from_outside(upstream, k, t) for k, d in enumerate(arriving))
        adjoints.append(_undo_step(derivative, saved[t], arriving, products))
        arriving = adjoints[-1].states
    adjoints.reverse()

    d_input = _join(step.input_gates for step in adjoints)  # (T, B, Gx*H)
    d_weights = Weights(torch.einsum("tbg,tbd->gd", d_input, x))  # d_input also reaches x, through F.linear(x, W, b)
    if weights.input_bias is not None:
        d_weights = d_weights._replace(input_bias=d_input.sum((0, 1)))
    if products:
        d_recurrent = _join(step.recurrent_gates for step in adjoints)  # (T, B, Gh*H)
        d_weights = d_weights._replace(recurrent=_undo_products(program, saved, d_recurrent))
        if weights.recurrent_bias is not None:
            d_weights = d_weights._replace(recurrent_bias=d_recurrent.sum((0, 1)))
    if program.vectors:
        d_vectors = torch.stack([torch.stack(step.vectors) for step in adjoints])  # (T, vectors, B, H)
        d_weights = d_weights._replace(vectors=d_vectors.sum((0, 2)))
    return Gradients(d_input @ weights.input, arriving, d_weights)


class _Adjoints(NamedTuple):
    """dL / d(what one step read), (B, H) each: the fields of the same names of `Derivative`, as values."""

    states: tuple[Tensor, ...]
    input_gates: tuple[Tensor, ...]
    recurrent_gates: tuple[Tensor, ...]
    vectors: tuple[Tensor, ...]


def _undo_step(
    derivative: Derivative, saved: list[Any], arriving: tuple[Tensor, ...], products: dict[int, Product]
) -> _Adjoints:
    """One step of the backward loop: the derived nodes, one after the other."""
    program = derivative.program
    upstream = dict(zip(program.states, arriving, strict=True))
    values = list(saved)
    for node in derivative.nodes[len(saved) :]:
        match node.operation:
            case "upstream":
                value: Any = upstream[node.name]
            case "transposed":  # undoes F.linear(operand, U, b) of one stage
                gates = [_fill(values[gate], arriving[0]) for gate in node.arguments]
                value = torch.cat(gates, -1) @ products[program.stages[int(node.value)].operand].matrix
            case _:
                value = evaluate_elementwise(node, values)
        values.append(value)
    found = (derivative.states, derivative.input_gates, derivative.recurrent_gates, derivative.vectors)
    return _Adjoints(*(tuple(_fill(values[index], arriving[0]) for index in group) for group in found))


def _undo_products(program: Program, saved: list[list[Any]], d_recurrent: Tensor) -> Tensor:
    """dL / dU, (Gh*H, H): for each stage the sum over steps and rows of (adjoint of its gates) times (its operand)."""
    hidden = d_recurrent.shape[-1] // len(program.recurrent_gates)
    blocks = []
    sizes = [len(stage.gates) * hidden for stage in program.stages]
    for stage, d_gates in zip(program.stages, d_recurrent.split(sizes, -1), strict=True):
        operands = torch.stack([values[stage.operand] for values in saved])  # (T, B, H)
        blocks.append(torch.einsum("tbg,tbh->gh", d_gates, operands))
    return torch.cat(blocks)


def _join(steps: Iterable[tuple[Tensor, ...]]) -> Tensor:
    return torch.stack([torch.cat(gates, -1) for gates in steps])


def _from_outside(upstream: Upstream, state: int, t: int) -> Tensor | float:
    """What the loss itself says about a state after step t, as opposed to what comes back from step t + 1."""
    track = upstream.states[state] if upstream.states else None
    parts = [track, upstream.outputs if state == 0 else None]
    return sum((part[t] for part in parts if part is not None), 0.0)


def _or_zero(tensor: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if tensor is None else tensor


def _fill(value: Any, like: Tensor) -> Tensor:
    """An adjoint that no gradient reaches is the number 0, and one that is the same for all rows may be (H,)."""
    return value.expand_as(like) if isinstance(value, Tensor) else torch.full_like(like, value)
