"""How the contribution of an n-gram is shared among the tokens that it covers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from scipy.sparse import csr_matrix

from seqwise.explanation.answers import Token
from seqwise.text import NgramFeatures
from seqwise.text.ngram_places import ngram_places


def shares_of_ngrams(
    features: NgramFeatures, text: str | Sequence[str], ids: Sequence[int], tokens: Sequence[Token]
) -> csr_matrix:
    """Share of each token in each n-gram, (N, T); rows add up to 1.

    The occurrences of an n-gram get the same, and so do the tokens that an occurrence covers. What stands between tokens
    goes to the next one.

    Args:
        features: of the linear part.
        text: that was read.
        ids: numbers of the N n-grams in it.
        tokens: of the text, in order.
    """
    places: dict[int, list[tuple[int, int]]] = {number: [] for number in ids}
    starts, ends = [token.start for token in tokens], [token.end for token in tokens]
    for number, start, end in ngram_places(features, text, places) if tokens else ():
        first = min(bisect_right(ends, start), len(tokens) - 1)
        places[number].append((first, max(bisect_left(starts, end), first + 1)))
    rows: list[int] = []
    columns: list[int] = []
    shares: list[float] = []
    for row, number in enumerate(ids):
        covered = places[number]
        for first, last in covered:
            rows += [row] * (last - first)
            columns += range(first, last)
            shares += [1 / (len(covered) * (last - first))] * (last - first)
    return csr_matrix((shares, (rows, columns)), shape=(len(ids), len(tokens)))
