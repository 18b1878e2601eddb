"""Where in a text the n-grams of `NgramFeatures` stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from seqwise.text.chunking import Text
from seqwise.text.ngram_block import NgramBlock
from seqwise.text.ngram_corpus import END, START
from seqwise.text.ngrams import NgramFeatures
from seqwise.text.tokenizer import Tokenizer

Placed = tuple[str, int, int]


def ngram_places(features: NgramFeatures, text: Text, wanted: Iterable[int]) -> Iterator[tuple[int, int, int]]:
    """Yield every occurrence of some n-grams: (feature, from, to before), in characters of the text.

    An n-gram of stems or of normalised characters has the place of what they were made of; marks of the ends of words and
    texts have none.

    Args:
        features: fitted.
        text: a string; or a list of tokens, whose text is they with spaces between.
        wanted: numbers of the features to look for.
    """
    tokenizer, first = features.tokenizer, 0
    words = placed_words(tokenizer, text)
    for block in features.blocks:
        last = first + len(block.features)
        known = {block.features[number - first]: number for number in wanted if first <= number < last}
        first = last
        if known:
            for ngram, start, end in _found(block, tokenizer, text, words, known):
                yield known[ngram], start, end


def placed_words(tokenizer: Tokenizer, text: Text) -> list[Placed]:
    """The tokens of a string, or of a list of tokens (with spaces between), each with from, and to before."""
    if isinstance(text, str):
        return tokenizer.spans(text)
    found, start = [], 0
    for given in text:
        found += [(token, start, start + len(given)) for token in tokenizer([given])]
        start += len(given) + 1
    return found


def _found(
    block: NgramBlock, tokenizer: Tokenizer, text: Text, words: list[Placed], known: Iterable[str]
) -> Iterator[Placed]:
    sizes = range(block.low, block.high + 1)
    if block.kind == "words":
        forms = [form for form, _, _ in words]
        for n in sizes:
            for i in range(len(forms) - n + 1):
                if (ngram := " ".join(forms[i : i + n])) in known:
                    yield ngram, words[i][1], words[i + n - 1][2]
    elif block.kind == "word characters":
        for form, start, end in words:
            characters = _characters_of(form, start, end)
            yield from _windows(f" {form} ", [characters[0], *characters, characters[-1]], sizes, known)
    else:
        characters = _all_characters(tokenizer, text, words)
        string = "".join(character for character, _, _ in characters)
        if block.kind == "positions":
            for n in sizes:
                for i in range(len(string) - n + 1):
                    if (ngram := f"{i + 1}:{string[i : i + n]}") in known:
                        yield ngram, characters[i][1], characters[i + n - 1][2]
        elif characters:
            padded = [characters[0], *characters, characters[-1]]
            yield from _windows(START + string + END, padded, sizes, known)


def _windows(string: str, places: Sequence[Placed], sizes: range, known: Iterable[str]) -> Iterator[Placed]:
    for n in sizes:
        for i in range(len(string) - n + 1):
            if (ngram := string[i : i + n]) in known:
                yield ngram, places[i][1], places[i + n - 1][2]


def _characters_of(form: str, start: int, end: int) -> list[Placed]:
    """The characters of a word, each in its place; of one that was changed in length, in the place of the whole word."""
    exact = len(form) == end - start
    return [(c, start + i, start + i + 1) if exact else (c, start, end) for i, c in enumerate(form)]


def _all_characters(tokenizer: Tokenizer, text: Text, words: list[Placed]) -> list[Placed]:
    if isinstance(text, str):
        return Tokenizer(tokenizer.settings.model_copy(update={"unit": "characters"})).spans(text)
    parts: list[Placed] = []
    for form, start, end in words:
        space = [(" ", parts[-1][2], start)] if parts else []
        parts += [*space, *_characters_of(form, start, end)]
    return parts
