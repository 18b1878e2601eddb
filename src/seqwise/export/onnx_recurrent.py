"""Recurrent layers as ONNX: RNN, GRU and LSTM where the equations are ONNX's, otherwise Scan.

ONNX orders the LSTM's gates i, o, f, c and the GRU's z, r, h, and its GRU blends (1 - z) n + z h, as torch.nn does. The GRU
of the lectures blends the other way round: sigmoid(-a) = 1 - sigmoid(a), so the rows of z change their sign.
`linear_before_reset` is 1 for torch.nn's GRU, whose reset acts after the product, and 0 for the original one.

Axis letters: B batch, T steps, D input features, H hidden units, L layers times directions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqwise.cells import Program, gru, gru_reset_after, lstm, rnn, rnn_relu
from seqwise.export.onnx_cells import scan_cell
from seqwise.export.onnx_graph import INT32, Graph
from seqwise.layers import Recurrent


class Operator(NamedTuple):
    """An operator of ONNX that computes a cell.

    Attributes:
        name: of the operator.
        gates: in its order, by their names in our equation.
        turned: gates whose rows change their sign.
        attributes: further ones.
    """

    name: str
    gates: tuple[str, ...]
    turned: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, Any], ...] = ()


OPERATORS: dict[Program, Operator] = {
    rnn.program: Operator("RNN", ("h",), attributes=(("activations", ["Tanh"]),)),
    rnn_relu.program: Operator("RNN", ("h",), attributes=(("activations", ["Relu"]),)),
    gru.program: Operator("GRU", ("z", "r", "n"), frozenset("z"), (("linear_before_reset", 0),)),
    gru_reset_after.program: Operator("GRU", ("z", "r", "n"), attributes=(("linear_before_reset", 1),)),
    lstm.program: Operator("LSTM", ("i", "o", "f", "g")),
}


class Arrays(NamedTuple):
    """The parameters of one layer in one direction, as `ops.Weights` in NumPy."""

    input: np.ndarray
    recurrent: np.ndarray | None
    input_bias: np.ndarray | None
    recurrent_bias: np.ndarray | None
    vectors: np.ndarray | None


class Steps(NamedTuple):
    """Which steps exist, in the forms that the operators want.

    Attributes:
        lengths: (B,) int64.
        valid: (T, B, 1) bool.
    """

    lengths: str
    valid: str


def find_steps(graph: Graph, lengths: str, sequences: str, axis: int) -> Steps:
    """The steps that exist, where `axis` of some value has T."""
    places = graph.add("Unsqueeze", graph.range(graph.size(sequences, axis)), graph.integers(1))
    valid = graph.add("Less", places, graph.add("Unsqueeze", lengths, graph.integers(0)))
    return Steps(lengths, graph.add("Unsqueeze", valid, graph.integers(2)))


def add_recurrent(
    graph: Graph, layers: Recurrent, x: str, steps: Steps, states: list[str | None] | None = None
) -> tuple[str, list[list[str]]]:
    """Run all layers in evaluation.

    Args:
        graph: that is added to.
        layers: with their weights, in float32.
        x: (T, B, D).
        steps: that exist.
        states: to begin with, (L, B, H) each; None: zeros.

    Returns:
        Outputs (T, B, H * directions), zero on padding; and for each layer and direction, in that order, the states after
        the last step, (B, H) each.
    """
    program, hidden = layers.cell.program, layers.hidden_size
    operator = None if layers.zoneout else OPERATORS.get(program)
    number, finals = 0, []
    for endings in layers._endings():
        weights = [_arrays(layers, ending) for ending in endings]
        own = []
        for _ in endings:
            given = states or [None] * len(program.states)
            own.append([_initial(graph, of, number, x, hidden) for of in given])
            number += 1
        if operator is not None:
            x, of_layer = _add_operator(graph, operator, program, x, steps, own, weights, hidden)
            if states is not None:  # without a step the state stays; the operators make it zero
                ran = graph.add("Unsqueeze", graph.add("Greater", steps.lengths, graph.integers(0)), graph.integers(1))
                pairs = [zip(after, before, strict=True) for after, before in zip(of_layer, own, strict=True)]
                of_layer = [[graph.add("Where", ran, after, before) for after, before in pair] for pair in pairs]
        else:
            parts, of_layer = [], []
            for direction, arrays in enumerate(weights):
                outputs, after = scan_cell(
                    *(graph, program, x, steps.valid, own[direction], arrays),
                    hidden=hidden,
                    reverse=direction == 1,
                    zoneout=layers.zoneout,
                )
                parts.append(outputs)
                of_layer.append(after)
            x = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=-1)
        finals += of_layer
    return x, finals


def _add_operator(
    graph: Graph,
    operator: Operator,
    program: Program,
    x: str,
    steps: Steps,
    states: list[list[str]],
    weights: list[Arrays],
    hidden: int,
) -> tuple[str, list[list[str]]]:
    """One layer in all directions through ONNX's own operator."""
    directions = len(weights)
    arranged = [_arrange(operator, program, arrays, hidden) for arrays in weights]
    constants = [
        graph.constant(np.stack(parts), f"{operator.name.lower()}.{name}")
        for name, parts in zip("WRB", zip(*arranged, strict=True), strict=True)
    ]
    initial = [
        graph.add("Concat", *(graph.add("Unsqueeze", of[k], graph.integers(0)) for of in states), axis=0)
        for k in range(len(program.states))
    ]
    attributes = dict(operator.attributes)
    if "activations" in attributes:
        attributes["activations"] = attributes["activations"] * directions
    outputs, *finals = graph.add(
        operator.name,
        x,
        *constants,
        graph.add("Cast", steps.lengths, to=INT32),
        *initial,
        outputs=1 + len(initial),
        hidden_size=hidden,
        direction="bidirectional" if directions == 2 else "forward",
        **attributes,
    )
    joined = graph.reshape(graph.transpose(outputs, 0, 2, 1, 3), 0, 0, directions * hidden)  # (T, B, directions * H)
    of_layer = [
        [graph.add("Gather", state, graph.constant(np.int64(direction)), axis=0) for state in finals]
        for direction in range(directions)
    ]
    # The operator promises nothing about padding.
    return graph.add("Where", steps.valid, joined, graph.number(0.0)), of_layer


def _arrange(operator: Operator, program: Program, arrays: Arrays, hidden: int) -> tuple[np.ndarray, ...]:
    """W (G*H, D), R (G*H, H) and both biases (2*G*H,) in the operator's order of gates."""

    def rows(values: np.ndarray | None, order: tuple[str, ...]) -> np.ndarray:
        if values is None:
            return np.zeros(len(operator.gates) * hidden, np.float32)
        blocks = dict(zip(order, np.split(values, len(order)), strict=True))
        return np.concatenate([-blocks[gate] if gate in operator.turned else blocks[gate] for gate in operator.gates])

    order, recurrent = program.input_gates, program.recurrent_gates
    biases = [rows(arrays.input_bias, order), rows(arrays.recurrent_bias, recurrent)]
    return rows(arrays.input, order), rows(arrays.recurrent, recurrent), np.concatenate(biases)


def _initial(graph: Graph, states: str | None, number: int, x: str, hidden: int) -> str:
    """The state that a layer and direction begins with, (B, H)."""
    if states is not None:
        return str(graph.add("Gather", states, graph.constant(np.int64(number)), axis=0))
    shape = graph.add("Concat", graph.size(x, 1), graph.integers(hidden), axis=0)
    return str(graph.add("Expand", graph.number(0.0), shape))


def _arrays(layers: Recurrent, ending: str) -> Arrays:
    weights: list[Any] = [None if of is None else of.detach().float().cpu().numpy() for of in layers._weights(ending)]
    return Arrays(*weights)
