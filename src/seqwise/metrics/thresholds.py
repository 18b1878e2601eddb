"""Thresholds of a decision, chosen on validation examples for a stated aim.

The decision is always the class with the largest p_j / t_j. Of two classes with t = (1 - s, s) that is the second one from
the probability s on; of more, a small t_j makes class j be chosen more often. Only the ratios of t matter.

All thresholds at which some example changes sides are tried: for two classes, or one class of interest, the result is the
best there is. Of more classes one threshold after the other is moved until none can be moved for the better, which is the
best of each with the others fixed, and never worse on these examples than the most probable class.

Axis letters: n examples, C classes, m candidates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, nearest
from seqwise.metrics.confusion import Marginals, balanced_accuracy, precision, recall
from seqwise.metrics.examples import scored_examples

CRITERIA = ("f1", "recall", "precision", "cost", "balanced_accuracy", "youden")
STATED = ("recall", "precision")  # criteria with a level that must be reached
GAP = 1e-9  # scores closer than this (in log p) are not told apart: division could round them to the wrong side
ROUNDS = 50  # each of them moves every class once; a handful is the rule


@dataclass(frozen=True)
class Criterion:
    """What a threshold is chosen for.

    Attributes:
        name: "f", "recall", "precision", "cost", "balanced_accuracy" or "youden".
        value: beta of "f"; the level that "recall" or "precision" must reach; None of the others.
    """

    name: str
    value: float | None = None

    def __str__(self) -> str:
        if self.name == "f":
            return f"f{self.value:g}"
        return self.name if self.value is None else f"{self.name}={self.value:g}"

    @property
    def figure(self) -> str:
        """What the criterion measures, for people."""
        names = {"cost": "mean cost", "balanced_accuracy": "balanced accuracy", "youden": "Youden's J"}
        return f"F{self.value:g}" if self.name == "f" else names.get(self.name, self.name)


def parse_criterion(text: str) -> Criterion:
    """Read a criterion as a person writes it: f1, f2, f0.5, recall=0.9, precision=0.99, cost, balanced_accuracy, youden.

    Raises:
        ConfigurationError: an unknown name (the nearest is named), or a level that is missing or not above 0 and at most 1.
    """
    name, equals, written = text.strip().lower().replace("-", "_").partition("=")
    name = name.strip()
    if match := re.fullmatch(r"f(\d+(?:\.\d+)?)", name):
        beta = float(match[1])
        if equals or not 0 < beta <= 100:
            raise ConfigurationError(f"the threshold criterion F-beta is written f1, f2 or f0.5, not {text!r}")
        return Criterion("f", beta)
    if name not in CRITERIA:
        raise ConfigurationError(f"there is no threshold criterion {text!r}; {nearest(name, CRITERIA)}")
    if name not in STATED:
        if equals:
            raise ConfigurationError(f"the threshold criterion {name!r} takes no value, got {text!r}")
        return Criterion(name)
    try:
        level = float(written)
    except ValueError:
        level = float("nan")
    if not 0 < level <= 1:
        raise ConfigurationError(f"the threshold criterion {name} needs a level above 0 and at most 1: {name}=0.9")
    return Criterion(name, level)


class Thresholds(NamedTuple):
    """What was chosen, and what it is worth on the examples that it was chosen on."""

    values: np.ndarray  # (C,)  positive, with sum one
    before: float  # the criterion's figure of the most probable class
    after: float  # the same with these thresholds
    reached: bool  # False where a stated recall or precision cannot be reached: then it is as near as possible


def decide(probabilities: np.ndarray, thresholds: ArrayLike | None = None) -> np.ndarray:
    """Return the class number with the largest p_j / t_j, (n, C) -> (n,); without thresholds the most probable."""
    return (probabilities if thresholds is None else probabilities / np.asarray(thresholds)).argmax(axis=1)


def choose_thresholds(
    targets: ArrayLike,
    probabilities: ArrayLike,
    criterion: Criterion,
    *,
    positive: int | None = None,
    costs: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Thresholds:
    """Choose the thresholds that serve the criterion best.

    F-beta, recall, precision and Youden's J are those of the class of interest where there is one, and means over the
    classes otherwise. A stated recall is reached with the highest precision possible, a stated precision with the highest
    recall. Where several thresholds serve equally well, the one nearest to no threshold at all is taken.

    Args:
        targets: (n,) class numbers of examples that the model was not fitted on.
        probabilities: (n, C), each row summing to one.
        criterion: What to choose for.
        positive: Number of the class of interest; only its threshold is moved. None: of two classes the rarer one; of more
            there is none, and every class that has examples here is moved.
        costs: (C, C) cost of answering j where i is true; needed by "cost" and by nothing else.
        sample_weight: (n,), or None.

    Raises:
        ConfigurationError: costs are missing, or recall or precision is stated for more than two classes without `positive`.
        DataError: an argument has a wrong shape or a value out of its range.
    """
    shape = np.shape(probabilities)
    examples = scored_examples(
        targets, probabilities, [str(j) for j in range(shape[1] if len(shape) == 2 else 0)], sample_weight=sample_weight
    )
    true, scores, classes = examples.targets, examples.probabilities, len(examples.classes)
    weights = np.ones(len(true)) if examples.weights is None else examples.weights
    if criterion.name == "cost":
        if costs is None:
            raise ConfigurationError("the threshold criterion cost needs costs")
        table = np.asarray(costs, dtype=np.float64)
        if table.shape != (classes, classes) or not np.isfinite(table).all():
            raise ConfigurationError(f"costs are a table of {classes} x {classes} finite numbers, not {table.shape}")
    else:
        table = np.zeros((classes, classes))
    support = np.bincount(true, weights=weights, minlength=classes)
    if positive is None and classes == 2:
        positive = int(support.argmin())
    if criterion.name in STATED and positive is None:
        raise ConfigurationError(f"{criterion} of {classes} classes needs the class of interest: name it (--positive)")
    focus = None if criterion.name in ("cost", "balanced_accuracy") else positive
    alone = positive is not None and (classes == 2 or focus is not None)
    moved = [int(positive or 0)] if alone else [int(number) for number in np.flatnonzero(support)]

    search = _Search(true, weights, table, criterion, focus)
    with np.errstate(divide="ignore"):
        logs = np.log(scores)
    chosen = np.zeros(classes)  # log t
    best = search.now(decide(scores))
    for _ in range(ROUNDS):
        start = best
        for number in moved:
            chosen[number], best = search.move(logs - chosen, number, float(chosen[number]), best)
        if len(moved) == 1 or best <= start:
            break
    values = np.exp(chosen - chosen.max())
    values /= values.sum()
    reached = criterion.name not in STATED or best >= 1
    return Thresholds(values, search.figure(decide(scores)), search.figure(decide(scores, values)), reached)


def criterion_figure(
    targets: np.ndarray,
    predictions: np.ndarray,
    criterion: Criterion,
    *,
    positive: int | None = None,
    costs: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    classes: int = 2,
) -> float:
    """Measure decisions by what the criterion asks for: its F-beta, recall, precision, mean cost, ...

    Args:
        targets: (n,) class numbers.
        predictions: (n,) class numbers.
        criterion: Only its name and the beta of "f" count; the level of a stated recall or precision does not.
        positive: Number of the class of interest; needed by recall and precision.
        costs: (C, C); needed by "cost".
        sample_weight: (n,), or None.
        classes: C.
    """
    weights = np.ones(len(targets)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    table = np.zeros((classes, classes)) if costs is None else costs
    focus = None if criterion.name in ("cost", "balanced_accuracy") else positive
    return _Search(targets, weights, table, criterion, focus).figure(predictions)


def criterion_steps(
    positive: np.ndarray,
    scores: np.ndarray,
    criterion: Criterion,
    *,
    costs: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Measure, of two classes, what every threshold is worth, from the highest down.

    Args:
        positive: (n,) bool.
        scores: (n,).
        criterion: What it is to be worth. Reaching a stated level counts 1, and the other figure is added to it.
        costs: (2, 2); needed by "cost".
        sample_weight: (n,), or None.

    Returns:
        (n,) the examples by falling score; (n + 1,) the worth, larger is better, where the first 0, 1, ..., n of them are
        taken for positive.
    """
    order = np.argsort(-scores, kind="stable")
    true = np.asarray(positive, dtype=bool)[order]
    weights = np.ones(len(order)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)[order]
    table = np.zeros((2, 2)) if costs is None else costs
    found = np.append(0.0, np.cumsum(weights * true))
    taken = np.append(0.0, np.cumsum(weights))
    support = np.array([taken[-1] - found[-1], found[-1]])
    m = Marginals(
        np.maximum(np.stack([support[0] - (taken - found), found], axis=1), 0),
        np.broadcast_to(support, (len(taken), 2)),
        np.stack([taken[-1] - taken, taken], axis=1),
    )
    cost = support @ table[:, 0] + np.append(0.0, np.cumsum(weights * (table[:, 1] - table[:, 0])[true.astype(int)]))
    focus = None if criterion.name in ("cost", "balanced_accuracy") else 1
    return order, _Search(true, weights, table, criterion, focus).objective(m, cost)


@dataclass(frozen=True)
class _Search:
    """The objective on fixed examples; larger is better."""

    true: np.ndarray
    weights: np.ndarray
    costs: np.ndarray
    criterion: Criterion
    focus: int | None

    def now(self, predictions: np.ndarray) -> float:
        return float(self.objective(*self._sums(predictions))[0])

    def figure(self, predictions: np.ndarray) -> float:
        """The criterion's own figure: the objective without the bonus for a level that is reached."""
        m, cost = self._sums(predictions)
        if self.criterion.name in STATED:
            own = recall if self.criterion.name == "recall" else precision
            return float(np.nan_to_num(own(m))[0, self.focus])
        sign = -1.0 if self.criterion.name == "cost" else 1.0
        return sign * float(self.objective(m, cost)[0])

    def move(self, scores: np.ndarray, number: int, current: float, best: float) -> tuple[float, float]:
        """Return log t of one class, and the objective with it; the others stay.

        Args:
            scores: (n, C) log p - log t.
            number: of the class.
            current: its log t.
            best: the objective as things are.
        """
        others = scores.copy()
        others[:, number] = -np.inf
        instead = others.argmax(axis=1)  # (n,)  the answer where it is not this class
        # (n,)  log t below which the answer is this class; infinite where a probability is zero: no threshold moves those
        turns = scores[:, number] + current - others[np.arange(len(instead)), instead]
        order = np.argsort(-turns, kind="stable")
        turns, instead, true, weights = turns[order], instead[order], self.true[order], self.weights[order]

        # Row k: the first k examples get this class, the others what they get instead.
        classes = scores.shape[1]
        hit = np.zeros((len(order) + 1, classes))
        predicted = np.zeros_like(hit)
        rows = np.arange(1, len(order) + 1)
        for sums, here, there in (
            (predicted, weights, weights),
            (hit, weights * (true == number), weights * (true == instead)),
        ):
            sums[0] = np.bincount(instead, weights=there, minlength=classes)
            sums[rows, instead] -= there
            sums[rows, number] += here
            np.cumsum(sums, axis=0, out=sums)
        # Subtracting what was added leaves rounding errors where weights are no whole numbers.
        np.maximum(predicted, 0, out=predicted)
        np.clip(hit, 0, predicted, out=hit)
        cost = np.concatenate([[0.0], np.cumsum(weights * (self.costs[true, number] - self.costs[true, instead]))])
        cost += weights @ self.costs[true, instead]

        places, levels = _between(turns)
        if not len(places):
            return current, best
        support = np.bincount(true, weights=weights, minlength=classes)
        m = Marginals(hit[places], np.broadcast_to(support, (len(places), classes)), predicted[places])
        values = self.objective(m, cost[places])
        top = values.max()
        if top <= best + 1e-12:
            return current, best
        ties = np.flatnonzero(values >= top - 1e-12)
        nearest = ties[np.abs(levels[ties]).argmin()]
        return float(levels[nearest]), float(values[nearest])

    def _sums(self, predictions: np.ndarray) -> tuple[Marginals, np.ndarray]:
        classes = len(self.costs)
        hits, support, predicted = (
            np.bincount(labels, weights=weights, minlength=classes)[None]
            for labels, weights in (
                (self.true, self.weights * (self.true == predictions)),
                (self.true, self.weights),
                (predictions, self.weights),
            )
        )
        return Marginals(hits, support, predicted), np.array([self.weights @ self.costs[self.true, predictions]])

    def objective(self, m: Marginals, cost: np.ndarray) -> np.ndarray:
        """(m,) from sums (m, C) and summed costs (m,)."""
        total = m.support.sum(-1)
        match self.criterion.name:
            case "cost":
                return -cost / total
            case "balanced_accuracy":
                return balanced_accuracy(m)
            case "f":
                return self._of(f_beta(m, self.criterion.value or 1.0))
            case "youden":
                return self._of(youden(m))
            case "recall":
                level, reward = self._of(recall(m)), self._of(precision(m))
            case _:
                level, reward = self._of(precision(m)), self._of(recall(m))
        # Reaching the level beats everything else; how far above it one is, is worth nothing.
        return np.where(level >= (self.criterion.value or 0.0) - 1e-12, 1 + reward, level)

    def _of(self, values: np.ndarray) -> np.ndarray:
        """The class of interest, or the mean over the classes where the figure is defined."""
        if self.focus is not None:
            return np.nan_to_num(values[:, self.focus])
        defined = ~np.isnan(values)
        return np.where(defined, values, 0.0).sum(-1) / np.maximum(defined.sum(-1), 1)


def f_beta(m: Marginals, beta: float) -> np.ndarray:
    """Per class: (1 + beta²) P R / (beta² P + R); NaN for a class neither there nor predicted."""
    bottom = beta**2 * m.support + m.predicted
    out = np.full(bottom.shape, np.nan)
    return np.divide((1 + beta**2) * m.hits, bottom, out=out, where=bottom > 0)


def youden(m: Marginals) -> np.ndarray:
    """Per class: recall less the share of the other examples that are taken for it (Youden 1950); NaN if undefined."""
    rest = m.support.sum(-1, keepdims=True) - m.support
    false = np.divide(m.predicted - m.hits, rest, out=np.full(rest.shape, np.nan), where=rest > 0)
    return recall(m) - false


def _between(turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a threshold can lie among (n,) falling turning points: how many stay above it, and log t in the middle."""
    finite = np.flatnonzero(np.isfinite(turns))
    if not len(finite):
        return np.array([], dtype=np.int64), np.array([])
    values = turns[finite]
    inside = np.flatnonzero(values[:-1] - values[1:] > GAP)
    places = np.concatenate([[finite[0]], finite[0] + inside + 1, [finite[-1] + 1]])
    levels = np.concatenate([[values[0] + 1], (values[inside] + values[inside + 1]) / 2, [values[-1] - 1]])
    return places, levels
