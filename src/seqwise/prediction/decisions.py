"""From a model's probabilities to an answer: calibration, then prior correction, then thresholds, then abstention.

Of labels, of which an example may have several, each is a problem of its own: has it or has it not.

The order matters: priors can only be corrected in probabilities that mean what they say, and a threshold is one of
calibrated and corrected probabilities. All of it is saved in `labels.json`, and plain numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics import (
    Calibration,
    LabelCalibration,
    correct_priors,
    decide,
    estimate_priors_bbse,
    estimate_priors_em,
)

UNSURE = -1  # what `decide` returns instead of a class number


@dataclass(frozen=True)
class Decisions:
    """How probabilities become answers.

    Attributes:
        calibration: None leaves the probabilities as the model gives them.
        thresholds: (C,) the answer is the class with the largest p_j / t_j; None takes the most probable. Of labels: those
            with p_j >= t_j; None takes t_j = 1/2.
        source: (C,) class shares for which the calibrated probabilities hold.
        confusion: (C, C) validation examples by true class and most probable class; None if unknown.
        priors: (C,) class shares of the world in which the model is used; None for those of training.
        abstain_below: probability of the answer under which there is none.
        multilabel: whether an example may have several labels.
    """

    calibration: Calibration | LabelCalibration | None
    thresholds: np.ndarray | None
    source: np.ndarray
    confusion: np.ndarray | None = None
    priors: np.ndarray | None = None
    abstain_below: float | None = None
    multilabel: bool = False

    @classmethod
    def from_labels(cls, labels: Mapping[str, Any]) -> Self:
        """Take what `labels.json` holds; what an older folder lacks is nothing at all, or the shares of training.

        Raises:
            ConfigurationError: the calibration is not one that is known.
        """
        calibration, thresholds = labels.get("calibration"), labels.get("thresholds")
        source, confusion = labels.get("implied_priors") or labels["priors"], labels.get("confusion")
        several, count = labels.get("kind") == "multilabel", len(labels["classes"])
        read: Any = LabelCalibration if several else Calibration
        return cls(
            None if calibration is None else read.from_dict(calibration, count),
            None if thresholds is None else np.asarray(thresholds, dtype=np.float64),
            np.asarray(source, dtype=np.float64),
            None if confusion is None else np.asarray(confusion, dtype=np.float64),
            multilabel=several,
        )

    def calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the model's probabilities calibrated, (n, C) -> (n, C)."""
        return probabilities if self.calibration is None or not len(probabilities) else self.calibration(probabilities)

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities for the class shares of the world, (n, C) -> (n, C)."""
        if self.priors is None or not len(probabilities):
            return probabilities
        if self.multilabel:
            pairs = zip(probabilities.T, self.source, self.priors, strict=True)
            return np.stack(
                [correct_priors(two_classes(p), two_classes(old), two_classes(new))[:, 1] for p, old, new in pairs],
                axis=1,
            )
        return correct_priors(probabilities, self.source, self.priors)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the class number of each row of calibrated and corrected probabilities, or `UNSURE`, (n,).

        Of labels: which of them each row has, (n, L) bool.
        """
        if self.multilabel:
            return probabilities >= (0.5 if self.thresholds is None else self.thresholds)
        chosen = decide(probabilities, self.thresholds)
        if self.abstain_below is None:
            return chosen
        sure = probabilities[np.arange(len(chosen)), chosen] >= self.abstain_below
        return np.where(sure, chosen, UNSURE)

    def estimate_priors(self, probabilities: np.ndarray, method: str) -> np.ndarray:
        """Estimate the class shares of unlabelled examples, (C,).

        Args:
            probabilities: (n, C) calibrated, not corrected.
            method: "em" (Saerens et al. 2002), or "bbse" (Lipton et al. 2018).

        Raises:
            ConfigurationError: there is no such method.
            DataError: no examples; or, for "bbse", the folder holds no confusion matrix, or one that cannot be inverted.
        """
        if self.multilabel and method == "em":
            columns = zip(probabilities.T, self.source, strict=True)
            return np.array([estimate_priors_em(two_classes(p), two_classes(share))[1] for p, share in columns])
        if method == "em":
            return estimate_priors_em(probabilities, self.source)
        if method != "bbse":
            raise ConfigurationError(f"class shares are estimated by em or bbse, not {method!r}")
        if self.confusion is None:
            raise DataError("the model holds no confusion matrix of validation examples, which bbse needs: use em")
        answers = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
        return estimate_priors_bbse(answers, self.confusion)

    def used(self, *, priors: np.ndarray | None = None, abstain_below: float | None = None) -> Self:
        """Return the decisions for a world with other class shares, or with abstention.

        Raises:
            ConfigurationError: `abstain_below` is not above 0 and at most 1, or the model is one of labels.
        """
        if abstain_below is not None and self.multilabel:
            raise ConfigurationError("abstain_below is for one class a text; of several labels each has a threshold")
        if abstain_below is not None and not 0 < abstain_below <= 1:
            raise ConfigurationError(f"abstain_below is a probability above 0 and at most 1, not {abstain_below}")
        return replace(self, priors=priors, abstain_below=abstain_below)


def two_classes(share: Any) -> np.ndarray:
    """The probabilities of lacking and of having a label, (..., 2), from that of having it, (...)."""
    share = np.asarray(share, dtype=np.float64)
    return np.stack([1 - share, share], axis=-1)
