"""The parts of a Transformer's block: rotary positions, attention with several heads, a dense layer at each step.

Axis letters: B batch, T steps, S steps of another sequence, W width, N heads, K = W / N.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.errors import ConfigurationError

INNER = 2  # width of the inner layer, in widths
LONGEST_WAVE = 10_000.0


class Turn(NamedTuple):
    """Cosines and sines of the angles of some steps, (T, K / 2) each."""

    cosines: Tensor
    sines: Tensor


def turn_of(steps: Tensor, size: int, like: Tensor) -> Turn:
    """The angles of steps, (T,), for K = `size` features; computed in double precision: a step may be far from the start."""
    rates = LONGEST_WAVE ** (-torch.arange(size // 2, dtype=torch.float64, device=like.device) / (size // 2))
    angles = steps.to(torch.float64)[:, None] * rates
    return Turn(angles.cos().to(like.dtype), angles.sin().to(like.dtype))


def turned(x: Tensor, turn: Turn) -> Tensor:
    """Turn the pairs of (..., T, K)."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * turn.cosines - second * turn.sines, first * turn.sines + second * turn.cosines], dim=-1)


class Attention(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al. 2017).

    Args:
        width: W of the queries and of the output.
        memory: size of what is looked at.
        heads: N.
        dropout: on the weights.
    """

    def __init__(self, width: int, memory: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % (2 * heads):
            raise ConfigurationError(f"a width of {width} cannot be shared out among {heads} heads in pairs")
        self.heads, self.dropout = heads, dropout
        self.query, self.output = nn.Linear(width, width), nn.Linear(width, width)
        self.key, self.value = nn.Linear(memory, width), nn.Linear(memory, width)
        for layer in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def split(self, x: Tensor) -> Tensor:
        """(B, T, W) -> (B, N, T, K)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
        """Look.

        Args:
            queries: (B, N, T, K).
            keys: (B, N, S, K).
            values: (B, N, S, K).
            allowed: bool, what (B, N, T, S) can be made of: which steps each step may look at; at least one.

        Returns:
            (B, T, W).
        """
        share = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed, dropout_p=share)
        return self.output(found.transpose(1, 2).flatten(2))

    def weights(self, queries: Tensor, keys: Tensor, allowed: Tensor) -> Tensor:
        """How much each step looks at each other, the mean over the heads, (B, T, S): sums to one over what is allowed."""
        scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
        return torch.where(allowed, scores, -torch.inf).softmax(-1).mean(1)


class Block(nn.Module):
    """Attention and a dense layer at each step, each added to what came in.

    Args:
        width: W.
        heads: N.
        dropout: on what is added, on the attention's weights and on the inner layer.
        source: size of the other sequence's steps, for a decoder; None: there is none.
    """

    def __init__(self, width: int, heads: int, dropout: float, source: int | None = None) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, width, heads, dropout)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(
            nn.Linear(width, INNER * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(INNER * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        if source is not None:
            self.source_norm, self.look = nn.LayerNorm(width), Attention(width, source, heads, dropout)

    def project(self, x: Tensor, turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of (B, T, W), the first two turned; (B, N, T, K) each."""
        attention, x = self.attention, self.norm(x)
        queries, keys, values = (attention.split(of(x)) for of in (attention.query, attention.key, attention.value))
        return turned(queries, turn), turned(keys, turn), values

    def attend(self, x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
        """Add what is found among the steps of the sequence itself."""
        return x + self.dropout(self.attention(queries, keys, values, allowed))

    def attend_to(self, x: Tensor, keys: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Add what is found in the other sequence, and return where: (B, T, S)."""
        queries, allowed = self.look.split(self.look.query(self.source_norm(x))), valid[:, None, None]
        return x + self.dropout(self.look(queries, keys, values, allowed)), self.look.weights(queries, keys, allowed)

    def finish(self, x: Tensor) -> Tensor:
        """Add the dense layer of each step."""
        return x + self.dropout(self.inner(self.inner_norm(x)))
