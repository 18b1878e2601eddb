"""The honest baseline of a tagger: every token gets the tag that it had most often in training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from seqwise.errors import DataError

NAME = "most frequent tag of each token"


@dataclass(frozen=True)
class TagBaseline:
    """Tokens and their most frequent tags; of equals the first in alphabetical order.

    Attributes:
        tags: token -> tag; a token that is not here is looked up in small letters.
        usual: the most frequent tag of those tokens that training saw once: what is new is most like them.
    """

    tags: dict[str, str]
    usual: str

    @classmethod
    def fit(cls, sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]) -> Self:
        """Count.

        Args:
            sentences: tokens of each.
            tags: of each, in their own scheme.
        """
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        overall: Counter[str] = Counter()
        for tokens, marks in zip(sentences, tags, strict=True):
            for token, tag in zip(tokens, marks, strict=True):
                counts[token][tag] += 1
            overall.update(marks)
        once = Counter(tag for of in counts.values() if of.total() == 1 for tag in of)
        return cls({token: _first(of) for token, of in counts.items()}, _first(once or overall))

    def predict(self, sentences: Iterable[Sequence[str]]) -> list[list[str]]:
        """Return the tags of each sentence."""
        return [[self._tag(token) for token in tokens] for tokens in sentences]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kind": "tags", "tags": self.tags, "usual": self.usual}

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the baseline that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if not isinstance(saved, dict) or not isinstance(saved.get("tags"), dict) or "usual" not in saved:
            raise DataError("the baseline of a tagger has tags by token and a usual one")
        return cls({str(token): str(tag) for token, tag in saved["tags"].items()}, str(saved["usual"]))

    def _tag(self, token: str) -> str:
        found = self.tags.get(token)
        return self.tags.get(token.lower(), self.usual) if found is None else found


def _first(counts: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], tag))
