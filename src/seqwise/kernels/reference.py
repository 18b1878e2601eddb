"""The oracle: any program as a plain loop over time, on any device and dtype, differentiable as often as PyTorch can.

Only the input projection is hoisted out of the loop. Rows that have ended take no part in a step (as opposed to being
masked after it), so that a cell which divides or takes a logarithm cannot turn padding into a NaN gradient.

Axis letters: B batch, n rows still running, T steps, D input features, H hidden units, G gates.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqwise.cells import Node, Program
from seqwise.kernels.contract import Result, Variant, Weights

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": lambda v: -F.logsigmoid(-v),  # F.softplus is linear above 20, which float64 can tell
    "sin": torch.sin,
    "cos": torch.cos,
    "absolute": torch.abs,
    "sign": torch.sign,
    "masked": lambda v, w: torch.where(w > 0, v, 0.0),
}
"""The elementwise operations of programs and derivatives, `power` excepted."""


def find_obstacle(program: Program, variant: Variant, x: Tensor | None = None) -> str:
    """Nothing keeps the reference from anything: an empty string."""
    return ""


def forward(program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant) -> Result:
    """Run the recurrence.

    Args:
        program: The cell.
        x: (T, B, D); what it holds on padding is never read.
        initial: For each state (B, H).
        weights: See `Weights`.
        variant: See `Variant`.

    Returns:
        See `Result`.
    """
    steps, batch = x.shape[:2]
    order, running, valid = _schedule(variant.lengths, steps, batch)  # rows longest first, n at each step, (T, B)
    if valid is not None:
        x = torch.where(valid.unsqueeze(-1), x, 0.0)  # not a product: 0 * NaN is NaN
    if variant.input_mask is not None:
        x = x * variant.input_mask
    projected = F.linear(x, weights.input, weights.input_bias).unbind(0)  # T times (B, G*H)
    survives = find_survivors(variant, valid)  # (T, B, 1), False where the states are zeroed before the step
    products = split_stages(program, weights, initial[0].shape[1])
    vectors = {} if weights.vectors is None else dict(zip(program.vectors, weights.vectors.unbind(0), strict=True))

    states = initial
    history: list[tuple[Tensor, ...]] = [states] * steps
    for t in reversed(range(steps)) if variant.reverse else range(steps):
        if running[t] == 0:
            continue
        whole = running[t] == batch
        rows = order[: running[t]]  # (n,)
        now = projected[t] if whole else projected[t][rows]  # (n, G*H)
        old = states if whole else tuple(s[rows] for s in states)  # (n, H)
        if survives is not None:
            alive = survives[t] if whole else survives[t][rows]
            old = tuple(torch.where(alive, s, 0.0) for s in old)
        mask = variant.recurrent_mask if whole or variant.recurrent_mask is None else variant.recurrent_mask[rows]
        values = evaluate_step(program, now, old, products, vectors, mask)
        new = tuple(values[out] for out in program.outputs)
        if variant.zoneout is not None:
            kept = variant.zoneout.expand(-1, steps, batch, -1)[:, t]
            kept = kept if whole else kept[:, rows]  # (S, n, H)
            new = tuple(k * o + (1 - k) * n for k, o, n in zip(kept, old, new, strict=True))
        states = new if whole else tuple(s.index_copy(0, rows, n) for s, n in zip(states, new, strict=True))
        history[t] = states

    wanted = len(states) if variant.all_states else 1
    tracks = tuple(torch.stack([h[k] for h in history]) for k in range(wanted))  # (T, B, H)
    if valid is not None:
        tracks = tuple(torch.where(valid.unsqueeze(-1), track, 0.0) for track in tracks)
    return Result(tracks[0], states, tracks if variant.all_states else ())


def evaluate_step(
    program: Program,
    projected: Tensor,
    states: tuple[Tensor, ...],
    products: dict[int, Product],
    vectors: dict[str, Tensor],
    mask: Tensor | None = None,
) -> list[Any]:
    """One step: the projected input (n, G*H) and the states (n, H) give the value of every node, (n, H) mostly."""
    inputs = dict(zip(program.input_gates, projected.chunk(len(program.input_gates), -1), strict=True))
    named = dict(zip(program.states, states, strict=True))
    recurrent: dict[str, Tensor] = {}
    values: list[Any] = []
    for node in program.nodes:
        match node.operation:
            case "input":
                value: Any = inputs[node.name]
            case "state":
                value = named[node.name]
            case "vector":
                value = vectors[node.name]
            case "recurrent":
                if node.name not in recurrent:  # the first gate of a stage computes all of them
                    gates, matrix, bias = products[node.arguments[0]]
                    operand = values[node.arguments[0]]
                    operand = operand if mask is None else operand * mask
                    recurrent |= zip(gates, F.linear(operand, matrix, bias).chunk(len(gates), -1), strict=True)
                value = recurrent[node.name]
            case _:
                value = evaluate_elementwise(node, values)
        values.append(value)
    return values


def evaluate_elementwise(node: Node, values: list[Any]) -> Any:
    """The value of a constant (a number) or of an elementwise operation, given the values of the nodes before it."""
    match node.operation:
        case "constant":
            return node.value
        case "power":
            return values[node.arguments[0]] ** node.value
        case function:
            return FUNCTIONS[function](*(values[a] for a in node.arguments))


class Product(NamedTuple):
    """A stage's rows of the recurrent weights: U (g*H, H) and b (g*H,) for its g gates."""

    gates: tuple[str, ...]
    matrix: Tensor
    bias: Tensor | None


def split_stages(program: Program, weights: Weights, hidden: int) -> dict[int, Product]:
    """The product that each stage's operand enters."""
    if weights.recurrent is None:
        return {}
    sizes = [len(stage.gates) * hidden for stage in program.stages]
    matrices = weights.recurrent.split(sizes)
    biases = [None] * len(sizes) if weights.recurrent_bias is None else weights.recurrent_bias.split(sizes)
    return {s.operand: Product(s.gates, u, b) for s, u, b in zip(program.stages, matrices, biases, strict=True)}


def _schedule(lengths: Tensor | None, steps: int, batch: int) -> tuple[Tensor, list[int], Tensor | None]:
    """Rows from longest to shortest, how many of them run at each step, and which (T, B) exist (None: all)."""
    if lengths is None:
        return torch.empty(0), [batch] * steps, None
    valid = torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths
    return lengths.argsort(descending=True, stable=True), valid.sum(1).tolist(), valid


def find_survivors(variant: Variant, valid: Tensor | None) -> Tensor | None:
    """(T, B, 1), True where the state survives from the step before (in the direction of running) to this one."""
    if variant.resets is None:
        return None
    cut = variant.resets if valid is None else variant.resets & valid  # a reset on padding means nothing
    if variant.reverse:  # a reset at t cuts between t - 1 and t, which the reverse direction crosses before t - 1
        cut = torch.cat([cut[1:], torch.zeros_like(cut[:1])])
    return ~cut.unsqueeze(-1)
