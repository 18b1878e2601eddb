"""What `seqwise compare` calls: variants of one configuration on the same splits, with intervals and a recommendation."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigurationError, FileError, nearest
from seqwise.experiments.comparison.data import ComparisonData, read_comparison_data
from seqwise.experiments.comparison.report import save_comparison
from seqwise.experiments.comparison.runs import BASELINE, MAJORITY, Place, PlannedRun, RunResult, RunStore
from seqwise.experiments.comparison.schedule import Clock, Finished, carry_out_all, job_count
from seqwise.experiments.comparison.statistics import metrics_of
from seqwise.experiments.comparison.table import (
    Row,
    metric_name,
    recommendation,
    recommended,
    rows_of,
    validation_figure,
)
from seqwise.experiments.comparison.variants import Variation, variation_of
from seqwise.experiments.configuration import Configuration, build_configuration
from seqwise.experiments.environment import environment
from seqwise.experiments.reading import Say
from seqwise.prediction import resolve_device

OUTPUT = Path("seqwise-runs")  # where a comparison goes when nobody says where


@dataclass(frozen=True)
class ComparisonRequest:
    """What to compare, and where to.

    Attributes:
        data: a file, a folder, or the name of a data set.
        vary: "imbalance", "cell", "model", or "section.key=v1,v2".
        configuration: what all variants have in common.
        variants: names with commas between them; None or "all" for all.
        seeds: how many; the first is `training.seed`.
        folds: instead of a test part; None for one.
        metric: that decides.
        test: test data; None cuts a part off.
        folder: for tables, pictures and finished runs; None is `seqwise-runs/compare-DATA-VARY`.
        jobs: how many runs at a time; None for one a processor.
    """

    data: str
    vary: str
    configuration: Configuration
    variants: str | None = None
    seeds: int = 3
    folds: int | None = None
    metric: str = "macro_f1"
    test: str | None = None
    folder: Path | None = None
    jobs: int | None = None

    @property
    def destination(self) -> Path:
        """Folder of the comparison."""
        name = re.sub(r"[^\w.-]+", "-", f"{Path(self.data).stem}-{self.vary.partition('=')[0]}")
        return self.folder or OUTPUT / f"compare-{name}"


@dataclass(frozen=True)
class Comparison:
    """What came out.

    Attributes:
        data: name of the data, and what was compared on how much.
        variation: what varied.
        metric: that decides.
        rows: a row for each variant and for the baselines.
        skipped: variant -> why it could not run.
        recommendation: one sentence.
        chosen: the variant that it recommends.
        notes: what a person should know.
        class_sizes: examples of each class outside the test part.
        folder: where everything is.
        done: runs that are finished.
        planned: runs that there are.
        seconds: of this call.
        interrupted: whether the person stopped it.
    """

    data: str
    variation: Variation
    metric: str
    rows: list[Row]
    skipped: Mapping[str, str]
    recommendation: str
    chosen: str
    notes: list[str]
    class_sizes: Mapping[str, int]
    folder: Path
    done: int
    planned: int
    seconds: float
    interrupted: bool = False
    environment: Mapping[str, Any] = field(default_factory=environment)

    @property
    def title(self) -> str:
        """What is compared on what."""
        return f"{self.data}: {self.variation.vary}, mean {metric_name(self.metric)} over seeds, test part"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise compare --json`."""
        return {
            "data": self.data,
            "vary": self.variation.vary,
            "metric": self.metric,
            "reference": self.variation.reference.name,
            "rows": [row.to_dict() for row in self.rows],
            "skipped": dict(self.skipped),
            "recommendation": self.recommendation,
            "recommended": self.chosen,
            "notes": self.notes,
            "class_sizes": dict(self.class_sizes),
            "runs": {"done": self.done, "planned": self.planned},
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
            "interrupted": self.interrupted,
            "environment": dict(self.environment),
        }


def run_comparison(request: ComparisonRequest, say: Say = lambda message: None) -> Comparison:
    """Run every variant that has not run yet, and compare.

    Args:
        request: what to compare, and where to.
        say: told what is going on.

    Raises:
        InputError: the data, the configuration or the folder are not as needed, or the reference cannot run on them.
        DivergenceError: the reference diverged.
    """
    started = time.monotonic()
    check_metric(request.metric, [*metrics_of(False), *metrics_of(True)])
    if request.seeds < 1:
        raise ConfigurationError(f"--seeds is at least 1, got {request.seeds}")
    variation = variation_of(request.vary, request.variants)
    folder = request.destination
    check_folder(folder, "runs")
    base = request.configuration
    resolve_device(base.training.device)
    configurations = {one.name: variation.configuration(base, one) for one in variation.variants}
    if variation.vary == "cell" and base.model.architecture == "linear":
        raise ConfigurationError("model.architecture is linear, which has no cell to vary")
    data = read_comparison_data(request.data, base, test=request.test, folds=request.folds, say=say)
    check_metric(request.metric, metrics_of(data.multilabel))
    notes = list(data.notes)
    if displaced := variation.displaced(base):
        notes.append(f"{', '.join(displaced)} of the configuration gives way to what is compared")
    for note in notes:
        say(f"Note: {note}")
    runs = planned_runs(base, configurations, variation, request.seeds, data.fold_count, derive=not data.multilabel)
    store = RunStore(folder / "runs", data.fingerprint)
    say(f"{_sizes(data)}; {len(variation.variants)} variants and 2 baselines, {len(runs)} runs in {folder}")
    results, skipped, interrupted = finish(runs, data, store, request, variation, say)
    rows = rows_of(results, data, variation, request.metric)
    comparison = Comparison(
        data=data.name,
        variation=variation,
        metric=request.metric,
        rows=rows,
        skipped=skipped,
        recommendation=recommendation(rows, request.metric, variation.noun),
        chosen=recommended(rows) or variation.reference.name,
        notes=notes,
        class_sizes=data.class_sizes(),
        folder=folder,
        done=len(results),
        planned=sum(run.variant not in skipped for run in runs),
        seconds=time.monotonic() - started,
        interrupted=interrupted,
    )
    if rows:
        save_comparison(comparison)
    return comparison


def planned_runs(
    base: Configuration,
    configurations: Mapping[str, Configuration],
    variation: Variation,
    seeds: int,
    folds: int,
    *,
    derive: bool = True,
) -> list[PlannedRun]:
    """Return all runs, seed after seed, so that an interrupted comparison has whole rows; the reference comes first.

    Args:
        base: what all have in common.
        configurations: variant -> configuration.
        variation: what varies.
        seeds: how many.
        folds: how many runs answer all test examples together.
        derive: whether a variant may answer with the reference's model, where nothing but the logits moves.
    """
    reference = variation.reference.name
    first = base.training.seed
    runs = []
    for seed in range(first, first + seeds):

        def at(configuration: Configuration, seed: int = seed) -> Configuration:
            return build_configuration(base=configuration.model_dump(exclude_unset=True), flags={"training.seed": seed})

        for fold in range(folds):
            for name, configuration in configurations.items():
                derived = derive and name != reference and only_corrects(configurations[reference], configuration)
                runs.append(PlannedRun(name, "model", at(configuration), fold, reference if derived else None))
            runs.append(PlannedRun(BASELINE, "baseline", at(base), fold))
            runs.append(PlannedRun(MAJORITY, "majority", at(base), fold))
    return runs


def only_corrects(reference: Configuration, other: Configuration) -> bool:
    """Whether the other differs in nothing but the prior correction, from a reference that has none.

    Then its model is the reference's, and only the logits move.
    """
    trees = [one.model_dump(exclude_unset=True) for one in (reference, other)]
    taus = [tree.get("imbalance", {}).pop("prior_correction", None) for tree in trees]
    return trees[0] == trees[1] and taus[0] == 0 and taus[1] is not None


def finish(
    runs: list[PlannedRun],
    data: ComparisonData,
    store: RunStore,
    request: ComparisonRequest,
    variation: Variation,
    say: Say,
) -> tuple[dict[Place, RunResult], dict[str, str], bool]:
    """Carry out what is not finished yet.

    Returns:
        The results; variant -> why it cannot run; whether the person interrupted.
    """
    results = {run.place: result for run in runs if (result := store.load(run)) is not None}
    if results:
        say(f"{len(results)} of the {len(runs)} runs are finished from an earlier call")
    skipped: dict[str, str] = {}
    open_runs = [run for run in runs if run.place not in results and run.derived_from is None]
    jobs = job_count(request.jobs, max(len(open_runs), 1), request.configuration.training.device)
    if open_runs and jobs > 1:
        say(f"{jobs} runs side by side")
    clock, interrupted = Clock(jobs), False

    def wanted(run: PlannedRun) -> bool:
        return run.variant not in skipped

    try:
        for done in carry_out_all(open_runs, data, jobs=jobs, wanted=wanted):
            if done.result is None:
                _skip(done, skipped, variation, say)
                continue
            store.save(done.run, done.result)
            results[done.run.place] = done.result
            if done.run.kind == "model":
                clock.over(done.result.seconds)
                still = sum(run.kind == "model" and run.place not in results and wanted(run) for run in open_runs)
                left = clock.left(still)
                number = f"[{len(results)}/{len(runs)}]"
                say(f"{number} {_sentence(done, data, request.metric)}" + (f"; {left}" if left else ""))
    except KeyboardInterrupt:
        interrupted = True
    for run in runs:
        source = results.get((run.derived_from or "", run.seed, run.fold))
        if run.derived_from is not None and run.place not in results and source is not None:
            results[run.place] = source.corrected(run.configuration.imbalance.prior_correction)
            store.save(run, results[run.place])
    return results, skipped, interrupted


def check_metric(metric: str, known: Sequence[str]) -> None:
    """Refuse a metric that is not one of those known.

    Raises:
        ConfigurationError: names the nearest.
    """
    if metric not in known:
        raise ConfigurationError(f"--metric: there is no metric {metric!r} to compare by; {nearest(metric, known)}")


def check_folder(folder: Path, mark: str) -> None:
    """Refuse a folder that holds something else than an earlier call of the same command.

    Args:
        folder: need not exist.
        mark: name of what an earlier call has left in it.

    Raises:
        FileError: it is a file, or holds other things.
    """
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; a folder is needed")
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
        raise FileError(f"{folder} is not empty, and nothing in it is from an earlier call: choose another folder")


def _skip(done: Finished, skipped: dict[str, str], variation: Variation, say: Say) -> None:
    name = done.run.variant
    assert done.error is not None
    if name in (variation.reference.name, BASELINE, MAJORITY):  # without these there is nothing to compare with
        raise done.error
    if name not in skipped:
        skipped[name] = str(done.error)
        say(f"{name} is skipped: {done.error}")


def _sentence(done: Finished, data: ComparisonData, metric: str) -> str:
    assert done.result is not None
    fold = f", fold {done.run.fold + 1}" if data.folds is not None else ""
    value = validation_figure(done.result, metric)
    return (
        f"{done.run.variant}, seed {done.run.seed}{fold}: validation {metric_name(metric)} {value:.3f}, "
        f"{done.result.seconds:.0f} s"
    )


def _sizes(data: ComparisonData) -> str:
    test = f"{data.fold_count} folds" if data.folds is not None else f"{len(data.test):,} for the test"
    return f"{data.name}: {len(data.rest):,} examples for training and validation, {test}, {len(data.classes)} classes"
