"""A recipe that runs several times: what a lecture's pipeline is made of, each step on and off, in one table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqwise.errors import FileError, MissingExtraError
from seqwise.experiments import tasks
from seqwise.experiments.configuration import build_configuration
from seqwise.experiments.recipes import Recipe, Reproduction, ReproductionRequest, Variant
from seqwise.experiments.training import TrainingRequest, run_training

FIGURES = ("accuracy", "macro_f1", "balanced_accuracy")
RESULT = "variant.json"  # in the folder of a run that is finished


def reproduce_variants(recipe: Recipe, request: ReproductionRequest) -> Reproduction:
    """Run every variant of a recipe on each of its data sets.

    A variant that asks for a file or a library that is not here is left out and said; the first one has to run. With
    `resume`, what is finished is not run again.

    Args:
        recipe: with variants.
        request: the folder gets one for each run.

    Raises:
        ConfigurationError: an override is wrong.
        FileError, MissingExtraError: the first variant needs what is not here.
    """
    started = time.perf_counter()
    runs: list[dict[str, Any]] = []
    interrupted = False
    for data in recipe.data_sets:
        for name, variant in recipe.variants.items():
            run = _finished(request, data, name) if request.resume else None
            if run is None:
                try:
                    run = _run(recipe, request, data, name, variant)
                except (FileError, MissingExtraError) as error:
                    if not runs:
                        raise
                    request.say(f"{data}, {name}: left out, {error}")
                    continue
            interrupted = run.pop("interrupted", False)
            runs.append(run)
            if interrupted:
                break
        if interrupted:
            break
    best = None if recipe.choose is None else best_of(runs, recipe.choose)
    return Reproduction(
        recipe=recipe.recipe,
        reference=recipe.reference.model_dump(exclude_none=True),
        test=(best or runs[0])["test"],
        seconds=time.perf_counter() - started,
        folder=request.destination,
        interrupted=interrupted,
        runs=runs,
        table=table_of(runs) if recipe.task == "classify" else table_of(runs, *_shown_of(recipe.task, runs)),
        chosen=None if best is None or recipe.choose is None else _said_of(best, recipe.choose),
    )


def best_of(runs: list[dict[str, Any]], figure: str) -> dict[str, Any]:
    """The run of the highest figure on its validation data; the test data have no say in it."""
    return max(runs, key=lambda run: (run["validation"] or {}).get(figure, {}).get("value") or 0.0)


def _said_of(run: Mapping[str, Any], figure: str) -> str:
    ours, theirs = (run[part][figure] for part in ("validation", "test"))
    between = "" if theirs["low"] is None else f" [{theirs['low']:.3f}, {theirs['high']:.3f}]"
    return (
        f"Best on validation data: {run['variant']}, {figure.replace('_', ' ')} {ours['value']:.3f}; on the test data "
        f"{theirs['value']:.3f}{between}"
    )


def _shown_of(task: str, runs: list[dict[str, Any]]) -> tuple[tuple[str, ...], str, int]:
    """Figures of a task, the name of its baseline, and which figure is watched."""
    block = runs[0]["test"]
    of = tasks.find_task(task)
    return tuple(of.figures(block)), block["baseline"].get("name", of.baseline), 0


def merged(
    base: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Sections with changes, key by key."""
    return {section: {**base.get(section, {}), **changes.get(section, {})} for section in {**base, **changes}}


def _run(recipe: Recipe, request: ReproductionRequest, data: str, name: str, variant: Variant) -> dict[str, Any]:
    base = merged(recipe.configuration, variant.changes) if variant.instead is None else variant.instead
    folder = _folder(request, data, name)
    request.say(f"{data}, {name}")
    given: dict[str, Any] = {"overrides": request.overrides, "flags": request.flags, "base": base}
    wanted: dict[str, Any] = {
        "data": data,
        "folder": folder,
        "test": data,
        "overwrite": not request.resume and (request.overwrite or request.folder is None),
        "resume": request.resume and (folder / "checkpoints").is_dir(),
    }
    outcome: Any
    if recipe.task == "classify":
        configuration = build_configuration(**given)
        outcome = run_training(TrainingRequest(configuration=configuration, **wanted), say=request.say)
    else:
        settings = tasks.configure(recipe.task, **given)
        outcome = tasks.run(recipe.task, tasks.TaskRequest(configuration=settings, **wanted), say=request.say)
    run = {
        "data": data,
        "variant": name,
        "validation": outcome.metrics.get("validation"),
        "test": outcome.metrics["test"],
        "seconds": round(outcome.seconds, 1),
        "notes": outcome.notes,
    }
    if outcome.interrupted:
        return {**run, "interrupted": True}
    (folder / RESULT).write_text(json.dumps(run), encoding="utf-8")
    return run


def _finished(request: ReproductionRequest, data: str, name: str) -> dict[str, Any] | None:
    path = _folder(request, data, name) / RESULT
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _folder(request: ReproductionRequest, data: str, name: str) -> Path:
    return request.destination / re.sub(r"[^\w.-]+", "-", f"{data}-{name}")


def table_of(
    runs: list[dict[str, Any]], figures: Sequence[str] = FIGURES, baseline_name: str = "n-grams", watched: int = -1
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of figures of the test part.

    Args:
        runs: in the order of the rows.
        figures: keys of a block.
        baseline_name: of the row before the runs on each data set.
        watched: which of the figures stands under "on validation" too.
    """
    header = ["data", "variant", *(name.replace("_", " ") for name in figures), "on validation", "seconds"]
    rows: list[list[str]] = []
    for run in runs:
        if not rows or rows[-1][0] != run["data"]:
            tested, validated = run["test"]["baseline"], (run["validation"] or {}).get("baseline")
            rows.append(
                [run["data"], baseline_name, *_written(tested, figures), _written(validated, figures)[watched], "-"]
            )
        ours = [*_written(run["test"], figures), _written(run["validation"], figures)[watched]]
        rows.append([run["data"], run["variant"], *ours, f"{run['seconds']:.0f}"])
    return header, rows


def _written(block: Mapping[str, Any] | None, figures: Sequence[str]) -> list[str]:
    values = [((block or {}).get(name) or {}).get("value") for name in figures]
    return ["-" if value is None else f"{value:.3f}" for value in values]
