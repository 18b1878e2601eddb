"""Linear, logistic and softmax regression: their losses, and the gradients that the chain rule gives in closed form.

All three are a linear model z = W x + b and a loss L(z, y). The chain rule goes through the scores z: with
delta = dL/dz, which each loss has a function for,

    dL/dW = dL/dz dz/dW = sum_i delta_i x_i^T        dL/db = dL/dz dz/db = sum_i delta_i,

which is `linear_gradients`. So plain gradient descent is

    scores = linear_scores(features, weight, bias)
    delta = categorical_cross_entropy_gradient(scores, targets)
    step = linear_gradients(features, delta / len(targets))
    weight -= rate * step.weight
    bias -= rate * step.bias

Axis letters: B examples, D features, C classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from seqwise.errors import DataError


class LinearGradients(NamedTuple):
    """Gradients of a linear model's parameters, of their shapes.

    Attributes:
        weight: (D,) for one score per example, (C, D) for C of them.
        bias: () or (C,).
    """

    weight: Tensor
    bias: Tensor


def linear_scores(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return z = W x + b of each example: (B,) or (B, C).

    Args:
        features: x, (B, D).
        weight: W, (D,) for one score per example, (C, D) for C of them.
        bias: b, () or (C,).
    """
    return torch.einsum("bd,...d->b...", features, weight) + bias


def linear_gradients(features: Tensor, delta: Tensor) -> LinearGradients:
    """Hand the gradient with respect to the scores z = W x + b on to W and b.

    Derivation: z_k = sum_d W_kd x_d + b_k, so dz_k/dW_kd = x_d and dz_k/db_k = 1; each example adds its share:

        dL/dW_kd = sum_i delta_ik x_id        dL/db_k = sum_i delta_ik

    Args:
        features: x, (B, D).
        delta: dL/dz, (B,) or (B, C). Divided by B before, it gives the gradients of the mean loss.

    Raises:
        DataError: the examples of both are not as many.
    """
    if features.ndim != 2 or delta.ndim not in (1, 2) or len(features) != len(delta):
        raise DataError(
            f"features must be (B, D) and delta (B,) or (B, C), got {tuple(features.shape)} and {tuple(delta.shape)}"
        )
    return LinearGradients(torch.einsum("b...,bd->...d", delta, features), delta.sum(0))


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return (z - y)^2 of each example: linear regression by least squares.

    Up to constants it is the negative log likelihood of y = z + Gaussian noise, and its best constant prediction is the
    mean. When NOT to use it: with outliers in y, each of which pulls with a force that grows with its distance.

    Args:
        predictions: z, of any shape.
        targets: y, of the same shape, any finite number.

    Returns:
        One value per example, in float32 at least.

    Raises:
        DataError: the shapes differ (broadcasting would silently compare every example with every other).

    Source:
        Legendre 1805; Gauss 1809.
    """
    predictions, targets = _prepare(predictions, targets)
    return (predictions - targets).square()


def squared_error_gradient(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return delta = d(z - y)^2 / dz of each example.

    Derivation: with e = z - y, L = e^2 and de/dz = 1, so

        delta = dL/de de/dz = 2 (z - y)        dL/dW = sum_i 2 (z_i - y_i) x_i^T        dL/db = sum_i 2 (z_i - y_i)

    Args:
        predictions: as in `squared_error`; `targets` too.
        targets: y.
    """
    predictions, targets = _prepare(predictions, targets)
    return 2 * (predictions - targets)


def absolute_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return |z - y| of each example: linear regression by least absolute deviations.

    Up to constants it is the negative log likelihood of y = z + Laplace noise, and its best constant prediction is the
    median: an outlier pulls no harder than any other example. When NOT to use it: where the gradient has to shrink near
    the optimum; it keeps its size, so that gradient descent needs a falling rate.

    Args:
        predictions: z, of any shape.
        targets: y, of the same shape, any finite number.

    Returns:
        One value per example, in float32 at least.

    Raises:
        DataError: the shapes differ.

    Source:
        Boscovich 1757; Laplace 1793.
    """
    predictions, targets = _prepare(predictions, targets)
    return (predictions - targets).abs()


def absolute_error_gradient(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return delta = d|z - y| / dz of each example.

    Derivation: with e = z - y, d|e|/de = sign(e) for e != 0, and de/dz = 1, so

        delta = sign(z - y)        dL/dW = sum_i sign(z_i - y_i) x_i^T        dL/db = sum_i sign(z_i - y_i)

    At z = y every number in [-1, 1] is a subgradient; this is 0, PyTorch's choice.

    Args:
        predictions: as in `absolute_error`; `targets` too.
        targets: y.
    """
    predictions, targets = _prepare(predictions, targets)
    return (predictions - targets).sign()


def huber_error(predictions: Tensor, targets: Tensor, delta: float = 1.0) -> Tensor:
    """Return e^2 / 2 of each example where |e| <= delta, and delta (|e| - delta / 2) beyond, with e = z - y.

    Least squares near the target, least absolute deviations far from it: the gradient shrinks near the optimum, and an
    outlier pulls with delta at the most. Up to constants it is the negative log likelihood of noise that is Gaussian in
    the middle with the tails of a Laplace distribution. When NOT to use it: where the mean itself is wanted of targets
    whose noise is skewed; it then answers something between mean and median.

    Args:
        predictions: z, of any shape.
        targets: y, of the same shape, any finite number.
        delta: where the parabola becomes a line, above 0, in the unit of y.

    Returns:
        One value per example, in float32 at least.

    Raises:
        DataError: the shapes differ, or delta is not above 0.

    Source:
        Huber 1964, Robust estimation of a location parameter.
    """
    predictions, targets = _prepare(predictions, targets)
    if not delta > 0:
        raise DataError(f"delta of the Huber error must be above 0, got {delta}")
    distance = (predictions - targets).abs()
    return torch.where(distance <= delta, distance.square() / 2, delta * (distance - delta / 2))


def huber_error_gradient(predictions: Tensor, targets: Tensor, delta: float = 1.0) -> Tensor:
    """Return delta_z = dL/dz of each example.

    Derivation: d(e^2 / 2)/de = e within, d(delta |e|)/de = delta sign(e) beyond, which meet at |e| = delta; de/dz = 1, so

        delta_z = min(max(z - y, -delta), delta)

    Args:
        predictions: as in `huber_error`; `targets` and `delta` too.
        targets: y.
        delta: where the gradient stops to grow.
    """
    predictions, targets = _prepare(predictions, targets)
    return (predictions - targets).clamp(-delta, delta)


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return -(y log p + (1 - y) log(1 - p)) with p = sigmoid(z) of each example: logistic regression.

    It is the negative log likelihood of y drawn with probability p. Computed from the logit, as -log sigmoid(z) and
    -log sigmoid(-z), it neither overflows nor rounds p to 0 or 1. When NOT to use it: with more than two classes that
    exclude each other (`categorical_cross_entropy`); unweighted, where one class is rare and both count
    (`seqwise.losses.weighted_cross_entropy`).

    Args:
        logits: z, of any shape, any finite number.
        targets: y in [0, 1], of the same shape; usually 0 or 1.

    Returns:
        One value per example, in float32 at least.

    Raises:
        DataError: the shapes differ.

    Source:
        Cox 1958, The regression analysis of binary sequences.
    """
    logits, targets = _prepare(logits, targets)
    return -(targets * F.logsigmoid(logits) + (1 - targets) * F.logsigmoid(-logits))


def binary_cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Return delta = dL/dz of each example.

    Derivation: with p = sigmoid(z), dp/dz = p (1 - p), and

        dL/dp = -y / p + (1 - y) / (1 - p) = (p - y) / (p (1 - p))
        delta = dL/dp dp/dz = p - y

    The denominator cancels: where the model is wrong the gradient is large however flat the sigmoid is there, which the
    squared error of p would not have. Hence dL/dW = sum_i (p_i - y_i) x_i^T and dL/db = sum_i (p_i - y_i).

    Args:
        logits: as in `binary_cross_entropy`; `targets` too.
        targets: y.
    """
    logits, targets = _prepare(logits, targets)
    return logits.sigmoid() - targets


def categorical_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return -log p_y with p = softmax(z) of each example: softmax regression.

    It is the negative log likelihood of the class y drawn with probabilities p. Computed as log sum_k exp(z_k) - z_y with
    the largest logit taken out, it does not overflow. When NOT to use it: for labels that can hold at once (one
    `binary_cross_entropy` each); unweighted, where rare classes count (`seqwise.losses.weighted_cross_entropy`).

    Args:
        logits: z, (..., C), any finite numbers.
        targets: class indices y in 0 ... C - 1, int64, (...).

    Returns:
        One value per example, (...), in float32 at least.

    Raises:
        DataError: the shapes do not fit together.

    Source:
        Bridle 1990, Probabilistic interpretation of feedforward classification network outputs.
    """
    logits = _prepare_classes(logits, targets)
    return -logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def categorical_cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Return delta = dL/dz of each example, (..., C).

    Derivation: dp_y/dz_k = p_y ([k = y] - p_k), by the quotient rule on p_y = exp(z_y) / sum_j exp(z_j), and

        delta_k = dL/dp_y dp_y/dz_k = -1 / p_y  p_y ([k = y] - p_k) = p_k - [k = y]

    Hence dL/dW_k = sum_i (p_ik - [k = y_i]) x_i^T and dL/db_k = sum_i (p_ik - [k = y_i]). With two classes it is the
    gradient of `binary_cross_entropy` at z_1 - z_0.

    Args:
        logits: as in `categorical_cross_entropy`; `targets` too.
        targets: y.
    """
    logits = _prepare_classes(logits, targets)
    return logits.softmax(-1) - F.one_hot(targets, logits.shape[-1]).to(logits.dtype)


def _prepare(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    if scores.shape != targets.shape:
        raise DataError(f"targets must have the shape {tuple(scores.shape)} of the scores, got {tuple(targets.shape)}")
    dtype = torch.promote_types(scores.dtype, torch.float32)
    return scores.to(dtype), targets.to(dtype)


def _prepare_classes(logits: Tensor, targets: Tensor) -> Tensor:
    if logits.ndim == 0 or logits.shape[:-1] != targets.shape:
        raise DataError(
            f"targets must have the shape of the logits {tuple(logits.shape)} without its last axis, "
            f"got {tuple(targets.shape)}"
        )
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
