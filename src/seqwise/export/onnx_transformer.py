"""A Transformer encoder as ONNX, operator by operator: what `models.transformer` computes for whole sequences.

Axis letters: B batch, T steps, W width, N heads, K = W / N.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor, nn

from seqwise.export.onnx_graph import FLOAT, Graph
from seqwise.export.onnx_recurrent import Steps
from seqwise.models.attention import LONGEST_WAVE, Attention, Block
from seqwise.models.transformer import TransformerEncoder

LOWEST = -1e30
"""Score of a step that may not be looked at: so far from every other that its weight is zero."""


def add_transformer(graph: Graph, encoder: TransformerEncoder, x: str, steps: Steps) -> str:
    """Read whole sequences.

    Args:
        graph: that is added to.
        encoder: with its weights.
        x: (T, B, D).
        steps: that exist.

    Returns:
        (T, B, W), zero on padding.
    """
    valid = graph.transpose(steps.valid, 1, 0, 2)  # (B, T, 1)
    h = graph.add("Where", valid, graph.transpose(x, 1, 0, 2), graph.number(0.0))
    h = _linear(graph, encoder.project, h)
    places = graph.range(graph.size(x, 0))
    penalty = graph.add("Where", _allowed(graph, encoder, steps, places), graph.number(0.0), graph.number(LOWEST))
    turn = _turn(graph, places, encoder.width // encoder.heads)
    for block in encoder.blocks:
        assert isinstance(block, Block)
        h = _add_block(graph, block, h, penalty, turn)
    normed = graph.add("Where", valid, add_norm(graph, encoder.norm, h), graph.number(0.0))
    return graph.transpose(normed, 1, 0, 2)


def _allowed(graph: Graph, encoder: TransformerEncoder, steps: Steps, places: str) -> str:
    """Which step may look at which: what (B, N, T, T) can be made of."""
    rows = graph.add("Unsqueeze", places, graph.integers(0))
    if not encoder.causal:
        # A sequence of no steps looks at its first, which is nothing.
        lengths = graph.add("Max", steps.lengths, graph.constant(np.int64(1)))
        within = graph.add("Less", rows, graph.add("Unsqueeze", lengths, graph.integers(1)))
        return str(graph.add("Unsqueeze", within, graph.integers(1, 2)))
    apart = graph.add("Sub", graph.add("Unsqueeze", places, graph.integers(1)), rows)
    allowed = graph.add("GreaterOrEqual", apart, graph.constant(np.int64(0)))
    if encoder.context is not None:
        allowed = graph.add("And", allowed, graph.add("Less", apart, graph.constant(np.int64(encoder.context))))
    return str(graph.add("Unsqueeze", allowed, graph.integers(0, 1)))


def _turn(graph: Graph, places: str, size: int) -> tuple[str, str]:
    """Cosines and sines of the angles of the steps, (T, K / 2) each.

    Whole turns are taken off the angle before it is rounded to single precision, for the step may be far from the start.
    """
    rates = LONGEST_WAVE ** (-np.arange(size // 2, dtype=np.float64) / (size // 2)) / (2 * math.pi)
    exact = graph.add("Cast", graph.add("Unsqueeze", places, graph.integers(1)), to=11)  # double
    turns = graph.add("Mul", exact, graph.constant(rates[None]))
    part = graph.add("Sub", turns, graph.add("Floor", turns))
    angles = graph.add("Mul", graph.add("Cast", part, to=FLOAT), graph.number(2 * math.pi))
    return graph.add("Cos", angles), graph.add("Sin", angles)


def _turned(graph: Graph, x: str, turn: tuple[str, str], half: int) -> str:
    first, second = graph.add("Split", x, graph.integers(half, half), outputs=2, axis=-1)
    cosines, sines = turn
    return str(
        graph.add(
            "Concat",
            graph.add("Sub", graph.add("Mul", first, cosines), graph.add("Mul", second, sines)),
            graph.add("Add", graph.add("Mul", first, sines), graph.add("Mul", second, cosines)),
            axis=-1,
        )
    )


def _add_block(graph: Graph, block: Block, x: str, penalty: str, turn: tuple[str, str]) -> str:
    attention, normed = block.attention, add_norm(graph, block.norm, x)
    assert isinstance(attention, Attention)
    width = attention.query.out_features
    size = width // attention.heads

    def split(layer: nn.Linear) -> str:
        """(B, T, W) -> (B, N, T, K)."""
        heads = graph.reshape(_linear(graph, layer, normed), 0, 0, attention.heads, size)
        return graph.transpose(heads, 0, 2, 1, 3)

    queries, keys = (_turned(graph, split(of), turn, size // 2) for of in (attention.query, attention.key))
    scores = graph.add("MatMul", queries, graph.transpose(keys, 0, 1, 3, 2))
    scores = graph.add("Add", graph.add("Mul", scores, graph.number(size**-0.5)), penalty)
    found = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), split(attention.value))
    joined = graph.reshape(graph.transpose(found, 0, 2, 1, 3), 0, 0, width)
    x = graph.add("Add", x, _linear(graph, attention.output, joined))
    first, _, _, second = block.inner
    inner = _linear(graph, first, add_norm(graph, block.inner_norm, x))
    return str(graph.add("Add", x, _linear(graph, second, _gelu(graph, inner))))


def _gelu(graph: Graph, x: str) -> str:
    """x times the probability that a standard normal number is below it."""
    below = graph.add("Add", graph.add("Erf", graph.add("Mul", x, graph.number(0.5**0.5))), graph.number(1.0))
    return str(graph.add("Mul", graph.add("Mul", x, graph.number(0.5)), below))


def add_norm(graph: Graph, norm: nn.LayerNorm, x: str) -> str:
    """Layer normalisation over the last axis."""
    parts = {"weight": norm.weight, "bias": norm.bias}
    weight, bias = (graph.constant(_array(of), f"norm.{name}") for name, of in parts.items())
    return str(graph.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=norm.eps))


def _linear(graph: Graph, layer: nn.Module, x: str) -> str:
    assert isinstance(layer, nn.Linear)
    return graph.linear(x, _array(layer.weight), None if layer.bias is None else _array(layer.bias), "linear")


def _array(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().float().cpu().numpy()
    return found
