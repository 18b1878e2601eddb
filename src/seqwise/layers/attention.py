"""Attention of a recurrent network: what of a memory belongs to a query.

Axis letters: B batch, T queries, S places of the memory, Q query size, M memory size, A size of what is compared.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from seqwise.errors import ConfigurationError, InputError

Kind = Literal["additive", "multiplicative", "dot"]


def masked_softmax(scores: Tensor, live: Tensor | None) -> Tensor:
    """Softmax over the last axis in float32 or better, over what is live only; where nothing is, all weights are 0.

    Args:
        scores: (..., S).
        live: bool, broadcast against the scores; None: everything is.
    """
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    if live is None:
        return scores.softmax(-1)
    weights = scores.masked_fill(~live, torch.finfo(scores.dtype).min).softmax(-1)
    return weights * live


class Attention(nn.Module):
    """Weights over a memory, and its weighted mean, for every query.

    * additive: v . tanh(W q + U m + b)  (Bahdanau et al. 2015, arXiv:1409.0473)
    * multiplicative: q . (W m), "general" in Luong et al. 2015 (arXiv:1508.04025)
    * dot: q . m, of the same paper; both have one size

    Args:
        query_size: Q.
        memory_size: M.
        kind: how query and memory are compared.
        size: A of the additive kind; None: Q.

    Raises:
        ConfigurationError: The kind is unknown, or sizes do not go with it.
    """

    def __init__(
        self, query_size: int, memory_size: int, kind: Kind = "multiplicative", size: int | None = None
    ) -> None:
        super().__init__()
        if kind not in ("additive", "multiplicative", "dot"):
            raise ConfigurationError(f"kind={kind!r}: expected additive, multiplicative or dot.")
        if kind == "dot" and query_size != memory_size:
            raise ConfigurationError(f"kind='dot' compares vectors of one size, not of {query_size} and {memory_size}.")
        if size is not None and kind != "additive":
            raise ConfigurationError(f"size={size} is of kind='additive', not of {kind!r}.")
        self.query_size, self.memory_size, self.kind = query_size, memory_size, kind
        compared = size or query_size
        self.of_memory = nn.Identity() if kind == "dot" else nn.Linear(memory_size, compared, bias=False)
        self.of_query: nn.Module = nn.Linear(query_size, compared) if kind == "additive" else nn.Identity()
        self.score = nn.Linear(compared, 1, bias=False) if kind == "additive" else None

    def keys(self, memory: Tensor) -> Tensor:
        """What queries are compared with: (B, S, M) -> (B, S, A), computed once however many queries there are."""
        return self.of_memory(memory)

    def forward(
        self, query: Tensor, memory: Tensor, live: Tensor | None = None, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: (B, T, Q).
            memory: (B, S, M).
            live: bool (B, S), which places exist; None: all. The others are never read.
            keys: what `keys` gave for the memory, if it is there already.

        Returns:
            The weighted means (B, T, M), and the weights (B, T, S): they sum to one over the places that exist, and are
            zero elsewhere; both are zero where no place exists.

        Raises:
            InputError: A shape is wrong.
        """
        if query.dim() != 3 or query.shape[-1] != self.query_size:
            raise InputError(f"query: expected shape (B, T, {self.query_size}), got {tuple(query.shape)}.")
        if memory.dim() != 3 or memory.shape[-1] != self.memory_size:
            raise InputError(f"memory: expected shape (B, S, {self.memory_size}), got {tuple(memory.shape)}.")
        if live is not None and live.shape != memory.shape[:2]:
            raise InputError(f"live: expected shape {tuple(memory.shape[:2])}, got {tuple(live.shape)}.")
        keys = self.keys(memory) if keys is None else keys
        compared = self.of_query(query)
        if self.score is None:
            scores = compared.to(keys.dtype) @ keys.transpose(1, 2)
        else:
            scores = self.score(torch.tanh(compared[:, :, None] + keys[:, None]))[..., 0]
        weights = masked_softmax(scores, None if live is None else live[:, None])
        if live is not None:  # padding may hold anything, and zero times anything is not always zero
            memory = torch.where(live[..., None], memory, 0.0)
        return weights.to(memory.dtype) @ memory, weights
