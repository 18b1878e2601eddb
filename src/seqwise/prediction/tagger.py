"""What a saved tagger answers: a tag for each token, and the spans that the tags describe, with their places in the text.

Axis letters: B sentences, T tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from seqwise.errors import DataError, ModelFolderError
from seqwise.prediction.device import resolve_device
from seqwise.prediction.folder import FolderContent, read_folder
from seqwise.prediction.restoring import restore
from seqwise.text.tag_schemes import Span, read_spans, write_spans

if TYPE_CHECKING:
    from seqwise.models import SavedTagger

TOGETHER = 128  # sentences read side by side
PLAIN = "none"  # the scheme of tags that are no spans


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


class TaggerPredictor:
    """A tagger that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        features: from sentences to arrays.
        network: the module, on its device.
        classes: the tags as the model learned them.
        counts: how many training tokens have each.
        scheme: of the tags that it answers, "none" where they are no spans.
        temperature: that makes its probabilities those of the validation part.
    """

    def __init__(self, content: FolderContent, model: SavedTagger) -> None:
        self.config, self.settings = content.config, content.settings
        self.features, self.network = model.features, model.module
        self.classes = [str(name) for name in content.classes]
        self.counts = content.labels["counts"]
        self.scheme, self._inner = model.module.settings.scheme, model.module.settings.inner_scheme
        self.temperature = content.labels.get("temperature", 1.0)
        if not isinstance(self.temperature, int | float) or not 0 < self.temperature < math.inf:
            raise ModelFolderError(f"{content.path}: the temperature {self.temperature!r:.40} is no number above 0")

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a tagger.
            DeviceError: there is no such device.
        """
        target = resolve_device(device)
        content = read_folder(path)
        if content.config["estimator"] != "SequenceTagger":
            raise ModelFolderError(f"{content.path} holds a {content.config['estimator']}, not a tagger")
        model = cast("SavedTagger", restore(content))
        model.module.to(target)
        return cls(content, model)

    def tag(self, texts: Sequence[str | Sequence[str]]) -> list[TaggedText]:
        """Tag sentences.

        Args:
            texts: strings, which are split into tokens, or lists of tokens. What has no token has no tag.

        Raises:
            DataError: something is neither.
        """
        if isinstance(texts, str | bytes):
            raise DataError("texts are a list of strings, got a single one: put it in a list")
        placed = [self._place(number, text) for number, text in enumerate(texts)]
        found = self.answers([[token for token, _, _ in tokens] for _, tokens in placed])
        return [self._read(text, tokens, *answer) for (text, tokens), answer in zip(placed, found, strict=True)]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of sentences given as tokens, in the scheme of the training data."""
        return [self._spans([self.classes[i] for i in row])[1] for row, _, _ in self.answers(sentences)]

    def answers(self, sentences: Sequence[Sequence[str]]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Numbers of the tags, their probabilities, and those given the tag before; (T,) each, for every sentence."""
        empty = (np.empty(0, np.int64), np.empty(0), np.empty(0))
        result = [empty] * len(sentences)
        rows = [number for number, tokens in enumerate(sentences) if len(tokens)]
        for indices, batch in self._batches([sentences[number] for number in rows]):
            found = [part.cpu().numpy() for part in self._answer(batch)]
            for place, index in enumerate(indices):
                length = len(sentences[rows[index]])
                tags, chances, conditionals = (part[place, :length] for part in found)
                result[rows[index]] = (tags, chances.astype(np.float64), conditionals.astype(np.float64))
        return result

    def marginals(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The probability of every tag of `classes` for every token, (T, C), for every sentence."""
        import torch

        result = [np.empty((0, len(self.classes)))] * len(sentences)
        rows = [number for number, tokens in enumerate(sentences) if len(tokens)]
        for indices, batch in self._batches([sentences[number] for number in rows]):
            with torch.no_grad():
                found = self.network.probabilities(self.network(batch), batch, self.temperature).cpu().numpy()
            for place, index in enumerate(indices):
                result[rows[index]] = found[place, : len(sentences[rows[index]])].astype(np.float64)
        return result

    def _answer(self, batch: Any) -> Any:
        import torch

        with torch.no_grad():
            return self.network.answers(batch, self.temperature)

    def _batches(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[np.ndarray, Any]]:
        """Batches of near-equal length on the device, each with the numbers of its sentences."""
        if not sentences:
            return
        examples = self.features.encode(sentences)
        order = np.argsort(examples.lengths, kind="stable")
        for start in range(0, len(order), TOGETHER):
            indices = order[start : start + TOGETHER]
            yield indices, examples.batch(indices).to(self.network.head.weight.device)

    def _place(self, number: int, text: Any) -> tuple[str, list[tuple[str, int, int]]]:
        if isinstance(text, str):
            return text, self.features.place(text)
        if not isinstance(text, list | tuple) or not all(isinstance(token, str) and token for token in text):
            raise DataError(f"text {number + 1} is neither a text nor a list of tokens, none of them empty")
        placed, at = [], 0
        for token in text:
            placed.append((token, at, at + len(token)))
            at += len(token) + 1
        return " ".join(text), placed

    def _spans(self, tags: Sequence[str]) -> tuple[list[Span], list[str]]:
        """What the model's own tags describe, and the same in the scheme of the training data."""
        if self.scheme == PLAIN:
            return [Span(tag, place, place + 1) for place, tag in enumerate(tags)], list(tags)
        spans, _ = read_spans(tags, self._inner)
        return spans, write_spans(spans, len(tags), self.scheme)

    def _read(
        self,
        text: str,
        tokens: list[tuple[str, int, int]],
        tags: np.ndarray,
        chances: np.ndarray,
        conditionals: np.ndarray,
    ) -> TaggedText:
        spans, written = self._spans([self.classes[i] for i in tags])
        # The first tag by itself, each further one given the one before it: the probability of all together.
        scores = [float(chances[s.start] * np.prod(conditionals[s.start + 1 : s.end])) for s in spans]
        return TaggedText(text, tokens, written, [float(value) for value in chances], spans, scores)
