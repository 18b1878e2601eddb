"""Classifiers and regressors of sequences as ONNX.

Axis letters: B batch, T steps, D numbers of a frame, N n-grams of all examples, C classes.
"""

from __future__ import annotations

from torch import nn

from seqwise.errors import ConfigurationError
from seqwise.export.onnx_graph import FLOAT, INT64, Graph
from seqwise.export.onnx_parts import add_dense_part, add_linear_part, add_recurrent_part, array_of, input_size
from seqwise.export.onnx_recurrent import find_steps
from seqwise.models.classifier import DensePart, LinearPart, RecurrentPart, SequenceModel


def classifier_graph(module: SequenceModel, opset: int) -> Graph:
    """The whole of a classifier or regressor.

    Inputs, as far as the model reads them: `tokens` (B, T) int64, padded with 0, or `frames` (B, T, D) float, padded with 0;
    `lengths` (B,) int64, of which none is 0; `ngram_ids` (N,) int64, `ngram_offsets` (B,) int64 (where each example begins)
    and `ngram_values` (N,) float. Output: `logits` (B, C) float.

    Raises:
        ConfigurationError: the model has a part that ONNX is not known for.
    """
    graph = Graph("seqwise_classifier", opset)
    parts = list(module.parts.values())
    sequences = lengths = ids = offsets = values = ""
    for part in parts:
        if isinstance(part, LinearPart):
            ids = graph.input("ngram_ids", INT64, ("ngrams",))
            offsets = graph.input("ngram_offsets", INT64, ("batch",))
            values = graph.input("ngram_values", FLOAT, ("ngrams",))
        elif isinstance(part, RecurrentPart | DensePart):
            sequences = _sequences(graph, part)
            if isinstance(part, RecurrentPart):
                lengths = graph.input("lengths", INT64, ("batch",))
    total = graph.constant(array_of(module.shift), "shift")
    for part, scale in zip(parts, array_of(module.scales).tolist(), strict=True):
        if isinstance(part, LinearPart):
            logits = add_linear_part(graph, part, ids, offsets, values)
        elif isinstance(part, DensePart):
            logits = add_dense_part(graph, part, sequences)
        elif isinstance(part, RecurrentPart):
            logits = add_recurrent_part(graph, part, sequences, find_steps(graph, lengths, sequences, 1))
        else:
            raise ConfigurationError(f"a part {type(part).__name__} cannot be exported to ONNX")
        total = graph.add("Add", graph.add("Mul", logits, graph.number(scale)), total)
    graph.output(total, "logits", FLOAT, ("batch", len(module.shift)))
    return graph


def _sequences(graph: Graph, part: RecurrentPart | DensePart) -> str:
    if isinstance(part, RecurrentPart):
        if part.embedding is not None:
            return graph.input("tokens", INT64, ("batch", "time"))
        return graph.input("frames", FLOAT, ("batch", "time", input_size(part.recurrent)))
    first = part.layers[0]
    assert isinstance(first, nn.Linear)
    return graph.input("frames", FLOAT, ("batch", "time", first.in_features))
