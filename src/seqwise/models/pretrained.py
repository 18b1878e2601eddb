"""An embedding of which some vectors are given and stay as they are, and the rest is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqwise.models.initialisation import EMBEDDING_SPREAD


class PartlyFrozenEmbedding(nn.Module):
    """Looks up given vectors, which no optimiser sees, and learned ones for all other symbols.

    A learned row of a symbol with a given vector is zero and has gradient zero: no optimiser and no weight decay moves it.

    Args:
        symbols: V.
        size: D.
        padding_idx: of the symbol whose vector is zero and stays zero.

    Attributes:
        given: (V, D), zero where nothing is given.
        learned: (V, D), zero where something is given.
        free: (V, 1), 1 for the symbols that are learned.
    """

    given: Tensor
    free: Tensor

    def __init__(self, symbols: int, size: int, padding_idx: int) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.padding_idx = symbols, size, padding_idx
        self.learned = nn.Embedding(symbols, size, padding_idx=padding_idx)
        self.register_buffer("given", torch.zeros(symbols, size))
        self.register_buffer("free", torch.ones(symbols, 1))

    def forward(self, symbols: Tensor) -> Tensor:
        """Look up (...) symbols -> (..., D)."""
        return self.given[symbols] + self.free[symbols] * self.learned(symbols)


def start_from_vectors(embedding: nn.Module, rows: Tensor, vectors: Tensor) -> None:
    """Give symbols their vectors, in place; all others start at random with the spread of the given ones.

    Args:
        embedding: with random vectors that have the spread `EMBEDDING_SPREAD`: `PartlyFrozenEmbedding` keeps what it is
            given, `nn.Embedding` goes on learning it.
        rows: symbols, (n,), without that of padding.
        vectors: (n, D).
    """
    assert isinstance(embedding, PartlyFrozenEmbedding | nn.Embedding)
    table = embedding.learned if isinstance(embedding, PartlyFrozenEmbedding) else embedding
    with torch.no_grad():
        spread = vectors.std().item() if vectors.numel() > 1 else 0.0
        if spread > 0:
            table.weight *= spread / EMBEDDING_SPREAD
        if isinstance(embedding, PartlyFrozenEmbedding):
            embedding.given[rows] = vectors
            embedding.free[rows] = 0.0
            table.weight[rows] = 0.0
        else:
            table.weight[rows] = vectors
