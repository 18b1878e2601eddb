"""Exact search for the best rows of a matrix, in blocks: memory stays small and a mapped matrix is read once.

Axis letters: V rows of the matrix, D size of a row, Q queries, P probes of a query.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 16_384
SCORES_AT_ONCE = 2**23  # of float32: 32 MB


def row_norms(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lengths of the rows, (V,)."""
    norms = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS]
        norms[start : start + BLOCK_ROWS] = np.sqrt(np.einsum("vd,vd->v", block, block, dtype=np.float64))
    return norms


def search(
    vectors: NDArray[np.float32],
    norms: NDArray[np.float32],
    probes: NDArray[np.float32],
    count: int,
    combine: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    exclude: Sequence[NDArray[np.integer]] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best rows for each query, by a score of the cosines of a row with the probes of the query.

    Args:
        vectors: (V, D).
        norms: (V,), the lengths of the rows; a row of length 0 has cosine 0 with everything.
        probes: (Q, P, D), of length 1.
        count: rows for each query.
        combine: cosines (Q, P, rows) -> scores (Q, rows).
        exclude: for each query the rows that are not answered.

    Returns:
        Rows and scores, both (Q, min(count, V)), best first, of equal scores the first row first.
    """
    queries, parts, size = probes.shape
    count = min(count, len(vectors))
    rows = np.empty((queries, count), np.int64)
    scores = np.empty((queries, count), np.float32)
    block = min(BLOCK_ROWS, max(len(vectors), 1))
    at_once = max(1, SCORES_AT_ONCE // (block * parts))
    for first in range(0, queries, at_once):
        some = probes[first : first + at_once]
        left_out = None if exclude is None else exclude[first : first + at_once]
        best_rows: NDArray[np.int64] = np.zeros((len(some), 0), np.int64)
        best_scores: NDArray[np.float32] = np.zeros((len(some), 0), np.float32)
        for start in range(0, len(vectors), block):
            part = vectors[start : start + block]
            lengths = norms[start : start + block]
            cosines: NDArray[np.float32] = some.reshape(-1, size) @ part.T
            cosines /= np.where(lengths > 0, lengths, np.float32(1))
            found = combine(cosines.reshape(len(some), parts, len(part)))
            if left_out is not None:
                _exclude(found, left_out, start)
            picked = _largest(found, count)
            best_rows = np.concatenate([best_rows, picked + start], axis=1)
            best_scores = np.concatenate([best_scores, np.take_along_axis(found, picked, 1)], axis=1)
            order = np.lexsort((best_rows, -best_scores), axis=1)[:, :count]
            best_rows = np.take_along_axis(best_rows, order, 1)
            best_scores = np.take_along_axis(best_scores, order, 1)
        rows[first : first + at_once], scores[first : first + at_once] = best_rows, best_scores
    return rows, scores


def _exclude(scores: NDArray[np.float32], rows: Sequence[NDArray[np.integer]], start: int) -> None:
    for query, listed in enumerate(rows):
        local = np.asarray(listed, np.int64) - start
        scores[query, local[(local >= 0) & (local < scores.shape[1])]] = -np.inf


def _largest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The columns of the largest scores of each row, in no order."""
    if count == 1:
        return scores.argmax(1)[:, None]
    if count >= scores.shape[1]:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    return np.argpartition(scores, -count, axis=1)[:, -count:]
