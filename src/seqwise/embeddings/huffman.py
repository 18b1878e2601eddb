"""The binary tree of hierarchical softmax: frequent words are near the root (Huffman 1952).

Axis letter: V vocabulary. Inner nodes are 0 ... V - 2, the root is V - 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HuffmanTree:
    """The way from the root to each word.

    Attributes:
        offsets: (V + 1,) int64; the way of word v is the part from offsets[v] to offsets[v + 1] of the two others.
        nodes: int32, the inner nodes of all ways, each way from the root downwards.
        turns: uint8, beside each node: 1 where the way takes the node's first child, 0 where the second.
    """

    offsets: NDArray[np.int64]
    nodes: NDArray[np.int32]
    turns: NDArray[np.uint8]

    @property
    def inner(self) -> int:
        """How many inner nodes there are: V - 1."""
        return len(self.offsets) - 2

    def way(self, word: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """The inner nodes on the way to a word, and the turns taken there."""
        part = slice(self.offsets[word], self.offsets[word + 1])
        return self.nodes[part], self.turns[part]

    def ways(self, words: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.bool_]]:
        """Nodes and turns of the ways to some words, (N, K) with K the longest, and True where they are not filled up."""
        lengths = np.diff(self.offsets)[words]
        steps = np.arange(lengths.max(initial=0))
        there = steps < lengths[:, None]
        at = np.where(there, self.offsets[words][:, None] + steps, 0)
        return self.nodes[at], self.turns[at], there


def build_tree(counts: NDArray[np.int64]) -> HuffmanTree:
    """The Huffman tree of word counts that fall from first to last, (V,).

    The two lightest nodes are joined again and again. With sorted leaves no heap is needed: new nodes come in rising weight,
    so that the lightest is at the front of one of two queues (van Leeuwen 1976). Of equal weights leaves go first.
    """
    size = len(counts)
    weights = [*counts.tolist(), *[0] * (size - 1)]
    parent, first = [0] * (2 * size - 1), [0] * (2 * size - 1)
    leaf, node = size - 1, size  # the fronts of the queues: leaves from the last on, inner nodes from the first on
    for new in range(size, 2 * size - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and (node >= new or weights[leaf] <= weights[node]):
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(node)
                node += 1
        weights[new] = weights[pair[0]] + weights[pair[1]]
        parent[pair[0]] = parent[pair[1]] = new
        first[pair[0]] = 1
    offsets, nodes, turns = [0], list[int](), list[int]()
    root = 2 * size - 2
    for word in range(size):
        way: list[int] = []
        taken: list[int] = []
        at = word
        while at != root:
            taken.append(first[at])
            at = parent[at]
            way.append(at - size)
        nodes += reversed(way)
        turns += reversed(taken)
        offsets.append(len(nodes))
    return HuffmanTree(np.array(offsets, np.int64), np.array(nodes, np.int32), np.array(turns, np.uint8))
