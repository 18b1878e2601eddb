"""From frames to the arrays that a tagger reads: what `tagger_features` is for words.

One step that the network reads may stand for several that are given (`frames.stride`): it learns the label that most of them
have, and its answer is that of all of them.

Axis letters: B sequences, T steps, D numbers of a step, N steps of all sequences together, C tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

UNKNOWN = -1
"""The target of a step that has no label, and is neither learned from nor judged."""


class FramedBatch(NamedTuple):
    """What a tagger of frames reads."""

    frames: Tensor  # (B, T, D) float32, padded with 0
    lengths: Tensor  # (B,) int64
    targets: Tensor | None = None  # (B, T) int64, UNKNOWN where there is none and at padding

    @property
    def live(self) -> Tensor:
        """(B, T): the steps that exist."""
        import torch

        return torch.arange(self.frames.shape[1], device=self.lengths.device) < self.lengths[:, None]

    def to(self, device: torch.device) -> FramedBatch:
        """Return the batch on a device."""
        moved: list[Any] = [None if part is None else part.to(device) for part in self]
        return FramedBatch(*moved)


@dataclass(frozen=True, eq=False)
class FramedExamples:
    """Stretches of sequences ready for a tagger.

    Attributes:
        values: (N, D) float32, all sequences one after the other.
        offsets: (n + 1,) where each sequence begins.
        stretches: (examples, 4) int64: first step of each stretch and the one behind its last, both counted in `values`;
            and the same of the part whose targets count. Whole sequences unless `cut` made them.
        targets: (N,) int64, or None.
    """

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]
    stretches: NDArray[np.int64]
    targets: NDArray[np.int64] | None = None

    @classmethod
    def whole(cls, frames: Frames, targets: NDArray[np.int64] | None = None) -> FramedExamples:
        """Every sequence as one stretch."""
        ends = np.stack([frames.offsets[:-1], frames.offsets[1:]], axis=1)
        return cls(frames.values, frames.offsets, np.concatenate([ends, ends], axis=1), targets)

    def __len__(self) -> int:
        return len(self.stretches)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each stretch: what batches are sorted by."""
        return self.stretches[:, 1] - self.stretches[:, 0]

    def cut(self, windows: NDArray[np.int64], margin: int = 0) -> FramedExamples:
        """Stretches of these sequences.

        Args:
            windows: (windows, 3) int64: sequence, first step in it, and the step behind the last.
            margin: steps before and behind that are read too, where the sequence has them; their targets do not count.
        """
        rows = windows[:, 0]
        begins = self.offsets[rows]
        inner = begins[:, None] + windows[:, 1:]
        outer = np.stack(
            [np.maximum(inner[:, 0] - margin, begins), np.minimum(inner[:, 1] + margin, self.offsets[rows + 1])], axis=1
        )
        return replace(self, stretches=np.concatenate([outer, inner], axis=1))

    def arrays(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the inputs of the stretches at `indices`: "frames" (B, T, D) padded with 0, and "lengths" (B,)."""
        chosen = self.stretches[indices]
        lengths = chosen[:, 1] - chosen[:, 0]
        frames = np.zeros((len(chosen), int(lengths.max(initial=0)), self.values.shape[1]), np.float32)
        for row, (begin, end) in enumerate(chosen[:, :2]):
            frames[row, : end - begin] = self.values[begin:end]
        return {"frames": frames, "lengths": lengths}

    def batch(self, indices: NDArray[np.int64]) -> FramedBatch:
        """Return the stretches at `indices` as one padded batch."""
        import torch

        chosen = self.stretches[indices]
        frames, lengths = self.arrays(indices).values()
        targets = np.full(frames.shape[:2], UNKNOWN, np.int64)
        for row, (begin, _, first, last) in enumerate(chosen):
            if self.targets is not None:
                targets[row, first - begin : last - begin] = self.targets[first:last]
        given = None if self.targets is None else torch.from_numpy(targets)
        return FramedBatch(torch.from_numpy(frames), torch.from_numpy(lengths), given)


class FrameTaggerFeatures:
    """Frames as a tagger reads them, and which given step each answer is of.

    Args:
        settings: see `FrameSettings`.

    Raises:
        ConfigurationError: `max_length` is set: every step has a label, so none is cut off.
    """

    framed = True

    def __init__(self, settings: FrameSettings) -> None:
        if settings.max_length is not None:
            raise ConfigurationError(
                "frames.max_length is not for taggers: every step has a label; training reads windows (model.window)"
            )
        self.frames = FrameFeatures(settings)

    @property
    def settings(self) -> FrameSettings:
        """The settings, with "auto" decided once fitted."""
        return self.frames.settings

    @property
    def size(self) -> int:
        """D, numbers of a step that the network reads."""
        return self.frames.size

    def fit(self, frames: Frames) -> None:
        """Learn means and deviations from training data."""
        self.frames.fit(frames)

    def encode(self, frames: Frames, targets: Sequence[NDArray[np.int64]] | None = None) -> FramedExamples:
        """Return frames as arrays.

        Args:
            frames: of at least one step each.
            targets: number of the tag of every given step, UNKNOWN where it has none.
        """
        encoded = self.frames.encode(frames)
        if targets is None:
            return FramedExamples.whole(encoded)
        count = max((int(row.max(initial=UNKNOWN)) for row in targets), default=UNKNOWN) + 1
        merged = np.full(len(encoded.values), UNKNOWN, np.int64)
        for i, row in enumerate(targets):
            begin, end = encoded.offsets[i : i + 2]
            merged[begin:end] = majority(self.places(frames, len(row), end - begin), row, int(end - begin), count)
        return FramedExamples.whole(encoded, merged)

    def places(self, frames: Frames, given: int, read: int) -> NDArray[np.int64]:
        """Which step that the network reads stands for each of the given ones, (given,).

        Args:
            frames: that are given; of another rate than those of training they were resampled.
            given: steps of a sequence of these.
            read: steps that the network reads of it.
        """
        speed = 1.0 if frames.rate is None or self.frames.rate is None else self.frames.rate / frames.rate
        return np.minimum((np.arange(given) * (speed / self.frames.reduction)).astype(np.int64), read - 1)

    def spread(self, frames: Frames, number: int, values: NDArray[Any]) -> NDArray[Any]:
        """What was said of the steps that were read, (T, ...), for every step of sequence `number` that was given."""
        return values[self.places(frames, int(frames.lengths[number]), len(values))]

    def to_dict(self) -> dict[str, Any]:
        """Return what `vocabulary.json` holds."""
        return {"frames": self.frames.to_dict()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> FrameTaggerFeatures:
        """Return the features that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if set(saved) != {"frames"}:
            raise DataError('the features of a tagger of frames have the key "frames"')
        frames = FrameFeatures.from_dict(saved["frames"])
        features = cls(frames.settings)
        features.frames = frames
        return features


def majority(places: NDArray[np.int64], targets: NDArray[np.int64], read: int, classes: int) -> NDArray[np.int64]:
    """The target that most of the given steps have which a step stands for, (read,); UNKNOWN where none has one.

    Args:
        places: (given,) which step stands for each.
        targets: (given,) theirs, UNKNOWN where there is none.
        read: steps that stand for them.
        classes: targets are below this.
    """
    known = targets != UNKNOWN
    cells = places[known] * classes + targets[known]
    votes = np.bincount(cells, minlength=read * classes).reshape(read, classes)
    if not classes:
        return np.full(read, UNKNOWN, np.int64)
    return np.where(votes.any(axis=1), votes.argmax(axis=1), UNKNOWN)
