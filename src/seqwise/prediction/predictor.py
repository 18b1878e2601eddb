"""Raw input -> answer, from a saved model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np

from seqwise.errors import DataError
from seqwise.metrics.link_functions import probabilities_of
from seqwise.prediction.decisions import UNSURE, Decisions
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.restoring import RestoredModel, open_model
from seqwise.prediction.streaming import StreamingClassifier

CHUNK = 16_384  # texts encoded at a time
STEPS = 2**22  # of frames encoded at a time


class RestoredClassifier(RestoredModel, Protocol):
    """A classifier, and what makes its batches of texts."""

    def encode(self, texts: Iterable[Any]) -> Any:
        """Return the texts as arrays, sized, with `lengths`, `arrays(indices)` and `batch(indices)`."""

    def logits(self, examples: Any, batch_size: int = 256) -> np.ndarray:
        """Return the outputs of all of them, (n, C)."""


class Predictor(StreamingClassifier):
    """A saved classifier that answers.

    Attributes:
        classes: the C classes, in the order of the columns of `predict_proba`.
        config: the whole of config.json.
        settings: its sections data, text, model, imbalance, training.
        labels: the whole of labels.json.
        decisions: what is made of the model's probabilities: calibration, correction of priors, thresholds, abstention, in
            this order. Replace it by `decisions.used(...)` to state priors or to abstain.
        multilabel: whether a text may have several labels; each then has a probability of its own.
    """

    def __init__(self, content: FolderContent, model: RestoredClassifier) -> None:
        self.classes = content.classes
        self.config = content.config
        self.settings = content.settings
        self.labels = content.labels
        self.decisions = Decisions.from_labels(content.labels)
        self.multilabel = self.decisions.multilabel
        self._model = model

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", *, packed: bool = False) -> Self:
        """Read a model folder.

        Args:
            path: of the folder.
            device: "auto", "cpu", "cuda" or "cuda:N".
            packed: on the processor, answers of usual models come from packed weights: sooner, above all the first one and
                those to a few texts, and without importing torch; they are those of the module to rounding.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a text classifier.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "SequenceClassifier", "a classifier of texts", packed=packed)
        return cls(content, model)

    def predict_proba(self, texts: Iterable[Any], batch_size: int = 256) -> np.ndarray:
        """Return the probability of every class or label for every text, (n, C) float64, rows in the order of the texts.

        They are calibrated, and corrected where priors are stated; thresholds are applied by `decide` only.

        Args:
            texts: strings; for a model of tokens also lists of strings; for one of several columns also mappings that have
                them; for one of frames `seqwise.data.Frames`, or arrays (T, D).
            batch_size: texts computed together, at the most; texts of near-equal length come into one batch.

        Raises:
            DataError: something is neither.
        """
        return self.decisions.corrected(self.calibrated(texts, batch_size))

    def calibrated(self, texts: Iterable[Any], batch_size: int = 256) -> np.ndarray:
        """Return what `predict_proba` returns, before any correction of priors: what they are estimated from."""
        if batch_size < 1:
            raise DataError(f"batch_size is a positive number, got {batch_size}")
        parts = [
            self.decisions.calibrated(
                probabilities_of(
                    self._model.logits(self._model.encode(chunk), batch_size=batch_size), multilabel=self.multilabel
                )
            )
            for chunk in chunks(self._joined(texts), self.config["unit"])
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)))

    def predict(self, texts: Iterable[Any], batch_size: int = 256) -> list[Any]:
        """Return the class of every text, see `decide`; None where the model abstains; of labels a tuple of them."""
        return self.names(self.decide(self.predict_proba(texts, batch_size)))

    def names(self, chosen: np.ndarray) -> list[Any]:
        """Return what `decide` has chosen by name: a class or None; of labels a tuple."""
        if self.multilabel:
            return [tuple(self.classes[index] for index in np.flatnonzero(row)) for row in chosen]
        return [None if index == UNSURE else self.classes[index] for index in chosen]

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the index of the chosen class for each row of probabilities, (n, C) -> (n,).

        Without thresholds the most probable. With thresholds t the class with the largest p / t: of two classes with
        t = (1 - s, s) that is the second where its probability exceeds s. `UNSURE` (-1) stands where the model abstains.
        Of labels: whether each reaches its threshold, (n, L) bool.
        """
        return self.decisions.decide(probabilities)

    @property
    def features(self) -> Any:
        """What prepares the inputs: `TextFeatures` with a `pipeline` and `ngrams`, or `SignalFeatures` with `frames`."""
        return cast(Any, self._model).features

    @property
    def reads_frames(self) -> bool:
        """Whether the model reads frames of numbers, not texts."""
        return bool(self.config["unit"] == "frames")

    @property
    def rate(self) -> float | None:
        """Steps a second of the frames that the model reads; None of texts, or where it is not known."""
        return self.features.frames.rate if self.reads_frames else None

    def note(self, frames: Any) -> str | None:
        """A sentence on what is done to `Frames` that a person should know, or None."""
        note: str | None = self.features.frames.note(frames)
        return note

    def _joined(self, texts: Iterable[Any]) -> Iterable[Any]:
        """Examples that are mappings of several columns become the texts that the model reads."""
        from seqwise.data.joined import join_fields

        column = self.settings.get("data", {}).get("text")
        if self.reads_frames or isinstance(texts, str | bytes):
            return texts
        return (join_fields(text, column) if column and isinstance(text, Mapping) else text for text in texts)


def chunks(inputs: Iterable[Any], unit: str) -> Iterator[Any]:
    """Yield texts, or frames, so many at a time as are encoded together.

    Args:
        inputs: what a model of this unit reads.
        unit: of the model.

    Raises:
        DataError: something is no such input; names it.
    """
    if unit == "frames":
        from seqwise.data import Frames

        frames = Frames.from_rows(inputs)
        # Boundaries where about so many steps have gathered.
        ends = np.searchsorted(frames.offsets, np.arange(STEPS, frames.offsets[-1], STEPS))
        cuts = sorted({0, *ends.tolist(), len(frames)})
        yield from (frames[start:stop] for start, stop in pairwise(cuts))
        return
    if isinstance(inputs, str | bytes):
        raise DataError("texts are a list of strings, got a single one: put it in a list")
    tokens = unit == "tokens"
    iterator, row = iter(inputs), 0
    while chunk := list(islice(iterator, CHUNK)):
        for text in chunk:
            row += 1
            listed = tokens and isinstance(text, Sequence | np.ndarray) and not isinstance(text, bytes)
            if not isinstance(text, str) and not listed:
                raise DataError(f"text {row} is {type(text).__name__}, expected a string")
        yield chunk
