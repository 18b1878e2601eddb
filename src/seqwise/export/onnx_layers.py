"""Recurrent layers alone as ONNX: any cell, also one of somebody's own, outside of the models of this package.

Axis letters: B batch, T steps, D input features, H hidden units, L layers times directions.
"""

from __future__ import annotations

import onnx
from onnx import ModelProto

from seqwise._version import __version__
from seqwise.export.onnx_graph import FLOAT, INT64, Graph, model_of
from seqwise.export.onnx_recurrent import add_recurrent, find_steps
from seqwise.layers import Recurrent


def layers_to_onnx(layers: Recurrent, opset: int = 17) -> ModelProto:
    """Return recurrent layers as an ONNX model, as they are in evaluation, checked.

    Inputs: `input` (T, B, D), or (B, T, D) where the layers are `batch_first`; `lengths` (B,) int64, 0 to T; and for every
    state of the cell `state_NAME` (L, B, H). Outputs: `output`, laid out as the input, zero beyond the lengths; and
    `state_NAME_after` (L, B, H). What the input holds beyond the lengths is never read.

    Args:
        layers: of any cell, with their weights.
        opset: version of the operators, 17 or higher.
    """
    graph = Graph("seqwise_layers", opset)
    directions = 2 if layers.bidirectional else 1
    count, hidden = layers.num_layers * directions, layers.hidden_size
    order = ("batch", "time") if layers.batch_first else ("time", "batch")
    x = graph.input("input", FLOAT, (*order, layers.input_size))
    lengths = graph.input("lengths", INT64, ("batch",))
    names = layers.cell.program.states
    states: list[str | None] = [graph.input(f"state_{name}", FLOAT, (count, "batch", hidden)) for name in names]
    x = graph.transpose(x, 1, 0, 2) if layers.batch_first else x
    outputs, finals = add_recurrent(graph, layers, x, find_steps(graph, lengths, x, 0), states)
    outputs = graph.transpose(outputs, 1, 0, 2) if layers.batch_first else outputs
    graph.output(outputs, "output", FLOAT, (*order, hidden * directions))
    for name, parts in zip(names, zip(*finals, strict=True), strict=True):
        of_layers = [graph.add("Unsqueeze", part, graph.integers(0)) for part in parts]
        graph.output(graph.add("Concat", *of_layers, axis=0), f"state_{name}_after", FLOAT, (count, "batch", hidden))
    model = model_of(graph, __version__, {"seqwise.cell": layers.cell.program.to_string()})
    onnx.checker.check_model(model, full_check=True)
    return model
