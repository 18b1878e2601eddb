"""A recipe that runs several times: what a lecture's pipeline is made of, each step on and off, in one table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqwise.errors import FileError, MissingExtraError
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
    return Reproduction(
        recipe=recipe.recipe,
        reference=recipe.reference.model_dump(exclude_none=True),
        test=runs[0]["test"],
        seconds=time.perf_counter() - started,
        folder=request.destination,
        interrupted=interrupted,
        runs=runs,
        table=table_of(runs),
    )


def merged(
    base: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Sections with changes, key by key."""
    return {section: {**base.get(section, {}), **changes.get(section, {})} for section in {**base, **changes}}


def _run(recipe: Recipe, request: ReproductionRequest, data: str, name: str, variant: Variant) -> dict[str, Any]:
    base = merged(recipe.configuration, variant.changes) if variant.instead is None else variant.instead
    configuration = build_configuration(
        overrides=request.overrides,
        flags={"training.seed": request.seed, "training.device": request.device},
        base=base,
    )
    folder = _folder(request, data, name)
    request.say(f"{data}, {name}")
    outcome = run_training(
        TrainingRequest(
            data=data,
            configuration=configuration,
            folder=folder,
            test=data,
            overwrite=not request.resume and (request.overwrite or request.folder is None),
            resume=request.resume and (folder / "checkpoints").is_dir(),
        ),
        say=request.say,
    )
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


def table_of(runs: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of figures of the test part; "n-grams" is the baseline, "on validation" the last figure there."""
    header = ["data", "variant", *(name.replace("_", " ") for name in FIGURES), "on validation", "seconds"]
    rows: list[list[str]] = []
    for run in runs:
        if not rows or rows[-1][0] != run["data"]:
            baseline, watched = run["test"]["baseline"], (run["validation"] or {}).get("baseline")
            rows.append([run["data"], "n-grams", *_figures(baseline), _last(watched), "-"])
        rows.append(
            [run["data"], run["variant"], *_figures(run["test"]), _last(run["validation"]), f"{run['seconds']:.0f}"]
        )
    return header, rows


def _figures(block: Mapping[str, Any] | None) -> list[str]:
    values = [((block or {}).get(name) or {}).get("value") for name in FIGURES]
    return ["-" if value is None else f"{value:.3f}" for value in values]


def _last(block: Mapping[str, Any] | None) -> str:
    return _figures(block)[-1]
