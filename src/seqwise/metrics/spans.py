"""Spans found against spans that are there: exact, and partial where both overlap.

Exact: type, beginning and end are right, as in the CoNLL shared tasks. Partial: the type is right and at least one token is
in both; such a pair counts half, and every span is in one pair at most (MUC-5; nervaluate's "partial", type by type).

Axis letters: S sentences, K types.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Span = tuple[str, int, int]
"""Type, first token, and the token behind the last; spans of one sentence do not overlap."""

EXACT, PARTIAL, TRUE, FOUND = range(4)


def count_spans(true: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]], types: Sequence[str]) -> np.ndarray:
    """Count the spans of every sentence.

    Args:
        true: of each sentence.
        found: of each sentence.
        types: the K types; all that occur.

    Returns:
        (S, K, 4) float64: exact pairs, pairs that only overlap, spans that are there, spans that were found.
    """
    numbers = {name: number for number, name in enumerate(types)}
    counts = np.zeros((len(true), len(types), 4))
    for row, (there, said) in enumerate(zip(true, found, strict=True)):
        if not there and not said:
            continue
        for spans, column in ((there, TRUE), (said, FOUND)):
            for span in spans:
                counts[row, numbers[span[0]], column] += 1
        exact = set(there) & set(said)
        for span in exact:
            counts[row, numbers[span[0]], EXACT] += 1
        rest, others = ([s for s in spans if s not in exact] for spans in (there, said))
        for name in {span[0] for span in rest} & {span[0] for span in others}:
            mine = sorted(s[1:] for s in rest if s[0] == name)
            counts[row, numbers[name], PARTIAL] += _pairs(mine, sorted(s[1:] for s in others if s[0] == name))
    return counts


def span_figures(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1, exact and partial, from summed counts.

    Args:
        totals: (..., 4), see `count_spans`.

    Returns:
        Arrays (...); NaN where nothing was there or found.
    """
    exact, overlapping, true, found = (totals[..., column] for column in range(4))
    result = {}
    for before, right in (("", exact), ("partial_", exact + overlapping / 2)):
        with np.errstate(invalid="ignore", divide="ignore"):
            result[f"{before}precision"] = right / found
            result[f"{before}recall"] = right / true
            result[f"{before}f1"] = 2 * right / (true + found)
    return result


def _pairs(mine: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]) -> int:
    """The most pairs of overlapping spans, each in one at most: from the left, the first that overlap."""
    pairs = i = j = 0
    while i < len(mine) and j < len(theirs):
        if mine[i][0] < theirs[j][1] and theirs[j][0] < mine[i][1]:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif mine[i][1] <= theirs[j][0]:
            i += 1
        else:
            j += 1
    return pairs
