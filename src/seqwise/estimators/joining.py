"""How the logits of several parts become one answer: a temperature for each, and how much say each one has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from seqwise.models import sigmoid, softmax

BOUNDS = {"linear": (0.5, 10.0), "recurrent": (0.2, 1.5)}  # of the factor that makes a part's logits probabilities
TYPICAL = {"linear": 3.0, "recurrent": 0.8}  # the factor where there is nothing held out to fit it on
GAIN = 0.8  # two parts err differently: their even mixture is surer than a mean of them, by a factor 1 + GAIN / 4
PULL = 5.0  # strength of the belief in the typical factor, in units of the summed log loss
STIFFNESS = (
    10.0  # of the shifts of classes: strength of the belief that none is needed, in units of the summed log loss
)
PRIOR = 20.0  # strength of the belief in an even mixture, in units of the summed log loss


def fit_scales(
    names: Sequence[str], logits: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None = None
) -> np.ndarray:
    """Return the factor of each part's logits, (parts,), from examples that no part was fitted on.

    Each part first gets its own temperature (Guo et al. 2017). Two parts are then mixed: share m of the second minimises
    the summed log loss plus PRIOR (m - 1/2)^2, so that a few held-out examples cannot silence a part, and many can.
    Scales fitted freely were no better on large data and much worse on small (they grow without bound where all is right).

    Args:
        names: of the parts, keys of `BOUNDS`.
        logits: (n, parts, C).
        targets: class indices, (n,).
        sample_weight: (n,) or None.
    """
    factors = np.array(
        [
            fit_temperature(logits[:, i], targets, sample_weight, bounds=BOUNDS[name], typical=TYPICAL[name])
            for i, name in enumerate(names)
        ]
    )
    if len(names) == 1:
        return factors
    tempered = logits * factors[:, None]
    total = len(targets) if sample_weight is None else float(sample_weight.sum())

    def cost(share: float) -> float:
        mixed = np.einsum("npc,p->nc", tempered, mixture(share))
        return total * _loss(mixed, targets, sample_weight) + PRIOR * (share - 0.5) ** 2

    return factors * mixture(min(np.linspace(0, 1, 21), key=cost))


def fit_shift(logits: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None = None) -> np.ndarray:
    """Return what to add to the logit of each class, (C,), with mean zero.

    The parts learn each class against the rest, or with margins: a class may be claimed too often or too rarely by all of
    them. The shifts minimise the summed log loss plus STIFFNESS / 2 times their squares, so that they need examples.

    Args:
        logits: scaled and mixed, (n, C), of examples that no part was fitted on.
        targets: class indices, (n,).
        sample_weight: (n,) or None.
    """
    true = np.eye(logits.shape[1])[targets]
    weights = np.ones(len(targets)) if sample_weight is None else sample_weight

    def cost(shift: np.ndarray) -> tuple[float, np.ndarray]:
        claimed = softmax(logits + shift)
        loss = -weights @ np.log(np.maximum((claimed * true).sum(axis=1), 1e-300))
        return float(loss + STIFFNESS * shift @ shift / 2), weights @ (claimed - true) + STIFFNESS * shift

    shift = minimize(cost, np.zeros(logits.shape[1]), jac=True, method="L-BFGS-B").x
    return shift - shift.mean()


def mixture(share: float) -> np.ndarray:
    """Return the factors of two parts of which the second has this share, (2,)."""
    return (1 + GAIN * share * (1 - share)) * np.array([1 - share, share])


def fit_temperature(
    logits: np.ndarray,
    targets: np.ndarray,
    sample_weight: np.ndarray | None = None,
    *,
    bounds: tuple[float, float],
    typical: float | None = None,
) -> float:
    """Return the factor of the logits that minimises their log loss (temperature scaling, Guo et al. 2017).

    Args:
        logits: (n, C), on examples that the model was not fitted on.
        targets: class indices, (n,).
        sample_weight: (n,) or None.
        bounds: least and greatest factor.
        typical: adds PULL ln(factor / typical)^2 to the summed log loss, for a few held-out examples that are all right
            would ask for an infinite factor; None adds nothing.
    """
    total = len(targets) if sample_weight is None else float(sample_weight.sum())

    def cost(factor: float) -> float:
        pull = 0.0 if typical is None else PULL * np.log(factor / typical) ** 2
        return _loss(factor * logits, targets, sample_weight) + pull / total

    return float(minimize_scalar(cost, bounds=bounds).x)


def _loss(logits: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None) -> float:
    true = softmax(logits)[np.arange(len(targets)), targets]
    return float(np.average(-np.log(np.maximum(true, 1e-300)), weights=sample_weight))


def fit_label_scales(
    names: Sequence[str], logits: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The same for labels of which any may be right: the factor of each part, (parts,), and a shift of each label, (L,).

    Factors and shifts together minimise the summed log loss (Platt 1999) plus PULL ln(factor / typical)^2 of each factor,
    for an even mixture is the belief here too, and plus half the squared shifts, which a single example outweighs. A search
    for one share, as in `fit_scales`, did worse: a log loss of 2.56 instead of 2.52 on goemotions.

    Args:
        names: of the parts, keys of `TYPICAL`.
        logits: (n, parts, L).
        targets: which labels each example has, (n, L).
        sample_weight: (n,) or None.
    """
    weights = np.ones(len(targets)) if sample_weight is None else sample_weight
    parts, typical = len(names), np.array([TYPICAL[name] for name in names]) / len(names)

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        factors, shift = np.exp(parameters[:parts]), parameters[parts:]
        z = np.einsum("npl,p->nl", logits, factors) + shift
        error = weights[:, None] * (sigmoid(z) - targets)
        pull = parameters[:parts] - np.log(typical)
        loss = weights @ _label_losses(z, targets) + PULL * pull @ pull + shift @ shift / 2
        slopes = factors * np.einsum("npl,nl->p", logits, error) + 2 * PULL * pull
        return float(loss), np.concatenate([slopes, error.sum(axis=0) + shift])

    start = np.concatenate([np.log(typical), np.zeros(logits.shape[2])])
    found = minimize(cost, start, jac=True, method="L-BFGS-B").x
    return np.exp(found[:parts]), found[parts:]


def _label_losses(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The log loss of every example, summed over its labels, (n,)."""
    return (np.logaddexp(0, logits) - targets * logits).sum(axis=1)
