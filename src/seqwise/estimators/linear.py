"""The linear part, solved as the convex problem that it is.

A linear model over n-grams has one optimum and a solver that finds it in seconds; stochastic steps only approach it. So
it is fitted first and on its own (one class against the rest, squared hinge loss, L2 penalty), and the recurrent part is
trained beside it, not on top of it. See docs/decisions/default-classifier.md for what this was compared with.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from seqwise.models import LinearPart
from seqwise.text import Ragged

LARGEST = 150_000_000  # n-grams in all rows together: the solver copies them, 16 bytes each
LABEL_PENALTY = 0.1  # of the penalty C: labels of which an example has several are noisier than classes


def fit_linear_part(
    part: LinearPart,
    ngrams: Ragged,
    targets: np.ndarray,
    *,
    penalty: float = 1.0,
    sample_weight: np.ndarray | None = None,
    seed: int = 0,
) -> int:
    """Fit a linear part in place.

    Args:
        part: with as many outputs as there are classes.
        ngrams: weighted features of n examples.
        targets: class indices, (n,); every class need not occur. Or which labels each example has, (n, L).
        penalty: C, the weight of the loss against the L2 norm.
        sample_weight: factor of the loss by example, (n,).
        seed: of the solver's order, and of the sample that is taken of data beyond `LARGEST`.

    Returns:
        The number of examples that it was fitted on.
    """
    rows = np.arange(len(targets))
    if len(ngrams.ids) > LARGEST:
        share = LARGEST / len(ngrams.ids)
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[: int(len(rows) * share)])
        ngrams = ngrams.take(rows)
        targets, sample_weight = targets[rows], None if sample_weight is None else sample_weight[rows]
    values = ngrams.values
    matrix = csr_matrix((values, ngrams.ids, ngrams.offsets), shape=(len(ngrams), part.weight.num_embeddings))
    weight, bias = np.zeros((part.bias.shape[0], matrix.shape[1])), np.full(part.bias.shape[0], -1.0)
    with warnings.catch_warnings():
        # Two hundred sweeps leave a remainder on some data that changes no decision.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if targets.ndim == 2:
            for label in np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0)):
                solver = LinearSVC(C=LABEL_PENALTY * penalty, random_state=seed, max_iter=200, tol=1e-2)
                solver.fit(matrix, targets[:, label].astype(int), sample_weight=sample_weight)
                weight[label], bias[label] = solver.coef_[0], solver.intercept_[0]
        else:
            solver = LinearSVC(C=penalty, random_state=seed, max_iter=200, tol=1e-2)
            solver.fit(matrix, targets, sample_weight=sample_weight)
            if len(solver.classes_) == 2:  # one plane for two classes: each class gets half of it
                weight[solver.classes_] = np.concatenate([-solver.coef_, solver.coef_]) / 2
                bias[solver.classes_] = np.concatenate([-solver.intercept_, solver.intercept_]) / 2
            else:
                weight[solver.classes_], bias[solver.classes_] = solver.coef_, solver.intercept_
    with torch.no_grad():
        part.weight.weight.copy_(torch.from_numpy(weight.T))
        part.bias.copy_(torch.from_numpy(bias))
    part.requires_grad_(False)
    return len(rows)
