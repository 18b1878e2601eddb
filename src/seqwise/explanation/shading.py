"""An explanation as pieces of a text, each with a sign and a strength: what pages and terminals shade."""

from __future__ import annotations

from typing import NamedTuple

from seqwise.explanation.answers import Explanation

LEVELS = 4


class Shaded(NamedTuple):
    """A piece of a text.

    Attributes:
        text: as it stands there.
        value: contribution; None between tokens.
        level: from -4, strongly against, to 4, strongly for the target.
    """

    text: str
    value: float | None = None
    level: int = 0


def shaded(explanation: Explanation, end: int | None = None) -> list[Shaded]:
    """Cut a text at its tokens.

    Tokens that were made of the same characters are one piece, whose value is the sum of theirs.

    Args:
        explanation: of a text.
        end: character before which the last token ends that is wanted; None wants all.

    Returns:
        The pieces, which together are the text up to `end`.
    """
    text = explanation.text if end is None else explanation.text[:end]
    places: list[list[float]] = []  # start, end, value
    for token, value in zip(explanation.tokens, explanation.values.tolist(), strict=True):
        if token.end > len(text):
            break
        if places and token.start < places[-1][1]:
            places[-1][1] = max(places[-1][1], token.end)
            places[-1][2] += value
        else:
            places.append([token.start, token.end, value])
    largest = max((abs(value) for _, _, value in places), default=0.0)
    pieces, last = [], 0
    for start, stop, value in places:
        if start > last:
            pieces.append(Shaded(text[last : int(start)]))
        pieces.append(Shaded(text[int(start) : int(stop)], value, level_of(value, largest)))
        last = int(stop)
    return [*pieces, Shaded(text[last:])] if last < len(text) else pieces


def level_of(value: float, largest: float) -> int:
    """From -4 to 4: the share of the largest absolute value, in quarters; 0 of less than an eighth."""
    return round(LEVELS * value / largest) if largest > 0 else 0


def strongest(explanation: Explanation, count: int) -> list[int]:
    """Numbers of the tokens with the largest absolute values, in the order of the text."""
    values = [abs(value) for value in explanation.values.tolist()]
    return sorted(sorted(range(len(values)), key=lambda number: -values[number])[:count])
