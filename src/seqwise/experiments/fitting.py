"""Fitting the baseline and the model on the same examples, within the time that there is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import Frames
from seqwise.estimators import SequenceClassifier
from seqwise.estimators.choices import explain_imbalance
from seqwise.estimators.decisions import fit_decisions, fit_label_decisions
from seqwise.evaluation import Baseline, fit_baseline
from seqwise.experiments.configuration import Configuration
from seqwise.experiments.decisions import DecisionRequest
from seqwise.experiments.parts import Part
from seqwise.experiments.reading import TrainingData
from seqwise.metrics import Criterion, parse_criterion
from seqwise.models import SignalFeatures
from seqwise.text import explain_text
from seqwise.training import Callback, Progress

FINISHING = 3.0  # seconds for intervals, pictures and files
SHORTEST = 1.0  # seconds that training gets even if everything before it took the whole budget


@dataclass
class FittedModel:
    """A fitted classifier, and what its fit has found out.

    Attributes:
        estimator: the classifier.
        validation: its probabilities of the validation examples, (n, C), before a second fit learned from them too.
        refitted: whether there was such a second fit.
        interrupted: whether Ctrl-C ended the fit.
        notes: what a reader of the report should know.
    """

    estimator: SequenceClassifier
    validation: np.ndarray | None
    refitted: bool
    interrupted: bool
    notes: list[str] = field(default_factory=list)

    @property
    def parts(self) -> dict[str, dict[str, float]]:
        """Validation figures of each part alone, and of all together."""
        return self.estimator.parts_

    @property
    def history(self) -> list[dict[str, Any]]:
        """A record for each epoch."""
        return self.estimator.history_

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Sections with every value decided."""
        return self.estimator.settings_.to_dict()


class Deadline(Callback):
    """Moves the end of the time budget, so that what comes after training is over in time too.

    Args:
        moment: on `time.monotonic`, when everything has to be over.
        evaluations: how many times the work of one validation is still to be done after training.
    """

    def __init__(self, moment: float, evaluations: float) -> None:
        self._moment, self._evaluations = moment, evaluations
        self._latest = self._earliest = 0.0  # on the clock of the fit

    def on_start(self, run: Any) -> None:
        """Set the limit."""
        left = self._moment - time.monotonic()
        self._latest = run.engine.agree(run.now() + left - max(FINISHING, 0.15 * left))
        self._earliest = run.engine.agree(run.now() + SHORTEST)
        self._set(run)

    def on_epoch(self, run: Any, record: dict[str, Any]) -> None:
        """Set it again: now it is better known how long a validation takes."""
        self._set(run)

    def _set(self, run: Any) -> None:
        run.time_limit = max(self._latest - self._evaluations * run.validation_seconds, self._earliest)


def fit_baseline_on(part: Part, classes: Sequence[str], configuration: Configuration) -> Baseline:
    """Fit logistic regression on n-grams of words or, where the model reads them, characters; on statistics of frames."""
    return fit_baseline(
        part.texts,
        part.targets(classes) if part.multilabel else part.labels,
        classes=classes,
        unit=configuration.text.unit,
        sample_weight=part.weights,
        frames=configuration.frames,
        seed=configuration.training.seed,
    )


def baseline_thresholds(
    baseline: Baseline, validation: Part, classes: Sequence[str], request: DecisionRequest, positive: str | None
) -> np.ndarray | None:
    """Choose the baseline's thresholds as the model's are chosen; None where the most probable class is answered."""
    if request.threshold is None and not validation.multilabel:
        return None
    criterion = Criterion("f", 1.0) if request.threshold is None else parse_criterion(request.threshold)
    given: dict[str, Any] = {"criterion": criterion, "costs": request.costs, "sample_weight": validation.weights}
    targets, probabilities = validation.targets(classes), baseline.predict_proba(validation.texts)
    if validation.multilabel:
        chosen = fit_label_decisions(targets, probabilities, classes, **given)
    else:
        chosen = fit_decisions(targets, probabilities, classes, positive=positive, **given)
    return np.array(chosen["thresholds"])


def fit_model(
    data: TrainingData, configuration: Configuration, *, folder: Path, resume: bool, deadline: float | None
) -> FittedModel:
    """Fit the classifier that the configuration describes.

    Args:
        data: what to learn from.
        configuration: every section.
        folder: for history and checkpoints.
        resume: go on from the newest checkpoint there.
        deadline: on `time.monotonic`, when training, evaluation and report have to be over.

    Raises:
        ConfigurationError: the settings do not go together, or the checkpoint is that of another run.
        DivergenceError: the loss became NaN or infinite.
    """
    callbacks: list[Callback] = [Progress()]
    training = configuration.training
    if deadline is not None:
        training = training.model_copy(update={"time_budget": max(deadline - time.monotonic(), SHORTEST)})
        watched, tested = (0 if part is None else len(part) for part in (data.validation, data.test))
        # Afterwards the validation examples are run twice, to join the parts and to tell what each contributes; test texts
        # have to be encoded, too.
        callbacks.append(Deadline(deadline, evaluations=2 + (1.5 * tested / watched if watched else 0)))
    # A validation part of its own is handed over. What is held back of the training data is held back by the estimator
    # (by the same rule and seed as in `data`), which may then fit once more on everything.
    own, held = not data.split or data.by_group, data.validation
    estimator = SequenceClassifier.from_settings(
        text=configuration.text,
        model=configuration.model,
        imbalance=configuration.imbalance,
        training=training,
        frames=configuration.frames if data.has_frames else None,
        validation=0.0 if data.validation is None else configuration.data.validation,
        multilabel=data.multilabel,
    )
    whole = data.training if data.by_group else data.whole
    estimator.fit(
        whole.texts,
        whole.labels,
        whole.weights,
        validation_data=(held.texts, held.labels, held.weights) if own and held else None,
        unlabelled=data.unlabelled,
        folder=folder,
        resume=resume,
        callbacks=callbacks,
    )
    validation = None
    if data.validation is not None:
        assert estimator.validation_ is not None
        _, targets, validation = estimator.validation_
        assert np.array_equal(targets, data.validation.targets(data.classes)), "model and baseline are split alike"
    interrupted = estimator.fit_history_.interrupted
    refitted = estimator.refitted_
    return FittedModel(estimator, validation, refitted, interrupted, _notes(data, estimator, refitted, interrupted))


def _notes(data: TrainingData, estimator: SequenceClassifier, refitted: bool, interrupted: bool) -> list[str]:
    names = [str(name) for name in estimator.classes_]
    counts = estimator.fitted_.counts.tolist()
    notes = [explain_imbalance(estimator.settings_.imbalance, names, counts)]
    if isinstance(estimator.fitted_.features, SignalFeatures):
        features, frames = estimator.fitted_.features.frames, Frames.from_rows(data.whole.texts)
        notes += [features.sentence(), *(note for note in (features.note(frames), features.gaps(frames)) if note)]
    else:
        notes += explain_text(estimator.settings_.text)
    if estimator.fitted_.coverage is not None:
        notes.append(estimator.fitted_.coverage.sentence())
    if refitted:
        notes.append(
            f"After the validation, model and baseline were fitted once more on all {len(data.everything):,} examples "
            "for training and validation; the validation figures are those of the first fit, the saved model is the second."
        )
    if estimator.fit_history_.stopped == "time":
        notes.append("The time budget ended the training.")
    if interrupted:
        notes.append("The training was interrupted; the saved model is the best one until then.")
    return notes
