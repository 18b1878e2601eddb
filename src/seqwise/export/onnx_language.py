"""Language models as ONNX.

Axis letters: B streams, T steps, H size of a layer, V symbols, padding among them.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from seqwise.errors import ConfigurationError
from seqwise.export.onnx_graph import FLOAT, INT64, Graph
from seqwise.export.onnx_parts import array_of
from seqwise.export.onnx_recurrent import add_recurrent, find_steps
from seqwise.layers import Recurrent
from seqwise.models.language import LanguageNetwork


def language_graph(module: LanguageNetwork, opset: int) -> Graph:
    """The whole of a language model.

    Inputs: `symbols` (B, T) int64, all of which exist, and for every layer and state of its cell `state_LAYER_NAME` (B, H)
    float, zero at the beginning. Outputs: `log_probabilities` (B, T, V - 1) float, of every symbol but padding as the next
    one, and for every state `state_LAYER_NAME_after`.

    Raises:
        ConfigurationError: it is a Transformer, whose past grows.
    """
    if module.transformer is not None:
        raise ConfigurationError(
            "a language model that is a Transformer cannot be exported to ONNX: recurrent ones can"
        )
    graph = Graph("seqwise_language_model", opset)
    symbols = graph.input("symbols", INT64, ("batch", "time"))
    given: list[list[str]] = []
    for place, layer in enumerate(module.layers):
        assert isinstance(layer, Recurrent)
        names = layer.cell.program.states
        given.append([graph.input(f"state_{place}_{name}", FLOAT, ("batch", layer.hidden_size)) for name in names])
    lengths = graph.add("Expand", graph.size(symbols, 1), graph.size(symbols, 0))
    table = graph.constant(array_of(module.embedding.weight), "embedding.weight")
    x = graph.add("Gather", table, graph.transpose(symbols, 1, 0), axis=0)
    steps = find_steps(graph, lengths, x, 0)
    for place, (layer, states) in enumerate(zip(module.layers, given, strict=True)):
        assert isinstance(layer, Recurrent)
        begin: list[str | None] = [graph.add("Unsqueeze", state, graph.integers(0)) for state in states]
        x, finals = add_recurrent(graph, layer, x, steps, begin)
        for name, after in zip(layer.cell.program.states, finals[0], strict=True):
            graph.output(after, f"state_{place}_{name}_after", FLOAT, ("batch", layer.hidden_size))
    logs = _add_softmax(graph, module, graph.transpose(x, 1, 0, 2), table)
    graph.output(logs, "log_probabilities", FLOAT, ("batch", "time", module.embedding.num_embeddings - 1))
    return graph


def _add_softmax(graph: Graph, module: LanguageNetwork, x: str, table: str) -> str:
    """What the softmax reads (B, T, H) -> log P of every symbol but padding."""
    if module.adaptive is None:
        assert module.bias is not None
        bias = array_of(module.bias)
        if module.weight is None:  # tied to the embedding: one table is stored, whose first row is padding
            count = graph.integers(module.embedding.num_embeddings)
            symbols = graph.add("Slice", table, graph.integers(1), count, graph.integers(0))
            product = graph.add("MatMul", x, graph.transpose(symbols, 1, 0))
            scores = graph.add("Add", product, graph.constant(bias, "softmax.bias"))
        else:
            scores = graph.linear(x, array_of(module.weight), bias, "softmax")
        return str(graph.add("LogSoftmax", scores, axis=-1))
    adaptive = module.adaptive
    head = graph.add("LogSoftmax", _add_layers(graph, adaptive.head, x), axis=-1)
    frequent = adaptive.shortlist_size
    parts = [graph.add("Slice", head, graph.integers(0), graph.integers(frequent), graph.integers(2))]
    for number, tail in enumerate(adaptive.tail):
        cluster = graph.integers(frequent + number)
        chosen = graph.add("Slice", head, cluster, graph.integers(frequent + number + 1), graph.integers(2))
        within = graph.add("LogSoftmax", _add_layers(graph, tail, x), axis=-1)
        parts.append(graph.add("Add", within, chosen))
    return str(graph.add("Concat", *parts, axis=-1))


def _add_layers(graph: Graph, layers: nn.Module, x: str) -> str:
    """A linear layer, or several one after the other."""
    for layer in [layers] if isinstance(layers, nn.Linear) else list(layers.children()):
        assert isinstance(layer, nn.Linear)
        bias: np.ndarray | None = None if layer.bias is None else array_of(layer.bias)
        x = graph.linear(x, array_of(layer.weight), bias, "adaptive")
    return x
