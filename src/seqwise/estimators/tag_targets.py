"""Tags as a tagger learns them: of one scheme, numbered; and how sure it may be of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from seqwise.errors import DataError
from seqwise.losses import ImbalanceSettings
from seqwise.metrics.tagging import Tagging
from seqwise.models import TaggerFeatures, TaggerNetwork
from seqwise.prediction.tagger import PLAIN
from seqwise.text.tag_schemes import OUTSIDE, find_scheme, read_spans, write_spans

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
    def of(cls, tags: Sequence[Sequence[str]], scheme: str, inner: str) -> Self:
        """Look at the training tags.

        Args:
            tags: of every sentence.
            scheme: of these; "auto" looks which.
            inner: what spans are learned as.

        Raises:
            DataError: fewer than two tags, or one that is none of the scheme.
        """
        found = (find_scheme(tags) or PLAIN) if scheme == "auto" else scheme
        if found == PLAIN:
            classes = sorted({tag for row in tags for tag in row})
            if len(classes) < 2:
                raise DataError(f"every token has the tag {classes[0]!r}; a tagger needs two tags at least")
            return cls(classes, found, inner)
        types = sorted({span.type for row in tags for span in read_spans(row, found)[0]})
        if not types:
            raise DataError("the training tags describe no span")
        return cls([OUTSIDE, *(f"{mark}-{name}" for name in types for mark in _MARKS[inner])], found, inner)

    def encode(self, tags: Sequence[Sequence[str]]) -> tuple[list[list[int]], int]:
        """Numbers of the tags of every sentence, and how many tags broke a rule of their scheme; -1 is unknown."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        rows, broken = [], 0
        for row in tags:
            if self.scheme != PLAIN:
                spans, some = read_spans(row, self.scheme)
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

    def tagging(self, tags: Sequence[Sequence[str]]) -> Tagging:
        """Tags of the given scheme as the metrics read them: what breaks a rule is written as the span that was meant."""
        if self.scheme == PLAIN:
            return Tagging(tags)
        spans = [read_spans(row, self.scheme)[0] for row in tags]
        written = [write_spans(of, len(row), self.scheme) for of, row in zip(spans, tags, strict=True)]
        return Tagging(written, spans)


@torch.no_grad()
def fit_temperature(
    network: TaggerNetwork,
    features: TaggerFeatures,
    code: TagCode,
    sentences: Sequence[Sequence[str]],
    tags: Sequence[Sequence[str]],
    limit: int = 1000,
) -> float:
    """The temperature under which the marginals give the tags of validation sentences the highest likelihood.

    The most probable tags stay the same (Guo et al. 2017, of the marginals of a conditional random field).

    Args:
        network: fitted.
        features: fitted.
        code: of the tags.
        sentences: tokens of each.
        tags: of each; those that training never saw are passed over.
        limit: so many sentences are enough.
    """
    examples = features.encode(sentences[:limit], code.encode(tags[:limit])[0])
    device = network.head.weight.device
    order = np.argsort(examples.lengths, kind="stable")
    scored = []
    for start in range(0, len(order), 128):
        batch = examples.batch(order[start : start + 128]).to(device)
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
