"""A text that is being changed and still knows where each of its characters comes from."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import regex

_CLUSTER = regex.compile(r"\X")
_RUN = regex.compile(r"\S+|\s+")


class AlignedText:
    """A text with the place of every character in the text that it was made of.

    Args:
        text: any; its characters come from themselves.

    Attributes:
        text: as it is now.
        starts: for every character of `text`, where in the original text what it was made of begins.
        ends: where it ends, exclusive.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = list(range(len(text)))
        self.ends = list(range(1, len(text) + 1))

    def sub(self, pattern: Any, replacement: str | Callable[[Any], str]) -> None:
        r"""As `pattern.sub(replacement, text)`; what a match became comes from the whole match.

        Args:
            pattern: compiled, of `re` or `regex`.
            replacement: a string, in which `\1` is the group, or a function of the match.
        """
        self._replace(
            (
                match.start(),
                match.end(),
                match.expand(replacement) if isinstance(replacement, str) else replacement(match),
            )
            for match in pattern.finditer(self.text)
        )

    def normalize(self, form: str) -> None:
        """As `unicodedata.normalize(form, text)`."""
        whole = unicodedata.normalize(form, self.text)  # type: ignore[arg-type]
        if whole == self.text:
            return
        for pattern in (_CLUSTER, _RUN):  # what is normalised does not reach beyond what a reader takes for a character
            parts = [(m.start(), m.end(), unicodedata.normalize(form, m[0])) for m in pattern.finditer(self.text)]  # type: ignore[arg-type]
            if "".join(part for _, _, part in parts) == whole:
                self._replace(parts)
                return
        self._replace([(0, len(self.text), whole)])

    def lower(self) -> None:
        """As `text.lower()`."""
        whole, position, parts = self.text.lower(), 0, []
        for place, character in enumerate(self.text):  # a final sigma depends on its neighbours, its length does not
            length = len(character.lower())
            parts.append((place, place + 1, whole[position : position + length]))
            position += length
        self._replace(parts)

    def strip(self) -> None:
        """As `text.strip()`."""
        first = len(self.text) - len(self.text.lstrip())
        last = len(self.text.rstrip())
        self.text = self.text[first:last]
        self.starts, self.ends = self.starts[first:last], self.ends[first:last]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original text the characters `start` to before `end` of this one come from."""
        return min(self.starts[start:end]), max(self.ends[start:end])

    def _replace(self, parts: Iterable[tuple[int, int, str]]) -> None:
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        kept = 0
        for start, end, new in self._changes(parts):
            texts += [self.text[kept:start], new]
            starts += self.starts[kept:start]
            ends += self.ends[kept:start]
            if end > start:
                first, last = self.span(start, end)
            else:  # something between two characters comes from nothing
                first = last = self.ends[start - 1] if start else 0
            starts += [first] * len(new)
            ends += [last] * len(new)
            kept = end
        texts.append(self.text[kept:])
        starts += self.starts[kept:]
        ends += self.ends[kept:]
        self.text, self.starts, self.ends = "".join(texts), starts, ends

    def _changes(self, parts: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
        return ((start, end, new) for start, end, new in parts if self.text[start:end] != new)
