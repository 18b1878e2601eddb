"""Calibration: probabilities that mean what they say, fitted on validation examples and applied in numpy alone.

| method | what it fits | what it keeps |
|---|---|---|
| temperature (Guo et al. 2017) | p^a, one a | the order of the classes in every example |
| bcts (Alexandari et al. 2020: temperature with a bias) | p_j^a exp(b_j), one a > 0 | the order, but for factors exp(b_j) |
| vector (Guo et al. 2017) | p_j^(a_j) exp(b_j), a_j > 0 | nothing: it moves classes claimed too often or too rarely |
| platt (Platt 1999) | a sigmoid of each class's log odds, slope > 0 | of two classes the order of the examples |
| isotonic (Zadrozny and Elkan 2002) | a rising function of each class's probability | the same, ties aside |

Temperature and Platt need tens of examples, vector some tens of each class, isotonic hundreds of each class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, nearest
from seqwise.metrics.calibration import bin_numbers
from seqwise.metrics.examples import scored_examples
from seqwise.metrics.link_functions import class_log_odds, sigmoid, softmax

METHODS = ("temperature", "bcts", "vector", "platt", "isotonic")
TINY = 1e-300  # below this a probability has no logarithm worth speaking of
STEEPEST, FLATTEST = 100.0, 0.01  # slopes that examples without a mistake could ask for, and never should get
PULL = 1.0  # of the slopes towards 1 and of the shifts towards 0, in units of the summed log loss


@dataclass(frozen=True)
class Calibration:
    """A fitted calibration.

    Attributes:
        method: "temperature", "bcts", "vector", "platt" or "isotonic".
        parameters: plain lists and numbers: `slope` (and `shift`) by class, one slope for "temperature" and "bcts"; or the
            `knots` of "isotonic" as pairs of lists [claimed, calibrated]. Of two classes "platt" and "isotonic" need the
            second only.
    """

    method: str
    parameters: dict[str, Any]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, (n, C) -> (n, C), each row summing to one."""
        classes = probabilities.shape[1]
        logs = np.log(np.maximum(probabilities, TINY))
        if self.method in ("temperature", "bcts", "vector"):
            return softmax(logs * self.parameters["slope"] + self.parameters.get("shift", 0.0))
        numbers = [1] if classes == 2 else range(classes)
        if self.method == "platt":
            odds = class_log_odds(logs)[:, list(numbers)]
            columns = sigmoid(odds * self.parameters["slope"] + self.parameters["shift"])
        else:
            columns = np.stack(
                [
                    np.interp(probabilities[:, number], *knots)
                    for number, knots in zip(numbers, self.parameters["knots"], strict=True)
                ],
                axis=1,
            )
        if classes == 2:
            return np.concatenate([1 - columns, columns], axis=1)
        return columns / columns.sum(axis=1, keepdims=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the form that `labels.json` holds."""
        return {"method": self.method, **self.parameters}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], classes: int) -> Calibration:
        """Check and take what `to_dict` returned.

        Raises:
            ConfigurationError: it is not the calibration of so many classes.
        """
        parameters = {name: value for name, value in content.items() if name != "method"}
        method, columns = content.get("method"), 1 if classes == 2 else classes
        sound: Any
        try:
            match method:
                case "temperature":
                    sound = checked_numbers(parameters.pop("slope"), ()) > 0
                case "bcts":
                    sound = checked_numbers(parameters.pop("slope"), ()) > 0
                    checked_numbers(parameters.pop("shift"), (classes,))
                case "vector":
                    sound = (checked_numbers(parameters.pop("slope"), (classes,)) > 0).all()
                    checked_numbers(parameters.pop("shift"), (classes,))
                case "platt":
                    sound = (checked_numbers(parameters.pop("slope"), (columns,)) > 0).all()
                    checked_numbers(parameters.pop("shift"), (columns,))
                case "isotonic":
                    knots = [checked_numbers(pair, None) for pair in parameters.pop("knots")]
                    sound = len(knots) == columns and all(
                        pair.ndim == 2
                        and len(pair) == 2
                        and pair.shape[1]
                        and (np.diff(pair) >= 0).all()
                        and (pair[1] > 0).all()
                        and (pair[1] < 1).all()
                        for pair in knots
                    )
                case _:
                    raise ConfigurationError(f"{str(method)[:40]!r} is no calibration method that is known here")
        except (KeyError, TypeError, ValueError, AttributeError):
            sound = False
        if not sound or parameters:
            raise ConfigurationError(f"the parameters are not those of {method} calibration of {classes} classes")
        return cls(str(method), {name: value for name, value in content.items() if name != "method"})


def check_method(name: str) -> str:
    """Return the name of a calibration method.

    Raises:
        ConfigurationError: there is none of that name; names the nearest.
    """
    if name in METHODS:
        return name
    raise ConfigurationError(f"there is no calibration method {name!r}; {nearest(name, METHODS)}")


def fit_calibration(
    method: str, targets: ArrayLike, probabilities: ArrayLike, sample_weight: ArrayLike | None = None
) -> Calibration:
    """Fit a calibration on examples that the model was not fitted on.

    Args:
        method: "temperature", "bcts", "vector", "platt" or "isotonic".
        targets: (n,) class numbers.
        probabilities: (n, C), each row summing to one.
        sample_weight: (n,), or None.

    Raises:
        ConfigurationError: there is no such method.
        DataError: an argument has a wrong shape or a value out of its range.
    """
    check_method(method)
    shape = np.shape(probabilities)
    names = [str(j) for j in range(shape[1] if len(shape) == 2 else 0)]
    examples = scored_examples(targets, probabilities, names, sample_weight=sample_weight)
    weights = np.ones(len(examples.targets)) if examples.weights is None else examples.weights
    true = np.eye(len(names))[examples.targets]
    scores = examples.probabilities
    logs = np.log(np.maximum(scores, TINY))
    if method == "temperature":
        return Calibration(method, {"slope": fit_temperature(logs, true, weights)})
    if method in ("bcts", "vector"):
        return Calibration(method, _fit_shift(logs, true, weights, slopes=1 if method == "bcts" else len(names)))
    numbers = [1] if len(names) == 2 else range(len(names))
    if method == "platt":
        odds = class_log_odds(logs)
        fitted = [fit_sigmoid(odds[:, number], true[:, number], weights) for number in numbers]
        return Calibration(method, {"slope": [a for a, _ in fitted], "shift": [b for _, b in fitted]})
    return Calibration(method, {"knots": [fit_steps(scores[:, j], true[:, j], weights) for j in numbers]})


def fit_temperature(logs: np.ndarray, true: np.ndarray, weights: np.ndarray) -> float:
    """The slope of least log loss, which is convex in it: the root of the derivative, by halving its logarithm.

    The pull towards 1 matters where few examples are all answered right: without it they would ask for certainty.
    """
    gain = (weights[:, None] * true * logs).sum()

    def rises(slope: float) -> bool:  # d loss / d slope > 0
        return bool((weights[:, None] * softmax(slope * logs) * logs).sum() + PULL * (slope - 1) > gain)

    low, high = np.log(FLATTEST), np.log(STEEPEST)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(float(np.exp(middle))) else (middle, high)
    return float(np.exp((low + high) / 2))


def _fit_shift(logs: np.ndarray, true: np.ndarray, weights: np.ndarray, *, slopes: int) -> dict[str, Any]:
    """One slope or one of each class, and the shift of each class, of least log loss."""
    from scipy.optimize import minimize

    classes = logs.shape[1]
    # A probability of 1e-40 claims no more than one of 1e-30, but would decide the slope alone.
    logs = np.maximum(logs, np.log(1e-30))

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, shift = parameters[:slopes], parameters[slopes:]
        claimed = softmax(logs * slope + shift)
        loss = -(weights * np.log(np.maximum((claimed * true).sum(axis=1), TINY))).sum()
        error = weights[:, None] * (claimed - true)
        of_slope = (error * logs).sum(axis=0)
        of_slope = of_slope if slopes == classes else of_slope.sum(keepdims=True)
        pull = parameters - start
        return float(loss + PULL * (pull**2).sum() / 2), np.concatenate([of_slope, error.sum(axis=0)]) + PULL * pull

    start = np.concatenate([np.ones(slopes), np.zeros(classes)])
    bounds = [(FLATTEST, STEEPEST)] * slopes + [(None, None)] * classes
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    slope, shift = found[:slopes], found[slopes:]
    return {
        "slope": slope.tolist() if slopes == classes else float(slope[0]),
        "shift": (shift - shift.mean()).tolist(),
    }


def fit_sigmoid(odds: np.ndarray, true: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Slope and shift of Platt's sigmoid, fitted to his softened targets."""
    from scipy.optimize import minimize

    positives, negatives = weights @ true, weights @ (1 - true)
    # Platt's targets: of n+ positives nobody knows that the share is more than (n+ + 1) / (n+ + 2).
    wanted = np.where(true > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    odds = np.clip(odds, -60, 60)

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * odds + parameters[1]
        loss = weights @ (np.logaddexp(0, z) - wanted * z)
        error = weights * (sigmoid(z) - wanted)
        return float(loss), np.array([error @ odds, error.sum()])

    bounds = [(FLATTEST, STEEPEST), (None, None)]
    found = minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return float(found.x[0]), float(found.x[1])


def fit_steps(claimed: np.ndarray, true: np.ndarray, weights: np.ndarray) -> list[list[float]]:
    """The knots [claimed, calibrated] of the rising steps of least squared error."""
    from sklearn.isotonic import IsotonicRegression

    used = weights > 0
    # Of n examples nobody can tell 0 from half an example.
    least = 0.5 / (used.sum() + 1)
    model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    model.fit(claimed[used], true[used], sample_weight=weights[used])
    return [model.X_thresholds_.tolist(), model.y_thresholds_.tolist()]


def classwise_calibration_error(
    targets: ArrayLike, probabilities: ArrayLike, sample_weight: ArrayLike | None = None, *, bins: int = 15
) -> np.ndarray:
    """Per class, the mean distance between its claimed probability and its share, over bins weighted by their size.

    Kull et al. 2019; their "classwise ECE" is the mean of the result. The top-label error looks at the predicted class
    only, and so nearly never at a rare one.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C).
        sample_weight: (n,), or None.
        bins: How many.

    Returns:
        (C,) from 0 to 1.
    """
    scores, true = np.asarray(probabilities, dtype=np.float64), np.asarray(targets)
    weights = np.ones(len(true)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    errors = []
    for number in range(scores.shape[1]):
        gap = weights * (scores[:, number] - (true == number))
        errors.append(np.abs(np.bincount(bin_numbers(scores[:, number], bins), weights=gap)).sum() / weights.sum())
    return np.array(errors)


def brier_score(targets: ArrayLike, probabilities: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The mean squared distance of the probabilities from the truth, summed over the classes (Brier 1950): 0 to 2.

    Of two classes it is twice what is often called the Brier score, which looks at one class only.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C).
        sample_weight: (n,), or None.
    """
    scores, true = np.asarray(probabilities, dtype=np.float64), np.asarray(targets)
    squares = ((scores - np.eye(scores.shape[1])[true]) ** 2).sum(axis=1)
    return float(np.average(squares, weights=None if sample_weight is None else np.asarray(sample_weight)))


def checked_numbers(values: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    """Return finite numbers as an array; ValueError if they are none, or not of this shape."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all() or (shape is not None and array.shape != shape):
        raise ValueError("not finite numbers of this shape")
    return array
