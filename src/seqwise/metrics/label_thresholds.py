"""Thresholds of a multi-label classifier, one for each label, chosen on validation examples for a stated aim.

Every label is a problem of two classes, and is given from its own threshold on: p_j >= t_j. What a label with a handful of
examples would choose by itself is mostly chance, so each choice is drawn towards the threshold that serves all labels
together, the more the fewer examples the label has.

Axis letters: n examples, L labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError
from seqwise.metrics.costs import checked_label_costs
from seqwise.metrics.examples import ScoredLabels, scored_labels
from seqwise.metrics.link_functions import log_odds, sigmoid
from seqwise.metrics.thresholds import STATED, Criterion, criterion_figure, criterion_steps

SHRINKAGE = 3.0  # examples' worth of trust in the shared threshold; measured, see docs/decisions/label-thresholds.md


class LabelThresholds(NamedTuple):
    """What was chosen, and what it is worth on the examples that it was chosen on."""

    values: np.ndarray  # (L,)  each above 0 and at most 1: the label is given from this probability on
    before: float  # the criterion's figure with .5 everywhere: the mean over the labels that have examples
    after: float  # the same with these thresholds
    reached: np.ndarray  # (L,) bool: False where a stated recall or precision is not reached
    own: np.ndarray  # (L,) bool: False where the shared threshold counts for more than the label's own examples
    shared: float  # the one threshold that serves all labels best


def choose_label_thresholds(
    targets: ArrayLike,
    probabilities: ArrayLike,
    criterion: Criterion,
    *,
    costs: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    shrinkage: float = SHRINKAGE,
) -> LabelThresholds:
    """Choose for every label the threshold that serves the criterion best.

    All thresholds at which some example changes sides are tried, for each label by itself and for one threshold shared by
    all (the best mean over the labels). With the shrinkage s, a label that k examples have (or lack, if those are fewer)
    gets the threshold with the log odds (k own + s shared) / (k + s). A stated recall or precision is not drawn: every label
    that has examples reaches it by itself, where that is possible.

    Args:
        targets: (n, L) of 0 and 1, of examples that the model was not fitted on.
        probabilities: (n, L).
        criterion: What to choose for; the class of interest is always "has the label".
        costs: (2, 2) cost of answering j where i is true, for every label alike, or (L, 2, 2); needed by "cost" and by
            nothing else.
        sample_weight: (n,), or None.
        shrinkage: s >= 0; 0 gives each label that has examples the best threshold there is on these examples, and so for
            F-beta the best macro average.

    Raises:
        ConfigurationError: costs are missing or have another shape, or the shrinkage is negative.
        DataError: an argument has a wrong shape or a value out of its range.
    """
    if not 0 <= shrinkage < float("inf"):
        raise ConfigurationError(f"the shrinkage of thresholds is a number of 0 or more, not {shrinkage}")
    examples = scored_labels(targets, probabilities, sample_weight=sample_weight)
    true, scores, weights = examples.targets.astype(np.int64), examples.probabilities, examples.weights
    count = scores.shape[1]
    tables = np.zeros((count, 2, 2))
    if criterion.name == "cost":
        if costs is None:
            raise ConfigurationError("the threshold criterion cost needs costs")
        tables = checked_label_costs(costs, count)
    used = np.ones(len(true), dtype=bool) if weights is None else weights > 0
    present = true[used].sum(axis=0)
    trust = np.minimum(present, used.sum() - present)

    shared = _shared(examples, criterion, tables)
    own = np.full(count, shared)
    for number in np.flatnonzero(trust):
        turns, worth = _steps(true[:, number], scores[:, number], criterion, tables[number], weights)
        own[number] = _best(turns, worth)
    values = np.where(trust > 0, own, shared)
    stated = criterion.name in STATED
    if shrinkage and not stated:
        drawn = (trust * log_odds(own) + shrinkage * log_odds(np.array(shared))) / (trust + shrinkage)
        values = sigmoid(drawn)

    def figures(thresholds: np.ndarray | float) -> np.ndarray:
        answers = (scores >= thresholds).astype(np.int64)
        return np.array(
            [
                criterion_figure(
                    true[:, j], answers[:, j], criterion, positive=1, costs=tables[j], sample_weight=weights
                )
                for j in range(count)
            ]
        )

    before, after = figures(0.5), figures(values)
    some = present > 0 if present.any() else np.ones(count, dtype=bool)
    return LabelThresholds(
        values=values,
        before=float(before[some].mean()),
        after=float(after[some].mean()),
        reached=after >= ((criterion.value or 0.0) - 1e-12 if stated else -np.inf),
        own=trust > (0 if stated else shrinkage),
        shared=shared,
    )


def _shared(examples: ScoredLabels, criterion: Criterion, tables: np.ndarray) -> float:
    """The one threshold of the best mean over the labels; of a stated level, that of all decisions taken together."""
    true, scores, weights = examples.targets, examples.probabilities, examples.weights
    count = scores.shape[1]
    if criterion.name in STATED:
        repeated = None if weights is None else np.repeat(weights, count)
        return _best(*_steps(true.ravel(), scores.ravel(), criterion, tables[0], repeated))
    # As the threshold falls, one decision after the other turns, and each moves the worth of its own label only.
    steps = [_steps(true[:, j], scores[:, j], criterion, tables[j], weights) for j in range(count)]
    turns = np.concatenate([places for places, _ in steps])
    gains = np.concatenate([np.diff(worth) for _, worth in steps])
    order = np.argsort(-turns, kind="stable")
    start = sum(float(worth[0]) for _, worth in steps)
    return _best(turns[order], start + np.append(0.0, np.cumsum(gains[order])))


def _steps(
    true: np.ndarray, scores: np.ndarray, criterion: Criterion, costs: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(m,) falling log odds, and (m + 1,) what a threshold below the first 0, 1, ..., m of them is worth."""
    order, worth = criterion_steps(true, scores, criterion, costs=costs, sample_weight=weights)
    return log_odds(scores[order]), worth


def _best(turns: np.ndarray, worth: np.ndarray) -> float:
    """The threshold of the highest worth; of several, the one nearest to .5."""
    ends = np.concatenate([[0], np.flatnonzero(np.diff(turns)) + 1, [len(turns)]])  # equal scores turn together
    above, below = np.append(turns[0] + 2, turns)[ends], np.append(turns, turns[-1] - 2)[ends]
    best = np.flatnonzero(worth[ends] >= worth[ends].max() - 1e-9)
    # Where 0 lies between two scores, .5 itself is the threshold; elsewhere the middle.
    levels = np.where((above > 0) & (below < 0), 0.0, (above + below) / 2)[best]
    return float(sigmoid(levels[np.abs(levels).argmin()]))
