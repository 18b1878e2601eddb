"""Texts a few at a time, so that memory does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

Text = str | Sequence[str]
_CHARACTERS, _TEXTS = 1_000_000, 8192


def by_size(texts: Iterable[Text]) -> Iterator[list[Text]]:
    """Lists of texts with about a million characters (or given tokens) in all, and of 8192 texts at most."""
    chunk: list[Text] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text) if hasattr(text, "__len__") else 0  # what is no text is refused by the tokenizer
        if size >= _CHARACTERS or len(chunk) == _TEXTS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def peeked(texts: Iterable[Text], count: int) -> tuple[Iterable[Text], list[Text]]:
    """The texts unchanged, even if they can be read only once, and the first `count` of them."""
    if isinstance(texts, Iterator):
        first = list(islice(texts, count))
        return chain(first, texts), first
    return texts, list(islice(iter(texts), count))
