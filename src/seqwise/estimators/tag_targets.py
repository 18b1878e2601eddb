"""Tags as a tagger learns them: of one scheme, numbered; and how sure it may be of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import torch

from seqwise.errors import DataError
from seqwise.losses import ImbalanceSettings
from seqwise.metrics.tagging import Tagging
from seqwise.models import TaggerNetwork
from seqwise.prediction.tagger import PLAIN
from seqwise.text.tag_schemes import OUTSIDE, find_scheme, read_spans, write_spans

Tags = Sequence[Sequence[str]] | Sequence[Sequence[str | None]]
_MARKS = {"BIO": "BI", "BIOES": "BIES"}
_COLDEST, _HOTTEST, _TRIALS = 0.4, 4.0, 14


@dataclass(frozen=True)
class TagCode:
    """Which tags there are, and how spans are written with them.

    Attributes:
        classes: the C tags that are learned.
        scheme: of the given tags; "none" where they are no spans.
        inner: scheme of the learned ones.
    """

    classes: list[str]
    scheme: str
    inner: str

    @classmethod
    def of(cls, tags: Tags, scheme: str, inner: str) -> Self:
        """Look at the training tags.

        Args:
            tags: of every sentence; None where a step has none, which only tags that are no spans may lack.
            scheme: of these; "auto" looks which.
            inner: what spans are learned as.

        Raises:
            DataError: fewer than two tags, or one that is none of the scheme.
        """
        found = (find_scheme(tags) or PLAIN) if scheme == "auto" else scheme  # type: ignore[arg-type]
        if found == PLAIN:
            classes = sorted({tag for row in tags for tag in row if tag is not None})
            if len(classes) < 2:
                what = f"every token has the tag {classes[0]!r}" if classes else "no step has a label"
                raise DataError(f"{what}; a tagger needs two tags at least")
            return cls(classes, found, inner)
        tags = cast("Sequence[Sequence[str]]", tags)
        types = sorted({span.type for row in tags for span in read_spans(row, found)[0]})
        if not types:
            raise DataError("the training tags describe no span")
        return cls([OUTSIDE, *(f"{mark}-{name}" for name in types for mark in _MARKS[inner])], found, inner)

    def encode(self, tags: Tags) -> tuple[list[list[int]], int]:
        """Numbers of the tags of every sentence, and how many tags broke a rule of their scheme; -1 is unknown."""
        numbers: dict[str | None, int] = {name: number for number, name in enumerate(self.classes)}
        rows, broken = [], 0
        for row in tags:
            if self.scheme != PLAIN:
                spans, some = read_spans(cast("Sequence[str]", row), self.scheme)
                row, broken = write_spans(spans, len(row), self.inner), broken + some
            rows.append([numbers.get(tag, -1) for tag in row])
        return rows, broken

    def spread(self, imbalance: ImbalanceSettings) -> ImbalanceSettings:
        """The settings with class weights of types of spans given to all tags of the type."""
        given = imbalance.class_weight
        if self.scheme == PLAIN or not isinstance(given, Mapping):
            return imbalance
        weights: dict[str, float] = {}
        for name, weight in given.items():
            of_type = [tag for tag in self.classes if tag != OUTSIDE and tag[2:] == name]
            weights |= dict.fromkeys(of_type or [name], weight)
        return imbalance.model_copy(update={"class_weight": weights})

    def tagging(self, tags: Tags) -> Tagging:
        """Tags of the given scheme as the metrics read them: what breaks a rule is written as the span that was meant."""
        if self.scheme == PLAIN:
            return Tagging(tags)
        spans = [read_spans(cast("Sequence[str]", row), self.scheme)[0] for row in tags]
        written = [write_spans(of, len(row), self.scheme) for of, row in zip(spans, tags, strict=True)]
        return Tagging(written, spans)


@torch.no_grad()
def fit_temperature(network: TaggerNetwork, batches: Iterable[Any]) -> float:
    """The temperature under which the marginals give the tags of validation sequences the highest likelihood.

    The most probable tags stay the same (Guo et al. 2017, of the marginals of a conditional random field).

    Args:
        network: fitted.
        batches: of these sequences, with targets; those that training never saw are below 0 and passed over.
    """
    device = network.head.weight.device
    scored = []
    for given in batches:
        batch = given.to(device)
        scored.append((batch, network(batch)))

    def loss(temperature: float) -> float:
        total = 0.0
        for batch, emissions in scored:
            assert batch.targets is not None
            chances = network.probabilities(emissions, batch, temperature)
            known = batch.live & (batch.targets >= 0)
            given = chances.gather(-1, batch.targets.clamp(min=0)[..., None])[..., 0][known]
            total -= float(given.double().clamp(min=1e-12).log().sum())
        return total

    return math.exp(_lowest(lambda at: loss(math.exp(at)), math.log(_COLDEST), math.log(_HOTTEST)))


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest (golden section search)."""
    ratio = (math.sqrt(5) - 1) / 2
    points = [high - ratio * (high - low), low + ratio * (high - low)]
    values = [function(at) for at in points]
    for _ in range(_TRIALS):
        if values[0] < values[1]:
            high, points[1], values[1] = points[1], points[0], values[0]
            points[0] = high - ratio * (high - low)
            values[0] = function(points[0])
        else:
            low, points[0], values[0] = points[0], points[1], values[1]
            points[1] = low + ratio * (high - low)
            values[1] = function(points[1])
    return (low + high) / 2
