"""The losses of the three regressions: torch.nn and closed solutions outside, then the laws of their gradients."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, QuantileRegressor
from torch.nn import functional as F

from seqwise import losses
from seqwise.errors import DataError
from seqwise.losses import CLOSED_FORMS, linear_gradients, linear_scores
from tolerances import assert_close

B, D, C = 40, 3, 4

THEIRS = {
    "linear_squared_error": lambda z, y: F.mse_loss(z, y, reduction="none"),
    "linear_absolute_error": lambda z, y: F.l1_loss(z, y, reduction="none"),
    "linear_huber_error": lambda z, y: F.huber_loss(z, y, reduction="none"),
    "logistic": lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
    "softmax": lambda z, y: F.cross_entropy(z, y, reduction="none"),
}
OURS = {
    "linear_squared_error": (losses.squared_error, losses.squared_error_gradient),
    "linear_absolute_error": (losses.absolute_error, losses.absolute_error_gradient),
    "linear_huber_error": (losses.huber_error, losses.huber_error_gradient),
    "logistic": (losses.binary_cross_entropy, losses.binary_cross_entropy_gradient),
    "softmax": (losses.categorical_cross_entropy, losses.categorical_cross_entropy_gradient),
}
every_loss = pytest.mark.parametrize("name", THEIRS)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def draw_targets(name, scores):
    generator = torch.Generator().manual_seed(3)
    if name == "softmax":
        return torch.randint(C, (B,), generator=generator)
    if name == "logistic":
        return torch.randint(2, (B,), generator=generator).to(scores)
    return scores + normal(B, seed=3).to(scores)


def problem(name, dtype=torch.float64):
    """Features, weight and bias of a linear model, and targets for its scores."""
    classes = (C,) if name == "softmax" else ()
    features, weight, bias = normal(B, D), normal(*classes, D, seed=1), normal(*classes, seed=2)
    features, weight, bias = features.to(dtype), weight.to(dtype), bias.to(dtype)
    return features, weight, bias, draw_targets(name, linear_scores(features, weight, bias))


def test_every_regression_is_in_the_registry():
    assert set(THEIRS) <= set(CLOSED_FORMS)
    assert all(CLOSED_FORMS[name].name == name for name in CLOSED_FORMS)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_each_loss_is_that_of_torch(name, dtype):
    features, weight, bias, targets = problem(name, dtype)
    scores = linear_scores(features, weight, bias)
    ours = OURS[name][0](scores, targets)
    assert ours.shape == (B,)
    assert_close(ours, THEIRS[name](scores, targets))
    assert torch.equal(CLOSED_FORMS[name].loss(weight, bias, features, targets), ours)


@every_loss
def test_each_gradient_is_autograds_of_the_torch_loss(name):
    features, weight, bias, targets = problem(name)
    upstream = normal(B, seed=4)
    weight.requires_grad_()
    bias.requires_grad_()
    scores = linear_scores(features, weight, bias)
    expected = torch.autograd.grad((upstream * THEIRS[name](scores, targets)).sum(), [scores, weight, bias])
    delta = OURS[name][1](scores.detach(), targets) * (upstream if scores.ndim == 1 else upstream.unsqueeze(1))
    for part, ours, theirs in zip(
        ("scores", "weight", "bias"), (delta, *linear_gradients(features, delta)), expected, strict=True
    ):
        assert_close(ours, theirs, part)


@every_loss
def test_the_registered_gradient_is_that_of_the_sum_of_the_torch_losses(name):
    features, weight, bias, targets = problem(name)
    leaves = [weight.clone().requires_grad_(), bias.clone().requires_grad_()]
    expected = torch.autograd.grad(THEIRS[name](linear_scores(features, *leaves), targets).sum(), leaves)
    for ours, theirs in zip(CLOSED_FORMS[name].gradient(weight, bias, features, targets), expected, strict=True):
        assert_close(ours, theirs)


@every_loss
def test_autograd_of_each_loss_is_its_closed_form_also_where_a_model_begins(name):
    scores = torch.zeros(B, *((C,) if name == "softmax" else ()), dtype=torch.float64)
    targets = draw_targets(name, scores)
    scores.requires_grad_()
    loss, gradient = OURS[name]
    (found,) = torch.autograd.grad(loss(scores, targets).sum(), scores)
    assert_close(found, gradient(scores.detach(), targets))


@every_loss
def test_half_precision_scores_are_computed_in_float32(name):
    features, weight, bias, targets = problem(name)
    scores = linear_scores(features, weight, bias).bfloat16()
    targets = targets.float() if targets.is_floating_point() else targets
    for function in OURS[name]:
        assert function(scores, targets).dtype == torch.float32
        assert_close(function(scores, targets), function(scores.float(), targets))


@pytest.mark.parametrize("size", [30.0, 700.0, 1e4, 1e300])
def test_extreme_logits_neither_overflow_nor_lose_their_digits(size):
    logits = torch.tensor([size, -size, size, -size], dtype=torch.float64)
    targets = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    small = math.log1p(math.exp(-size))
    expected = torch.tensor([small, small, size + small, size + small], dtype=torch.float64)
    torch.testing.assert_close(losses.binary_cross_entropy(logits, targets), expected, rtol=1e-14, atol=0)
    gradient = losses.binary_cross_entropy_gradient(logits, targets)
    assert_close(gradient, torch.tensor([0.0, 0.0, 1.0, -1.0], dtype=torch.float64))

    pair = torch.stack([torch.zeros(4, dtype=torch.float64), logits], 1)
    assert_close(losses.categorical_cross_entropy(pair, targets.long()), expected)
    assert_close(losses.categorical_cross_entropy_gradient(pair, targets.long())[:, 1], gradient)


def test_two_classes_of_softmax_are_logistic():
    logits, targets = normal(B, 2), torch.randint(2, (B,), generator=torch.Generator().manual_seed(1))
    difference = logits[:, 1] - logits[:, 0]
    assert_close(
        losses.categorical_cross_entropy(logits, targets), losses.binary_cross_entropy(difference, targets.double())
    )


def test_soft_targets_of_the_binary_loss_mix_the_two():
    logits, share = normal(B), torch.rand(B, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    one, zero = (losses.binary_cross_entropy(logits, torch.full_like(share, y)) for y in (1.0, 0.0))
    assert_close(losses.binary_cross_entropy(logits, share), share * one + (1 - share) * zero)
    assert_close(losses.binary_cross_entropy_gradient(logits, share), logits.sigmoid() - share)


def test_more_axes_and_empty_batches_are_allowed():
    logits, targets = normal(2, 5, C), torch.randint(C, (2, 5), generator=torch.Generator().manual_seed(1))
    flat = losses.categorical_cross_entropy(logits.reshape(-1, C), targets.flatten())
    assert torch.equal(losses.categorical_cross_entropy(logits, targets), flat.reshape(2, 5))
    assert losses.categorical_cross_entropy_gradient(logits, targets).shape == (2, 5, C)
    assert losses.squared_error(torch.empty(0), torch.empty(0)).shape == (0,)
    assert losses.categorical_cross_entropy(torch.empty(0, C), torch.empty(0, dtype=torch.int64)).shape == (0,)


def solution(name, features, weight, bias, targets):
    """The optimum by scikit-learn: weight and bias."""
    X, y = features.numpy(), targets.numpy()
    model = {
        "linear_squared_error": LinearRegression(),
        "linear_absolute_error": QuantileRegressor(quantile=0.5, alpha=0.0),
        "logistic": LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000),
        "softmax": LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000),
    }[name].fit(X, y)
    found = (np.reshape(model.coef_, tuple(weight.shape)), np.reshape(model.intercept_, tuple(bias.shape)))
    return tuple(torch.as_tensor(part, dtype=torch.float64) for part in found)


@pytest.mark.parametrize("name", sorted(set(THEIRS) - {"linear_huber_error"}))
def test_the_gradient_vanishes_at_the_optimum_of_scikit_learn(name):
    features, weight, bias, _ = problem(name)
    gradient = OURS[name][1]
    noisy = linear_scores(features, weight, bias) + 2 * normal(*(B, *bias.shape), seed=6)  # classes overlap
    targets = {"logistic": (noisy > 0).double(), "softmax": noisy.reshape(B, -1).argmax(1)}.get(name, noisy)
    optimum = solution(name, features, weight, bias, targets)
    scores = linear_scores(features, *optimum)
    at_optimum = linear_gradients(features, gradient(scores, targets))
    elsewhere = linear_gradients(features, gradient(scores + 0.5, targets))
    if name == "linear_absolute_error":  # the line goes through D + 1 examples, each free to pull by up to 1
        through = (scores - targets).abs() < 1e-9
        assert through.sum() == D + 1
        rest = linear_gradients(features[~through], gradient(scores[~through], targets[~through]))
        corners = torch.cat([features[through], torch.ones(D + 1, 1, dtype=torch.float64)], 1)
        pulls = torch.linalg.solve(corners.T, -torch.cat([rest.weight, rest.bias.reshape(1)]))
        assert bool((pulls.abs() <= 1).all())
    else:
        assert at_optimum.weight.abs().max() < 1e-3
        assert at_optimum.bias.abs().max() < 1e-3
    if name != "softmax":  # which does not see a shift of all scores
        assert elsewhere.bias.abs().max() > 1


def test_the_huber_gradient_vanishes_at_the_optimum_of_scikit_learn_which_finds_the_scale_too():
    features, weight, bias, _ = problem("linear_huber_error")
    targets = linear_scores(features, weight, bias) + normal(B, seed=6)
    targets[::7] += 30.0
    model = HuberRegressor(epsilon=1.5, alpha=0.0, tol=1e-8, max_iter=1000).fit(features.numpy(), targets.numpy())
    scores = torch.from_numpy(model.predict(features.numpy()))
    gradient = losses.huber_error_gradient(scores, targets, delta=1.5 * model.scale_)
    assert bool((gradient.abs() < gradient.abs().max()).any()), "some examples are within, some beyond"
    for part in linear_gradients(features, gradient):
        assert part.abs().max() < 1e-2  # of sums over 40 examples: its solver stops when the loss does


def test_a_huber_delta_that_is_no_distance_is_refused():
    with pytest.raises(DataError, match="must be above 0, got 0"):
        losses.huber_error(torch.zeros(2), torch.zeros(2), delta=0.0)


def test_shapes_that_do_not_fit_are_refused_and_not_broadcast():
    column, row = torch.zeros(B, 1), torch.zeros(B)
    for function in (
        losses.squared_error, losses.squared_error_gradient, losses.absolute_error, losses.absolute_error_gradient,
        losses.binary_cross_entropy, losses.binary_cross_entropy_gradient,
    ):  # fmt: skip
        with pytest.raises(DataError, match=r"targets must have the shape \(40, 1\) of the scores, got \(40,\)"):
            function(column, row)
    for function in (losses.categorical_cross_entropy, losses.categorical_cross_entropy_gradient):
        with pytest.raises(DataError, match=r"the shape of the logits \(40, 4\) without its last axis, got \(40, 1\)"):
            function(torch.zeros(B, C), column.long())
    with pytest.raises(DataError, match=r"got \(40, 3\) and \(39,\)"):
        linear_gradients(torch.zeros(B, D), torch.zeros(B - 1))
