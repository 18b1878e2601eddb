"""A regressor while it is fitted: the n-gram part as a ridge regression, the recurrent part, the scales that join them.

Axis letters: n examples, B of a batch, K targets, P parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from seqwise.data import EpochBatches, LengthBatches
from seqwise.estimators.fitting import fingerprint_of
from seqwise.estimators.pretrained import Coverage, GivenVectors, give_vectors
from seqwise.estimators.regressor_sections import RegressorSections
from seqwise.losses import RegressionSettings, target_losses, target_weights
from seqwise.losses.regression_settings import bin_edges, weighted_losses
from seqwise.metrics.regression import quick_regression_figures
from seqwise.models import (
    Batch,
    EncodedExamples,
    Features,
    LinearPart,
    RecurrentPart,
    SequenceModel,
    SignalFeatures,
    TextFeatures,
    logits_of,
    run_batched,
)
from seqwise.prediction.target_scale import TargetScale
from seqwise.text import Ragged
from seqwise.training import Callback, History, train

PRIOR = 20.0  # strength of the belief in an even mixture of the parts, in units of the summed loss
ROUNDED = (
    0.05  # where the absolute error is rounded off to a parabola, in standard deviations, to be minimised smoothly
)


@dataclass(frozen=True)
class NumberPart:
    """Inputs with targets (n, K) in their own units, and sample weights (n,) or None."""

    inputs: Any
    targets: np.ndarray
    weights: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> NumberPart:
        """Return the examples of these rows."""
        inputs = self.inputs.take(rows) if hasattr(self.inputs, "take") else [self.inputs[i] for i in rows]
        return NumberPart(inputs, self.targets[rows], None if self.weights is None else self.weights[rows])


@dataclass
class FittedRegressor:
    """A model with what it was fitted from.

    Attributes:
        sections: with every value decided.
        features: fitted on the training inputs.
        module: the parts, their scales, the shift; its numbers are standardised.
        scale: of the targets.
        history: of the recurrent or dense part; empty without one.
        coverage: of its vocabulary by word vectors; None without such.
    """

    sections: RegressorSections
    features: Features
    module: SequenceModel
    scale: TargetScale
    history: History = field(default_factory=History)
    coverage: Coverage | None = None

    def parts(self, part: NumberPart) -> dict[str, dict[str, float]]:
        """Return the figures of every part alone and of all together."""
        each = self.contributions(self.features.encode(part.inputs))
        figures = {name: self._figures(part, each[:, i] / self._share(i)) for i, name in enumerate(self.module.parts)}
        if len(figures) > 1:
            figures["together"] = self._figures(part, each.sum(axis=1) + self.module.shift.cpu().numpy())
        return figures

    def contributions(self, examples: EncodedExamples) -> np.ndarray:
        """Return the scaled numbers of every part, (n, P, K)."""
        self.module.eval()
        return run_batched(self.module.contributions, examples, device=self.module.scales.device)

    def join(self, held_out: NumberPart | None) -> None:
        """Mix the parts, by examples that none was fitted on where there are any."""
        parts = len(self.module.parts)
        scales, shift = np.full(parts, 1 / parts), np.zeros(len(self.scale.names))
        self.module.scales.fill_(1.0)
        if held_out is not None and parts > 1:
            each = self.contributions(self.features.encode(held_out.inputs)).astype(np.float64)
            targets = self.scale.standardised(held_out.targets)
            weights = combined_weights(self.sections.regression, held_out)
            scales, shift = fit_number_scales(each, targets, weights, self.sections.regression)
        self.module.scales.copy_(torch.from_numpy(scales))
        self.module.shift.copy_(torch.from_numpy(shift))

    def _share(self, place: int) -> float:
        share = float(self.module.scales[place])
        return share if share else 1.0

    def _figures(self, part: NumberPart, standardised: np.ndarray) -> dict[str, float]:
        return quick_regression_figures(part.targets, self.scale.restored(standardised), part.weights)


@dataclass(frozen=True)
class RegressorFit:
    """How regressors are fitted.

    Attributes:
        sections: with every value decided.
        names: of the K targets.
        callbacks: of the training loop, besides the standard ones.
        folder: where history.jsonl and checkpoints/ go, None for nowhere.
        resume: go on from the newest checkpoint there.
        vectors: word vectors from which the embedding starts.
    """

    sections: RegressorSections
    names: tuple[str, ...]
    callbacks: Sequence[Callback] = ()
    folder: Path | None = None
    resume: bool = False
    vectors: GivenVectors | None = None

    def fit(self, training: NumberPart, held_out: NumberPart | None) -> FittedRegressor:
        """Fit every part on its own, then join them."""
        text, model, regression = self.sections.text, self.sections.model, self.sections.regression
        scale = TargetScale.of(
            training.targets,
            self.names,
            training.weights,
            bounded=regression.bounds == "training",
            edges=[bin_edges(column, regression.bins) for column in training.targets.T],
        )
        features: Features
        if self.sections.frames is not None:
            features = SignalFeatures(self.sections.frames)
        else:
            features = TextFeatures(text, model, None, None if self.vectors is None else self.vectors.know)
        weights = combined_weights(regression, training)
        examples = features.fit_encode(
            training.inputs, scale.standardised(training.targets).astype(np.float32), weights
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.sections.training.seed)
            module = SequenceModel(
                model,
                vocabulary_size=features.vocabulary_size,
                ngrams=features.ngram_count,
                classes=len(self.names),
                frame_size=features.frame_size,
            )
        fitted = FittedRegressor(self.sections, features, module, scale)
        if "linear" in module.parts:
            assert examples.ngrams is not None
            assert examples.targets is not None
            fit_ridge_part(
                cast(LinearPart, module.parts["linear"]),
                examples.ngrams,
                examples.targets,
                penalty=model.linear_c,
                weights=weights,
            )
        trained = next((module.parts[name] for name in ("recurrent", "dense") if name in module.parts), None)
        if trained is not None:
            self._train(fitted, trained, examples, held_out)
        fitted.join(held_out)
        return fitted

    def _train(
        self, fitted: FittedRegressor, part: nn.Module, examples: EncodedExamples, held: NumberPart | None
    ) -> None:
        settings, regression = self.sections.training, self.sections.regression
        if self.vectors is not None and fitted.features.pipeline is not None:
            fitted.coverage = give_vectors(cast(RecurrentPart, part), fitted.features.pipeline.vocabulary, self.vectors)
        watched = None if held is None else fitted.features.encode(held.inputs)
        order = LengthBatches(examples.lengths, settings.batch_size, seed=settings.seed)

        def batches(epoch: int) -> EpochBatches[Batch]:
            order.set_epoch(epoch)
            return EpochBatches(examples.batch, list(order))

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            assert batch.targets is not None
            return weighted_losses(target_losses(regression, model(batch).float(), batch.targets), batch.weights)

        def validate(model: nn.Module) -> dict[str, float]:
            assert held is not None
            assert watched is not None
            answers = fitted.scale.restored(logits_of(model, watched))
            return quick_regression_figures(held.targets, answers, held.weights)

        fitted.history = train(
            part,
            batches,
            loss,
            settings=settings,
            validate=None if held is None else validate,
            callbacks=self.callbacks,
            folder=self.folder,
            resume=self.resume,
            fingerprint=fingerprint_of(examples) + ("" if self.vectors is None else self.vectors.mark),
        )
        fitted.module.to(next(part.parameters()).device)


def combined_weights(settings: RegressionSettings, part: NumberPart) -> np.ndarray | None:
    """Return the weight of each example for each target, (n, K): that of the sample times that of its rarity, or None."""
    rare = target_weights(settings, part.targets)
    if part.weights is None:
        return rare
    own = np.repeat(part.weights[:, None], part.targets.shape[1], axis=1)
    return own if rare is None else own * rare


def fit_ridge_part(
    part: LinearPart, ngrams: Ragged, targets: np.ndarray, *, penalty: float, weights: np.ndarray | None = None
) -> None:
    """Fit the linear part in place: squared error and an L2 penalty, whose one optimum a solver finds.

    Args:
        part: with K outputs.
        ngrams: weighted features of n examples.
        targets: standardised, (n, K).
        penalty: weight of the loss against the L2 norm.
        weights: (n, K) or None.
    """
    matrix = csr_matrix((ngrams.values, ngrams.ids, ngrams.offsets), shape=(len(ngrams), part.weight.num_embeddings))
    matrix = matrix.astype(np.float64)
    weight, bias = np.zeros((targets.shape[1], matrix.shape[1])), np.zeros(targets.shape[1])
    for place in range(targets.shape[1]):
        solver = Ridge(alpha=1 / penalty, solver="sparse_cg", tol=1e-4)
        solver.fit(matrix, targets[:, place], None if weights is None else weights[:, place])
        weight[place], bias[place] = solver.coef_, solver.intercept_
    with torch.no_grad():
        part.weight.weight.copy_(torch.from_numpy(weight.T))
        part.bias.copy_(torch.from_numpy(bias))
    part.requires_grad_(False)


def fit_number_scales(
    numbers: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, settings: RegressionSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor of each part, (P,), and what is added to each target, (K,), from examples no part was fitted on.

    They minimise the summed loss plus PRIOR times the squared distance of the factors from an even mixture, so that a few
    examples cannot silence a part and many can. No factor is negative.

    Args:
        numbers: of each part, standardised, (n, P, K).
        targets: standardised, (n, K).
        weights: (n, K) or None.
        settings: the loss.
    """
    parts, size = numbers.shape[1], targets.shape[1]
    w = np.ones_like(targets) if weights is None else weights
    delta = {"squared": np.inf, "absolute": ROUNDED, "huber": settings.delta or 1.0}[settings.loss]

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        factors, shift = parameters[:parts], parameters[parts:]
        error = np.einsum("npk,p->nk", numbers, factors) + shift - targets
        slope = np.clip(error, -delta, delta) * w
        far = np.abs(error) > delta
        values = np.where(far, delta * np.abs(error) - (delta**2 / 2 if np.isfinite(delta) else 0), error**2 / 2)
        pull = factors - 1 / parts
        gradient = np.concatenate([np.einsum("npk,nk->p", numbers, slope) + 2 * PRIOR * pull, slope.sum(axis=0)])
        return float((w * values).sum() + PRIOR * pull @ pull), gradient

    start = np.concatenate([np.full(parts, 1 / parts), np.zeros(size)])
    bounds = [(0.0, None)] * parts + [(None, None)] * size
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:parts], found[parts:]
