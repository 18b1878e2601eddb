"""The objectives of word vectors with their closed-form gradients: short, in plain PyTorch, any float type.

Axis letters: N examples, K targets of an example, V vocabulary, D size of a vector. Those of predictive models take an input
vector h for each example and return one loss an example, with the gradients of their weighted sum; GloVe's takes cells of
the matrix of counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class Objective:
    """Losses and gradients.

    The gradient of an output row is a sum of inputs h, weighted by the errors of the scores: those are kept, so that whoever
    changes few of the rows need not touch the others.

    Attributes:
        losses: (N,).
        inputs: (N, D) gradient with respect to h.
        errors: gradient with respect to the scores of the targets, (N, K).
        targets: the output rows of the scores, (N, K); None: all rows in order, K = V.
        h: (N, D), as it was given.
        vocabulary: V, or V - 1 inner nodes.
    """

    losses: Tensor
    inputs: Tensor
    errors: Tensor
    targets: Tensor | None
    h: Tensor
    vocabulary: int

    @property
    def outputs(self) -> Tensor:
        """Gradient with respect to all output rows, (V, D)."""
        if self.targets is None:
            return self.errors.T @ self.h
        return self.h.new_zeros(self.vocabulary, self.h.shape[1]).index_add_(0, *self.changes())

    def changes(self) -> tuple[Tensor, Tensor]:
        """The same as a sum over the targets: which row, (N K,), and its gradient, (N K, D)."""
        assert self.targets is not None, "all rows change"
        return self.targets.flatten(), (self.errors[:, :, None] * self.h[:, None]).flatten(0, 1)


def full_softmax(h: Tensor, outputs: Tensor, words: Tensor, upstream: Tensor) -> Objective:
    """-log softmax(W h)_y; dL/ds = p - onehot(y).

    Args:
        h: (N, D).
        outputs: W, (V, D).
        words: y, (N,).
        upstream: weight of each loss, (N,).
    """
    scores = h @ outputs.T  # (N, V)
    logs = scores - scores.logsumexp(1, keepdim=True)
    error = logs.exp()
    rows = torch.arange(len(words))
    error[rows, words] -= 1
    error = error * upstream[:, None]
    return Objective(-logs[rows, words], error @ outputs, error, None, h, len(outputs))


def negative_sampling(h: Tensor, outputs: Tensor, words: Tensor, negatives: Tensor, upstream: Tensor) -> Objective:
    """-log s(w_y . h) - sum_k log s(-w_k . h); dL/ds = s - label (Mikolov et al. 2013b, equation 4).

    Args:
        h: (N, D).
        outputs: (V, D).
        words: (N,).
        negatives: (N, K); one that is the word itself counts 0.
        upstream: (N,).
    """
    targets = torch.cat([words[:, None], negatives], 1)
    labels = torch.zeros_like(targets, dtype=h.dtype)
    labels[:, 0] = 1
    counted = torch.cat([torch.ones_like(words[:, None], dtype=torch.bool), negatives != words[:, None]], 1)
    return _logistic(h, outputs, targets, labels, counted, torch.zeros_like(labels), upstream)


def noise_contrastive(
    h: Tensor, outputs: Tensor, words: Tensor, negatives: Tensor, noise: Tensor, upstream: Tensor
) -> Objective:
    """Negative sampling with the scores corrected by log(K q), whose optimum is the softmax (Gutmann and Hyvarinen 2012).

    Args:
        h: (N, D).
        outputs: (V, D).
        words: (N,).
        negatives: (N, K), drawn from the noise; all count.
        noise: q, (V,) probabilities.
        upstream: (N,).
    """
    targets = torch.cat([words[:, None], negatives], 1)
    labels = torch.zeros_like(targets, dtype=h.dtype)
    labels[:, 0] = 1
    shift = noise[targets].log() + math.log(negatives.shape[1])
    return _logistic(h, outputs, targets, labels, torch.ones_like(targets, dtype=torch.bool), shift, upstream)


def hierarchical_softmax(
    h: Tensor, outputs: Tensor, nodes: Tensor, turns: Tensor, counted: Tensor, upstream: Tensor
) -> Objective:
    """-sum over the way of log P(turn), P(turn = 1) = s(w_node . h) (Morin and Bengio 2005).

    Args:
        h: (N, D).
        outputs: (V - 1, D), the inner nodes.
        nodes: (N, K), the ways, filled up with any node.
        turns: (N, K), 1 or 0.
        counted: (N, K), False where it is filled up.
        upstream: (N,).
    """
    return _logistic(h, outputs, nodes, turns.to(h.dtype), counted, torch.zeros_like(nodes, dtype=h.dtype), upstream)


@dataclass(frozen=True)
class Glove:
    """Losses and gradients of GloVe.

    Attributes:
        losses: (N,).
        words: gradient with respect to e, (V, D).
        contexts: gradient with respect to w, (V, D).
        word_biases: gradient with respect to b, (V,).
        context_biases: gradient with respect to c, (V,).
    """

    losses: Tensor
    words: Tensor
    contexts: Tensor
    word_biases: Tensor
    context_biases: Tensor


def glove(
    words: Tensor,
    contexts: Tensor,
    word_biases: Tensor,
    context_biases: Tensor,
    cells: tuple[Tensor, Tensor, Tensor],
    upstream: Tensor,
    *,
    x_max: float = 100.0,
    alpha: float = 0.75,
) -> Glove:
    """f(X_ij) s^2, s = e_i . w_j + b_i + c_j - log X_ij, f(x) = min(1, (x / x_max)^alpha); dL/ds = 2 f s.

    f(0) = 0: cells where nothing was counted are not there. Source: Pennington et al. 2014, equations 8 and 9.

    Args:
        words: e, (V, D).
        contexts: w, (V, D).
        word_biases: b, (V,).
        context_biases: c, (V,).
        cells: i, j and X_ij > 0, each (N,).
        upstream: weight of each loss, (N,).
        x_max: the count from which on a cell has its full weight.
        alpha: the power of the weight below.
    """
    i, j, x = cells
    s = (words[i] * contexts[j]).sum(1) + word_biases[i] + context_biases[j] - x.log()  # (N,)
    f = (x / x_max).clamp(max=1) ** alpha
    error = 2 * f * s * upstream
    return Glove(
        f * s**2,
        torch.zeros_like(words).index_add(0, i, error[:, None] * contexts[j]),
        torch.zeros_like(contexts).index_add(0, j, error[:, None] * words[i]),
        torch.zeros_like(word_biases).index_add(0, i, error),
        torch.zeros_like(context_biases).index_add(0, j, error),
    )


def _logistic(
    h: Tensor, outputs: Tensor, targets: Tensor, labels: Tensor, counted: Tensor, shift: Tensor, upstream: Tensor
) -> Objective:
    rows = outputs[targets]  # (N, K, D)
    scores = (rows @ h[:, :, None])[:, :, 0] - shift
    sign = 2 * labels - 1
    losses = -torch.where(counted, logsigmoid(sign * scores), 0.0).sum(1)
    errors = torch.where(counted, torch.sigmoid(scores) - labels, 0.0) * upstream[:, None]
    return Objective(losses, (errors[:, None] @ rows)[:, 0], errors, targets, h, len(outputs))
