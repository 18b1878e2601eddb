"""Calibration of a multi-label classifier: every label is a probability of its own, fitted on validation examples.

| method | what it fits |
|---|---|
| temperature | sigmoid(a z), one a > 0 for all labels; z are the log odds of the label |
| platt (Platt 1999) | sigmoid(a_j z + b_j), a_j > 0 |
| isotonic (Zadrozny and Elkan 2002) | a rising function of the probability of each label |

All three keep the order of the examples by a label (isotonic up to ties). A label with few examples takes what was fitted on
the decisions of all labels together.

Axis letters: n examples, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, nearest
from seqwise.metrics.calibrators import checked_numbers, fit_sigmoid, fit_steps, fit_temperature
from seqwise.metrics.examples import scored_labels
from seqwise.metrics.link_functions import log_odds, sigmoid

FEW = 10  # examples with a label (or without it) below which the label has no calibration of its own
LABEL_METHODS = ("temperature", "platt", "isotonic")


@dataclass(frozen=True)
class LabelCalibration:
    """A fitted calibration of L labels.

    Attributes:
        method: "temperature", "platt" or "isotonic".
        parameters: plain lists and numbers: one `slope`; or `slope` and `shift` by label; or the `knots` of each label as
            pairs of lists [claimed, calibrated].
    """

    method: str
    parameters: dict[str, Any]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, (n, L) -> (n, L)."""
        if self.method == "isotonic":
            columns = zip(probabilities.T, self.parameters["knots"], strict=True)
            return np.stack([np.interp(column, *knots) for column, knots in columns], axis=1)
        return sigmoid(log_odds(probabilities) * self.parameters["slope"] + self.parameters.get("shift", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return the form that `labels.json` holds."""
        return {"method": self.method, **self.parameters}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], labels: int) -> LabelCalibration:
        """Check and take what `to_dict` returned.

        Raises:
            ConfigurationError: it is not the calibration of so many labels.
        """
        parameters = {name: value for name, value in content.items() if name != "method"}
        method, sound = check_label_method(str(content.get("method"))[:40]), False
        wanted = {"temperature": {"slope"}, "platt": {"slope", "shift"}, "isotonic": {"knots"}}[method]
        try:
            if method == "temperature":
                sound = bool(checked_numbers(parameters["slope"], ()) > 0)
            elif method == "platt":
                sound = bool((checked_numbers(parameters["slope"], (labels,)) > 0).all())
                checked_numbers(parameters["shift"], (labels,))
            else:
                knots = [checked_numbers(pair, None) for pair in parameters["knots"]]
                sound = len(knots) == labels and all(
                    pair.ndim == 2
                    and len(pair) == 2
                    and pair.shape[1] > 0
                    and bool((np.diff(pair) >= 0).all())
                    and 0 < pair[1, 0] <= pair[1, -1] < 1
                    for pair in knots
                )
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound or set(parameters) != wanted:
            raise ConfigurationError(f"the parameters are not those of {method} calibration of {labels} labels")
        return cls(method, parameters)


def check_label_method(name: str) -> str:
    """Return the name of a calibration method of labels.

    Raises:
        ConfigurationError: there is none of that name; names the nearest.
    """
    if name in LABEL_METHODS:
        return name
    raise ConfigurationError(f"there is no calibration method {name!r} of labels; {nearest(name, LABEL_METHODS)}")


def fit_label_calibration(
    method: str,
    targets: ArrayLike,
    probabilities: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    few: int = FEW,
) -> LabelCalibration:
    """Fit a calibration of labels on examples that the model was not fitted on.

    Args:
        method: "temperature", "platt" or "isotonic".
        targets: (n, L) of 0 and 1.
        probabilities: (n, L).
        sample_weight: (n,), or None.
        few: A label that fewer examples have, or fewer lack, takes what fits the decisions of all labels together.

    Raises:
        ConfigurationError: there is no such method.
        DataError: an argument has a wrong shape or a value out of its range.
    """
    check_label_method(method)
    examples = scored_labels(targets, probabilities, sample_weight=sample_weight)
    true, scores = examples.targets.astype(np.float64), examples.probabilities
    weights = np.ones(len(true)) if examples.weights is None else examples.weights
    count = scores.shape[1]
    odds, repeated = log_odds(scores), np.repeat(weights, count)
    if method == "temperature":
        # log p and log (1 - p) of every decision
        logs = -np.logaddexp(0, np.stack([odds.ravel(), -odds.ravel()], axis=1))
        answers = np.stack([1 - true.ravel(), true.ravel()], axis=1)
        return LabelCalibration(method, {"slope": fit_temperature(logs, answers, repeated)})
    present = (true[weights > 0] > 0).sum(axis=0)
    own = np.minimum(present, (weights > 0).sum() - present) >= few
    if method == "platt":
        shared = fit_sigmoid(odds.ravel(), true.ravel(), repeated)
        fitted = [fit_sigmoid(odds[:, j], true[:, j], weights) if own[j] else shared for j in range(count)]
        return LabelCalibration(method, {"slope": [a for a, _ in fitted], "shift": [b for _, b in fitted]})
    steps = fit_steps(scores.ravel(), true.ravel(), repeated)
    knots = [fit_steps(scores[:, j], true[:, j], weights) if own[j] else steps for j in range(count)]
    return LabelCalibration(method, {"knots": knots})
