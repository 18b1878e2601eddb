"""What a saved tagger answers: a tag for each token, with the spans that the tags describe and their places in the text; or
a label for each frame, with the segments of time that they make.

Axis letters: B sequences, T steps, C tags.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqwise.errors import DataError, ModelFolderError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.restoring import open_model
from seqwise.prediction.streaming import StreamingTagger
from seqwise.prediction.tagged import TaggedFrames, TaggedText
from seqwise.text.tag_schemes import Span, read_spans, write_spans

if TYPE_CHECKING:
    from seqwise.data.frames import Frames
    from seqwise.models import SavedTagger, TaggerNetwork

TOGETHER = 128  # sequences read side by side
STEPS = 2**16  # of a batch, padding included; a longer sequence is read alone
PLAIN = "none"  # the scheme of tags that are no spans


class TaggerPredictor(StreamingTagger):
    """A tagger that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        features: from sentences or frames to arrays.
        classes: the tags as the model learned them.
        counts: how many training steps have each.
        framed: whether it reads frames, not words.
        scheme: of the tags that it answers, "none" where they are no spans.
        inner_scheme: of `classes`.
        temperature: that makes its probabilities those of the validation part.
    """

    def __init__(self, content: FolderContent, model: SavedTagger) -> None:
        self.config, self.settings = content.config, content.settings
        self.features: Any = model.features
        self._model = model
        self.classes = [str(name) for name in content.classes]
        self.counts = content.labels["counts"]
        self.framed = model.features.framed
        self.scheme, self.inner_scheme = model.settings.scheme, model.settings.inner_scheme
        self.temperature = content.labels.get("temperature", 1.0)
        if not isinstance(self.temperature, int | float) or not 0 < self.temperature < math.inf:
            raise ModelFolderError(f"{content.path}: the temperature {self.temperature!r:.40} is no number above 0")
        self._correction = float(self.settings.get("imbalance", {}).get("prior_correction", 0.0))

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a tagger.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "SequenceTagger", "a tagger")
        return cls(content, model)

    @property
    def network(self) -> TaggerNetwork:  # type: ignore[override]
        """The module, on its device.

        Raises:
            ConfigurationError: of an exported model, which has none.
        """
        return self._model.module

    def tag(self, X: Any) -> list[TaggedText] | list[TaggedFrames]:
        """Tag sequences.

        Args:
            X: strings, which are split into tokens, or lists of tokens (what has no token has no tag); of a model of frames
                `Frames`, or arrays (T, D). Frames of another rate than those of training are resampled, and every given step
                has an answer.

        Raises:
            DataError: something is none of these, or has another number of channels than in training.
        """
        if isinstance(X, str | bytes):
            raise DataError("texts are a list of strings, got a single one: put it in a list")
        if self.framed:
            frames = self._framed(X)
            rate = frames.rate or self.features.frames.rate  # of what does not say it, that of training is taken
            return [
                TaggedFrames([self.classes[i] for i in tags], chances.tolist(), rate)
                for tags, chances, _ in self.answers(frames)
            ]
        placed = [self._place(number, text) for number, text in enumerate(X)]
        found = self.answers([[token for token, _, _ in tokens] for _, tokens in placed])
        return [self._read(text, tokens, *answer) for (text, tokens), answer in zip(placed, found, strict=True)]

    def tags(self, X: Any) -> list[list[str]]:
        """The tags of sentences given as tokens, or of frames, in the scheme of the training data."""
        return [self._spans([self.classes[i] for i in row])[1] for row, _, _ in self.answers(X)]

    def answers(self, X: Any) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Numbers of the tags, their probabilities, and those given the tag before; (T,) each, for every sequence."""
        empty = (np.empty(0, np.int64), np.empty(0), np.empty(0))

        def answer(examples: Any, indices: np.ndarray) -> Sequence[np.ndarray]:
            return self._model.answers(examples, indices, self.temperature, self._offsets)

        def read(parts: list[np.ndarray]) -> Any:
            tags, chances, conditionals = parts
            return tags, chances.astype(np.float64), conditionals.astype(np.float64)

        return self._each(X, answer, read, empty)

    def marginals(self, X: Any) -> list[np.ndarray]:
        """The probability of every tag of `classes` for every step, (T, C), for every sequence."""

        def answer(examples: Any, indices: np.ndarray) -> Sequence[np.ndarray]:
            return [self._model.marginals(examples, indices, self.temperature, self._offsets)]

        return self._each(X, answer, lambda parts: parts[0].astype(np.float64), np.empty((0, len(self.classes))))

    def batched(self, examples: Any) -> Iterator[tuple[np.ndarray, Any]]:
        """Batches of near-equal length on the device, each with the numbers of its sequences."""
        for indices in _together(examples):
            yield indices, examples.batch(indices).to(self.network.head.weight.device)

    def _each(
        self, X: Any, answer: Callable[[Any, np.ndarray], Sequence[np.ndarray]], read: Callable[..., Any], empty: Any
    ) -> list[Any]:
        """What is answered of each sequence, `empty` of those without a step."""
        if self.framed:
            X = self._framed(X)
        result = [empty] * len(X)
        rows = [number for number in range(len(X)) if len(X[number])]
        if not rows:
            return result
        given = X.take(rows) if self.framed else [X[number] for number in rows]
        examples = self.features.encode(given)
        lengths = examples.lengths
        for indices in _together(examples):
            found = answer(examples, indices)
            for place, index in enumerate(indices):
                parts = [self.features.spread(given, index, part[place, : lengths[index]]) for part in found]
                result[rows[index]] = read(parts)
        return result

    @property
    def _offsets(self) -> np.ndarray | None:
        """What is subtracted from the scores: tau log(share in training), so that rare tags are said more often."""
        if not self._correction:
            return None
        counts = np.maximum(np.asarray(self.counts, np.float64), 1)
        offsets: np.ndarray = (self._correction * np.log(counts / counts.sum())).astype(np.float32)
        return offsets

    @property
    def _shift(self) -> Any:
        """The same for torch."""
        import torch

        offsets = self._offsets
        return None if offsets is None else torch.from_numpy(offsets).to(self.network.head.weight.device)

    def _framed(self, X: Any) -> Frames:
        from seqwise.data.frames import Frames

        if isinstance(X, Sequence) and any(isinstance(of, str) for of in X[:1]):
            raise DataError("the model reads frames of numbers, and got a text")
        return Frames.from_rows(X)

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
        spans, _ = read_spans(tags, self.inner_scheme)
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


def _together(examples: Any) -> Iterator[np.ndarray]:
    """Numbers of the sequences that make a batch, all of near-equal length."""
    lengths = examples.lengths
    order, start = np.argsort(lengths, kind="stable"), 0
    while start < len(order):
        several = order[start : start + TOGETHER]
        fits = lengths[several] * np.arange(1, len(several) + 1) <= STEPS
        indices = several[: max(1, int(fits.sum()))]
        start += len(indices)
        yield indices
