"""Synthetic examples of rare classes in a fit: of vectors and n-grams as they are, of sequences in the learned space.

There is nothing between two texts, but there is between what a trained encoder makes of them. So the recurrent part is
trained on the examples as they are; then what its head reads is made synthetic examples of, and the head is fitted again
("classifier re-training", Kang et al. 2020). All of it sees training examples only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from seqwise.data import synthesise
from seqwise.data.synthesis import check_method, check_sizes
from seqwise.errors import ConfigurationError
from seqwise.estimators.fitting import Fitting
from seqwise.estimators.sections import Sections
from seqwise.models import Batch, EncodedExamples, RecurrentPart, run_batched
from seqwise.text import Ragged
from seqwise.training import TrainingSettings

LARGEST = 200_000_000  # numbers in all pooled outputs together, synthetic ones included: 800 MB
BATCH = 256  # of the fit of the head
STEPS, FEWEST_EPOCHS = 600, 2  # of it: as many epochs as give about these steps; more of them only overfit


def check_synthetic(sections: Sections, classes: Sequence[Any], counts: np.ndarray, *, multilabel: bool) -> None:
    """Refuse `imbalance.synthetic` before anything is trained where it has no place.

    Args:
        sections: with every value decided.
        classes: the C classes.
        counts: training examples of each, (C,).
        multilabel: whether an example may have several of them.

    Raises:
        ConfigurationError: several labels, no recurrent part, or a loss or weights that balance too.
        DataError: a class has one example.
        MissingExtraError: imbalanced-learn is not installed.
    """
    imbalance = sections.imbalance
    if imbalance.synthetic is None:
        return
    check_method(imbalance.synthetic)
    if multilabel:
        raise ConfigurationError(
            f"{imbalance.synthetic} makes examples of one class, but here an example may have several labels: "
            "use a loss or a sampler"
        )
    if sections.model.architecture in ("linear", "dense"):
        raise ConfigurationError(
            f"{imbalance.synthetic} needs a recurrent part, whose outputs it works on; VectorClassifier does it on n-grams "
            "and vectors"
        )
    if (
        imbalance.loss in ("class_balanced", "logit_adjusted", "balanced_softmax")
        or imbalance.class_weight == "balanced"
    ):
        other = "balanced class weights" if imbalance.class_weight == "balanced" else f"the loss {imbalance.loss}"
        raise ConfigurationError(
            f"{imbalance.synthetic} and {other} would balance the classes twice: choose one of them"
        )
    check_sizes(counts, classes, imbalance.synthetic)


def with_synthetic(examples: EncodedExamples, classes: Sequence[Any], method: str, *, seed: int) -> EncodedExamples:
    """Return vectors or n-grams with synthetic examples behind them, which weigh as much as their class does on average.

    Args:
        examples: with class indices as targets.
        classes: the C classes.
        method: see `synthesise`.
        seed: of the draws.

    Raises:
        DataError: a class has one example.
        MissingExtraError: imbalanced-learn is not installed.
    """
    assert examples.targets is not None
    check_sizes(np.bincount(examples.targets), classes, method)
    ngrams, vectors = None, None
    if examples.vectors is not None:
        vectors, targets = synthesise(examples.vectors, examples.targets, method=method, seed=seed)
    else:
        assert examples.ngrams is not None
        rows = csr_matrix((examples.ngrams.values, examples.ngrams.ids, examples.ngrams.offsets))
        rows, targets = synthesise(rows, examples.targets, method=method, seed=seed)
        ngrams = Ragged(rows.indices.astype(np.int32), rows.indptr.astype(np.int64), rows.data)
    weights = examples.weights
    if weights is not None:
        new = targets[len(weights) :]
        mean = np.bincount(examples.targets, weights) / np.maximum(np.bincount(examples.targets), 1)
        weights = np.concatenate([weights, mean[new]])
    return EncodedExamples(ngrams=ngrams, vectors=vectors, targets=targets, weights=weights)


def refit_head(part: RecurrentPart, examples: EncodedExamples, sections: Sections, classes: Sequence[Any]) -> None:
    """Fit the head of a trained recurrent part again, in place, on pooled outputs and synthetic ones between them.

    The head starts anew. Where all of it would be larger than `LARGEST`, every class has fewer examples: those of the
    larger ones are drawn.

    Args:
        part: on its device.
        examples: that it was trained on.
        sections: with every value decided; without `imbalance.synthetic` nothing happens.
        classes: the C classes.
    """
    imbalance, training = sections.imbalance, sections.training
    if imbalance.synthetic is None:
        return
    chosen = _no_more_than(LARGEST // part.pooling.size, replace(examples, ngrams=None), training.seed)
    part.eval()
    pooled = run_batched(part.pooled, chosen, device=next(part.parameters()).device)
    balanced = with_synthetic(
        EncodedExamples(vectors=pooled, targets=chosen.targets, weights=chosen.weights),
        classes,
        imbalance.synthetic,
        seed=training.seed,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        for layer in part.head:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    settings = TrainingSettings(
        epochs=max(FEWEST_EPOCHS, STEPS // -(-len(balanced) // BATCH)),
        batch_size=BATCH,
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=training.weight_decay,
        clip_norm=training.clip_norm,
        schedule="cosine",
        select="last",
        seed=training.seed,
        device=training.device,
    )
    plain = imbalance.model_copy(update={"sampler": "instance", "synthetic": None})
    Fitting(settings, plain, classes)(_Head(part), balanced, None)


class _Head(nn.Module):
    """Pooled outputs -> logits: the end of a recurrent part, which it shares."""

    def __init__(self, part: RecurrentPart) -> None:
        super().__init__()
        self.dropout, self.head = part.dropout, part.head

    def forward(self, batch: Batch) -> Tensor:
        return self.head(self.dropout(batch.vectors))


def _no_more_than(rows: int, examples: EncodedExamples, seed: int) -> EncodedExamples:
    """The examples, or so many of each class that as many of every class are no more than these rows."""
    assert examples.targets is not None
    counts = np.bincount(examples.targets)
    each = max(rows // int(np.count_nonzero(counts)), 2)
    if int(counts.max()) <= each:
        return examples
    order = np.random.default_rng(seed).permutation(len(examples.targets))
    order = order[np.argsort(examples.targets[order], kind="stable")]  # class after class, random within
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.sort(order[place < each])
    return replace(
        examples,
        tokens=None if examples.tokens is None else examples.tokens.take(kept),
        frames=None if examples.frames is None else examples.frames.take(kept),
        targets=examples.targets[kept],
        weights=None if examples.weights is None else examples.weights[kept],
    )
