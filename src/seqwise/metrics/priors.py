"""Class shares that differ from those of training: correcting probabilities for them, and estimating them.

All of it holds where only the shares of the classes have changed, and each class still looks as it did (label shift).
Where the classes themselves have changed, no reweighting of the answers helps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, DataError, nearest

ESTIMATES = ("em", "bbse")
TINY = 1e-300


def correct_priors(probabilities: np.ndarray, source: ArrayLike, target: ArrayLike) -> np.ndarray:
    """Move probabilities from one set of class shares to another: p_j target_j / source_j, scaled to sum one.

    Bayes' rule for calibrated probabilities (Saerens et al. 2002, equation 2.4).

    Args:
        probabilities: (n, C).
        source: (C,) shares that the probabilities were made for; a class with share zero gets probability zero.
        target: (C,) shares of the world in which they are used.

    Returns:
        (n, C).
    """
    before, after = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    ratio = np.divide(after, before, out=np.zeros(len(before)), where=before > 0)
    # Scaled first, so that a row whose only likely class has become impossible does not become 0 / 0.
    raised = np.maximum(probabilities, TINY) * ratio
    return raised / raised.sum(axis=1, keepdims=True)


def estimate_priors_em(
    probabilities: np.ndarray, source: ArrayLike, *, iterations: int = 10_000, tolerance: float = 1e-9
) -> np.ndarray:
    """Estimate the class shares of unlabelled examples by expectation maximisation (Saerens et al. 2002).

    The likelihood has no local maxima; where the probabilities are calibrated, it is the method to prefer.

    Args:
        probabilities: (n, C) of the unlabelled examples, calibrated for the shares `source`.
        source: (C,).
        iterations: At most.
        tolerance: Ends when no share moves further than this.

    Returns:
        (C,) shares.

    Raises:
        DataError: there is no example.
    """
    if not len(probabilities):
        raise DataError("class shares cannot be estimated from no examples")
    shares = np.asarray(source, dtype=np.float64)
    for _ in range(iterations):
        updated = correct_priors(probabilities, source, shares).mean(axis=0)
        moved = np.abs(updated - shares).max()
        shares = updated
        if moved < tolerance:
            break
    return shares / shares.sum()


def estimate_priors_bbse(predicted: ArrayLike, confusion: ArrayLike) -> np.ndarray:
    """Estimate the class shares of unlabelled examples from how often each class is answered (Lipton et al. 2018).

    The classifier may be wrong and uncalibrated, as long as its confusion matrix on validation examples can be inverted:
    the shares solve sum_i share_i P(answer j | class i) = share of answer j, by least squares with shares not negative.

    Args:
        predicted: (C,) number or share of the unlabelled examples that are answered with each class.
        confusion: (C, C) counts of validation examples, rows true classes, columns answers.

    Returns:
        (C,) shares. A class without validation examples gets none.

    Raises:
        DataError: there is no example, or the classifier cannot tell classes apart at all.
    """
    from scipy.optimize import nnls

    answers, counts = np.asarray(predicted, dtype=np.float64), np.asarray(confusion, dtype=np.float64)
    if answers.sum() <= 0:
        raise DataError("class shares cannot be estimated from no examples")
    there = counts.sum(axis=1) > 0
    rates = counts[there] / counts[there].sum(axis=1, keepdims=True)
    if np.linalg.matrix_rank(rates, tol=1e-6) < len(rates):
        raise DataError(
            "class shares cannot be estimated with bbse: on the validation examples some classes get the same answers"
        )
    found, _ = nnls(rates.T, answers / answers.sum())
    shares = np.zeros(len(counts))
    shares[there] = found / found.sum()
    return shares


def implied_priors(targets: ArrayLike, probabilities: np.ndarray, sample_weight: ArrayLike | None = None) -> np.ndarray:
    """Return the class shares that a model's probabilities are made for, seen on labelled examples.

    A model trained with class weights or adjusted logits answers as if rare classes were more frequent than they are. With
    pi the shares of the examples, these are the shares q for which the probabilities corrected from q to pi have the least
    log loss; at that point they sum to the number of examples of each class (the first step of Alexandari et al. 2020).

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C).
        sample_weight: (n,), or None.

    Returns:
        (C,), positive.
    """
    from scipy.optimize import minimize

    true = np.asarray(targets)
    classes = probabilities.shape[1]
    weights = np.ones(len(true)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    weights = weights / weights.sum()
    # One imagined example, spread like the claims: a class without examples keeps a share.
    claimed = weights @ probabilities
    counts = np.bincount(true, weights=weights, minlength=classes)
    wanted = (len(true) * counts + claimed) / (len(true) + 1)
    logs = np.log(np.maximum(probabilities, TINY))

    def cost(shift: np.ndarray) -> tuple[float, np.ndarray]:
        raised = logs + shift
        top = raised.max(axis=1, keepdims=True)
        powers = np.exp(raised - top)
        sums = powers.sum(axis=1, keepdims=True)
        return float(weights @ (top + np.log(sums))[:, 0] - wanted @ shift), weights @ (powers / sums) - wanted

    shift = minimize(cost, np.zeros(classes), jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-8}).x
    shares = np.maximum(wanted, 1e-12) * np.exp(-(shift - shift.mean()))
    return shares / shares.sum()


def check_priors(priors: Mapping[str, Any], classes: Sequence[str]) -> np.ndarray:
    """Bring stated class shares into the order of the classes, (C,).

    Raises:
        ConfigurationError: a class is unknown (the nearest is named) or left out, or the shares are negative or do not sum
            to one.
    """
    _refuse_unknown(priors, classes)
    if missing := [name for name in classes if name not in priors]:
        raise ConfigurationError(f"priors: the share of {missing[0]!r} is missing; every class needs one")
    shares = np.array([float(priors[name]) for name in classes])
    if not np.isfinite(shares).all() or (shares < 0).any():
        raise ConfigurationError("priors are shares of 0 to 1")
    if abs(shares.sum() - 1) > 1e-6:
        raise ConfigurationError(f"priors sum to {shares.sum():.6g}, not to 1")
    return shares


def check_label_priors(priors: Mapping[str, Any], labels: Sequence[str], otherwise: np.ndarray) -> np.ndarray:
    """Bring stated shares of labels, of which an example may have several, into the order of the labels, (L,).

    Args:
        priors: the share of the examples that have the label, by label.
        labels: the L names.
        otherwise: the shares of labels that are not stated, (L,).

    Raises:
        ConfigurationError: a label is unknown (the nearest is named), or a share is not between 0 and 1.
    """
    _refuse_unknown(priors, labels)
    shares = np.array([float(priors.get(name, share)) for name, share in zip(labels, otherwise, strict=True)])
    if not ((shares > 0) & (shares < 1)).all():
        raise ConfigurationError("priors of labels are shares between 0 and 1")
    return shares


def _refuse_unknown(priors: Mapping[str, Any], classes: Sequence[str]) -> None:
    for name in priors:
        if name not in classes:
            raise ConfigurationError(f"priors: there is no class {name!r}; {nearest(name, classes)}")
