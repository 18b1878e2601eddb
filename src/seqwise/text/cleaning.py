"""Cleaning in named steps, in one stated order: what is in a text besides what it says.

Unicode and invisible characters come before (`text.normalize`), case after (`text.lowercase`). The step `punctuation` takes
marks out of the text, characters of it included; `text.punctuation` is a matter of tokens alone.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import regex

from seqwise.errors import ConfigurationError, nearest
from seqwise.text.alignment import AlignedText
from seqwise.text.word_pattern import ASCII_TOKEN, MARK, UNICODE_TOKEN

LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9A-Fa-f]+;?|[^\s<&#;]{1,32};?)")
_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?')\]]", re.IGNORECASE)
_USER = re.compile(r"(?<![\w\u0300-\u036f@])@+\w+")
_HASHTAG = re.compile(r"(?<![\w\u0300-\u036f#<])#+(?!(?<=&#)(?:\d+|[xX][0-9A-Fa-f]+);)(_*[^\W_]\w*)")
_HUMP = re.compile(r"_+|(?<=[^\W_])(?<![A-Z])(?=[A-Z])")
_NUMBER = re.compile(r"\d(?<![\w\u0300-\u036f@#]\d)\d*+(?:[.,:]\d+)*+(?!\w)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
_WORD = regex.compile(r"[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)*")
_ASCII_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
_SPACE = re.compile(r"\s+")

Substitution = tuple[Any, str | Callable[[Any], str]]


@dataclass(frozen=True)
class Step:
    """One step of cleaning; a step once more changes nothing.

    Attributes:
        summary: what it does, in one line.
        substitutions: (pattern, replacement) one after the other; for pure ASCII the patterns may be others, see `ascii`.
        concerns: text -> whether anything can change; quick, and true when in doubt.
        rounds: how often at most, while something changes.
        across: whether what it reads may hold white space; all others do to a text what they do to its pieces between.
        of_letters: whether it may change a piece that is letters alone.
        ascii: substitutions for text that is pure ASCII, if they are others.
        quick: the same for a text that need not be aligned, if there is something faster.
    """

    summary: str
    substitutions: tuple[Substitution, ...]
    concerns: Callable[[str], bool] = bool
    rounds: int = 1
    across: bool = False
    of_letters: bool = False
    ascii: tuple[Substitution, ...] | None = None
    quick: Callable[[str], str] | None = None

    def apply(self, text: str) -> str:
        """The text after this step."""
        if self.quick is not None:
            return self.quick(text)
        for _ in range(self.rounds):
            if not self.concerns(text):
                break
            before = text
            for pattern, replacement in self._for(text):
                text = pattern.sub(replacement, text)
            if text == before:
                break
        return text

    def align(self, aligned: AlignedText) -> None:
        """As `apply`, on a text that knows where its characters come from."""
        for _ in range(self.rounds):
            before = aligned.text
            for pattern, replacement in self._for(before):
                aligned.sub(pattern, replacement)
            if aligned.text == before:
                break

    def _for(self, text: str) -> tuple[Substitution, ...]:
        return self.ascii if self.ascii is not None and text.isascii() else self.substitutions


def _split_tag(match: re.Match[str]) -> str:
    return _HUMP.sub(" ", match[1]).strip()


def _may_repeat(text: str) -> bool:
    if len(text) < 100 or not text.isascii():
        return True
    letters = np.frombuffer(text.encode(), np.uint8) | 32  # lower case, of letters
    same = letters[1:] == letters[:-1]
    third = letters[2:][same[1:] & same[:-1]]
    return bool(((third >= 97) & (third <= 122)).any())


@cache
def _spellings() -> dict[str, str]:
    return json.loads(files("seqwise.text").joinpath("misspellings.json").read_text(encoding="utf-8"))


def _respelled(match: Any) -> str:
    word = match[0]
    right = _spellings().get(word.lower())
    if right is None:
        return word
    if word.isupper() and len(word) > 1:
        return right.upper()
    return right[0].upper() + right[1:] if word[0].isupper() else right


def _without_mark(match: Any) -> str:
    return " " if not match[0].isalnum() and MARK.fullmatch(match[0]) else match[0]


def _inner_space(match: re.Match[str]) -> str:
    return " " if match.start() > 0 and match.end() < len(match.string) else ""


STEPS: dict[str, Step] = {
    "html": Step(
        "entities become characters, tags and comments become spaces",
        ((_REFERENCE, lambda match: html.unescape(match[0])), (_TAG, " ")),
        lambda text: "&" in text or "<" in text,
        rounds=5,  # "&amp;lt;" is written by programs that escape twice
        across=True,
    ),
    "urls": Step(
        "every URL becomes the word http", ((_URL, "http"),), lambda text: "://" in text or "www." in text.lower()
    ),
    "users": Step("every @name becomes @user", ((_USER, "@user"),), lambda text: "@" in text),
    "hashtags": Step(
        "#BadDay and #bad_day become Bad Day, bad day", ((_HASHTAG, _split_tag),), lambda text: "#" in text
    ),
    "numbers": Step("every number becomes 0", ((_NUMBER, "0"),)),
    "repeats": Step(
        "a letter that stands three times or more stands twice", ((_REPEATED, r"\1\1"),), _may_repeat, of_letters=True
    ),
    "misspellings": Step(
        "common misspellings of English are put right: teh, definately, dont",
        ((_WORD, _respelled),),
        of_letters=True,
        ascii=((_ASCII_WORD, _respelled),),
    ),
    "punctuation": Step(
        "marks become spaces; emoticons, emoji, @names, don't and 1,250.5 stay",
        ((LINE_BREAK, " "), (re.compile("\u2019"), "'"), (UNICODE_TOKEN, _without_mark)),
        ascii=((LINE_BREAK, " "), (ASCII_TOKEN, _without_mark)),
    ),
    "spaces": Step(
        "white space becomes single spaces, none at the ends",
        ((_SPACE, _inner_space),),
        quick=lambda text: " ".join(text.split()),
    ),
}
"""The steps in the order in which they are applied, whatever the order in which somebody names them."""

PRESETS: dict[str, tuple[str, ...]] = {"tweets": ("html", "urls", "users", "hashtags", "repeats", "spaces")}
"""Steps by the kind of text they are for."""


def steps_of(named: str | Iterable[str]) -> tuple[str, ...]:
    """Return the steps that somebody names, in their order.

    Args:
        named: a preset, or steps.

    Raises:
        ConfigurationError: there is none of such a name; the message has the nearest.
    """
    if isinstance(named, str):
        if named not in PRESETS:
            raise ConfigurationError(f"there is no preset of cleaning {named!r}; {nearest(named, PRESETS)}")
        return PRESETS[named]
    chosen = set(named)
    for name in chosen:
        if name not in STEPS:
            raise ConfigurationError(f"there is no step of cleaning {name!r}; {nearest(name, STEPS)}")
    return tuple(name for name in STEPS if name in chosen)
