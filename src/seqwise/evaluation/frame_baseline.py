"""The honest baseline of a tagger of frames: logistic regression on the frame by itself, whatever stands around it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqwise.data.frames import Frames
from seqwise.errors import DataError
from seqwise.models import FrameTaggerFeatures
from seqwise.models.tagger_frames import UNKNOWN

NAME = "logistic regression on the frame"
STEPS = 50_000
"""So many steps are enough for a few hundred coefficients."""
_ROUNDS = 300


@dataclass(frozen=True)
class FrameBaseline:
    """A linear function of what the network reads of a step, every class of equal weight.

    Attributes:
        classes: the C labels.
        weights: (C, D).
        bias: (C,).
    """

    classes: list[str]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        features: FrameTaggerFeatures,
        frames: Frames,
        targets: list[NDArray[np.int64]],
        classes: list[str],
        *,
        seed: int = 0,
    ) -> Self:
        """Fit on what a tagger is fitted on.

        Args:
            features: of the tagger.
            frames: of the training part.
            targets: number of the class of every step, below 0 where there is none.
            classes: the C labels.
            seed: of the choice of steps, where there are more than `STEPS`.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        examples = features.encode(frames, targets)
        assert examples.targets is not None
        known = np.flatnonzero(examples.targets != UNKNOWN)
        if len(known) > STEPS:
            known = np.sort(np.random.default_rng(seed).choice(known, STEPS, replace=False))
        model = LogisticRegression(class_weight="balanced", max_iter=_ROUNDS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a baseline do not matter
            model.fit(examples.values[known], examples.targets[known])
        weights, bias = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn keeps one row, that of the second class
            weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return cls([classes[i] for i in model.classes_], weights, bias)

    def predict(self, features: FrameTaggerFeatures, frames: Frames) -> list[list[str]]:
        """Return the label of every given step.

        Args:
            features: of the tagger.
            frames: to be labelled.

        Raises:
            DataError: the features are not those that it was fitted on.
        """
        encoded = features.encode(frames)
        if encoded.values.shape[1] != self.weights.shape[1]:
            raise DataError("the baseline was fitted on other features than the model has")
        said = (encoded.values @ self.weights.T + self.bias).argmax(axis=1)
        parts = [said[begin:end] for begin, end in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]
        spread = [features.spread(frames, number, part) for number, part in enumerate(parts)]
        return [[self.classes[i] for i in row] for row in spread]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": "frames",
            "classes": self.classes,
            "weights": self.weights.tolist(),
            "bias": self.bias.tolist(),
        }

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the baseline that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        try:
            classes = [str(name) for name in saved["classes"]]
            weights, bias = (np.array(saved[name], dtype=np.float64) for name in ("weights", "bias"))
        except (KeyError, TypeError, ValueError):
            raise DataError("the baseline of frames has classes, weights and a bias") from None
        if weights.ndim != 2 or len(weights) != len(classes) or bias.shape != (len(classes),):
            raise DataError("the baseline of frames has weights and a bias for each of its classes")
        return cls(classes, weights, bias)
