"""The parts that models share as ONNX: embedding, encoder, pooling, dense layers, n-grams.

Axis letters: B batch, T steps, D features of a step, K outputs of a step, N n-grams of all examples, V symbols, C classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.errors import ConfigurationError
from seqwise.export.onnx_graph import Graph
from seqwise.export.onnx_recurrent import Steps, add_recurrent
from seqwise.export.onnx_transformer import add_transformer
from seqwise.layers import Recurrent
from seqwise.models.classifier import DensePart, LinearPart, RecurrentPart
from seqwise.models.encoder import Encoder
from seqwise.models.pooling import Pooling


def array_of(tensor: Tensor) -> np.ndarray:
    """A weight as the model will hold it."""
    found: np.ndarray = tensor.detach().float().cpu().numpy()
    return found


def add_embedding(graph: Graph, embedding: nn.Module, symbols: str, name: str = "embedding") -> str:
    """Symbols (...) -> vectors (..., D); what is partly given and partly learned becomes one table."""
    count = embedding.num_embeddings
    assert isinstance(count, int)
    with torch.no_grad():
        table = array_of(embedding(torch.arange(count)))
    if table.shape == (count, count) and (table == np.eye(count, dtype=np.float32)).all():
        values = graph.constant(np.array([0, 1], np.float32))
        return str(graph.add("OneHot", symbols, graph.integers(count), values, axis=-1))
    return str(graph.add("Gather", graph.constant(table, f"{name}.weight"), symbols, axis=0))


def add_encoder(graph: Graph, encoder: Encoder, x: str, steps: Steps) -> tuple[str, str]:
    """(T, B, D) -> outputs (T, B, K), zero on padding, and what the sequence ends as, (B, K)."""
    if isinstance(encoder.layers, Recurrent):
        outputs, finals = add_recurrent(graph, encoder.layers, x, steps)
        ends = [of_direction[0] for of_direction in finals[-encoder.directions :]]
        return outputs, ends[0] if len(ends) == 1 else graph.add("Concat", *ends, axis=-1)
    outputs = add_transformer(graph, encoder.layers, x, steps)
    return outputs, _last(graph, outputs, steps)


def _last(graph: Graph, outputs: str, steps: Steps) -> str:
    """The output of the last step of each sequence, (B, K); of one of no steps that of the first, which is zero."""
    before = graph.add("Max", graph.add("Sub", steps.lengths, graph.integers(1)), graph.integers(0))
    rows = graph.range(graph.size(outputs, 1))
    places = graph.add("Concat", *(graph.add("Unsqueeze", of, graph.integers(1)) for of in (before, rows)), axis=1)
    return str(graph.add("GatherND", outputs, places))


def add_pooling(graph: Graph, pooling: Pooling, outputs: str, last: str, steps: Steps) -> str:
    """Outputs (T, B, K), zero on padding, and last states (B, K) -> (B, K * names)."""

    def attention() -> str:
        key, query = pooling.key, pooling.query
        keys = graph.linear(outputs, array_of(key.weight), array_of(key.bias), "pooling.key")
        scores = graph.linear(graph.add("Tanh", keys), array_of(query.weight), None, "pooling.query")
        scores = graph.add("Where", steps.valid, scores, graph.number(-np.inf))
        return graph.sum(graph.add("Mul", outputs, graph.add("Softmax", scores, axis=0)), 0)

    def mean() -> str:
        count = graph.add("Unsqueeze", graph.add("Cast", steps.lengths, to=1), graph.integers(1))
        return str(graph.add("Div", graph.sum(outputs, 0), count))

    def largest() -> str:
        return graph.maximum(graph.add("Where", steps.valid, outputs, graph.number(-np.inf)), 0)

    found = {"last": lambda: last, "mean": mean, "max": largest, "attention": attention}
    parts = [found[name]() for name in pooling.names]
    return parts[0] if len(parts) == 1 else str(graph.add("Concat", *parts, axis=-1))


def add_dense(graph: Graph, layers: nn.Sequential, x: str, name: str = "head") -> str:
    """Linear layers, ReLU between them."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            x = graph.linear(x, array_of(layer.weight), array_of(layer.bias), name)
        elif isinstance(layer, nn.ReLU):
            x = graph.add("Relu", x)
        elif not isinstance(layer, nn.Dropout):
            raise ConfigurationError(f"a layer {type(layer).__name__} cannot be exported to ONNX")
    return x


def add_recurrent_part(graph: Graph, part: RecurrentPart, inputs: str, steps: Steps) -> str:
    """Symbols (B, T), or frames (B, T, D) -> logits (B, C)."""
    if part.embedding is None:
        x = graph.transpose(inputs, 1, 0, 2)
    else:
        x = add_embedding(graph, part.embedding, graph.transpose(inputs, 1, 0))
    if part.positions is not None:
        known = graph.integers(part.positions.num_embeddings - 1)
        places = graph.add("Min", graph.range(graph.size(x, 0)), known)
        table = graph.constant(array_of(part.positions.weight), "positions.weight")
        here = graph.add("Unsqueeze", graph.add("Gather", table, places, axis=0), graph.integers(1))
        x = graph.add("Add", x, here)
    outputs, last = add_encoder(graph, part.recurrent, x, steps)
    return add_dense(graph, part.head, add_pooling(graph, part.pooling, outputs, last, steps))


def add_dense_part(graph: Graph, part: DensePart, frames: str) -> str:
    """The first frame of each example -> logits (B, C)."""
    first = graph.add("Gather", frames, graph.constant(np.int64(0)), axis=1)
    return add_dense(graph, part.layers, first, "dense")


def add_linear_part(graph: Graph, part: LinearPart, ids: str, offsets: str, values: str) -> str:
    """N-grams of all examples, (N,), offsets (B,), values (N,) -> logits (B, C): the sum of each example's weighted rows."""
    count, batch = graph.size(ids, 0), graph.size(offsets, 0)
    # Which example each n-gram is of: at every offset one more has begun. One place more takes those that begin at the end.
    places = graph.add("Expand", graph.integers(0), graph.add("Add", count, graph.integers(1)))
    ones = graph.add("Expand", graph.integers(1), batch)
    begun = graph.add("ScatterElements", places, offsets, ones, axis=0, reduction="add")
    examples = graph.add("Sub", graph.add("CumSum", begun, graph.constant(np.int64(0))), graph.integers(1))
    examples = graph.add("Slice", examples, graph.integers(0), count, graph.integers(0))
    rows = graph.add("Gather", graph.constant(array_of(part.weight.weight), "ngrams.weight"), ids, axis=0)
    weighted = graph.add("Mul", rows, graph.add("Unsqueeze", values, graph.integers(1)))
    classes = part.weight.embedding_dim
    indices = graph.add("Expand", graph.add("Unsqueeze", examples, graph.integers(1)), graph.add("Shape", weighted))
    zeros = graph.add("Expand", graph.number(0.0), graph.add("Concat", batch, graph.integers(classes), axis=0))
    total = graph.add("ScatterElements", zeros, indices, weighted, axis=0, reduction="add")
    return str(graph.add("Add", total, graph.constant(array_of(part.bias), "ngrams.bias")))


def input_size(encoder: Encoder) -> int:
    """D of what an encoder reads."""
    layers = encoder.layers
    return layers.input_size if isinstance(layers, Recurrent) else layers.project.in_features
