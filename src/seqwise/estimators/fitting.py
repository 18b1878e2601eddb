"""What every classifier does to fit a torch module: loss with class and sample weights, batches by length, validation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.data import EpochBatches, LengthBatches, make_sampler
from seqwise.errors import DataError
from seqwise.losses import ImbalanceSettings, balanced_weights, label_pairs, make_loss
from seqwise.metrics import quick_figures, quick_label_figures
from seqwise.models import Batch, EncodedExamples, logits_of, probabilities
from seqwise.training import Callback, History, TrainingSettings, train


def class_weights(
    settings: ImbalanceSettings, classes: Sequence[Any], counts: np.ndarray, examples: float | None = None
) -> Tensor | None:
    """Return the loss weight of every class (C,), or None when all weigh 1.

    Args:
        settings: `class_weight` is None, "balanced", or weights by class name.
        classes: the C classes.
        counts: training examples of each (their total sample weight, where there are weights), (C,).
        examples: n, if the classes are labels that can hold together; then the result is (2, C), the weights where a label
            does not hold and where it holds.

    Raises:
        DataError: a weight is given for an unknown class.
    """
    chosen = settings.class_weight
    if chosen is None:
        return None
    if chosen == "balanced":
        numbers = torch.as_tensor(counts) if examples is None else label_pairs(counts, examples)
        return balanced_weights(numbers.to(torch.float32))
    names = [str(c) for c in classes]
    if unknown := sorted(set(map(str, chosen)) - set(names)):
        raise DataError(
            f"class_weight names {unknown[0]!r}, which is no class of the training data: {', '.join(names)}"
        )
    weights = torch.tensor([float(chosen.get(name, 1.0)) for name in names])
    return weights if examples is None else torch.stack([torch.ones_like(weights), weights])


def count_classes(targets: np.ndarray, classes: int, sample_weight: np.ndarray | None = None) -> np.ndarray:
    """Return how many examples each class has, or their total weight, (C,).

    Args:
        targets: class indices, (n,); or which labels each example has, (n, C).
        classes: C.
        sample_weight: (n,) or None.
    """
    if targets.ndim == 2:
        return targets.sum(axis=0) if sample_weight is None else sample_weight @ targets
    return np.bincount(targets, weights=sample_weight, minlength=classes)


@dataclass
class Fitting:
    """One fit of a module on encoded examples.

    Attributes:
        settings: of the training loop, every value decided.
        imbalance: the loss, class weights, label smoothing, what each epoch is drawn from.
        classes: the C classes, in the order of the logits.
        parameter_groups: module -> groups with learning rates of their own.
        callbacks: besides the standard ones.
        folder: where history.jsonl and checkpoints/ go, None for nowhere.
        resume: go on from the newest checkpoint there.
        fingerprint: of the data, so that a checkpoint of other data is refused.
    """

    settings: TrainingSettings
    imbalance: ImbalanceSettings
    classes: Sequence[Any]
    parameter_groups: Callable[[nn.Module], Sequence[dict[str, Any]]] | None = None
    callbacks: Sequence[Callback] = ()
    folder: Path | None = None
    resume: bool = False
    fingerprint: str = ""

    def __call__(self, module: nn.Module, training: EncodedExamples, validation: EncodedExamples | None) -> History:
        """Fit the module in place; afterwards it has the best weights."""
        assert training.targets is not None
        several = training.targets.ndim == 2
        counts = count_classes(training.targets, len(self.classes), training.weights)
        total = float(len(training.targets) if training.weights is None else training.weights.sum())
        weights = class_weights(self.imbalance, self.classes, counts, total if several else None)
        of_batch = make_loss(self.imbalance, counts, weights, multilabel=several, examples=total)
        progress = 0.0

        def loss(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
            assert batch.targets is not None
            return of_batch(model(batch), batch.targets, progress=progress), batch.weights

        settings, sample = self.settings, None
        if self.imbalance.sampler != "instance":
            sample = make_sampler(self.imbalance.sampler, training.targets, seed=settings.seed, epochs=settings.epochs)
        order = LengthBatches(training.lengths, settings.batch_size, seed=settings.seed, sample=sample)

        def batches(epoch: int) -> EpochBatches[Batch]:
            nonlocal progress
            progress = epoch / settings.epochs
            order.set_epoch(epoch)
            return EpochBatches(training.batch, list(order))

        def validate(model: nn.Module) -> dict[str, float]:
            assert validation is not None
            assert validation.targets is not None
            answers = probabilities(logits_of(model, validation), multilabel=several)
            quick = quick_label_figures if several else quick_figures
            return quick(validation.targets, answers, validation.weights)

        return train(
            module,
            batches,
            loss,
            settings=self.settings,
            validate=None if validation is None else validate,
            parameter_groups=self.parameter_groups,
            callbacks=self.callbacks,
            folder=self.folder,
            resume=self.resume,
            fingerprint=self.fingerprint,
        )


def fingerprint_of(examples: EncodedExamples) -> str:
    """Return a short hash of the encoded training data."""
    digest = hashlib.sha256()
    for part in (examples.tokens, examples.ngrams):
        if part is not None:
            digest.update(np.ascontiguousarray(part.offsets).data)
            digest.update(np.ascontiguousarray(part.ids).data)
    if examples.frames is not None:
        digest.update(np.ascontiguousarray(examples.frames.offsets).data)
        digest.update(np.ascontiguousarray(examples.frames.values).data)
    for values in (examples.vectors, examples.targets, examples.weights):
        if values is not None:
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:16]
