r"""What a word is: one Unicode-aware pattern, used to find tokens and to tell marks from them.

What survives whole: URLs, @names, #tags, emoticons, emoji (joined sequences and flags too), numbers with inner separators
(1,250.5), words with inner apostrophes (don't), HTML entities (&amp;). Scripts written without spaces (Chinese, Japanese,
Thai, Lao, Khmer, Burmese) give one token a character. Every other visible character is a token of its own.
"""

from __future__ import annotations

import re

import regex

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_PICTURE = r"\p{Extended_Pictographic}(?:\uFE0F|\p{EMod})*"
_EMOJI = rf"\p{{RI}}{{2}}|{_PICTURE}(?:\u200D{_PICTURE})*"
_SPACE = r"\s\x1c-\x1f"  # what str.split takes for white space; `regex` does not count the four separators
_ENTITY = r"&(?:[A-Za-z]{2,8}|\#[0-9]{1,6}|\#[xX][0-9A-Fa-f]{1,6});"


def _pattern(letter: str, digit: str, beyond_ascii: str, control: str) -> str:
    return rf"""
      (?:https?://|www\.)[^{_SPACE}<>"]*[^{_SPACE}<>".,;:!?')\]]          # URLs, less the sentence's own marks
    | [@\#]\w+                                                          # @names, #tags
    | {digit}+(?:[.,:]{digit}+)+                                        # 1,250.5  10:30
    | {letter}+(?:'{letter}+)*                                          # words, don't
    | [:;=]['^o-]?[)(\]\[/\\|*]+ | :'-?[()] | [:;=]['^o-]?[dDpPoO](?!\w) # :-) :'( ;d
    | </?3 | [\^>-][_.][\^<-]                                           # <3 ^_^ -_-
    | {_ENTITY}
    {beyond_ascii}
    | [^\w\s{control}] | _                                              # any other visible character
    """


# The same pattern twice: text that is pure ASCII (most English) goes through `re`, four times as fast.
ASCII_TOKEN = re.compile(_pattern("[A-Za-z0-9]", "[0-9]", "", r"\x00-\x1f\x7f"), re.VERBOSE)
UNICODE_TOKEN = regex.compile(
    _pattern(
        rf"[\w--[_{_UNSPACED}]]", r"\p{Nd}", rf"| [{_UNSPACED}]\p{{M}}* | {_EMOJI}", r"\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}"
    ),
    regex.VERBOSE | regex.VERSION1,
)
MARK = regex.compile(rf"[^\w\s\p{{Extended_Pictographic}}\p{{RI}}\p{{EMod}}]|_|{_ENTITY}", regex.VERSION1)
