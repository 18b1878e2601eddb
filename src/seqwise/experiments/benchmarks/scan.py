"""An optional peer: the same cell through `jax.lax.scan`, compiled by XLA, gradients by JAX.

Axis letters: B batch, T steps, D input features, H hidden units, G gates.
"""

from __future__ import annotations

import importlib
import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.experiments.benchmarks.cases import Case, Side

_BINARY = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}


def scan_side(case: Case) -> Side | None:
    """Forward and backward under one `jax.jit`, or None where JAX is not installed."""
    try:
        jax: Any = importlib.import_module("jax")
    except ImportError:
        return None
    leaves = {name: jax.numpy.asarray(value.detach().numpy()) for name, value in case.leaves().items()}
    upstream = tuple(jax.numpy.asarray(u.numpy()) for u in case.upstream)

    @jax.jit
    def train(leaves: Any, mask: Any) -> Any:
        values, backward = jax.vjp(lambda given: _run(jax, case.cell.program, given, mask), leaves)
        return values, backward(upstream)[0]

    def run() -> Any:
        mask = case.draw_mask()
        return jax.block_until_ready(train(leaves, None if mask is None else jax.numpy.asarray(mask.numpy())))

    def results() -> dict[str, Tensor]:
        values, gradients = run()
        names = ["outputs", *(f"final {s}" for s in case.cell.program.states)]
        named = dict(zip(names, values, strict=True)) | {f"gradient of {n}": g for n, g in gradients.items()}
        return {name: torch.from_numpy(np.array(value)) for name, value in named.items()}

    return Side("jax.lax.scan", run, results)


def _run(jax: Any, program: Program, leaves: dict[str, Any], mask: Any) -> tuple[Any, ...]:
    """Outputs (T, B, H) and final states; the input projection of all steps is one product before the scan."""
    projected = leaves["x"] @ leaves["weights input"].T + leaves["weights input_bias"]
    initial = tuple(leaves[f"initial {s}"] for s in program.states)

    def step(states: tuple[Any, ...], now: Any) -> tuple[tuple[Any, ...], Any]:
        states = _step(jax, program, leaves, now, states, mask)
        return states, states[0]

    finals, outputs = jax.lax.scan(step, initial, projected)
    return outputs, *finals


def _step(
    jax: Any, program: Program, leaves: dict[str, Any], now: Any, states: tuple[Any, ...], mask: Any
) -> tuple[Any, ...]:
    """One step, node by node while it is traced: XLA sees the equation written out, one product per stage."""
    inputs = dict(zip(program.input_gates, _split(jax, now, len(program.input_gates)), strict=True))
    named = dict(zip(program.states, states, strict=True))
    vectors = dict(zip(program.vectors, leaves.get("weights vectors", ()), strict=True))
    size, recurrent, row = states[0].shape[1], dict[str, Any](), 0
    values: list[Any] = []
    for index, node in enumerate(program.nodes):
        arguments = [values[a] for a in node.arguments]
        match node.operation:
            case "constant":
                value: Any = node.value
            case "input":
                value = inputs[node.name]
            case "state":
                value = named[node.name]
            case "vector":
                value = vectors[node.name]
            case "recurrent":
                value = recurrent[node.name]
            case "power":
                value = arguments[0] ** node.value
            case "negative":
                value = -arguments[0]
            case operation if operation in _BINARY:
                value = _BINARY[operation](*arguments)
            case operation:
                value = getattr(jax.nn if hasattr(jax.nn, operation) else jax.numpy, operation)(*arguments)
        values.append(value)
        for stage in (s for s in program.stages if s.operand == index):
            rows = slice(row, row := row + len(stage.gates) * size)
            operand = value if mask is None else value * mask
            product = operand @ leaves["weights recurrent"][rows].T + leaves["weights recurrent_bias"][rows]
            recurrent |= zip(stage.gates, _split(jax, product, len(stage.gates)), strict=True)
    return tuple(values[out] for out in program.outputs)


def _split(jax: Any, value: Any, parts: int) -> Any:
    return jax.numpy.split(value, parts, axis=-1)
