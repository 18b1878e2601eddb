"""Every loss of classes and labels is the formula of its paper, written down here once more, example by example."""

import math

import numpy as np
import pytest
import torch

from seqwise import losses
from tolerances import assert_close

N = np.array([40.0, 3.0, 11.0, 7.0])
PAIRS = np.array([[37.0, 50.0, 58.0, 30.0], [24.0, 11.0, 3.0, 31.0]])
RNG = np.random.default_rng(5)
Z = 3 * RNG.normal(size=(30, 4))
Y = RNG.integers(0, 4, 30)
T = (RNG.random((30, 4)) < 0.4).astype(float)


def p(z):
    return np.exp(z) / np.exp(z).sum()


def sigma(z):
    return 1 / (1 + math.exp(-z))


def effective(counts, beta):
    """Equation 2 of Cui et al., scaled to mean one."""
    raw = [(1 - beta) / (1 - beta**n) for n in counts]
    return [w * len(raw) / sum(raw) for w in raw]


def smoothed_asymmetric(z, y, gamma_pos, gamma_neg, smoothing):
    total = 0.0
    for k in range(4):
        q = (1 - smoothing) * (k == y) + smoothing / 4
        factor = (1 - p(z)[k]) ** gamma_pos if k == y else p(z)[k] ** gamma_neg
        total -= q * factor * math.log(p(z)[k])
    return total


def margins(counts, largest):
    """D_j = C / n_j^(1/4), C such that the largest is as asked for."""
    raw = [n**-0.25 for n in counts]
    return [largest * d / max(raw) for d in raw]


def one_sided(z, y, yes, no):
    return yes(sigma(z)) if y else no(sigma(z))


OF_CLASSES = {
    "weighted_cross_entropy": (
        losses.weighted_cross_entropy,
        {"counts": N},
        lambda z, y: -N.sum() / (4 * N[y]) * math.log(p(z)[y]),
    ),
    "weighted_cross_entropy, smoothed": (
        losses.weighted_cross_entropy,
        {"weights": [1.0, 2.0, 0.5, 3.0], "label_smoothing": 0.2},
        lambda z, y: -sum((0.8 * (k == y) + 0.05) * w * math.log(p(z)[k]) for k, w in enumerate([1.0, 2.0, 0.5, 3.0])),
    ),
    "focal": (
        losses.focal,
        {"gamma": 2.0, "alpha": [0.25, 0.5, 1.0, 2.0]},
        lambda z, y: -[0.25, 0.5, 1.0, 2.0][y] * (1 - p(z)[y]) ** 2 * math.log(p(z)[y]),
    ),
    "focal of a fraction": (
        losses.focal,
        {"gamma": 0.5, "counts": N},
        lambda z, y: -N.sum() / (4 * N[y]) * (1 - p(z)[y]) ** 0.5 * math.log(p(z)[y]),
    ),
    "focal, one alpha": (
        losses.focal,
        {"gamma": 1.0, "alpha": 0.25},
        lambda z, y: -0.25 * (1 - p(z)[y]) * math.log(p(z)[y]),
    ),
    "asymmetric": (
        losses.asymmetric,
        {"gamma_pos": 1.0, "gamma_neg": 4.0, "label_smoothing": 0.1},
        lambda z, y: smoothed_asymmetric(z, y, 1.0, 4.0, 0.1),
    ),
    "class_balanced": (
        losses.class_balanced,
        {"counts": N, "beta": 0.9},
        lambda z, y: -effective(N, 0.9)[y] * math.log(p(z)[y]),
    ),
    "class_balanced, sigmoid": (
        losses.class_balanced,
        {"counts": N, "beta": 0.99, "base": "sigmoid"},
        lambda z, y: -effective(N, 0.99)[y] * sum(math.log(sigma(v if k == y else -v)) for k, v in enumerate(z)),
    ),
    "class_balanced, focal": (
        losses.class_balanced,
        {"counts": N, "beta": 0.99, "base": "sigmoid", "gamma": 2.0},
        lambda z, y: (
            -effective(N, 0.99)[y]
            * sum((1 - q) ** 2 * math.log(q) for q in (sigma(v if k == y else -v) for k, v in enumerate(z)))
        ),
    ),
    "logit_adjusted": (
        losses.logit_adjusted,
        {"counts": N, "tau": 1.5},
        lambda z, y: math.log(1 + sum((N[k] / N[y]) ** 1.5 * math.exp(z[k] - z[y]) for k in range(4) if k != y)),
    ),
    "ldam": (
        losses.ldam,
        {"counts": N, "margin": 0.5, "scale": 3.0, "weights": [1.0, 2.0, 3.0, 4.0]},
        lambda z, y: -(y + 1) * math.log(p(3 * (z - margins(N, 0.5)[y] * np.eye(4)[y]))[y]),
    ),
    "balanced_softmax": (
        losses.balanced_softmax,
        {"counts": N},
        lambda z, y: -math.log(N[y] * math.exp(z[y]) / sum(N * np.exp(z))),
    ),
}
OF_LABELS = {
    "weighted_cross_entropy": (
        losses.weighted_cross_entropy,
        {"counts": PAIRS},
        lambda z, y, j: one_sided(
            z, y, lambda q: -61 / (2 * PAIRS[1, j]) * math.log(q), lambda q: -61 / (2 * PAIRS[0, j]) * math.log(1 - q)
        ),
    ),
    "focal": (
        losses.focal,
        {"gamma": 2.0, "alpha": 0.25},
        lambda z, y, j: one_sided(
            z, y, lambda q: -0.25 * (1 - q) ** 2 * math.log(q), lambda q: -0.75 * q**2 * math.log(1 - q)
        ),
    ),
    "asymmetric": (
        losses.asymmetric,
        {"gamma_pos": 1.0, "gamma_neg": 4.0, "margin": 0.2},
        lambda z, y, j: one_sided(
            z, y, lambda q: -(1 - q) * math.log(q), lambda q: -(max(q - 0.2, 0) ** 4) * math.log(1 - max(q - 0.2, 0))
        ),
    ),
    "asymmetric without a margin": (
        losses.asymmetric,
        {"gamma_pos": 0.0, "gamma_neg": 3.0, "margin": 0.0, "weights": [0.5, 2.0]},
        lambda z, y, j: one_sided(z, y, lambda q: -2 * math.log(q), lambda q: -0.5 * q**3 * math.log(1 - q)),
    ),
    "class_balanced": (
        losses.class_balanced,
        {"counts": PAIRS, "beta": 0.9},
        lambda z, y, j: one_sided(
            z,
            y,
            lambda q: -effective(PAIRS[:, j], 0.9)[1] * math.log(q),
            lambda q: -effective(PAIRS[:, j], 0.9)[0] * math.log(1 - q),
        ),
    ),
    "logit_adjusted": (
        losses.logit_adjusted,
        {"counts": PAIRS, "tau": 1.5},
        lambda z, y, j: -math.log(sigma((1 if y else -1) * (z + 1.5 * math.log(PAIRS[1, j] / PAIRS[0, j])))),
    ),
    "ldam": (
        losses.ldam,
        {"counts": PAIRS, "margin": 0.5, "scale": 2.0},
        lambda z, y, j: -math.log(sigma(2 * ((z if y else -z) - margins(PAIRS[:, j], 0.5)[int(y)]))),
    ),
    "balanced_softmax": (
        losses.balanced_softmax,
        {"counts": PAIRS},
        lambda z, y, j: (
            -math.log((PAIRS[1, j] * math.exp(z) if y else PAIRS[0, j]) / (PAIRS[1, j] * math.exp(z) + PAIRS[0, j]))
        ),
    ),
}


@pytest.mark.parametrize("name", OF_CLASSES)
def test_a_loss_of_classes_is_the_formula_of_its_paper(name):
    loss, options, formula = OF_CLASSES[name]
    expected = torch.tensor([formula(z, y) for z, y in zip(Z, Y, strict=True)], dtype=torch.float64)
    assert_close(loss(torch.as_tensor(Z), torch.as_tensor(Y), **options), expected)


@pytest.mark.parametrize("name", OF_LABELS)
def test_a_loss_of_labels_is_the_formula_of_its_paper(name):
    loss, options, formula = OF_LABELS[name]
    expected = torch.tensor(
        [[formula(Z[i, j], T[i, j], j) for j in range(4)] for i in range(len(Z))], dtype=torch.float64
    )
    logits, targets = torch.as_tensor(Z), torch.as_tensor(T)
    assert_close(loss(logits, targets, **options), expected)
    assert_close(loss(logits, targets, multilabel=True, **options), expected.sum(1))
    assert_close(loss(logits, targets.bool(), multilabel=True, **options), expected.sum(1))


def test_numbers_worked_out_by_hand():
    half = torch.zeros(1, 2, dtype=torch.float64)  # p = 1/2 each
    first, yes = torch.tensor([0]), torch.ones(1, dtype=torch.float64)
    log2 = math.log(2)
    for value, expected in (
        (losses.focal(half, first), log2 / 4),
        (losses.focal(half[0, :1], yes, alpha=0.25), log2 / 16),
        (losses.asymmetric(half[0, :1], 1 - yes, margin=0.0), log2 / 16),
        (losses.asymmetric(half[0, :1], 1 - yes, margin=0.25), -math.log(0.75) / 256),
        (losses.weighted_cross_entropy(half, first, counts=[100, 900]), 5 * log2),  # the lecture's n1 = n / 10
        (losses.balanced_softmax(half, first, counts=[1, 3]), math.log(4)),
        (losses.logit_adjusted(half, first, counts=[1, 3], tau=2), math.log(10)),
        (losses.ldam(half, first, counts=[1, 16], margin=1.0), math.log(1 + math.e)),
        (losses.ldam(half, 1 - first, counts=[1, 16], margin=1.0), math.log(1 + math.exp(0.5))),
        (losses.class_balanced(half, first, counts=[1, 2], beta=0.5), log2 * 2 * 3 / 5),  # 1 and 2/3, scaled
    ):
        assert float(value) == pytest.approx(expected, rel=1e-12)


def test_easy_labels_that_do_not_hold_cost_exactly_nothing():
    logits = torch.tensor([-1e4, -30.0, -3.0, -2.9, -2.0], dtype=torch.float64)
    for gamma_neg in (0.0, 0.5, 4.0):
        value = losses.asymmetric(logits, torch.zeros(5), gamma_neg=gamma_neg, margin=0.05)
        assert (value[:3] == 0).all()  # sigmoid(-3) = .047
        assert (value[3:] > 0).all()


@pytest.mark.parametrize("beta", [0.9, 0.999, 0.999999])
def test_effective_weights_lie_between_equal_ones_and_inverse_counts(beta):
    weights = losses.effective_weights(torch.as_tensor(N), beta)
    assert_close(weights, torch.tensor(effective(N, beta), dtype=torch.float64))
    assert float(weights.mean()) == pytest.approx(1)
    inverse = 1 / torch.as_tensor(N)
    assert float(weights.max() / weights.min()) < float(inverse.max() / inverse.min())
    assert torch.equal(losses.effective_weights(torch.as_tensor(N), 0.0), torch.ones(4, dtype=torch.float64))
    nearly = losses.effective_weights(torch.as_tensor(N), 1 - 1e-12)
    assert_close(nearly, inverse / inverse.mean())


def test_the_correction_after_training_takes_away_what_the_loss_adds():
    logits, targets = torch.as_tensor(Z), torch.as_tensor(Y)
    corrected = losses.adjust_logits(logits, N, tau=1.5)
    assert_close(corrected, torch.as_tensor(Z - 1.5 * np.log(N / N.sum())))
    assert_close(
        losses.logit_adjusted(corrected, targets, counts=N, tau=1.5), losses.categorical_cross_entropy(logits, targets)
    )
    labels = torch.as_tensor(T)
    corrected = losses.adjust_logits(logits, PAIRS, tau=0.5)
    assert_close(
        losses.logit_adjusted(corrected, labels, counts=PAIRS, tau=0.5), losses.binary_cross_entropy(logits, labels)
    )
    assert losses.adjust_logits(logits.bfloat16(), N).dtype == torch.float32


def test_the_balanced_error_is_least_after_either():
    """Two Gaussians of one variance, 99 : 1; the boundary of equal classes is in the middle."""
    points = torch.linspace(-2, 4, 601, dtype=torch.float64)
    shares = torch.tensor([0.99, 0.01], dtype=torch.float64)
    posterior = torch.stack([-(points**2) / 2, -((points - 2) ** 2) / 2], 1) + shares.log()
    decided = losses.adjust_logits(posterior, shares).argmax(1)
    assert float(points[decided.diff().argmax()]) == pytest.approx(1, abs=0.02)
    assert float(points[posterior.argmax(1).diff().argmax()]) > 3
