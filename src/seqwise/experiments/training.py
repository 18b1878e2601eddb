"""What `seqwise train` calls: data -> baseline and model -> figures -> a model folder with its report."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.decisions import describe_decisions
from seqwise.experiments.decisions import NEVER, DecisionRequest
from seqwise.experiments.figures import Evaluated, figures_beside_baseline, stated_costs, verdict
from seqwise.experiments.fitting import baseline_thresholds, fit_baseline_on, fit_model
from seqwise.experiments.folders import check_destination, clear_model
from seqwise.experiments.reading import NO_SEPARATOR, Say, TrainingData, read_training_data
from seqwise.experiments.reporting import RunRecord, save_report
from seqwise.experiments.stored_baseline import save_baseline
from seqwise.experiments.tasks import TaskOutcome, TaskRequest
from seqwise.prediction import Decisions, resolve_device


@dataclass(frozen=True)
class TrainingRequest(TaskRequest):
    """Which classifier to train, and where to.

    Attributes:
        positive: the class of interest of two.
        decisions: thresholds and calibration to choose on the validation part.
    """

    positive: str | None = None
    decisions: DecisionRequest = field(default_factory=DecisionRequest)


@dataclass(frozen=True)
class TrainingOutcome(TaskOutcome):
    """What came out.

    Attributes:
        parts: validation figures of each part of the model alone.
        reads_frames: whether the examples are frames of numbers, not texts.
    """

    parts: dict[str, dict[str, float]]
    reads_frames: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise train --json`."""
        return {**self.metrics, "parts": self.parts, **super().to_dict()}


def run_training(request: TrainingRequest, say: Say = lambda message: None) -> TrainingOutcome:
    """Read, train, compare with the baseline, save.

    Args:
        request: what to train, and where to.
        say: told what is going on.

    Raises:
        InputError: the data, the configuration or the folder are not as needed; nothing has been changed then.
        DivergenceError: the loss became NaN or infinite.
    """
    started = request.started or time.monotonic()
    configuration = request.configuration
    budget, seed = configuration.training.time_budget, configuration.training.seed
    check_destination(request.folder, overwrite=request.overwrite, resume=request.resume)
    resolve_device(configuration.training.device)
    data = read_training_data(
        request.data,
        configuration.data,
        validation=request.validation,
        test=request.test,
        seed=seed,
        rate=configuration.frames.rate,
        say=say,
    )
    check_request(request, data)
    say(data.summary())
    for note in data.notes:
        say(f"Note: {note}")
    if request.overwrite:
        clear_model(request.folder)

    baseline, thresholds = fit_baseline_on(data.training, data.classes, configuration), None
    if data.validation is not None:
        thresholds = baseline_thresholds(baseline, data.validation, data.classes, request.decisions, request.positive)
        baseline = baseline.with_thresholds(thresholds)
    if configuration.model.pretrain_vectors:
        more = "" if data.unlabelled is None else f" and {data.unlabelled.path.name}"
        say(f"Training word vectors on the training texts{more}")
    model = fit_model(
        data,
        configuration,
        folder=request.folder,
        resume=request.resume,
        deadline=None if budget is None else started + budget,
    )
    if request.decisions.anything:
        model.estimator.choose_decisions(
            threshold=request.decisions.threshold,
            calibrate=None if request.decisions.calibrate == NEVER else request.decisions.calibrate,
            positive=request.positive,
            costs=request.decisions.costs,
            sample_weight=None if data.validation is None else data.validation.weights,
        )
    if data.validation is not None and not data.multilabel:
        counts = data.validation.label_counts()
        model.notes += request.decisions.warnings({name: counts[name] for name in data.classes}, request.positive)
    chosen = describe_decisions(model.estimator.decisions_, data.classes)
    for sentence in (*model.notes, *chosen):
        say(sentence)
    # Saved at once: whatever happens in the evaluation, what was trained is not lost.
    separator = data.columns.separator or (NO_SEPARATOR if not data.multilabel else None)
    columns = data.columns.model_copy(update={"separator": separator})
    model.estimator.save(request.folder, data=columns.model_dump(mode="json"), positive=request.positive)

    decisions = Decisions.from_labels(model.estimator.labels_)
    evaluated: dict[str, Evaluated] = {}
    if data.validation is not None:
        assert model.validation is not None
        evaluated["validation"] = Evaluated.of(
            data.validation,
            data.classes,
            decisions.calibrated(model.validation),
            baseline,
            decisions,
            uncalibrated=None if decisions.calibration is None else model.validation,
        )
    if model.refitted:  # the model has learned from the validation examples too by now: so may the baseline
        baseline = fit_baseline_on(data.everything, data.classes, configuration).with_thresholds(thresholds)
    if data.test is not None:
        plain = copy(model.estimator)
        plain.decisions_ = {}
        probabilities = plain.predict_proba(data.test.texts)
        evaluated["test"] = Evaluated.of(
            data.test,
            data.classes,
            decisions.calibrated(probabilities),
            baseline,
            decisions,
            uncalibrated=None if decisions.calibration is None else probabilities,
        )
    save_baseline(request.folder, baseline)
    labels: dict[str, Any] = model.estimator.labels_ | {"positive": request.positive}
    given: dict[str, Any] = {"positive": request.positive, "counts": labels["counts"], "seed": seed}
    given["costs"] = stated_costs(labels)
    metrics = {part: figures_beside_baseline(of, data.classes, **given) for part, of in evaluated.items()}
    shown = list(metrics)[-1]
    notes = [*data.notes, *model.notes, *chosen]
    outcome = TrainingOutcome(
        folder=request.folder,
        metrics=metrics,
        parts=model.parts,
        reads_frames=data.has_frames,
        verdict=verdict(metrics[shown], shown),
        notes=notes,
        seconds=time.monotonic() - started,
        interrupted=model.interrupted,
    )
    save_report(
        request.folder,
        RunRecord(
            data=data,
            positive=request.positive,
            metrics=metrics,
            evaluated=evaluated,
            settings=model.settings,
            history=model.history,
            parts=outcome.parts,
            verdict=outcome.verdict,
            notes=[*data.notes, *model.notes],
            decisions=model.estimator.decisions_,
            baseline=baseline.description,
            seconds=outcome.seconds,
        ),
    )
    return outcome


def check_request(request: TrainingRequest, data: TrainingData) -> None:
    """Refuse what can be seen to be wrong once the data are known.

    Raises:
        DataError: the class of interest is not one of the classes.
        ConfigurationError: there would be nothing to evaluate.
    """
    if request.positive is not None and data.multilabel:
        raise ConfigurationError("--positive is for one class an example; with several labels each is of interest")
    if request.positive is not None and request.positive not in data.classes:
        there = ", ".join(map(repr, data.classes[:20]))
        raise DataError(f"--positive: there is no class {request.positive!r}; the classes are {there}")
    if request.configuration.frames.model_fields_set and not data.has_frames:
        raise ConfigurationError("the section frames is for frames of numbers, and the examples are texts")
    request.decisions.check(data.classes, request.positive, multilabel=data.multilabel)
    if request.decisions.anything and data.validation is None:
        raise ConfigurationError("--threshold and --calibrate choose on validation examples, and data.validation is 0")
    if data.validation is None and data.test is None:
        raise ConfigurationError(
            "data.validation is 0 and there are no test data: nothing could be evaluated; set one of them"
        )
