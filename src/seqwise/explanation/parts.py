"""The parts of a classifier as functions of what they read: vectors or frames, and the values of n-grams.

Axis letters: K rows, T steps, N n-grams, D numbers of a step, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from seqwise.errors import DataError
from seqwise.explanation.inputs import Pieces
from seqwise.explanation.question import Differentiable
from seqwise.explanation.shares import shares_of_ngrams
from seqwise.models.batch import Batch, EncodedExamples, Ngrams
from seqwise.text.vocabulary import UNK

NOTHING = Batch(None, None, None)


@dataclass(frozen=True)
class ReadPart:
    """A part and what it reads of one example.

    Attributes:
        input: (1, T, D), or (1, N) where each number is by itself.
        baseline: the same where every token is covered.
        logits: from inputs with K rows to (K, C).
        shares: share of each token in each step or number; None where these are the tokens.
    """

    input: Tensor
    baseline: Tensor
    logits: Callable[[Tensor], Tensor]
    shares: csr_matrix | None = None


def differentiable(
    model: Any, examples: EncodedExamples, given: Any, pieces: Pieces, chosen: Callable[[Tensor], Tensor]
) -> Differentiable:
    """An output of a classifier or regressor as a function of what all its parts read together.

    Args:
        model: a `SavedModel`.
        examples: one, encoded.
        given: the same as the model was given it.
        pieces: and in pieces.
        chosen: from logits (K, C) to (K,).
    """
    module = model.module
    batch = examples.batch(np.zeros(1, np.int64)).to(module.scales.device)
    with torch.no_grad():
        parts = [_read(name, part, model.features, batch, given, pieces) for name, part in module.parts.items()]

    def output(*rows: Tensor) -> Tensor:
        logits = torch.stack([part.logits(of) for part, of in zip(parts, rows, strict=True)], dim=1)
        return chosen((logits * module.scales[:, None]).sum(1) + module.shift)

    def spread(values: Sequence[np.ndarray]) -> np.ndarray:
        shared = (of if part.shares is None else of @ part.shares for part, of in zip(parts, values, strict=True))
        return np.sum(list(shared), axis=0)

    return Differentiable(output, tuple(of.input for of in parts), tuple(of.baseline for of in parts), spread)


def read_places(features: Any, tokens: int) -> tuple[np.ndarray, int]:
    """Which tokens of a text the recurrent part reads, and how many symbols, <eos> included.

    Args:
        features: of a model of texts.
        tokens: how many the text has.
    """
    settings = features.pipeline.settings
    room = settings.max_length - settings.end_mark
    first = max(0, tokens - room) if settings.keep == "last" else 0
    read = np.arange(first, min(tokens, first + room))
    return read, max(1, len(read) + settings.end_mark)


def _read(name: str, part: Any, features: Any, batch: Batch, given: Any, pieces: Pieces) -> ReadPart:
    match name:
        case "dense":
            return _read_dense(part, batch)
        case "linear":
            text = pieces.text if isinstance(given, str) else given
            assert batch.ngrams is not None
            shares = shares_of_ngrams(features.ngrams, text, batch.ngrams.ids.tolist(), pieces.tokens)
            return _read_linear(part, batch.ngrams, shares)
    return _read_recurrent(part, features, batch, pieces)


def _read_dense(part: Any, batch: Batch) -> ReadPart:
    assert batch.frames is not None
    numbers = batch.frames[:, 0]
    return ReadPart(numbers, torch.zeros_like(numbers), lambda rows: part(NOTHING._replace(frames=rows[:, None])))


def _read_linear(part: Any, ngrams: Ngrams, shares: csr_matrix) -> ReadPart:
    values = ngrams.values[None].to(part.bias.dtype)

    def logits(rows: Tensor) -> Tensor:
        offsets = torch.arange(len(rows), device=rows.device) * rows.shape[1]
        return part(NOTHING._replace(ngrams=Ngrams(ngrams.ids.repeat(len(rows)), offsets, rows.flatten())))

    return ReadPart(values, torch.zeros_like(values), logits, shares)


def _read_recurrent(part: Any, features: Any, batch: Batch, pieces: Pieces) -> ReadPart:
    assert batch.lengths is not None
    vectors, lengths = part.vectors(batch), batch.lengths

    def logits(rows: Tensor) -> Tensor:
        return part.head(part.read(rows, lengths.expand(len(rows)).contiguous()))

    if part.embedding is None:
        return ReadPart(vectors, torch.zeros_like(vectors), logits)
    read, steps = read_places(features, len(pieces.tokens))
    if steps != vectors.shape[1]:
        raise DataError("the places of the tokens of this text cannot be told")
    assert batch.tokens is not None
    hidden = batch.tokens.clone()
    hidden[0, : len(read)] = UNK
    own = csr_matrix((np.ones(len(read)), (np.arange(len(read)), read)), shape=(steps, len(pieces.tokens)))
    return ReadPart(vectors, part.vectors(batch._replace(tokens=hidden)), logits, own)
