"""What training has in common whatever the task: what is asked for, what comes out, and the way from data to report."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqwise.errors import ConfigurationError, DataError, ModelFolderError, nearest
from seqwise.experiments.reading import Say

if TYPE_CHECKING:
    from seqwise.experiments.task import Evaluated, Parts, Task

HOMES = {
    "forecast": "seqwise.experiments.forecasting",
    "generate": "seqwise.experiments.generation",
    "lm": "seqwise.experiments.language",
    "regress": "seqwise.experiments.regression",
    "tag": "seqwise.experiments.tagging",
    "transcribe": "seqwise.experiments.transcription",
    "translate": "seqwise.experiments.translation",
}
"""Where tasks but classification are at home: modules with a `TASK`."""
BASELINE = "baseline.json"


@dataclass(frozen=True)
class TaskRequest:
    """What to train, and where to.

    Attributes:
        data: a file, a folder, or the name of a data set.
        configuration: every section that the task has.
        folder: for the model.
        validation: validation data; None holds back a part of `data`, unless it has one.
        test: test data, only evaluated.
        overwrite: replace the model in the folder.
        resume: go on where an interrupted run stopped.
        started: when the program began, on `time.monotonic`, if it did something before; the time budget counts from there.
    """

    data: str
    configuration: Any
    folder: Path
    validation: str | None = None
    test: str | None = None
    overwrite: bool = False
    resume: bool = False
    started: float | None = None


@dataclass(frozen=True)
class TaskOutcome:
    """What came out.

    Attributes:
        folder: where the model is.
        metrics: content of `metrics.json`.
        verdict: one sentence: has the model earned its place beside the baseline?
        notes: what a person should know.
        seconds: the whole run.
        interrupted: whether Ctrl-C ended it; the figures are those of the best model until then.
    """

    folder: Path
    metrics: dict[str, Any]
    verdict: str
    notes: list[str]
    seconds: float
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise train --json`."""
        return {
            **self.metrics,
            "verdict": self.verdict,
            "notes": self.notes,
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
            "interrupted": self.interrupted,
        }


def find_task(name: str) -> Task:
    """Return a task.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if name not in HOMES:
        raise ConfigurationError(f"there is no task {name!r}; {nearest(name, ['classify', *HOMES])}")
    task: Task = importlib.import_module(HOMES[name]).TASK
    return task


def configure(
    task: str,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
    treatment: str | None = None,
) -> Any:
    """Return the configuration of a task: what the person gave over `base` over the defaults of the task.

    Args:
        task: a key of `HOMES`.
        file: a YAML file.
        overrides: "section.key=value".
        flags: "section.key" to value.
        base: sections to start from (a recipe's).
        treatment: of rare classes, by name.

    Raises:
        ConfigurationError: there is no such task, a key is unknown, or a value is not allowed.
    """
    return find_task(task).configure(file, overrides, flags, base, treatment)


def run(name: str, request: TaskRequest, say: Say = lambda message: None) -> TaskOutcome:
    """Read, train, compare with the baseline, save.

    Args:
        name: of the task.
        request: what to train, and where to.
        say: told what is going on.

    Raises:
        InputError: the data, the configuration or the folder are not as needed; nothing has been changed then.
        DivergenceError: the loss became NaN or infinite.
    """
    from seqwise.experiments.folders import check_destination, clear_model
    from seqwise.prediction import resolve_device

    started, task = request.started or time.monotonic(), find_task(name)
    check_destination(request.folder, overwrite=request.overwrite, resume=request.resume)
    resolve_device(request.configuration.training.device)
    task, settings, parts = _read(task, request)
    say(_summary(task, Path(request.data).name, parts))
    if request.overwrite:
        clear_model(request.folder)

    training, callbacks = _within_budget(settings.training, parts, started)
    model = task.estimator(settings, training)
    task.fit(model, parts, folder=request.folder, resume=request.resume, callbacks=callbacks)
    # Saved at once: whatever happens in the evaluation, what was trained is not lost.
    model.save(request.folder, data=settings.data.model_dump())
    notes = [*task.notes(model, parts), *_notes(model, parts)]
    for note in notes:
        say(f"Note: {note}")

    baseline = task.fit_baseline(model, parts.training)
    _store_baseline(request.folder, baseline)
    evaluated = {
        part: task.evaluate(model.predictor_, examples, baseline, seed=training.seed)
        for part, examples in parts.items()
        if part != "training"
    }
    return _finish(task, request, settings, model, parts, evaluated, notes, started)


def run_task_evaluation(
    folder: Path,
    data: str,
    *,
    columns: Mapping[str, Any] | None = None,
    save: bool = False,
    device: str = "auto",
    **options: Any,
) -> tuple[str, dict[str, Any], str | None]:
    """Evaluate a model folder on other data, its baseline beside it where it is stored.

    Args:
        folder: of the model.
        data: a file, or a folder or data set of which the test part is taken.
        columns: keys of the section `data` that are not as in training.
        save: the figures become the test block of metrics.json.
        device: where it runs.
        **options: further ones of the task.

    Returns:
        The name of the data, the block, and a sentence that compares; None without a baseline.

    Raises:
        InputError: the folder, the data or the columns are not as needed.
    """
    from seqwise.data import DataSettings, resolve
    from seqwise.prediction import add_piece, task_of

    task = find_task(task_of(folder))
    predictor = task.load(folder, device)
    saved = {key: value for key, value in predictor.settings.items() if key in task.configuration.model_fields}
    settings = task.configuration.model_validate(saved)
    given = {key: value for key, value in (columns or {}).items() if value is not None}
    known: DataSettings = settings.data  # type: ignore[attr-defined]
    asked = known.model_copy(update=given)
    source = resolve(data, asked)
    task = task.of(source, asked)
    decided = task.columns(source, asked, "test")
    examples = task.read(source, settings.model_copy(update={"data": decided}), "test")
    baseline = stored_baseline(task, folder)
    block = task.evaluate(predictor, examples, baseline, **options).block
    if save:
        path = folder / "metrics.json"
        try:
            before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            raise ModelFolderError(f"{path} is damaged: it is no JSON") from None
        add_piece(folder, "metrics.json", {**before, "test": block})
    return source.name, block, None if baseline is None else task.verdict(block, "test")


def _read(task: Task, request: TaskRequest) -> tuple[Task, Any, Parts]:
    from seqwise.data import resolve
    from seqwise.experiments.task import Parts

    settings = request.configuration
    source = resolve(request.data, settings.data)
    task = task.of(source, settings.data)
    for key, field in type(settings.data).model_fields.items():
        if key not in ("validation", *task.reads) and getattr(settings.data, key) != field.default:
            raise ConfigurationError(f"data.{key} is not for --task {task.name} of {task.unit}")
    settings = settings.model_copy(update={"data": task.columns(source, settings.data, "train")})
    training, held, held_back = task.read(source, settings, "train"), None, False
    tested = None if request.test is None else task.read(resolve(request.test, settings.data), settings, "test")
    if request.validation is not None:
        held = task.read(resolve(request.validation, settings.data), settings, "validation", "train")
    elif "validation" in source.splits and not source.is_file:
        held = task.read(source, settings, "validation")
    elif settings.data.validation:
        training, held = task.hold_back(training, settings)
        held_back = True
    elif tested is None:
        raise ConfigurationError(
            "data.validation is 0 and there are no test data: nothing could be evaluated; set one of them"
        )
    return task, settings, Parts(training, held, tested, held_back)


def _summary(task: Task, name: str, parts: Parts) -> str:
    sizes = ", ".join(f"{len(examples):,} for {part}" for part, examples in parts.items())
    return f"{name}: {task.unit}: {sizes}"


def _within_budget(training: Any, parts: Parts, started: float) -> tuple[Any, list[Any]]:
    """The section `training` with what is left of the time budget, and callbacks that keep to it."""
    from seqwise.experiments.fitting import FINISHING, SHORTEST, Deadline
    from seqwise.training import Progress

    callbacks: list[Any] = [Progress()]
    if training.time_budget is not None:
        end = started + training.time_budget
        left = max(end - time.monotonic() - FINISHING, SHORTEST)
        training = training.model_copy(update={"time_budget": left})
        watched, tested = (0 if part is None else len(part) for part in (parts.validation, parts.test))
        callbacks.append(Deadline(end, evaluations=3 + (2 * tested / watched if watched else 0)))
    return training, callbacks


def _notes(model: Any, parts: Parts) -> list[str]:
    notes = []
    if parts.held_back:
        notes.append("A part of the training data was held back for validation, not learned from.")
    if model.fit_history_.stopped == "time":
        notes.append("The time budget ended the training.")
    if model.fit_history_.interrupted:
        notes.append("The training was interrupted; the saved model is the best one until then.")
    return notes


def _store_baseline(folder: Path, baseline: Any) -> None:
    from seqwise.prediction import add_piece

    if hasattr(baseline, "to_dict"):
        add_piece(folder, BASELINE, baseline.to_dict(), sealed=True)


def stored_baseline(task: Task, folder: Path) -> Any:
    """Return the baseline that is stored with a model, or None.

    Raises:
        ModelFolderError: it is damaged.
    """
    path = folder / BASELINE
    if not path.exists():
        return None
    try:
        return task.load_baseline(json.loads(path.read_text(encoding="utf-8")))
    except (DataError, ValueError) as error:
        raise ModelFolderError(f"{path} is damaged: {error}") from None


def _finish(
    task: Task,
    request: TaskRequest,
    settings: Any,
    model: Any,
    parts: Parts,
    evaluated: Mapping[str, Evaluated],
    notes: list[str],
    started: float,
) -> TaskOutcome:
    """Write figures, report and card."""
    from seqwise.evaluation.pages import write_page
    from seqwise.evaluation.task_report import TaskReport, render_task_report, task_card
    from seqwise.experiments.environment import environment
    from seqwise.prediction import add_piece

    metrics, name = {part: of.block for part, of in evaluated.items()}, Path(request.data).name
    split = "test" if "test" in metrics else "validation"
    block, sizes = metrics[split], {p: task.size(model, p, of, metrics.get(p)) for p, of in parts.items()}
    content = TaskReport(
        title=f"{task.title} of {name}",
        task=task.describe(model, settings),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        verdict=task.verdict(block, split),
        metrics=metrics,
        figures=task.figures(block),
        baseline=task.baseline,
        measured=task.measured(block, split),
        explained=task.explained,
        history=model.history_,
        watched=task.watched,
        lower_is_better=task.lower_is_better,
        sizes=sizes,
        sections=task.sections(model, split, dict(parts.items())[split], evaluated[split], settings),
        use=[command.format(folder=request.folder) for command in task.use],
        limits=task.limits.format(data=name, size=sizes["training"]),
        configuration=model.settings_.to_dict(),
        environment=environment(),
        seconds=time.monotonic() - started,
        notes=notes,
    )
    add_piece(request.folder, "metrics.json", metrics)
    write_page(request.folder / "report.html", render_task_report(content))
    add_piece(request.folder, "README.md", task_card(content))
    seconds, interrupted = time.monotonic() - started, model.fit_history_.interrupted
    return TaskOutcome(request.folder, metrics, content.verdict, notes, seconds, interrupted)
