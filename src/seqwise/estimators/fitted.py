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
from seqwise.estimators.balancing import check_linear, log_shares, shift_of_treatment
from seqwise.estimators.examples import Part
from seqwise.estimators.fitting import Fitting, count_classes, fingerprint_of
from seqwise.estimators.joining import TYPICAL, fit_label_scales, fit_scales, fit_shift, mixture
from seqwise.estimators.linear import fit_linear_part
from seqwise.estimators.pretrained import Coverage, GivenVectors, give_vectors
from seqwise.estimators.sections import Sections
from seqwise.estimators.starting import StartingPoint, slower_below, unfreezing
from seqwise.estimators.synthetic import check_synthetic, refit_head
from seqwise.metrics import quick_figures, quick_label_figures
from seqwise.models import (
    EncodedExamples,
    Features,
    LinearPart,
    RecurrentPart,
    SequenceModel,
    SignalFeatures,
    TextFeatures,
    probabilities,
    run_batched,
)
from seqwise.text import Ragged
from seqwise.training import Callback, History

REFIT = "refit"  # folder of the second fit's checkpoints, inside the model folder while it lasts


@dataclass
class FittedModel:
    """A model with what it was fitted from.

    Attributes:
        sections: with every value decided.
        classes: the C classes or labels.
        features: fitted on the training texts or frames.
        module: the parts, their scales, the shift.
        counts: training examples of each class, (C,).
        examples: n of the training.
        multilabel: whether an example may have several labels.
        history: of the recurrent or dense part; empty without one.
        coverage: of its vocabulary by the word vectors from which it started; None without such.
    """

    sections: Sections
    classes: Sequence[Any]
    features: Features
    module: SequenceModel
    counts: np.ndarray
    examples: int
    multilabel: bool = False
    history: History = field(default_factory=History)
    coverage: Coverage | None = None

    def contributions(self, examples: EncodedExamples) -> tuple[dict[str, dict[str, float]], np.ndarray]:
        """Return the figures of every part alone and of all together, and the probabilities of all together, (n, C)."""
        assert examples.targets is not None
        logits, quick = self._logits(examples), quick_label_figures if self.multilabel else quick_figures
        figures = {
            name: quick(examples.targets, probabilities(logits[:, i], multilabel=self.multilabel), examples.weights)
            for i, name in enumerate(self.module.parts)
        }
        together = probabilities(logits.sum(axis=1) + self.module.shift.cpu().numpy(), multilabel=self.multilabel)
        if len(self.module.parts) > 1:
            figures["together"] = quick(examples.targets, together, examples.weights)
        return figures, together

    def join(self, held_out: EncodedExamples | None) -> None:
        """Make the parts comparable and mix them, by examples that none was fitted on where there are any."""
        names = list(self.module.parts)
        shift = np.zeros(len(self.counts))
        if "linear" in names:
            scales = np.array([TYPICAL[name] for name in names]) * (mixture(0.5) if len(names) > 1 else 1.0)
            if held_out is not None:
                scales, shift = self._fit_scales(names, held_out)
            self.module.scales.copy_(torch.from_numpy(scales))
        if not self.multilabel:
            # Joined in the world of the data, answered in that of the treatment.
            learned = [name for name in names if name != "linear"]
            share = self.module.scales[names.index(learned[0])].item() if learned else 0.0
            shift = shift + (1 - share) * self._treatment()
        self.module.shift.copy_(torch.from_numpy(shift - self._prior_correction()))

    def _fit_scales(self, names: list[str], held_out: EncodedExamples) -> tuple[np.ndarray, np.ndarray]:
        targets, weights, logits = held_out.targets, held_out.weights, self._logits(held_out)
        assert targets is not None
        if self.multilabel:  # their shifts are fitted with the scales
            return fit_label_scales(names, logits, targets, weights)
        if "recurrent" in names:
            logits[:, names.index("recurrent")] -= self._treatment()
        scales = fit_scales(names, logits, targets, weights)
        return scales, fit_shift(np.einsum("npc,p->nc", logits, scales), targets, weights)

    def _treatment(self) -> np.ndarray:
        return shift_of_treatment(self.sections.imbalance, self.classes, self.counts)

    def _prior_correction(self) -> np.ndarray:
        """tau log(class share), of labels tau times the log odds of each, (C,); tau is `imbalance.prior_correction`."""
        tau = self.sections.imbalance.prior_correction
        if self.multilabel:
            return tau * np.log((self.counts + 1) / (self.examples - self.counts + 1))
        return tau * log_shares(self.counts)

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
        vectors: word vectors from which the embedding starts.
        beginning: a language model from which vocabulary, embedding and layers start.
    """

    sections: Sections
    classes: Sequence[Any]
    callbacks: Sequence[Callback] = ()
    folder: Path | None = None
    resume: bool = False
    vectors: GivenVectors | None = None
    beginning: StartingPoint | None = None

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
        features: Features
        if self.sections.frames is not None:
            features = SignalFeatures(self.sections.frames)
        else:
            features = TextFeatures(text, model, folder, None if self.vectors is None else self.vectors.know)
            if self.beginning is not None:
                features.pipeline = self.beginning.pipeline(text)
        examples = training.fitted(features)
        held = None if held_out is None else held_out.encoded(features)
        multilabel = training.targets.ndim == 2
        counts = count_classes(training.targets, len(self.classes)).astype(np.int64)
        check_synthetic(self.sections, self.classes, counts, multilabel=multilabel)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.sections.training.seed)
            module = SequenceModel(
                model,
                vocabulary_size=features.vocabulary_size,
                ngrams=features.ngram_count,
                classes=len(self.classes),
                frame_size=features.frame_size,
            )
        if list(module.parts) == ["linear"]:
            check_linear(self.sections.imbalance, multilabel=multilabel)
        fitted = FittedModel(self.sections, self.classes, features, module, counts, len(training.targets), multilabel)
        if "linear" in module.parts:
            self._fit_linear(cast(LinearPart, module.parts["linear"]), features, examples)
        trained = next((module.parts[name] for name in ("recurrent", "dense") if name in module.parts), None)
        if trained is not None:
            if self.vectors is not None and features.pipeline is not None:
                fitted.coverage = give_vectors(cast(RecurrentPart, trained), features.pipeline.vocabulary, self.vectors)
            begun: tuple[Callback, ...] = ()
            if self.beginning is not None:
                self.beginning.give(cast(RecurrentPart, trained))
                begun = unfreezing(cast(RecurrentPart, trained), model)
            loop = Fitting(
                self.sections.training,
                self.sections.imbalance,
                self.classes,
                parameter_groups=None if self.beginning is None else slower_below(model.rate_divisor),
                callbacks=[*begun, *self.callbacks],
                folder=self.folder,
                resume=self.resume,
                fingerprint=fingerprint_of(examples) + "".join(of.mark for of in (self.vectors, self.beginning) if of),
            )
            fitted.history = loop(trained, examples, held)
            if not fitted.history.interrupted:
                refit_head(cast(RecurrentPart, trained), examples, self.sections, self.classes)
            module.to(next(trained.parameters()).device)
        fitted.join(held)
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
        second.module.shift.copy_(first.module.shift)
        second.history = first.history
        return second, True

    def _fit_linear(self, part: LinearPart, features: Features, examples: EncodedExamples) -> None:
        assert features.ngrams is not None
        assert examples.ngrams is not None
        assert examples.targets is not None
        fit_linear_part(
            part,
            examples.ngrams,
            examples.targets,
            # A row has length 1 over all kinds of n-grams together: more kinds leave less of it to each.
            penalty=self.sections.model.linear_c * len(features.ngrams.blocks),
            sample_weight=examples.weights,
            seed=self.sections.training.seed,
        )
