"""A linear-chain conditional random field over the outputs of another layer (Lafferty et al. 2001)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqwise.errors import InputError
from seqwise.ops.linear_chain import chain_decode, chain_log_likelihood, chain_marginals

FORBIDDEN = -1e4
"""Score of what is not allowed: finite, so that even a sequence of which nothing else is left has a probability."""


class CRF(nn.Module):
    """Scores of tags next to each other, learned; P(tags | x) is proportional to exp(the sum of all scores).

    Args:
        num_tags: C.
        first: (C,) bool, whether a sequence may begin with the tag; None allows all.
        following: (C, C) bool, whether the tag of the column may follow that of the row; None allows all.
        last: (C,) bool, whether a sequence may end with the tag; None allows all.
        device: Where the parameters live.
        dtype: Their type.

    Raises:
        InputError: A shape is wrong.
    """

    first: nn.Parameter
    following: nn.Parameter
    last: nn.Parameter
    forbidden_first: Tensor
    forbidden_following: Tensor
    forbidden_last: Tensor

    def __init__(
        self,
        num_tags: int,
        first: Any = None,
        following: Any = None,
        last: Any = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_tags = num_tags
        shapes = {"first": (num_tags,), "following": (num_tags, num_tags), "last": (num_tags,)}
        for (name, shape), allowed in zip(shapes.items(), (first, following, last), strict=True):
            self.register_parameter(name, nn.Parameter(torch.zeros(shape, device=device, dtype=dtype)))
            penalty = torch.zeros(shape, device=device, dtype=dtype)
            if allowed is not None:
                given = torch.as_tensor(allowed, dtype=torch.bool, device=device)
                if given.shape != shape:
                    raise InputError(f"{name}: expected shape {shape}, got {tuple(given.shape)}.")
                penalty.masked_fill_(~given, FORBIDDEN)
            self.register_buffer(f"forbidden_{name}", penalty)

    def forward(
        self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """-log P(tags | x) of each sequence, (B,).

        With weights, that of each tag given the one before it counts so many times; weights of one change nothing, for the
        product of these probabilities is that of the sequence.

        Args:
            emissions: (B, T, C).
            tags: (B, T) int64.
            lengths: (B,) from 1 to T; None means T. Padding is never read.
            weights: (B, T), or None.
        """
        logs = chain_log_likelihood(*self._scores(emissions), tags, lengths)
        return -(logs if weights is None else logs * weights).sum(1)

    def log_probabilities(
        self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None, temperature: float = 1.0
    ) -> Tensor:
        """log P(tag | the tag before it, x) of the given tags, (B, T), 0 at padding.

        Args:
            emissions: as for `forward`.
            tags: as for `forward`.
            lengths: as for `forward`.
            temperature: all scores are divided by it.
        """
        return chain_log_likelihood(*self._scores(emissions, temperature), tags, lengths)

    def marginals(self, emissions: Tensor, lengths: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """P(tag at t | x), (B, T, C), zero at padding; arguments as for `log_probabilities`."""
        return chain_marginals(*self._scores(emissions, temperature), lengths=lengths)

    def decode(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The most probable tags, (B, T) int64, 0 at padding."""
        return chain_decode(*self._scores(emissions), lengths=lengths)

    def _scores(self, emissions: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All scores, in the type of the parameters: sums over many steps want more digits than half precision has."""
        return (
            emissions.to(self.following.dtype) / temperature,
            self.following / temperature + self.forbidden_following,
            self.first / temperature + self.forbidden_first,
            self.last / temperature + self.forbidden_last,
        )
