"""What a transcript is if nothing is learned of sequences: that of the training utterance which sounds most alike.

Axis letters: N training utterances, D numbers of a step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqwise.data.frames import Frames
from seqwise.errors import DataError
from seqwise.models.frame_features import FrameFeatures

NAME = "nearest training utterance"
MOST = 20_000  # utterances that are kept


@dataclass(frozen=True)
class NearestUtterance:
    """The mean frame and the length of every training utterance, its transcript, and the most frequent transcript.

    Attributes:
        marks: (N, D + 1) mean of the frames as given, each divided by its deviation among the utterances, and log
            steps.
        spread: (D + 1,) these deviations.
        texts: the N transcripts.
        usual: the most frequent transcript.
    """

    marks: np.ndarray
    spread: np.ndarray
    texts: list[str]
    usual: str

    @classmethod
    def fit(cls, features: FrameFeatures, frames: Frames, texts: Sequence[str]) -> Self:
        """Return the baseline of utterances.

        Args:
            features: of a fitted model: rate, and what stands for missing numbers.
            frames: of each utterance.
            texts: what was said in it.
        """
        marks = _marks(features, frames)
        spread = marks.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        counts = Counter(texts)
        usual = min(counts, key=lambda text: (-counts[text], text))
        return cls((marks / spread)[:MOST], spread, list(texts[:MOST]), usual)

    def predict(self, features: FrameFeatures, frames: Frames) -> list[str]:
        """The transcript of the training utterance nearest to each."""
        found = []
        for mark in _marks(features, frames) / self.spread:
            found.append(self.texts[int(np.square(self.marks - mark).sum(axis=1).argmin())])
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": "utterances",
            "marks": [[round(float(value), 5) for value in row] for row in self.marks],
            "spread": self.spread.tolist(),
            "texts": self.texts,
            "usual": self.usual,
        }

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the baseline that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if not isinstance(saved, dict) or not {"marks", "spread", "texts", "usual"} <= set(saved):
            raise DataError("the baseline of a transcriber has marks, spread, texts and usual")
        try:
            marks, spread = np.array(saved["marks"], float), np.array(saved["spread"], float)
        except (TypeError, ValueError):
            raise DataError("the marks of utterances are numbers") from None
        if marks.shape != (len(saved["texts"]), len(spread)):
            raise DataError("the baseline of a transcriber has one transcript for each mark")
        return cls(marks, spread, [str(text) for text in saved["texts"]], str(saved["usual"]))


def _marks(features: FrameFeatures, frames: Frames) -> np.ndarray:
    """(N, D + 1): the mean of the frames as the model reads them, but not normalised; and log of the steps."""
    plain = {"normalise": "none", "deltas": 0, "stack": 1, "stride": 1, "max_length": None}
    size = features.size // features.settings.stack // (1 + features.settings.deltas)
    saved = features.to_dict()
    changed = {"settings": {**saved["settings"], **plain}, "mean": [0.0] * size, "deviation": [1.0] * size}
    described = FrameFeatures.from_dict({**saved, **changed}).encode(frames)
    return np.array([[*row.mean(axis=0), np.log(len(row))] for row in described], float)
