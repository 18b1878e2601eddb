"""What a sequence of frames is without its order: the features of the baseline of frames.

Axis letters: n sequences, D numbers of a step, F statistics of a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqwise.data import Frames
from seqwise.models import FrameFeatures, FrameSettings

STATISTICS = ("mean", "deviation", "least", "greatest", "first", "last")


class FrameStatistics:
    """Mean, deviation, least, greatest, first and last number of every channel, and how long the sequence is.

    Of sound these are channels of its spectrum: what the model reads, without stacking, striding and limit. All are
    standardised by the training data. Of vectors, which are sequences of one step, only they themselves are left.

    Args:
        settings: the section `frames`.
    """

    def __init__(self, settings: FrameSettings | None = None) -> None:
        plain = {"stack": 1, "stride": 1, "max_length": None}
        self._features = FrameFeatures((settings or FrameSettings()).model_copy(update=plain))
        self._vectors = False
        self._mean = self._deviation = np.empty(0)

    def fit_transform(self, frames: Iterable[Any]) -> NDArray[np.float64]:
        """Learn from training frames and return their statistics, (n, F)."""
        encoded = self._features.fit_encode(frames)
        self._vectors = bool((encoded.lengths == 1).all())
        raw = self._raw(encoded)
        self._mean, self._deviation = raw.mean(axis=0), raw.std(axis=0)
        self._deviation[self._deviation < 1e-8] = 1.0
        return (raw - self._mean) / self._deviation

    def transform(self, frames: Iterable[Any]) -> NDArray[np.float64]:
        """Return statistics, (n, F)."""
        return (self._raw(self._features.encode(frames)) - self._mean) / self._deviation

    def __len__(self) -> int:
        return len(self._mean)

    @property
    def description(self) -> str:
        """What they are, for people."""
        if self._vectors:
            return "the numbers of the vector"
        what = {"log_mel": "log-mel energy", "mfcc": "mel-frequency cepstral coefficient"}
        channel = what.get(self._features.settings.features, "channel")
        return f"the statistics of the frames ({', '.join(STATISTICS)} of each {channel}, and the length)"

    def to_dict(self) -> dict[str, Any]:
        """Return what `baseline.json` holds."""
        return {
            "frames": self._features.to_dict(),
            "vectors": self._vectors,
            "mean": self._mean.tolist(),
            "deviation": self._deviation.tolist(),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Return the statistics that `to_dict` described."""
        statistics = cls()
        statistics._features = FrameFeatures.from_dict(saved["frames"])
        statistics._vectors = bool(saved["vectors"])
        statistics._mean, statistics._deviation = (np.asarray(saved[name]) for name in ("mean", "deviation"))
        return statistics

    def _raw(self, frames: Frames) -> NDArray[np.float64]:
        values, starts = frames.values.astype(np.float64), frames.offsets[:-1]
        if self._vectors:
            return values[starts]
        lengths = frames.lengths[:, None]
        mean = np.add.reduceat(values, starts) / lengths
        squares = np.add.reduceat(np.square(values - np.repeat(mean, lengths[:, 0], axis=0)), starts) / lengths
        return np.concatenate(
            [
                mean,
                np.sqrt(squares),
                np.minimum.reduceat(values, starts),
                np.maximum.reduceat(values, starts),
                values[starts],
                values[frames.offsets[1:] - 1],
                np.log(lengths),
            ],
            axis=1,
        )
