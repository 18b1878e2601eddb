r"""Cleaning and tokens.

Words are found by one Unicode-aware pattern. What survives whole: URLs, @names, #tags, emoticons, emoji (joined
sequences and flags too), numbers with inner separators (1,250.5), words with inner apostrophes (don't), HTML entities
(&amp;). Scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give one token a character. Every
other visible character is a token of its own. White space, control characters and the line break `<br />` separate
tokens and vanish.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Literal

import regex

from seqwise.errors import ConfigurationError, DataError
from seqwise.text.cleaning import STEPS
from seqwise.text.settings import TextSettings

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_PICTURE = r"\p{Extended_Pictographic}(?:\uFE0F|\p{EMod})*"
_EMOJI = rf"\p{{RI}}{{2}}|{_PICTURE}(?:\u200D{_PICTURE})*"
_ENTITY = r"&(?:[A-Za-z]{2,8}|\#[0-9]{1,6});"


def _pattern(letter: str, digit: str, beyond_ascii: str, control: str) -> str:
    return rf"""
      (?:https?://|www\.)[^\s<>"]*[^\s<>".,;:!?')\]]                    # URLs, less the sentence's own marks
    | [@\#]\w+                                                          # @names, #tags
    | {digit}+(?:[.,:]{digit}+)+                                        # 1,250.5  10:30
    | {letter}+(?:'{letter}+)*                                          # words, don't
    | [:;=]['^o-]?[)(\]\[/\\|*]+ | :'-?[()] | [:;]['^o-]?[dDpPoO](?!\w) # :-) :'( ;d
    | </?3 | [\^>-][_.][\^<-]                                           # <3 ^_^ -_-
    | {_ENTITY}
    {beyond_ascii}
    | [^\w\s{control}] | _                                              # any other visible character
    """


# The same pattern twice: text that is pure ASCII (most English) goes through `re`, four times as fast.
_ASCII_TOKEN = re.compile(_pattern("[A-Za-z0-9]", "[0-9]", "", r"\x00-\x1f\x7f"), re.VERBOSE)
_UNICODE_TOKEN = regex.compile(
    _pattern(
        rf"[\w--[_{_UNSPACED}]]", r"\p{Nd}", rf"| [{_UNSPACED}]\p{{M}}* | {_EMOJI}", r"\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}"
    ),
    regex.VERBOSE | regex.VERSION1,
)
_MARK = regex.compile(rf"[^\w\s\p{{Extended_Pictographic}}\p{{RI}}\p{{EMod}}]|_|{_ENTITY}", regex.VERSION1)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# Soft hyphens, zero-width spaces, byte order marks and direction marks change how a text looks, never what it says.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Tokenizer:
    """Turns one text into its list of tokens, as the settings say.

    Args:
        settings: `unit` must be decided ("words", "characters" or "tokens").

    Raises:
        ConfigurationError: if the unit is still "auto".
    """

    def __init__(self, settings: TextSettings) -> None:
        if settings.unit == "auto":
            raise ConfigurationError('text.unit is "auto": decide it first with choose_unit(texts)')
        self.settings = settings
        self._steps = [STEPS[name].apply for name in settings.clean]
        self._split = {"words": self._words, "characters": self._characters, "tokens": self._given}[settings.unit]

    def __call__(self, text: str | Sequence[str]) -> list[str]:
        """The tokens of one text; possibly none.

        Raises:
            DataError: if the row is neither text nor, for unit "tokens", a list of strings.
        """
        return self._split(text)

    def clean(self, text: str) -> str:
        """The text after normalisation, the steps of cleaning and lower-casing, without invisible characters.

        Cleaning twice changes nothing. Lone surrogates, which no file can hold, become U+FFFD.
        """
        if not isinstance(text, str):
            raise DataError(f"a text is expected, not {type(text).__name__} ({text!r:.40})")
        form, lowercase = self.settings.normalize, self.settings.lowercase
        if text.isascii():
            text = self._stepwise(text)
            return text.lower() if lowercase else text
        text = _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text))
        if form != "none":
            text = unicodedata.normalize(form, text)
        text = self._stepwise(text)
        if lowercase:
            text = text.lower()
            if form != "none":
                text = unicodedata.normalize(form, text)
        return text

    def trace(self, text: str) -> list[tuple[str, str]]:
        """What every step makes of a text: (step, text after it), "unicode" first, "case" last."""
        form = self.settings.normalize
        shown = [("unicode", self._with(clean=(), lowercase=False).clean(text))]
        for count, name in enumerate(self.settings.clean, start=1):
            shown.append((name, self._with(clean=self.settings.clean[:count], lowercase=False).clean(text)))
        return [*shown, ("case", self.clean(text))] if self.settings.lowercase or form != "none" else shown

    def _with(self, **changes: Any) -> Tokenizer:
        return Tokenizer(self.settings.model_copy(update=changes))

    def _stepwise(self, text: str) -> str:
        for step in self._steps:
            text = step(text)
        return text

    def _words(self, text: str | Sequence[str]) -> list[str]:
        cleaned = self.clean(text)  # type: ignore[arg-type]
        if "<" in cleaned:
            cleaned = _LINE_BREAK.sub("\n", cleaned)
        fast = cleaned.isascii()
        tokens = _ASCII_TOKEN.findall(cleaned) if fast else _UNICODE_TOKEN.findall(cleaned.replace("\u2019", "'"))
        return tokens if self.settings.punctuation else [t for t in tokens if t.isalnum() or not _MARK.fullmatch(t)]

    def _characters(self, text: str | Sequence[str]) -> list[str]:
        cleaned = self.clean(text).strip()  # type: ignore[arg-type]
        return list(cleaned if self.settings.punctuation else _MARK.sub("", cleaned))

    def _given(self, text: str | Sequence[str]) -> list[str]:
        if isinstance(text, str):
            tokens = self.clean(text).split()
        else:
            # A given token may hold spaces ("New York"): joined by "_", so that no token ever holds white space.
            tokens = [token for given in text if (token := "_".join(self.clean(given).split()))]
        return tokens if self.settings.punctuation else [t for t in tokens if not all(map(_MARK.fullmatch, t))]


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


def describe_text(text: str, settings: TextSettings) -> dict[str, Any]:
    """Say what is made of a text.

    Args:
        text: any.
        settings: with the unit "auto" the tokens are words.

    Returns:
        `text`; `steps`: name and text of every step that changed it; `tokens`.
    """
    if settings.unit == "auto":
        settings = settings.model_copy(update={"unit": "words"})
    tokenizer, steps, before = Tokenizer(settings), [], text
    for name, after in tokenizer.trace(text):
        if after != before:
            steps.append({"name": name, "text": after})
        before = after
    return {"text": text, "steps": steps, "tokens": tokenizer(text)}
