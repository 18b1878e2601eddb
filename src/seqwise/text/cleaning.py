"""Cleaning in named steps, in one stated order: what is in a text besides what it says.

Unicode and invisible characters come before (`text.normalize`), case after (`text.lowercase`), punctuation is a matter of
tokens (`text.punctuation`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from seqwise.errors import ConfigurationError, nearest

_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?')\]]", re.IGNORECASE)
_USER = re.compile(r"(?<![\w@])@\w+")
_HASHTAG = re.compile(r"(?<![\w&#])#(\w+)")
_HUMP = re.compile(r"_+|(?<=[^\W_])(?<![A-Z])(?=[A-Z])")
_NUMBER = re.compile(r"(?<![\w@#.,:])\d+(?:[.,:]\d+)*(?!\w)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)


class Step(NamedTuple):
    """One step of cleaning.

    Attributes:
        apply: text -> text; once more changes nothing.
        summary: what it does, in one line.
    """

    apply: Callable[[str], str]
    summary: str


def _without_html(text: str) -> str:
    for _ in range(5):  # "&amp;lt;" is written by programs that escape twice
        plain = _TAG.sub(" ", html.unescape(text)) if "&" in text or "<" in text else text
        if plain == text:
            break
        text = plain
    return text


def _split_tag(match: re.Match[str]) -> str:
    return _HUMP.sub(" ", match[1]).strip()


STEPS: dict[str, Step] = {
    "html": Step(_without_html, "entities become characters, tags and comments become spaces"),
    "urls": Step(lambda text: _URL.sub("http", text), "every URL becomes the word http"),
    "users": Step(lambda text: _USER.sub("@user", text), "every @name becomes @user"),
    "hashtags": Step(lambda text: _HASHTAG.sub(_split_tag, text), "#BadDay and #bad_day become Bad Day, bad day"),
    "numbers": Step(lambda text: _NUMBER.sub("0", text), "every number becomes 0"),
    "repeats": Step(lambda text: _REPEATED.sub(r"\1\1", text), "a letter that stands three times or more stands twice"),
    "spaces": Step(lambda text: " ".join(text.split()), "white space becomes single spaces, none at the ends"),
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
