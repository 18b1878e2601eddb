"""A cell's program as the body of an ONNX Scan: what `kernels.reference` is in PyTorch, node by node.

Scan knows no lengths: a step that does not exist leaves the states as they are and gives zero.

Axis letters: B batch, T steps, H hidden units, G gates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqwise.cells import Program
from seqwise.export.onnx_graph import BOOL, FLOAT, Graph

OPERATORS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "softplus": "Softplus",
    "sin": "Sin",
    "cos": "Cos",
    "absolute": "Abs",
}


def scan_cell(
    graph: Graph,
    program: Program,
    x: str,
    valid: str,
    initial: list[str],
    weights: Any,
    *,
    hidden: int,
    reverse: bool,
    zoneout: float = 0.0,
) -> tuple[str, list[str]]:
    """Run a cell over time.

    Args:
        graph: that is added to.
        program: the cell.
        x: (T, B, D).
        valid: (T, B, 1) bool, which steps exist.
        initial: for each state (B, H).
        weights: with `input`, `recurrent`, `input_bias`, `recurrent_bias` and `vectors`, as arrays or None.
        hidden: H.
        reverse: from the last step to the first.
        zoneout: share of each state that is kept from the step before.

    Returns:
        Outputs (T, B, H), zero on padding; and for each state (B, H), its value after the last step of the row.
    """
    projected = graph.linear(x, weights.input, weights.input_bias, "input")  # (T, B, G*H), hoisted out of the loop
    body = Graph(f"{program.name}_step", graph.opset, outer=graph)
    states = [body.input(f"{name}_before", FLOAT, ("batch", hidden)) for name in program.states]
    now = body.input("projected", FLOAT, ("batch", len(program.input_gates) * hidden))
    exists = body.input("exists", BOOL, ("batch", 1))
    values = _nodes(body, program, now, dict(zip(program.states, states, strict=True)), weights, hidden)
    after = []
    for old, place in zip(states, program.outputs, strict=True):
        new = values[place]
        if zoneout:
            kept = body.add("Mul", old, body.number(zoneout))
            new = body.add("Add", kept, body.add("Mul", new, body.number(1 - zoneout)))
        after.append(body.add("Where", exists, new, old))
    output = body.add("Where", exists, after[0], body.number(0.0))
    for name, value in zip(program.states, after, strict=True):
        body.output(value, f"{name}_after", FLOAT, ("batch", hidden))
    body.output(output, "step_output", FLOAT, ("batch", hidden))
    direction = int(reverse)
    *finals, outputs = graph.add(
        "Scan",
        *initial,
        projected,
        valid,
        outputs=len(states) + 1,
        body=body.finish(),
        num_scan_inputs=2,
        scan_input_directions=[direction, direction],
        scan_output_directions=[direction],
    )
    return outputs, finals


def _nodes(body: Graph, program: Program, now: str, states: dict[str, str], weights: Any, hidden: int) -> list[str]:
    """The name of the value of every node of the program."""
    inputs = dict(zip(program.input_gates, _split(body, now, len(program.input_gates), hidden), strict=True))
    rows = np.cumsum([0, *(len(stage.gates) * hidden for stage in program.stages)])
    stages = {stage.operand: (stage.gates, slice(*rows[i : i + 2])) for i, stage in enumerate(program.stages)}
    recurrent: dict[str, str] = {}
    values: list[str] = []
    for node in program.nodes:
        arguments = [values[place] for place in node.arguments]
        match node.operation:
            case "input":
                value = inputs[node.name]
            case "state":
                value = states[node.name]
            case "vector":
                value = body.constant(weights.vectors[program.vectors.index(node.name)], f"p.{node.name}")
            case "constant":
                value = body.number(node.value)
            case "recurrent":
                if node.name not in recurrent:  # the first gate of a stage computes all of them
                    gates, part = stages[node.arguments[0]]
                    bias = None if weights.recurrent_bias is None else weights.recurrent_bias[part]
                    product = body.linear(arguments[0], weights.recurrent[part], bias, "recurrent")
                    recurrent |= zip(gates, _split(body, product, len(gates), hidden), strict=True)
                value = recurrent[node.name]
            case "power":
                value = body.add("Pow", arguments[0], body.number(node.value))
            case operation:
                value = body.add(OPERATORS[operation], *arguments)
        values.append(value)
    return values


def _split(body: Graph, value: str, parts: int, hidden: int) -> list[str]:
    """(B, parts * H) -> so many (B, H)."""
    if parts == 1:
        return [value]
    found: list[str] = body.add("Split", value, body.integers(*[hidden] * parts), outputs=parts, axis=-1)
    return found
