"""Texts and pieces of music that are drawn symbol by symbol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from seqwise.prediction.sampling import Sampling
from seqwise.serving.problems import Refused
from seqwise.serving.served import Strict
from seqwise.serving.settings import ServerSettings

SYMBOLS = 100  # of a text, where nobody says how many


class SamplingOptions(Strict):
    """How symbols are drawn."""

    temperature: float = Field(
        default=1.0, ge=0, description="below 1 more probable, above 1 more surprising, 0 the most probable"
    )
    top_k: int | None = Field(default=None, ge=1, description="draw from the k most probable symbols only")
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="draw from the most probable symbols that together have p"
    )
    max_tokens: int | None = Field(default=None, ge=1, description="symbols or chords at most")
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the draws: the same seed gives the same answer")
    stream: bool = Field(default=True, description="answer with an event for each symbol; false: one JSON object")


class TextDrawn(Strict):
    """A text that was drawn."""

    text: str = Field(description="what comes after the prompt")
    reason: Literal["end", "max_tokens", "timeout"] = Field(description="why it ends")


class ChordsDrawn(Strict):
    """A piece of music that was drawn."""

    chords: list[list[int]] = Field(description="of each step its MIDI pitches, which come after the given chords")
    reason: Literal["end", "max_tokens", "timeout"] = Field(description="why it ends")


def sampling_of(options: SamplingOptions, settings: ServerSettings, usual: int = SYMBOLS) -> Sampling:
    """How is drawn, of what a client asks for.

    Raises:
        Refused: more symbols than the server draws.
    """
    longest = options.max_tokens or min(usual, settings.max_length)
    if longest > settings.max_length:
        raise Refused(422, f"max_tokens: this server draws at most {settings.max_length:,}", "max_tokens")
    return Sampling(options.temperature, options.top_k, options.top_p, longest, options.seed)


@dataclass(frozen=True)
class Drawing:
    """A text or a piece of music that is being drawn, one piece after the other.

    Attributes:
        pieces: strings that joined are the text, or chords; computed as they are asked for.
        most: pieces that were asked for.
        chords: whether they are chords.
    """

    pieces: Iterator[Any]
    most: int
    chords: bool = False

    def event(self, piece: Any) -> dict[str, Any]:
        """What a client is told of a piece."""
        return {"chord" if self.chords else "text": piece}

    def whole(self, pieces: list[Any], *, late: bool = False) -> dict[str, Any]:
        """What a client is told at the end.

        Args:
            pieces: all of them.
            late: whether time was over before the last one.
        """
        reason = "timeout" if late else "max_tokens" if len(pieces) == self.most else "end"
        return {"chords": pieces, "reason": reason} if self.chords else {"text": "".join(pieces), "reason": reason}
