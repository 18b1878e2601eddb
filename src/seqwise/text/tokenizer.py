"""Cleaning and tokens.

Words are found by one pattern, see `seqwise.text.word_pattern`. White space, control characters and the line break `<br />`
separate tokens and vanish.

No word holds white space, and all cleaning but that of HTML stays between white space. What stands there is a piece, and
most pieces of a text have been seen before: their words are remembered, where more than the quicker pattern is needed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any, Literal

from seqwise.errors import ConfigurationError, DataError
from seqwise.text.alignment import AlignedText
from seqwise.text.cleaning import LINE_BREAK, STEPS
from seqwise.text.settings import SUBWORDS, TextSettings
from seqwise.text.subwords import Subwords
from seqwise.text.word_forms import WordForms
from seqwise.text.word_pattern import ASCII_TOKEN, MARK, UNICODE_TOKEN

# Soft hyphens, zero-width spaces, byte order marks and direction marks change how a text looks, never what it says.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_CURLY = re.compile("\u2019")
_PIECE = re.compile(r"\S+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CLOSING = frozenset('.,!?)"')  # behind a word they are tokens of their own, whatever the word
_REMEMBERED, _LONGEST = 100_000, 50  # pieces, and their characters; some thirty megabytes


class Tokenizer:
    """Turns one text into its list of tokens, as the settings say.

    Args:
        settings: `unit` must be decided, that is not "auto".
        subwords: learned, for the units "bpe" and "unigram".

    Raises:
        ConfigurationError: if the unit is still "auto", sub-words are not learned yet, or words are to be dropped or
            replaced where the unit has none.
        MissingExtraError: a library for stop words, lemmas or stems is not installed.
    """

    def __init__(self, settings: TextSettings, subwords: Subwords | None = None) -> None:
        unit = settings.unit
        if unit == "auto":
            raise ConfigurationError('text.unit is "auto": decide it first with choose_unit(texts)')
        if unit in SUBWORDS and subwords is None:
            raise ConfigurationError(f'text.unit is "{unit}": sub-words are learned by TextPipeline.fit')
        if settings.has_forms and unit in (*SUBWORDS, "characters"):
            raise ConfigurationError(f'text.unit is "{unit}", but stop_words, lemmas and stems are of words')
        self.settings = settings
        self._steps = [STEPS[name] for name in settings.clean]
        self._across = [step for step in self._steps if step.across]
        self._within = [step for step in self._steps if not step.across]
        self._of_letters = [step for step in self._within if step.of_letters]
        self._subwords = subwords
        self._pieces = _Pieces(self._words_of)
        self._split: Callable[[str | Sequence[str]], list[str]] = {
            "words": self._words,
            "characters": self._characters,
            "tokens": self._given,
            "whitespace": self._given,
        }.get(unit, self._cut)
        self._forms: WordForms | None = None
        if settings.has_forms:
            self._forms = WordForms(settings.stop_words, settings.keep_words, settings.lemmas, settings.stems)

    def __call__(self, text: str | Sequence[str]) -> list[str]:
        """The tokens of one text; possibly none.

        Raises:
            DataError: if the row is neither text nor, for unit "tokens", a list of strings.
        """
        return self._split(text)

    def __reduce__(self) -> tuple[Any, ...]:
        return Tokenizer, (self.settings, self._subwords)  # without what is remembered

    def running(self, text: str | Sequence[str]) -> list[str]:
        """The tokens of a piece of a longer text: as `__call__`, but white space at the ends stays, of characters.

        Raises:
            DataError: as for `__call__`.
        """
        if self.settings.unit != "characters":
            return self(text)
        cleaned = self.clean(text)  # type: ignore[arg-type]
        return list(cleaned if self.settings.punctuation else MARK.sub("", cleaned))

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """The tokens of one text, each with where it stands in the text as given: from, and to before.

        A token that a step made of several characters has the place of all of them.

        Raises:
            DataError: if the row is not text.
        """
        return self._spans(text, strip=True)

    def running_spans(self, text: str) -> list[tuple[str, int, int]]:
        """As `spans`, of what `running` gives.

        Raises:
            DataError: as for `spans`.
        """
        return self._spans(text, strip=False)

    def _spans(self, text: str, *, strip: bool) -> list[tuple[str, int, int]]:
        unit, punctuation = self.settings.unit, self.settings.punctuation
        cleaned = self._aligned(_checked(text))
        found: Iterable[tuple[str, int, int]]
        if unit == "characters":
            if strip:
                cleaned.strip()
            if not punctuation:
                cleaned.sub(MARK, "")
            found = ((character, place, place + 1) for place, character in enumerate(cleaned.text))
        elif unit == "words":
            cleaned.sub(_CURLY, "'")
            found = (
                (token[0], piece.start() + token.start(), piece.start() + token.end())
                for piece in _PIECE.finditer(cleaned.text)
                for token in _pattern_for(piece[0]).finditer(piece[0])
                if punctuation or _says(token[0])
            )
        elif self._subwords is None:
            pieces = ((m[0], m.start(), m.end()) for m in _PIECE.finditer(cleaned.text))
            found = (piece for piece in pieces if punctuation or _has_word(piece[0]))
        else:
            cleaned.sub(LINE_BREAK, "\n")
            for name in ("spaces",) if punctuation else ("punctuation", "spaces"):
                STEPS[name].align(cleaned)
            found = self._subwords.spans(cleaned.text)
        placed = ((token, *cleaned.span(start, end)) for token, start, end in found if end > start)
        if self._forms is None:
            return list(placed)
        formed = ((self._forms.form(token), start, end) for token, start, end in placed)
        return [(form, start, end) for form, start, end in formed if form is not None]

    def clean(self, text: str) -> str:
        """The text after normalisation, the steps of cleaning and lower-casing, without invisible characters.

        Cleaning twice changes nothing, unless the steps html or punctuation uncover something: an escaped tag, say. Lone
        surrogates, which no file can hold, become U+FFFD.
        """
        text = self._whole(text)
        for step in self._within:
            text = step.apply(text)
        return self._cased(text)

    def prepared(self, text: str) -> str:
        """The cleaned text as sub-words are learned from it: without line breaks, with single spaces."""
        text = LINE_BREAK.sub("\n", self.clean(text))
        return " ".join((text if self.settings.punctuation else STEPS["punctuation"].apply(text)).split())

    def trace(self, text: str) -> list[tuple[str, str]]:
        """What every step makes of a text: (step, text after it), "unicode" first, "case" last."""
        form = self.settings.normalize
        shown = [("unicode", self._cleaning(0).clean(text))]
        for count, name in enumerate(self.settings.clean, start=1):
            shown.append((name, self._cleaning(count).clean(text)))
        return [*shown, ("case", self.clean(text))] if self.settings.lowercase or form != "none" else shown

    @property
    def forms(self) -> WordForms | None:
        """What drops stop words and gives lemmas and stems, if anything does."""
        return self._forms

    def _cleaning(self, steps: int) -> Tokenizer:
        settings = TextSettings(unit="words", lowercase=False, normalize=self.settings.normalize)
        return Tokenizer(settings.model_copy(update={"clean": self.settings.clean[:steps]}))

    def _unicode(self, text: str) -> str:
        if text.isascii():
            return text
        text = _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text))
        return text if self.settings.normalize == "none" else unicodedata.normalize(self.settings.normalize, text)

    def _whole(self, text: Any) -> str:
        text = self._unicode(_checked(text))
        for step in self._across:
            text = self._unicode(step.apply(text))  # an entity may be any character
        return text

    def _cased(self, text: str) -> str:
        return self._unicode(text.lower()) if self.settings.lowercase else text

    def _aligned(self, text: str) -> AlignedText:
        aligned = AlignedText(text)
        self._align_unicode(aligned)
        for step in self._across:
            step.align(aligned)
            self._align_unicode(aligned)
        if self.settings.unit == "words":
            aligned.sub(LINE_BREAK, "\n")
        for step in self._within:
            step.align(aligned)
        if self.settings.lowercase:
            aligned.lower()
            self._align_unicode(aligned)
        return aligned

    def _align_unicode(self, aligned: AlignedText) -> None:
        if aligned.text.isascii():
            return
        aligned.sub(_SURROGATE, "\ufffd")
        aligned.sub(_INVISIBLE, "")
        if self.settings.normalize != "none":
            aligned.normalize(self.settings.normalize)

    def _words(self, text: str | Sequence[str]) -> list[str]:
        whole = self._whole(text)
        if "<" in whole:
            whole = LINE_BREAK.sub("\n", whole)
        if self._forms is None and self.settings.punctuation and whole.isascii() and not self._concerned(whole):
            return ASCII_TOKEN.findall(whole.lower() if self.settings.lowercase else whole)
        return list(chain.from_iterable(map(self._pieces.__getitem__, whole.split())))

    def _concerned(self, text: str) -> bool:
        return any(step.concerns(text) for step in self._within if step is not STEPS["spaces"])

    def _words_of(self, piece: str) -> tuple[str, ...]:
        plain = piece.isascii()
        if plain and piece[-1] in _CLOSING and piece[:-1].isalpha():
            return self._pieces[piece[:-1]] + self._pieces[piece[-1]]
        for step in self._of_letters if plain and piece.isalpha() else self._within:
            piece = step.apply(piece)
        piece = self._cased(piece)
        if piece.isascii():
            tokens = [piece] if piece.isalnum() else ASCII_TOKEN.findall(piece)
        else:
            parts = piece.replace("\u2019", "'").split()  # a hashtag may have become several words
            tokens = [token for part in parts for token in _pattern_for(part).findall(part)]
        if not self.settings.punctuation:
            tokens = [token for token in tokens if _says(token)]
        return tuple(tokens if self._forms is None else self._forms(tokens))

    def _characters(self, text: str | Sequence[str]) -> list[str]:
        cleaned = self.clean(text).strip()  # type: ignore[arg-type]
        return list(cleaned if self.settings.punctuation else MARK.sub("", cleaned))

    def _given(self, text: str | Sequence[str]) -> list[str]:
        if isinstance(text, str) or self.settings.unit == "whitespace":
            tokens = self.clean(text).split()  # type: ignore[arg-type]
        else:
            # A given token may hold spaces ("New York"): joined by "_", so that no token ever holds white space.
            tokens = [token for given in text if (token := "_".join(self.clean(given).split()))]
        if not self.settings.punctuation:
            tokens = [token for token in tokens if _has_word(token)]
        return tokens if self._forms is None else self._forms(tokens)

    def _cut(self, text: str | Sequence[str]) -> list[str]:
        assert self._subwords is not None
        return self._subwords(self.prepared(text))  # type: ignore[arg-type]


class _Pieces(dict[str, tuple[str, ...]]):
    """What becomes of a piece of text; short pieces are remembered, the latest and those before them."""

    def __init__(self, words_of: Callable[[str], tuple[str, ...]]) -> None:
        self._words_of = words_of
        self._older: dict[str, tuple[str, ...]] = {}

    def __missing__(self, piece: str) -> tuple[str, ...]:
        words = self._older.get(piece)
        if words is None:
            words = self._words_of(piece)
        if len(piece) <= _LONGEST:
            if len(self) >= _REMEMBERED:
                self._older = dict(self)
                self.clear()
            self[piece] = words
        return words


def _pattern_for(piece: str) -> Any:
    return ASCII_TOKEN if piece.isascii() else UNICODE_TOKEN


def _checked(text: Any) -> str:
    if not isinstance(text, str):
        raise DataError(f"a text is expected, not {type(text).__name__} ({text!r:.40})")
    return text


def _says(token: str) -> bool:
    return token.isalnum() or not MARK.fullmatch(token)


def _has_word(token: str) -> bool:
    return not all(map(MARK.fullmatch, token))


def choose_unit(texts: Iterable[str | Sequence[str]], sample: int = 2000) -> Literal["words", "characters", "tokens"]:
    """What the steps of these texts should be.

    Lists are "tokens". Texts of which the typical one has at most two pieces between white space (names, DNA, scripts
    without spaces) are "characters"; all others are "words".

    Args:
        texts: the training texts; only the first `sample` are looked at.
        sample: how many.
    """
    first = list(islice(texts, sample))
    if any(not isinstance(text, str) for text in first):
        return "tokens"
    pieces = sorted(len(str(text)[:10_000].split(None, 3)) for text in first if str(text).strip())
    return "words" if pieces and pieces[len(pieces) // 2] > 2 else "characters"
