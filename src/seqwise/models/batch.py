"""Encoded examples as flat arrays, and the padded batches that a model reads.

Axis letters: B examples of the batch, T symbols or steps of its longest sequence, N n-grams of all its examples together,
D numbers of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqwise.text import Ragged

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from seqwise.data import Frames


class Arrays(NamedTuple):
    """What a model reads, before it becomes tensors; parts that it does not have are None."""

    tokens: np.ndarray | None = None  # (B, T) int64, padded with 0
    lengths: np.ndarray | None = None  # (B,) int64
    ngram_ids: np.ndarray | None = None  # (N,) int64
    ngram_offsets: np.ndarray | None = None  # (B,) int64: where each example begins
    ngram_values: np.ndarray | None = None  # (N,) float32 or float64
    frames: np.ndarray | None = None  # (B, T, D) float32, padded with 0


class Ngrams(NamedTuple):
    """The n-grams of a batch, as an embedding bag reads them."""

    ids: Tensor  # (N,) int64
    offsets: Tensor  # (B,) int64: where each example begins
    values: Tensor  # (N,) float32 or float64


class Batch(NamedTuple):
    """What a model reads; parts that it does not have are None."""

    tokens: Tensor | None  # (B, T) int64, padded with 0
    lengths: Tensor | None  # (B,) int64
    ngrams: Ngrams | None
    vectors: Tensor | None = None  # (B, D) float64
    targets: Tensor | None = None  # (B,) int64, or (B, L) bool: which labels
    weights: Tensor | None = None  # (B,) float64
    frames: Tensor | None = None  # (B, T, D) float32, padded with 0

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""

        def move(part: Tensor | Ngrams | None) -> Any:
            if isinstance(part, Ngrams):
                return Ngrams(*map(move, part))
            return None if part is None else part.to(device)

        return Batch(*map(move, self))


@dataclass(frozen=True)
class EncodedExamples:
    """Examples ready for a model: as arrays in memory, or memory-mapped from files.

    Attributes:
        tokens: symbol ids of every example.
        ngrams: n-gram ids with values of every example.
        vectors: features, (n, D) float64.
        frames: steps of numbers of every example, none of them missing.
        targets: class indices, (n,) int64; or which labels each example has, (n, L) bool.
        weights: sample weights, (n,) float64.
    """

    tokens: Ragged | None = None
    ngrams: Ragged | None = None
    vectors: np.ndarray | None = None
    targets: np.ndarray | None = None
    weights: np.ndarray | None = None
    frames: Frames | None = None

    def __len__(self) -> int:
        return next(len(part) for part in (self.tokens, self.frames, self.ngrams, self.vectors) if part is not None)

    @property
    def lengths(self) -> np.ndarray:
        """Symbols or steps of each example, (n,): what batches are sorted by. Examples without any count 1 each."""
        part = self.frames if self.tokens is None else self.tokens
        return part.lengths if part is not None else np.ones(len(self), dtype=np.int64)

    def arrays(self, indices: np.ndarray) -> Arrays:
        """Return the inputs of the examples at `indices`, padded together."""
        tokens = lengths = ids = offsets = values = frames = None
        if self.tokens is not None:
            symbols = self.tokens.take(indices)
            tokens, lengths = symbols.padded().astype(np.int64), symbols.lengths
        if self.frames is not None:
            steps = self.frames.take(indices)
            frames, lengths = steps.padded(), steps.lengths
        if self.ngrams is not None:
            rows = self.ngrams.take(indices)
            ids, offsets, values = rows.ids.astype(np.int64), rows.offsets[:-1].astype(np.int64), rows.values
        return Arrays(tokens, lengths, ids, offsets, values, frames)

    def batch(self, indices: np.ndarray) -> Batch:
        """Return the examples at `indices` as one padded batch."""
        import torch

        def tensor(values: np.ndarray | None) -> Any:
            return None if values is None else torch.from_numpy(values)

        def part(values: np.ndarray | None) -> Any:
            return None if values is None else torch.from_numpy(np.ascontiguousarray(values[indices]))

        found = self.arrays(indices)
        ngrams = None if self.ngrams is None else Ngrams(*map(tensor, found[2:5]))
        tokens, lengths, frames = tensor(found.tokens), tensor(found.lengths), tensor(found.frames)
        return Batch(tokens, lengths, ngrams, part(self.vectors), part(self.targets), part(self.weights), frames)
