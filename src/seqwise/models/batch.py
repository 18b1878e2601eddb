"""Encoded examples as flat arrays, and the padded batches that a model reads.

Axis letters: B examples of the batch, T symbols or steps of its longest sequence, N n-grams of all its examples together,
D numbers of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqwise.data import Frames
from seqwise.text import Ragged


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

    def batch(self, indices: np.ndarray) -> Batch:
        """Return the examples at `indices` as one padded batch."""
        tokens = lengths = ngrams = frames = None
        if self.tokens is not None:
            symbols = self.tokens.take(indices)
            tokens = torch.from_numpy(symbols.padded().astype(np.int64))
            lengths = torch.from_numpy(symbols.lengths)
        if self.frames is not None:
            steps = self.frames.take(indices)
            frames, lengths = torch.from_numpy(steps.padded()), torch.from_numpy(steps.lengths)
        if self.ngrams is not None:
            rows = self.ngrams.take(indices)
            assert rows.values is not None
            ngrams = Ngrams(
                torch.from_numpy(rows.ids.astype(np.int64)),
                torch.from_numpy(rows.offsets[:-1].astype(np.int64)),
                torch.from_numpy(rows.values),
            )

        def part(values: np.ndarray | None) -> Tensor | None:
            return None if values is None else torch.from_numpy(np.ascontiguousarray(values[indices]))

        return Batch(tokens, lengths, ngrams, part(self.vectors), part(self.targets), part(self.weights), frames)
