"""The losses as modules: what they reduce to, what they keep, and that a training loop can use them."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seqwise import losses
from seqwise.errors import DataError
from tolerances import assert_close

COUNTS = [40.0, 3.0, 11.0, 7.0]
PAIRS = [[37.0, 50.0, 58.0, 30.0], [24.0, 11.0, 3.0, 31.0]]

MODULES = {
    "weighted_cross_entropy": lambda **common: losses.WeightedCrossEntropy(counts=COUNTS, **common),
    "focal": lambda **common: losses.FocalLoss(1.5, counts=COUNTS, **common),
    "asymmetric": lambda **common: losses.AsymmetricLoss(1.0, 3.0, **common),
    "class_balanced": lambda **common: losses.ClassBalancedLoss(COUNTS, 0.9, **common),
    "logit_adjusted": lambda **common: losses.LogitAdjustedLoss(COUNTS, 1.5, **common),
    "ldam": lambda **common: losses.LDAMLoss(COUNTS, 0.7, scale=2.0, deferred=1.0, **common),
    "balanced_softmax": lambda **common: losses.BalancedSoftmaxLoss(COUNTS, **common),
}
OPTIONS = {
    "weighted_cross_entropy": {"counts": COUNTS},
    "focal": {"gamma": 1.5, "counts": COUNTS},
    "asymmetric": {"gamma_pos": 1.0, "gamma_neg": 3.0},
    "class_balanced": {"counts": COUNTS, "beta": 0.9},
    "logit_adjusted": {"counts": COUNTS, "tau": 1.5},
    "ldam": {"counts": COUNTS, "margin": 0.7, "scale": 2.0},
    "balanced_softmax": {"counts": COUNTS},
}
every_module = pytest.mark.parametrize("name", MODULES)


def problem(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 4, generator=generator, dtype=torch.float64).to(dtype)
    targets = torch.randint(4, (8,), generator=generator)
    return logits, targets, 0.5 + torch.rand(8, generator=generator, dtype=torch.float64)


@every_module
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_module_is_its_function(name, dtype):
    logits, targets, weights = problem(dtype)
    common = {"label_smoothing": 0.1, "ignore_index": int(targets[3])}
    module = MODULES[name](reduction="none", **common)
    expected = getattr(losses, name)(logits, targets, **OPTIONS[name], **common)
    assert torch.equal(module(logits, targets), expected)
    assert torch.equal(module(logits, targets, weights), expected * weights)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), module.to(torch.float64)):
        assert torch.equal(twin(logits, targets), expected)


@every_module
def test_the_mean_divides_by_the_examples_that_count(name):
    logits, targets, weights = problem()
    targets[2] = targets[5] = -100
    values = getattr(losses, name)(logits, targets, sample_weight=weights, **OPTIONS[name])
    assert_close(MODULES[name]()(logits, targets, weights), values.sum() / 6)
    assert_close(MODULES[name](reduction="sum")(logits, targets, weights), values.sum())
    nothing = torch.full_like(targets, -100)
    for reduction in ("mean", "weighted_mean", "sum"):
        assert float(MODULES[name](reduction=reduction)(logits, nothing)) == 0


def test_the_weighted_mean_is_that_of_torch():
    logits, targets, factors = problem()
    targets[2] = -100
    weights = torch.tensor([0.5, 2.0, 1.0, 7.0], dtype=torch.float64)
    module = losses.WeightedCrossEntropy(weights, reduction="weighted_mean")
    assert_close(module(logits, targets), F.cross_entropy(logits, targets, weight=weights))
    kept = torch.where(targets >= 0, weights[targets.clamp(min=0)] * factors, 0)
    values = losses.weighted_cross_entropy(logits, targets, weights=weights, sample_weight=factors)
    assert_close(module(logits, targets, factors), values.sum() / kept.sum())


def test_the_weighted_mean_of_labels_counts_what_holds_and_what_does_not():
    logits, _, factors = problem()
    targets = (torch.rand(8, 4, generator=torch.Generator().manual_seed(3)) < 0.4).double()
    targets[1, 2] = -100
    pairs = torch.tensor([[0.5, 1.0, 2.0, 3.0], [5.0, 4.0, 3.0, 2.0]], dtype=torch.float64)
    module = losses.WeightedCrossEntropy(pairs, multilabel=True, reduction="weighted_mean")
    counted = torch.where(targets == 1, pairs[1], pairs[0]).where(targets >= 0, 0).sum(1) * factors
    values = losses.weighted_cross_entropy(logits, targets, weights=pairs, multilabel=True, sample_weight=factors)
    assert_close(module(logits, targets, factors), values.sum() / counted.sum())
    one_against_rest = losses.ClassBalancedLoss(COUNTS, base="sigmoid", reduction="weighted_mean")
    classes = problem()[1]
    weights = losses.effective_weights(torch.tensor(COUNTS, dtype=torch.float64), 0.999)[classes]
    values = losses.class_balanced(logits, classes, counts=COUNTS, base="sigmoid")
    assert_close(one_against_rest(logits, classes), values.sum() / weights.sum())


@pytest.mark.parametrize(
    "module",
    [
        losses.WeightedCrossEntropy(counts=PAIRS, multilabel=True),
        losses.FocalLoss(alpha=0.25, multilabel=True),
        losses.AsymmetricLoss(margin=0.1, multilabel=True),
        losses.AsymmetricLoss(margin=0.1),
        losses.ClassBalancedLoss(PAIRS, multilabel=True),
        losses.LogitAdjustedLoss(PAIRS, multilabel=True),
        losses.LDAMLoss(PAIRS, multilabel=True),
        losses.BalancedSoftmaxLoss(PAIRS, multilabel=True),
    ],
    ids=lambda module: type(module).__name__,
)
def test_modules_of_labels_learn_in_an_ordinary_loop(module):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(61, 6, generator=generator)
    targets = (features @ torch.randn(6, 4, generator=generator) > 1).float()
    model = nn.Linear(6, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    first = last = None
    for _ in range(30):
        optimizer.zero_grad()
        loss = module(model(features), targets)
        loss.backward()
        optimizer.step()
        first, last = loss.item() if first is None else first, loss.item()
    assert last < 0.7 * first


def test_weights_are_deferred_until_the_share_of_training_that_is_asked_for():
    logits, targets, _ = problem()
    module = losses.LDAMLoss(COUNTS, beta=0.9, deferred=0.75, reduction="none")
    plain = losses.ldam(logits, targets, counts=COUNTS)
    weights = losses.effective_weights(torch.tensor(COUNTS, dtype=torch.float64), 0.9)
    for progress, expected in ((0.0, plain), (0.74, plain), (0.75, plain * weights[targets])):
        assert_close(module(logits, targets, progress=progress), expected)
    own = losses.LDAMLoss(COUNTS, weights=[1, 2, 3, 4], deferred=0.0, reduction="none")
    assert_close(own(logits, targets), plain * (targets + 1))
    never = losses.LDAMLoss(COUNTS, deferred=1.0, reduction="none")
    assert torch.equal(never(logits, targets, progress=1.0), plain)


def test_what_is_wrong_is_said_when_the_module_is_made():
    for make, message in (
        (lambda: losses.FocalLoss(-1), "gamma must be at least 0"),
        (lambda: losses.FocalLoss(reduction="average"), "reduction must be one of mean, weighted_mean, sum, none"),
        (lambda: losses.AsymmetricLoss(margin=1.5), "margin must be at least 0 and below 1"),
        (lambda: losses.ClassBalancedLoss([3, 0, 1]), "at least one example of every class"),
        (lambda: losses.ClassBalancedLoss([3, 1], beta=1.0), "beta must be at least 0 and below 1"),
        (lambda: losses.LogitAdjustedLoss([3, -1]), "non-negative and finite"),
        (lambda: losses.LDAMLoss([3, 1], deferred=1.1), "deferred must be from 0 to 1"),
        (lambda: losses.LDAMLoss([3, 1], weights=[1, 2, 3]), r"weights must have shape \(2,\)"),
        (lambda: losses.BalancedSoftmaxLoss([3, 1], label_smoothing=1), "label_smoothing must be"),
    ):
        with pytest.raises(DataError, match=message):
            make()
    with pytest.raises(DataError, match=r"counts must have shape \(4,\), one per class, got \(3,\)"):
        losses.BalancedSoftmaxLoss([3, 1, 2])(*problem()[:2])


def test_a_module_says_what_it_was_made_with():
    text = repr(losses.FocalLoss(1.5, label_smoothing=0.1))
    assert text.startswith("FocalLoss(")
    assert "gamma=1.5" in text
    assert "reduction=mean" in text
