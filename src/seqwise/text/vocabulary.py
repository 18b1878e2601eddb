"""Tokens and their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError

PAD, UNK, EOS = 0, 1, 2
SPECIAL_TOKENS = ("<pad>", "<unk>", "<eos>")


class Vocabulary:
    """Ids by falling count: 0 is <pad>, 1 <unk>, 2 <eos>, then the most frequent token; ties in token order.

    Args:
        tokens: the ordinary tokens, in the order of their ids from 3 on.
        counts: how often each was seen in training.
        unknown_count: how many training tokens were left out, that is are <unk>.

    Attributes:
        tokens: all tokens, the three special ones first.
        counts: (V,) int64.
    """

    def __init__(self, tokens: Sequence[str], counts: Sequence[int], unknown_count: int = 0) -> None:
        self.tokens: list[str] = [*SPECIAL_TOKENS, *tokens]
        self.counts: NDArray[np.int64] = np.array([0, unknown_count, 0, *counts], np.int64)
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    @classmethod
    def fit(
        cls,
        tokens: Iterable[Sequence[str]],
        max_size: int = 30_000,
        min_count: int = 1,
        wanted: Callable[[str], bool] | None = None,
    ) -> Vocabulary:
        """Counts the tokens of all texts and keeps the most frequent.

        Args:
            tokens: one list of tokens a text.
            max_size: how many are kept at most, besides the three special ones.
            min_count: a token seen less often is left out, unless it is wanted.
            wanted: tells of a rarer token whether it stays.
        """
        counter: Counter[str] = Counter()
        for row in tokens:
            counter.update(row)
        return cls.from_counts(counter, max_size, min_count, wanted)

    @classmethod
    def from_counts(
        cls,
        counts: Counter[str],
        max_size: int = 30_000,
        min_count: int = 1,
        wanted: Callable[[str], bool] | None = None,
    ) -> Vocabulary:
        """As `fit`, from tokens that are counted already; a rarer token that is wanted stays (within `max_size`)."""
        # A text that holds "<unk>" (prepared corpora do) means the special token.
        ordinary = [
            (token, n)
            for token, n in counts.items()
            if token not in SPECIAL_TOKENS and (n >= min_count or (wanted is not None and wanted(token)))
        ]
        ordinary.sort(key=lambda item: (-item[1], item[0]))
        kept = ordinary[:max_size]
        special = counts["<pad>"] + counts["<eos>"]
        return cls([t for t, _ in kept], [n for _, n in kept], counts.total() - special - sum(n for _, n in kept))

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def encode(self, tokens: Iterable[str]) -> NDArray[np.int32]:
        """The (T,) ids of the tokens; a token that is not here is 1, <unk>."""
        get = self._ids.get
        return np.array([get(token, UNK) for token in tokens], np.int32)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of these ids."""
        return [self.tokens[i] for i in ids]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "tokens": self.tokens[len(SPECIAL_TOKENS) :],
            "counts": self.counts[len(SPECIAL_TOKENS) :].tolist(),
            "unknown_count": int(self.counts[UNK]),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Vocabulary:
        """The vocabulary that `to_dict` described.

        Raises:
            DataError: if it is not one, with the reason.
        """
        if not isinstance(data, dict) or set(data) != {"tokens", "counts", "unknown_count"}:
            raise DataError('a vocabulary has the keys "tokens", "counts" and "unknown_count"')
        tokens = checked_strings(data["tokens"], "vocabulary tokens")
        counts = checked_counts(
            [*checked_list(data["counts"], "vocabulary counts"), data["unknown_count"]], "vocabulary"
        )
        if len(counts) - 1 != len(tokens):
            raise DataError(f"the vocabulary has {len(tokens)} tokens but {len(counts) - 1} counts")
        if special := set(SPECIAL_TOKENS).intersection(tokens):
            raise DataError(f"the vocabulary lists the special token {min(special)} as an ordinary one")
        return cls(tokens, counts[:-1], counts[-1])


def checked_list(data: Any, what: str) -> list[Any]:
    """The list, if it is one; DataError otherwise."""
    if not isinstance(data, list):
        raise DataError(f"{what}: a list is expected, not {type(data).__name__}")
    return data


def checked_strings(data: Any, what: str) -> list[str]:
    """The list of strings, if they are all different; DataError otherwise."""
    strings = checked_list(data, what)
    for i, item in enumerate(strings):
        if not isinstance(item, str):
            raise DataError(f"{what}: entry {i} is {type(item).__name__}, not a string")
    if len(set(strings)) != len(strings):
        repeated, _ = Counter(strings).most_common(1)[0]
        raise DataError(f"{what}: {repeated!r} is listed twice")
    return strings


def checked_counts(data: Any, what: str) -> list[int]:
    """The list of whole numbers that are not negative; DataError otherwise."""
    counts = checked_list(data, what)
    for i, item in enumerate(counts):
        if type(item) is not int or not 0 <= item < 2**62:
            raise DataError(f"{what}: count {i} is {item!r:.40}, not a whole number from 0 on")
    return counts
