"""What a tagger says of a sequence: a tag for each step, and the spans of tokens or segments of time that the tags make."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from seqwise.text.tag_schemes import Span


@dataclass(frozen=True)
class TaggedText:
    """A sentence and what the model says of it.

    Attributes:
        text: as given; of a list of tokens, these with spaces between.
        tokens: each with where it stands in the text: from, and to before.
        tags: one a token, in the scheme of the training data.
        probabilities: of each tag by itself.
        spans: what the tags describe; of tags that are no spans every token is one.
        scores: the probability of each span: that all its tags are right together.
    """

    text: str
    tokens: list[tuple[str, int, int]]
    tags: list[str]
    probabilities: list[float]
    spans: list[Span]
    scores: list[float]

    @property
    def entities(self) -> list[dict[str, Any]]:
        """Every span as `entity_group`, `score`, `word`, `start`, `end`: places in the text, `end` behind the last."""
        found = []
        for span, score in zip(self.spans, self.scores, strict=True):
            start, end = self.tokens[span.start][1], self.tokens[span.end - 1][2]
            word = self.text[start:end]
            found.append({"entity_group": span.type, "score": score, "word": word, "start": start, "end": end})
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "text": self.text,
            "entities": self.entities,
            "tokens": [
                [token, tag, probability]
                for (token, _, _), tag, probability in zip(self.tokens, self.tags, self.probabilities, strict=True)
            ],
        }


@dataclass(frozen=True)
class Segment:
    """Successive steps of one label.

    Attributes:
        label: theirs.
        score: the mean probability of the label.
        first: step with which it begins, from 0.
        end: step behind its last.
    """

    label: str
    score: float
    first: int
    end: int


@dataclass(frozen=True)
class TaggedFrames:
    """A sequence of frames and what the model says of it.

    Attributes:
        tags: one a step.
        probabilities: of each.
        rate: steps a second; None where it is not known.
    """

    tags: list[str]
    probabilities: list[float]
    rate: float | None = None

    @property
    def unit(self) -> str:
        """What places are counted in."""
        return "steps" if self.rate is None else "seconds"

    @property
    def segments(self) -> list[Segment]:
        """Successive steps of one label together, in order."""
        changes = [i for i in range(1, len(self.tags)) if self.tags[i] != self.tags[i - 1]]
        edges = [0, *changes, len(self.tags)] if self.tags else []
        return [
            Segment(self.tags[first], float(np.mean(self.probabilities[first:end])), first, end)
            for first, end in pairwise(edges)
        ]

    @property
    def entities(self) -> list[dict[str, Any]]:
        """Every segment as `entity_group`, `score`, `start`, `end`: seconds from the beginning, or steps, see `unit`."""
        return [
            {"entity_group": of.label, "score": of.score, "start": self._place(of.first), "end": self._place(of.end)}
            for of in self.segments
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"unit": self.unit, "segments": self.entities, "tags": self.tags, "probabilities": self.probabilities}

    def _place(self, step: int) -> float | int:
        return step if self.rate is None else step / self.rate
