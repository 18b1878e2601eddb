"""What `seqwise tune` calls: a search for the configuration, judged on validation examples only."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import Frames
from seqwise.errors import ConfigurationError, SeqwiseError
from seqwise.experiments.comparison.comparing import check_folder, check_metric
from seqwise.experiments.comparison.data import Parts
from seqwise.experiments.comparison.fit import fit_and_answer
from seqwise.experiments.comparison.runs import RunResult
from seqwise.experiments.comparison.statistics import metrics_of
from seqwise.experiments.comparison.table import metric_name, validation_figure
from seqwise.experiments.configuration import Configuration, build_configuration
from seqwise.experiments.environment import environment
from seqwise.experiments.parts import part_at
from seqwise.experiments.reading import Say, TrainingData, read_training_data
from seqwise.experiments.tuning.report import TrialRow, save_search
from seqwise.experiments.tuning.space import Dimension, configured, default_values, space_of, suggest
from seqwise.experiments.tuning.study import (
    JOURNAL,
    GivenUp,
    Watch,
    complete_trials,
    importance_of,
    load_optuna,
    open_study,
)
from seqwise.prediction import resolve_device
from seqwise.training import Callback
from seqwise.training.settings import duration


@dataclass(frozen=True)
class TuningRequest:
    """What to search, and for how long.

    Attributes:
        data: a file, a folder, or the name of a data set.
        configuration: what it fixes is not searched.
        folder: for the trials and the best configuration.
        budget: seconds of this call; the default configuration is tried however long it takes.
        trials: at most so many in all, those of earlier calls included; None for no limit.
        metric: that decides, on the validation examples.
        seeds: fits of each trial, whose mean counts; the split is the same for all.
    """

    data: str
    configuration: Configuration
    folder: Path
    budget: float
    trials: int | None = None
    metric: str = "macro_f1"
    seeds: int = 1


@dataclass(frozen=True)
class Search:
    """What came out.

    Attributes:
        trials: all of them, in order.
        best: number of the best one.
        metric: that decided.
        configuration: of the best one.
        importance: setting -> share of what it explains of the differences; empty where too few trials are complete.
        sentence: the best against the default.
        folder: where everything is.
        seconds: of this call.
        interrupted: whether the person stopped it.
    """

    trials: list[TrialRow]
    best: int
    metric: str
    configuration: Configuration
    importance: Mapping[str, float]
    sentence: str
    folder: Path
    seconds: float
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise tune --json`."""
        return {
            "metric": self.metric,
            "best": self.best,
            "trials": [trial.to_dict() for trial in self.trials],
            "configuration": self.configuration.model_dump(mode="json", exclude_unset=True),
            "importance": dict(self.importance),
            "sentence": self.sentence,
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
            "interrupted": self.interrupted,
            "environment": environment(),
        }


def budget_in_seconds(written: str) -> float:
    """Read a budget like 90s, 30m or 2h.

    Raises:
        ConfigurationError: it is none, or not above zero.
    """
    try:
        seconds = duration(written)
    except ValueError as error:
        raise ConfigurationError(f"--budget: {error}") from None
    if not isinstance(seconds, float) or seconds <= 0:
        raise ConfigurationError(f"--budget is a time above zero, got {written!r}")
    return seconds


def run_tuning(request: TuningRequest, say: Say = lambda message: None) -> Search:
    """Search until the time or the trials are used up.

    Args:
        request: what to search, and for how long.
        say: told what is going on.

    Raises:
        MissingExtraError: optuna is not installed.
        InputError: the data, the configuration or the folder are not as needed.
        DivergenceError: the default configuration diverged.
    """
    started = time.monotonic()
    optuna = load_optuna()
    check_metric(request.metric, [*metrics_of(False), *metrics_of(True)])
    for name, value in (("--seeds", request.seeds), ("--trials", 1 if request.trials is None else request.trials)):
        if value < 1:
            raise ConfigurationError(f"{name} is at least 1, got {value}")
    check_folder(request.folder, JOURNAL)
    base = request.configuration
    resolve_device(base.training.device)
    data = read_training_data(request.data, base.data, seed=base.training.seed, rate=base.frames.rate, say=say)
    if data.validation is None:
        raise ConfigurationError("a search is judged on validation examples, and data.validation is 0")
    check_metric(request.metric, metrics_of(data.multilabel))
    say(data.summary())
    texts = data.whole.texts
    space = space_of(base, int(texts.lengths.max()) if isinstance(texts, Frames) else 0)
    fingerprint = _fingerprint(data, request, space)
    study = open_study(optuna, request.folder, fingerprint, base.training.seed)
    nothing = part_at(data.validation, np.array([], dtype=np.int64))
    parts = Parts(data.training, data.validation, nothing, data.unlabelled)

    def attempt(configuration: Configuration, callback: Callback | None) -> tuple[float, RunResult]:
        return _attempt(configuration, parts, data.classes, request, callback)

    deadline, interrupted = started + request.budget, False
    try:
        if not study.trials:
            _try_default(optuna, study, space, base, attempt)
            say(_line(study, request.metric, deadline))
        while time.monotonic() < deadline and (request.trials is None or len(study.trials) < request.trials):
            _try(optuna, study, space, base, attempt, deadline, request.metric)
            say(_line(study, request.metric, deadline))
    except KeyboardInterrupt:
        interrupted = True
    if not complete_trials(optuna, study):
        raise KeyboardInterrupt  # not even the default configuration: there is nothing to show
    return _conclude(optuna, study, base, data, request, time.monotonic() - started, interrupted)


def _attempt(
    configuration: Configuration, parts: Parts, classes: list[str], request: TuningRequest, callback: Callback | None
) -> tuple[float, RunResult]:
    """Fit with every seed: the mean of the metric on the validation examples, and the first result."""
    results = []
    first = request.configuration.training.seed
    for seed in range(first, first + request.seeds):
        seeded = build_configuration(base=configuration.model_dump(exclude_unset=True), flags={"training.seed": seed})
        results.append(fit_and_answer(seeded, parts, classes, [callback] if callback else []))
    return float(np.mean([validation_figure(result, request.metric) for result in results])), results[0]


def _try_default(optuna: Any, study: Any, space: list[Dimension], base: Configuration, attempt: Any) -> None:
    began = time.monotonic()
    value, result = attempt(base, None)
    params = default_values(space, result.settings)
    study.add_trial(
        optuna.trial.create_trial(
            params=params,
            distributions={one.path: one.distribution() for one in space if one.path in params},
            value=value,
            user_attrs={"default": True, "values": {}, "seconds": time.monotonic() - began},
        )
    )


def _try(
    optuna: Any,
    study: Any,
    space: list[Dimension],
    base: Configuration,
    attempt: Callable[[Configuration, Callback | None], tuple[float, RunResult]],
    deadline: float,
    metric: str,
) -> None:
    """Run one trial and tell how it went."""
    states = optuna.trial.TrialState
    trial = study.ask()
    began = time.monotonic()
    state, value = states.FAIL, None
    try:
        values = suggest(trial, space, base)
        trial.set_user_attr("values", values)
        value, _ = attempt(configured(base, values), Watch(trial, deadline, metric))
        state = states.COMPLETE
    except GivenUp as reason:
        state = states.PRUNED
        trial.set_user_attr("reason", str(reason))
    except SeqwiseError as error:  # diverged, or settings that do not go with these data: a trial that failed
        trial.set_user_attr("reason", str(error))
    finally:  # on Ctrl-C too, so that no trial is left running for ever
        trial.set_user_attr("seconds", time.monotonic() - began)
        study.tell(trial, value, state)


def _conclude(
    optuna: Any,
    study: Any,
    base: Configuration,
    data: TrainingData,
    request: TuningRequest,
    seconds: float,
    interrupted: bool,
) -> Search:
    trials = [
        TrialRow(
            number=trial.number,
            state=trial.state.name.lower(),
            value=trial.value if trial.state.name == "COMPLETE" else None,
            seconds=float(trial.user_attrs.get("seconds", 0.0)),
            default=bool(trial.user_attrs.get("default")),
            values=dict(trial.user_attrs.get("values") or trial.params),
            reason=str(trial.user_attrs.get("reason", "")),
        )
        for trial in study.trials
    ]
    best = study.best_trial
    columns = {f"data.{name}": getattr(data.columns, name) for name in ("text", "frames", "label")}
    tree = configured(base, best.user_attrs["values"]).model_dump(exclude_unset=True)
    search = Search(
        trials=trials,
        best=best.number,
        metric=request.metric,
        configuration=build_configuration(base=tree, flags=columns),
        importance=importance_of(optuna, study),
        sentence=verdict(trials, best.number, request.metric, len(data.validation or ())),
        folder=request.folder,
        seconds=seconds,
        interrupted=interrupted,
    )
    save_search(search)
    return search


def verdict(trials: list[TrialRow], best: int, metric: str, examples: int) -> str:
    """Say what the search has found, and why the figure flatters.

    Args:
        trials: all of them.
        best: number of the best.
        metric: that decided.
        examples: for validation.
    """
    chosen = next(trial for trial in trials if trial.number == best)
    default = next((trial for trial in trials if trial.default), chosen)
    complete = sum(trial.value is not None for trial in trials)
    called = f"validation {metric_name(metric)}"
    if chosen is default:
        return (
            f"Nothing beats the default configuration: {called} {chosen.value:.3f}, best of {complete} complete trials."
        )
    return (
        f"The best of {complete} complete trials has {called} {chosen.value:.3f} against {default.value:.3f} of the default "
        f"configuration; both figures, and the gap above all, are optimistic: the best was chosen by the same {examples:,} "
        "examples. Only test data say what it is worth."
    )


def _fingerprint(data: TrainingData, request: TuningRequest, space: list[Dimension]) -> str:
    digest = hashlib.sha256()
    for part in (data.training, data.validation):
        assert part is not None
        for text in part.identities():
            digest.update(repr(text).encode("utf-8", "surrogatepass"))
        digest.update(repr(part.labels.tolist()).encode())
    fixed = request.configuration.model_dump(mode="json", exclude_unset=True)
    fixed.get("training", {}).pop("device", None)
    digest.update(repr((fixed, request.metric, request.seeds, space)).encode())
    return digest.hexdigest()[:16]


def _line(study: Any, metric: str, deadline: float) -> str:
    trial = study.trials[-1]
    outcome = {
        "COMPLETE": f"validation {metric_name(metric)} {trial.value:.3f}" if trial.value is not None else "",
        "PRUNED": f"given up ({trial.user_attrs.get('reason', '')})",
    }.get(trial.state.name, f"failed: {trial.user_attrs.get('reason', '')}")
    name = "the default configuration" if trial.user_attrs.get("default") else f"trial {trial.number}"
    seconds, left = trial.user_attrs.get("seconds", 0.0), max(0.0, deadline - time.monotonic())
    return f"{name}: {outcome}, {seconds:.0f} s; best {study.best_value:.3f}, {left / 60:.1f} min left"
