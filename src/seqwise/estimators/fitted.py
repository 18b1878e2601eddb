"""A sequence model while it is fitted: features, parts, the scales that join them, the correction of priors."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch

from seqwise.data import StreamedColumn
from seqwise.estimators.examples import Part
from seqwise.estimators.fitting import Fitting, class_weights, fingerprint_of
from seqwise.estimators.joining import TYPICAL, fit_scales, mixture
from seqwise.estimators.linear import fit_linear_part
from seqwise.estimators.sections import Sections
from seqwise.metrics import quick_figures
from seqwise.models import EncodedExamples, LinearPart, SequenceModel, TextFeatures, run_batched, softmax
from seqwise.text import Ragged
from seqwise.training import Callback, History

REFIT = "refit"  # folder of the second fit's checkpoints, inside the model folder while it lasts


@dataclass
class FittedModel:
    """A model with what it was fitted from.

    Attributes:
        sections: with every value decided.
        features: fitted on the training texts.
        module: the parts, their scales, the shift.
        counts: training examples of each class, (C,).
        history: of the recurrent part; empty without one.
    """

    sections: Sections
    features: TextFeatures
    module: SequenceModel
    counts: np.ndarray
    history: History = field(default_factory=History)

    def contributions(self, examples: EncodedExamples) -> tuple[dict[str, dict[str, float]], np.ndarray]:
        """Return the figures of every part alone and of all together, and the probabilities of all together, (n, C)."""
        assert examples.targets is not None
        logits = self._logits(examples)
        figures = {
            name: quick_figures(examples.targets, softmax(logits[:, i]), examples.weights)
            for i, name in enumerate(self.module.parts)
        }
        probabilities = softmax(logits.sum(axis=1) + self.module.shift.cpu().numpy())
        if len(self.module.parts) > 1:
            figures["together"] = quick_figures(examples.targets, probabilities, examples.weights)
        return figures, probabilities

    def join(self, held_out: EncodedExamples | None) -> None:
        """Make the parts comparable and mix them, by examples that none was fitted on where there are any."""
        names = list(self.module.parts)
        if "linear" not in names:
            return
        scales = np.array([TYPICAL[name] for name in names]) * (mixture(0.5) if len(names) > 1 else 1.0)
        if held_out is not None:
            assert held_out.targets is not None
            scales = fit_scales(names, self._logits(held_out), held_out.targets, held_out.weights)
        self.module.scales.copy_(torch.from_numpy(scales))

    def correct_priors(self) -> None:
        """Subtract tau log(class share) from the logits, tau being `imbalance.prior_correction`."""
        shares = (self.counts + 1) / (self.counts.sum() + len(self.counts))
        self.module.shift.copy_(torch.from_numpy(-self.sections.imbalance.prior_correction * np.log(shares)))

    def _logits(self, examples: EncodedExamples) -> np.ndarray:
        """The scaled logits of every part, (n, parts, C)."""
        return run_batched(self.module.contributions, examples, device=self.module.scales.device)


def in_memory(rows: Ragged | None) -> Ragged | None:
    """Return rows that no file is needed for."""
    return None if rows is None else rows.take(np.arange(len(rows)))


@dataclass(frozen=True)
class SequenceFit:
    """How sequence models are fitted.

    Attributes:
        sections: with every value decided.
        classes: the C classes.
        callbacks: of the training loop, besides the standard ones.
        folder: where history.jsonl and checkpoints/ go, None for nowhere.
        resume: go on from the newest checkpoint there.
    """

    sections: Sections
    classes: Sequence[Any]
    callbacks: Sequence[Callback] = ()
    folder: Path | None = None
    resume: bool = False

    def fit(self, training: Part, held_out: Part | None) -> tuple[FittedModel, EncodedExamples | None]:
        """Fit every part on its own, then join them.

        Returns:
            The model, and the held-out part as the model reads it.
        """
        if not isinstance(training.texts, StreamedColumn):
            return self._fit(training, held_out, None)
        # Texts that stay on disk are encoded into files too.
        with TemporaryDirectory(prefix="seqwise-", ignore_cleanup_errors=True) as scratch:
            fitted, held = self._fit(training, held_out, Path(scratch))
            fitted.features.folder = None
            if held is not None:
                held = replace(held, tokens=in_memory(held.tokens), ngrams=in_memory(held.ngrams))
        return fitted, held

    def _fit(
        self, training: Part, held_out: Part | None, folder: Path | None
    ) -> tuple[FittedModel, EncodedExamples | None]:
        text, model = self.sections.text, self.sections.model
        features = TextFeatures(text, model, folder)
        examples = training.fitted(features)
        held = None if held_out is None else held_out.encoded(features)
        counts = np.bincount(training.targets, minlength=len(self.classes))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.sections.training.seed)
            module = SequenceModel(
                model,
                vocabulary_size=features.vocabulary_size,
                ngrams=features.ngram_count,
                classes=len(self.classes),
            )
        fitted = FittedModel(self.sections, features, module, counts)
        if "linear" in module.parts:
            self._fit_linear(cast(LinearPart, module.parts["linear"]), features, examples, counts)
        if "recurrent" in module.parts:
            loop = Fitting(
                self.sections.training,
                self.sections.imbalance,
                self.classes,
                callbacks=self.callbacks,
                folder=self.folder,
                resume=self.resume,
                fingerprint=fingerprint_of(examples),
            )
            fitted.history = loop(module.parts["recurrent"], examples, held)
            module.to(next(module.parts["recurrent"].parameters()).device)
        fitted.join(held)
        fitted.correct_priors()
        return fitted, held

    def refit(self, first: FittedModel, whole: Part) -> tuple[FittedModel, bool]:
        """Fit once more on all examples, with the scales found.

        Returns:
            The second model and True; if its fit was interrupted, the first one as it was and False.
        """
        folder = None if self.folder is None else self.folder / REFIT
        second, _ = replace(self, folder=folder).fit(whole, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if second.history.interrupted:
            first.history.stopped = second.history.stopped
            return first, False
        second.module.scales.copy_(first.module.scales)
        second.history = first.history
        return second, True

    def _fit_linear(
        self, part: LinearPart, features: TextFeatures, examples: EncodedExamples, counts: np.ndarray
    ) -> None:
        assert features.ngrams is not None
        assert examples.ngrams is not None
        assert examples.targets is not None
        weights = class_weights(self.sections.imbalance, self.classes, counts)
        fit_linear_part(
            part,
            examples.ngrams,
            examples.targets,
            # A row has length 1 over all kinds of n-grams together: more kinds leave less of it to each.
            penalty=self.sections.model.linear_c * len(features.ngrams.blocks),
            class_weight=None if weights is None else dict(enumerate(weights.tolist())),
            sample_weight=examples.weights,
            seed=self.sections.training.seed,
        )
