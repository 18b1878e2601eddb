"""A Transformer's encoder and decoder: what recurrent layers are compared with.

Pre-norm blocks (Xiong et al. 2020) with rotary positions (Su et al. 2021): every pair of features of a query and a key is
turned by an angle that grows with the step, so that their product knows how far apart they are, and nothing else of where
they stand. What has been read can therefore be kept (keys and values are cached) and forgotten (after `context` steps) as in
a recurrent network.

Axis letters: B batch, T steps, S steps of another sequence, D input features, W width, N heads, K = W / N, L blocks, C slots
of the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.errors import ConfigurationError, DataError, InputError
from seqwise.models.attention import Attention, Block, turn_of

FIRST_SLOTS = 64  # of a cache that grows


class Cache(NamedTuple):
    """What a causal Transformer keeps of the steps that it has read.

    Attributes:
        keys: turned, (L, B, N, C, K); step t is in slot t mod C.
        values: (L, B, N, C, K).
        read: how many steps, (1,) int64.
    """

    keys: Tensor
    values: Tensor
    read: Tensor

    def check(self, growing: Mapping[str, int]) -> None:
        """Refuse what no reading leads to.

        Args:
            growing: names of what grows with the steps: "keys" where there is no `context`.

        Raises:
            DataError: keys and values do not belong together, or there cannot be so many steps.
        """
        read, slots = int(self.read), self.keys.shape[3]
        if self.values.shape != self.keys.shape or not 0 <= read < 2**53 or ("keys" in growing and read > slots):
            raise DataError(
                f"a cache of {slots} slots for {tuple(self.values.shape)} values cannot be after {read} steps"
            )


class Source(NamedTuple):
    """The sequence that a decoder looks at, as its blocks see it.

    Attributes:
        keys: (L, B, N, S, K).
        values: (L, B, N, S, K).
        valid: which steps exist, (B, S) bool.
    """

    keys: Tensor
    values: Tensor
    valid: Tensor


class _Blocks(nn.Module):
    """What encoder and decoder have in common: an input layer, the blocks, a norm over the last; and the cache."""

    def __init__(
        self,
        input_size: int,
        width: int,
        num_layers: int,
        heads: int,
        dropout: float,
        context: int | None,
        source: int | None = None,
    ) -> None:
        super().__init__()
        self.width, self.heads, self.context = width, heads, context
        self.project = nn.Linear(input_size, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout, source) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: int) -> Cache:
        """The empty cache of a batch of B."""
        like, slots = self.norm.weight, FIRST_SLOTS if self.context is None else self.context
        shape = (len(self.blocks), batch, self.heads, slots, self.width // self.heads)
        return Cache(
            like.new_zeros(shape), like.new_zeros(shape), torch.zeros(1, dtype=torch.int64, device=like.device)
        )

    def _with_room(self, cache: Cache, steps: int) -> Cache:
        """The same cache with slots for so many steps more, where it has no end."""
        slots = cache.keys.shape[3]
        if self.context is not None or int(cache.read) + steps <= slots:
            return cache
        more = max(2 * slots, int(cache.read) + steps) - slots
        return Cache(F.pad(cache.keys, (0, 0, 0, more)), F.pad(cache.values, (0, 0, 0, more)), cache.read)

    def _places(self, cache: Cache, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of the coming steps (T,), and which of the slots and of themselves each may look at: (T, C), (T, T)."""
        slots, device = cache.keys.shape[3], cache.read.device
        coming = cache.read + torch.arange(steps, device=device)
        # Slot s holds the last step before the coming ones that is s modulo C.
        kept = cache.read - 1 - (cache.read - 1 - torch.arange(slots, device=device)) % slots
        return coming, self._near(coming, kept), self._near(coming, coming)

    def _near(self, steps: Tensor, others: Tensor) -> Tensor:
        """Which of the other steps (S,) each step (T,) may look at: (T, S)."""
        apart = steps[:, None] - others
        allowed = (others >= 0) & (apart >= 0)
        return allowed if self.context is None else allowed & (apart < self.context)

    def _stored(self, cache: Cache, keys: Tensor, values: Tensor) -> Cache:
        """The cache after T more steps: the last C of them take the places of older ones."""
        slots, steps = cache.keys.shape[3], keys.shape[3]
        last = min(slots, steps)
        places = (cache.read + torch.arange(steps - last, steps, device=keys.device)) % slots
        return Cache(
            cache.keys.index_copy(3, places, keys[..., steps - last :, :].to(cache.keys.dtype)),
            cache.values.index_copy(3, places, values[..., steps - last :, :].to(cache.values.dtype)),
            cache.read + steps,
        )

    def _store_step(self, cache: Cache, layer: int, keys: Tensor, values: Tensor) -> None:
        """Write one step of a block into its slot, in place."""
        place = cache.read % cache.keys.shape[3]
        cache.keys[layer].index_copy_(2, place, keys)
        cache.values[layer].index_copy_(2, place, values)

    def _filled(self, cache: Cache) -> Tensor:
        """Which slots hold a step once the coming one is written, (1, C)."""
        return torch.arange(cache.keys.shape[3], device=cache.read.device)[None] <= cache.read


class TransformerEncoder(_Blocks):
    """Blocks over one sequence.

    Args:
        input_size: D.
        width: W of the output.
        num_layers: L.
        heads: N.
        dropout: see `Block`.
        causal: a step sees only itself and those before it.
        context: how many steps at most, itself included; None: all. Only of a causal one.
    """

    def __init__(
        self,
        input_size: int,
        width: int,
        *,
        num_layers: int = 1,
        heads: int = 4,
        dropout: float = 0.0,
        causal: bool = False,
        context: int | None = None,
    ) -> None:
        if context is not None and not causal:
            raise ConfigurationError("context is of a causal Transformer: the others see the whole sequence")
        super().__init__(input_size, width, num_layers, heads, dropout, context)
        self.causal = causal

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Read whole sequences.

        Args:
            x: (B, T, D); what is beyond the lengths is never read.
            lengths: (B,), 0 to T.

        Returns:
            (B, T, W), zero beyond the lengths.
        """
        steps = torch.arange(x.shape[1], device=x.device)
        valid = steps < lengths[:, None]  # (B, T)
        x = self.dropout(self.project(torch.where(valid[..., None], x, 0)))
        # Padding is behind all that is valid; a sequence of no steps looks at its first, which is nothing.
        everywhere = (steps < lengths[:, None].clamp(min=1))[:, None, None]
        allowed = self._near(steps, steps) if self.causal else everywhere
        turn = turn_of(steps, self.width // self.heads, x)
        for block in self.blocks:
            x = block.finish(block.attend(x, *block.project(x, turn), allowed))  # type: ignore[operator]
        return torch.where(valid[..., None], self.norm(x), 0)

    def read(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Go on reading where the cache ended.

        Args:
            x: (B, T, D), all of which exists.
            cache: as `start` or the last call gave it.

        Returns:
            (B, T, W), and the cache after the last step; gradients flow into what was read before.
        """
        cache = self._with_room(cache, x.shape[1])
        coming, of_cache, of_coming = self._places(cache, x.shape[1])
        allowed, found = torch.cat([of_cache, of_coming], -1), []
        x = self.dropout(self.project(x))
        turn = turn_of(coming, self.width // self.heads, x)
        for layer, block in enumerate(self.blocks):
            queries, keys, values = block.project(x, turn)  # type: ignore[operator]
            found.append((keys, values))
            both = (
                torch.cat([old[layer].to(new.dtype), new], 2) for old, new in zip(cache[:2], found[-1], strict=True)
            )
            x = block.finish(block.attend(x, queries, *both, allowed))  # type: ignore[operator]
        keys, values = (torch.stack(of) for of in zip(*found, strict=True))
        return self.norm(x), self._stored(cache, keys, values)

    @torch.no_grad()
    def step(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Read one step, (B, D) -> (B, W), as in evaluation. The given cache, which is written to, holds no longer."""
        cache = self._with_room(cache, 1)
        allowed, h = self._filled(cache), self.project(x[:, None])
        turn = turn_of(cache.read, self.width // self.heads, h)
        for layer, block in enumerate(self.blocks):
            queries, keys, values = block.project(h, turn)  # type: ignore[operator]
            self._store_step(cache, layer, keys, values)
            h = block.finish(block.attend(h, queries, cache.keys[layer], cache.values[layer], allowed))  # type: ignore[operator]
        return self.norm(h)[:, 0], Cache(*cache[:2], cache.read + 1)


class DecoderState(NamedTuple):
    """Where a decoder is: what it has said so far, and what it looks at."""

    cache: Cache
    source: Source


class TransformerDecoder(_Blocks):
    """Blocks over a sequence that comes into being, each of which looks at another sequence too.

    Args:
        input_size: D.
        width: W of the output.
        source_size: of a step of the other sequence.
        num_layers: L.
        heads: N.
        dropout: see `Block`.
    """

    def __init__(
        self,
        input_size: int,
        width: int,
        source_size: int,
        *,
        num_layers: int = 1,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(input_size, width, num_layers, heads, dropout, None, source_size)

    def forward(self, x: Tensor, source: Tensor, source_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read what was to be said, all steps at once.

        Args:
            x: (B, T, D); what stands at the end as padding changes nothing before it.
            source: the other sequence, (B, S, its size); what is beyond the lengths is never read.
            source_lengths: (B,), 1 to S.

        Returns:
            (B, T, W), and where the last block looked: (B, T, S), the mean over its heads.
        """
        seen, steps = self.look_at(source, source_lengths), torch.arange(x.shape[1], device=x.device)
        x, allowed = self.dropout(self.project(x)), self._near(steps, steps)
        turn, looked = turn_of(steps, self.width // self.heads, x), x.new_empty(0)
        for layer, block in enumerate(self.blocks):
            x = block.attend(x, *block.project(x, turn), allowed)  # type: ignore[operator]
            x, looked = block.attend_to(x, seen.keys[layer], seen.values[layer], seen.valid)  # type: ignore[operator]
            x = block.finish(x)  # type: ignore[operator]
        return self.norm(x), looked

    def look_at(self, source: Tensor, source_lengths: Tensor) -> Source:
        """Keys and values of the other sequence, for every block."""
        valid = torch.arange(source.shape[1], device=source.device) < source_lengths[:, None]
        if not bool((source_lengths > 0).all()):
            raise InputError("source_lengths: a decoder looks at one step at least, got a sequence of 0.")
        source = torch.where(valid[..., None], source, 0)
        looks: list[Attention] = [block.look for block in self.blocks]  # type: ignore[misc]
        keys = torch.stack([look.split(look.key(source)) for look in looks])
        return Source(keys, torch.stack([look.split(look.value(source)) for look in looks]), valid)

    def begin(self, source: Tensor, source_lengths: Tensor) -> DecoderState:
        """Where the first step starts from, see `forward`."""
        return DecoderState(self.start(len(source)), self.look_at(source, source_lengths))

    @torch.no_grad()
    def step(self, x: Tensor, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """Say one step, as in evaluation.

        Args:
            x: (B, D).
            state: which is written to, and holds no longer.

        Returns:
            (B, W), where the last block looked (B, S), and the state.
        """
        cache, source = self._with_room(state.cache, 1), state.source
        allowed, h = self._filled(cache), self.project(x[:, None])
        turn, looked = turn_of(cache.read, self.width // self.heads, h), h
        for layer, block in enumerate(self.blocks):
            queries, keys, values = block.project(h, turn)  # type: ignore[operator]
            self._store_step(cache, layer, keys, values)
            h = block.attend(h, queries, cache.keys[layer], cache.values[layer], allowed)  # type: ignore[operator]
            h, looked = block.attend_to(h, source.keys[layer], source.values[layer], source.valid)  # type: ignore[operator]
            h = block.finish(h)  # type: ignore[operator]
        return self.norm(h)[:, 0], looked[:, 0], DecoderState(Cache(*cache[:2], cache.read + 1), source)

    @staticmethod
    def reorder(state: DecoderState, rows: Tensor) -> DecoderState:
        """The state of other rows of the batch, (their number,) int64: a beam goes on from some and leaves others."""
        cache, (keys, values, valid) = state
        return DecoderState(
            reordered(cache, rows), Source(keys.index_select(1, rows), values.index_select(1, rows), valid[rows])
        )


def reordered(cache: Cache, rows: Tensor) -> Cache:
    """The cache of other rows of the batch."""
    return Cache(cache.keys.index_select(1, rows), cache.values.index_select(1, rows), cache.read)
