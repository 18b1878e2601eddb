"""Spans written as tags: which scheme a column of tags follows, reading it, writing it, and what may follow what.

BIO (IOB2): B- begins every span, I- goes on with it. IOB1: I- is in a span, B- begins one only where a span of the same type
ends right before it. BIOES (BILOU with L and U for E and S): also the end of a span, and a span of one token, are marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError, DataError, nearest

SCHEMES = ("BIO", "IOB1", "BIOES")
OUTSIDE = "O"
_TAG = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_BILOU = {"L": "E", "U": "S"}


class Span(NamedTuple):
    """A span of tokens: its type, its first token, and the token behind its last."""

    type: str
    start: int
    end: int


class Transitions(NamedTuple):
    """What a scheme allows, for C tags.

    Attributes:
        first: (C,) whether a sequence may begin with the tag.
        following: (C, C) whether the second tag may follow the first.
        last: (C,) whether a sequence may end with the tag.
    """

    first: NDArray[np.bool_]
    following: NDArray[np.bool_]
    last: NDArray[np.bool_]


def find_scheme(rows: Iterable[Sequence[str]]) -> str | None:
    """The scheme that tags follow; None where they are no spans (parts of speech, say).

    Args:
        rows: the tags of every sentence.
    """
    marks: set[str] = set()
    lonely = {"B": 0, "I": 0}  # with no span of their own type right before them
    seen = False
    for tags in rows:
        before = OUTSIDE
        for tag in tags:
            if tag != OUTSIDE:
                match = _TAG.fullmatch(tag)
                if match is None:
                    return None
                seen = True
                marks.add(match[1])
                if match[1] in lonely and before[2:] != match[2]:
                    lonely[match[1]] += 1
            before = tag
    if not seen:
        return None
    if marks & set("ESLU"):
        return "BIOES"
    # In IOB1 a B- has a span of its own type before it, in BIO an I- has; some of either may be mistakes.
    return "IOB1" if lonely["I"] > lonely["B"] else "BIO"


def read_spans(tags: Sequence[str], scheme: str) -> tuple[list[Span], int]:
    """The spans that tags describe.

    What a scheme does not allow is read as the span that was meant: an I- without its B- begins a span, a span that is
    broken off ends where it breaks.

    Args:
        tags: of one sentence.
        scheme: one of `SCHEMES`.

    Returns:
        The spans in their order, and how many tags broke a rule of the scheme.

    Raises:
        ConfigurationError: there is no such scheme.
        DataError: a tag is none of the scheme's.
    """
    check_scheme(scheme)
    spans: list[Span] = []
    broken = 0
    kind: str | None = None  # of the open span
    start = 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        mark, name = _parts(tag, scheme)
        continues = kind is not None and kind == name and mark in ("I", "E")
        if kind is not None and not continues:
            spans.append(Span(kind, start, place))
            broken += scheme == "BIOES"  # it should have ended with E-
            kind = None
        if name is not None and not continues:
            broken += mark == "E" or (mark == "I" and scheme != "IOB1")
            kind, start = name, place
        if kind is not None and mark in ("E", "S"):
            spans.append(Span(kind, start, place + 1))
            kind = None
    return spans, broken


def write_spans(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of one sentence.

    Args:
        spans: that do not overlap.
        length: tokens of the sentence.
        scheme: one of `SCHEMES`.

    Raises:
        ConfigurationError: there is no such scheme.
        DataError: spans overlap or lie outside the sentence.
    """
    check_scheme(scheme)
    tags = [OUTSIDE] * length
    before: Span | None = None
    for span in sorted(spans, key=lambda span: span.start):
        if not (before.end if before else 0) <= span.start < span.end <= length:
            raise DataError(f"the span {span.type} from {span.start} to {span.end} overlaps another, or the end")
        inner = [f"I-{span.type}"] * (span.end - span.start)
        touches = before is not None and before.end == span.start and before.type == span.type
        if scheme != "IOB1" or touches:
            inner[0] = f"B-{span.type}"
        if scheme == "BIOES":
            inner[-1] = f"E-{span.type}" if len(inner) > 1 else f"S-{span.type}"
        tags[span.start : span.end] = inner
        before = span
    return tags


def convert_tags(tags: Sequence[str], source: str, target: str) -> tuple[list[str], int]:
    """The same spans in another scheme, and how many tags broke a rule of their own; see `read_spans`."""
    spans, broken = read_spans(tags, source)
    return write_spans(spans, len(tags), target), broken


def allowed_transitions(tags: Sequence[str], scheme: str) -> Transitions:
    """What a scheme allows to stand first, next to each other, and last.

    Args:
        tags: the C tags.
        scheme: one of `SCHEMES`.

    Raises:
        ConfigurationError: there is no such scheme.
        DataError: a tag is none of the scheme's.
    """
    check_scheme(scheme)
    count = len(tags)
    # Beside the tags stands the outside before the first and after the last token.
    parts = [_parts(tag, scheme) for tag in [*tags, OUTSIDE]]
    allowed = np.array([[_may_follow(left, right, scheme) for right in parts] for left in parts])
    return Transitions(allowed[count, :count], allowed[:count, :count], allowed[:count, count])


def check_scheme(scheme: str) -> None:
    """Raise a ConfigurationError unless there is such a scheme."""
    if scheme not in SCHEMES:
        raise ConfigurationError(f"there is no scheme of tags {scheme!r}; {nearest(scheme, SCHEMES)}")


def _parts(tag: str, scheme: str) -> tuple[str, str | None]:
    """Mark and type of a tag; the type of what is outside is None."""
    if tag == OUTSIDE:
        return OUTSIDE, None
    match = _TAG.fullmatch(tag)
    mark = None if match is None else _BILOU.get(match[1], match[1])
    if match is None or mark is None or (scheme != "BIOES" and mark in "ES"):
        marks = "B-, I-, E- or S-" if scheme == "BIOES" else "B- or I-"
        raise DataError(f"{tag!r:.60} is no tag of the scheme {scheme}: O, or {marks} and a type")
    return mark, match[2]


def _may_follow(left: tuple[str, str | None], right: tuple[str, str | None], scheme: str) -> bool:
    (before, kind), (after, other) = left, right
    same = kind is not None and kind == other
    if scheme == "BIO":
        return after != "I" or same
    if scheme == "IOB1":
        return after != "B" or same
    is_open, goes_on = before in ("B", "I"), after in ("I", "E")
    return (is_open and goes_on and same) if is_open or goes_on else True
