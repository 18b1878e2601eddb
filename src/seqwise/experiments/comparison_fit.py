"""Carrying out one run of a comparison: fit on the training part, watch the validation part, answer the test part."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from seqwise.experiments.comparison_data import ComparisonData, Parts
from seqwise.experiments.comparison_runs import PlannedRun, RunResult
from seqwise.experiments.configuration import Configuration
from seqwise.training import Callback


def carry_out(run: PlannedRun, data: ComparisonData, callbacks: Sequence[Callback] = ()) -> RunResult:
    """Carry a run out.

    Raises:
        SeqwiseError: the settings do not go with these data, an extra is missing, or training diverged.
        KeyboardInterrupt: the person interrupted it.
    """
    parts = data.parts(run.seed, run.fold)
    if run.kind == "majority":
        return _majority(parts, data.classes)
    if run.kind == "baseline":
        return _baseline(run, parts, data.classes)
    return fit_and_answer(run.configuration, parts, data.classes, callbacks)


def fit_and_answer(
    configuration: Configuration, parts: Parts, classes: Sequence[str], callbacks: Sequence[Callback] = ()
) -> RunResult:
    """Fit the classifier that a configuration describes, and answer the validation and the test examples.

    There is no second fit on all examples, whatever `training.refit` says: it would only matter for a model that is kept.

    Args:
        configuration: every section.
        parts: what is learned from, chosen by, and answered.
        classes: the C names, in the order of the probabilities.
        callbacks: of the training loop.

    Raises:
        SeqwiseError: the settings do not go with these data, an extra is missing, or training diverged.
        KeyboardInterrupt: the person interrupted it.
    """
    from seqwise.estimators import SequenceClassifier
    from seqwise.prediction import Decisions

    started = time.perf_counter()
    given = configuration.training.model_dump(exclude_unset=True)
    estimator = SequenceClassifier.from_settings(
        text=configuration.text,
        model=configuration.model,
        imbalance=configuration.imbalance,
        training=type(configuration.training)(**{**given, "refit": False}),
        validation=0.0,
    )
    training, held = parts.training, parts.validation
    estimator.fit(
        training.texts,
        training.labels,
        training.weights,
        validation_data=(held.texts, held.labels, held.weights),
        callbacks=callbacks,
    )
    if estimator.fit_history_.interrupted:
        raise KeyboardInterrupt
    assert estimator.validation_ is not None
    places = np.array([list(classes).index(str(name)) for name in estimator.classes_])
    test = estimator.predict_proba(parts.test.texts) if len(parts.test) else np.empty((0, len(places)))
    decisions = Decisions.from_labels(estimator.labels_)
    watched = decisions.calibrated(estimator.validation_[2])
    return RunResult(
        test=_spread(test, places, len(classes)),
        answers=places[decisions.decide(test)],
        validation=_spread(watched, places, len(classes)),
        validation_answers=places[decisions.decide(watched)],
        validation_targets=held.targets(classes),
        counts=np.bincount(training.targets(classes), minlength=len(classes)),
        seconds=time.perf_counter() - started,
        parameters=sum(p.numel() for p in estimator.fitted_.module.parameters()),
        settings=estimator.settings_.to_dict(),
    )


def _baseline(run: PlannedRun, parts: Parts, classes: Sequence[str]) -> RunResult:
    from seqwise.evaluation import fit_baseline

    started = time.perf_counter()
    training = parts.training
    baseline = fit_baseline(
        training.texts,
        training.labels,
        classes=classes,
        unit=run.configuration.text.unit,
        sample_weight=training.weights,
        seed=run.seed,
    )
    test, watched = baseline.predict_proba(parts.test.texts), baseline.predict_proba(parts.validation.texts)
    return RunResult(
        test=test,
        answers=test.argmax(axis=1),
        validation=watched,
        validation_answers=watched.argmax(axis=1),
        validation_targets=parts.validation.targets(classes),
        counts=np.bincount(training.targets(classes), minlength=len(classes)),
        seconds=time.perf_counter() - started,
        parameters=baseline.weight.size + baseline.bias.size,
        settings={"baseline": {"description": baseline.description}},
    )


def _majority(parts: Parts, classes: Sequence[str]) -> RunResult:
    counts = np.bincount(parts.training.targets(classes), minlength=len(classes))
    shares = counts / counts.sum()
    return RunResult(
        test=np.tile(shares, (len(parts.test), 1)),
        answers=np.full(len(parts.test), counts.argmax()),
        validation=np.tile(shares, (len(parts.validation), 1)),
        validation_answers=np.full(len(parts.validation), counts.argmax()),
        validation_targets=parts.validation.targets(classes),
        counts=counts,
        seconds=0.0,
        parameters=0,
        settings={},
    )


def _spread(probabilities: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Put the columns where their classes stand; a class that training did not have gets probability 0."""
    whole = np.zeros((len(probabilities), count))
    whole[:, places] = probabilities
    return whole
