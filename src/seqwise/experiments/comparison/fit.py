"""Carrying out one run of a comparison: fit on the training part, watch the validation part, answer the test part."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from seqwise.data import Frames
from seqwise.experiments.comparison.data import ComparisonData, Parts, class_counts, strata
from seqwise.experiments.comparison.runs import PlannedRun, RunResult
from seqwise.experiments.configuration import Configuration
from seqwise.experiments.decisions import DecisionRequest
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
        frames=configuration.frames if isinstance(parts.training.texts, Frames) else None,
        validation=0.0,
        multilabel=parts.training.multilabel,
    )
    training, held = parts.training, parts.validation
    estimator.fit(
        training.texts,
        training.labels,
        training.weights,
        validation_data=(held.texts, held.labels, held.weights),
        unlabelled=parts.unlabelled if configuration.model.pretrain_vectors else None,
        callbacks=callbacks,
    )
    if estimator.fit_history_.interrupted:
        raise KeyboardInterrupt
    assert estimator.validation_ is not None
    places = np.array([list(classes).index(str(name)) for name in estimator.classes_])
    several = training.multilabel

    def answered(probabilities: np.ndarray) -> np.ndarray:
        answers = decisions.decide(probabilities)
        return _spread(answers, places, len(classes)) > 0 if several else places[answers]

    test = estimator.predict_proba(parts.test.texts) if len(parts.test) else np.empty((0, len(places)))
    decisions = Decisions.from_labels(estimator.labels_)
    watched = decisions.calibrated(estimator.validation_[2])
    return RunResult(
        test=_spread(test, places, len(classes)),
        answers=answered(test),
        validation=_spread(watched, places, len(classes)),
        validation_answers=answered(watched),
        validation_targets=held.targets(classes),
        counts=class_counts(training, classes),
        seconds=time.perf_counter() - started,
        parameters=sum(p.numel() for p in estimator.fitted_.module.parameters()),
        settings=estimator.settings_.to_dict(),
    )


def _baseline(run: PlannedRun, parts: Parts, classes: Sequence[str]) -> RunResult:
    from seqwise.evaluation import fit_baseline
    from seqwise.experiments.fitting import baseline_thresholds

    started = time.perf_counter()
    training = parts.training
    baseline = fit_baseline(
        training.texts,
        strata(training, classes),
        classes=classes,
        unit=run.configuration.text.unit,
        sample_weight=training.weights,
        frames=run.configuration.frames,
        seed=run.seed,
    )
    test, watched = baseline.predict_proba(parts.test.texts), baseline.predict_proba(parts.validation.texts)
    # Of several labels the thresholds are chosen as the model's are; of classes the most probable is answered.
    thresholds = baseline_thresholds(baseline, parts.validation, classes, DecisionRequest(), None)
    test_answers, watched_answers = (
        p.argmax(axis=1) if thresholds is None else p >= thresholds for p in (test, watched)
    )
    return RunResult(
        test=test,
        answers=test_answers,
        validation=watched,
        validation_answers=watched_answers,
        validation_targets=parts.validation.targets(classes),
        counts=class_counts(training, classes),
        seconds=time.perf_counter() - started,
        parameters=baseline.weight.size + baseline.bias.size,
        settings={"baseline": {"description": baseline.description}},
    )


def _majority(parts: Parts, classes: Sequence[str]) -> RunResult:
    counts = class_counts(parts.training, classes)
    shares = counts / len(parts.training)
    answer = shares >= 0.5 if parts.training.multilabel else counts.argmax()
    return RunResult(
        test=np.tile(shares, (len(parts.test), 1)),
        answers=np.tile(answer, (len(parts.test), *np.ones(np.ndim(answer), int))),
        validation=np.tile(shares, (len(parts.validation), 1)),
        validation_answers=np.tile(answer, (len(parts.validation), *np.ones(np.ndim(answer), int))),
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
