"""From the answers of all runs to one row a variant, and the sentence that says which one to take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqwise.experiments.comparison.data import ComparisonData
from seqwise.experiments.comparison.runs import BASELINE, MAJORITY, Place, RunResult
from seqwise.experiments.comparison.statistics import ALPHA, class_means, compare_with, holm, mean_over_seeds
from seqwise.experiments.comparison.variants import Variation
from seqwise.metrics.intervals import Figure

COST = 0.01  # of accuracy: what a treatment may cost before the sentence says so


@dataclass(frozen=True)
class Row:
    """A variant with its figures.

    Attributes:
        name: of the variant.
        kind: "reference", "variant", "baseline" or "majority".
        summary: one line for people.
        seeds: how many are complete.
        value: mean of the metric over the seeds, on the test examples.
        difference: to the reference, paired; None for the reference.
        p: of no difference, corrected for the number of variants; None for reference and baselines.
        figures: accuracy and the other overall figures, means over the seeds.
        per_class: class -> precision, recall, F1, means over the seeds.
        validation: mean of the metric over the validation parts.
        seconds: of a run's fit and answers, the median: the first run of a process compiles.
        parameters: of the model.
    """

    name: str
    kind: str
    summary: str
    seeds: int
    value: Figure
    difference: Figure | None
    p: float | None
    figures: Mapping[str, float | None]
    per_class: Mapping[str, Mapping[str, float | None]]
    validation: float
    seconds: float
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "summary": self.summary,
            "seeds": self.seeds,
            "value": self.value,
            "difference": self.difference,
            "p": self.p,
            **self.figures,
            "validation": self.validation,
            "seconds": round(self.seconds, 2),
            "parameters": self.parameters,
            "per_class": self.per_class,
        }


def rows_of(results: Mapping[Place, RunResult], data: ComparisonData, variation: Variation, metric: str) -> list[Row]:
    """Return the rows in the order of the variants, the baselines behind them; what has no complete seed is left out."""
    targets, weights = data.test.targets(data.classes), data.test.weights
    by_name: dict[str, dict[int, dict[int, RunResult]]] = defaultdict(lambda: defaultdict(dict))
    for (name, seed, fold), result in results.items():
        by_name[name][seed][fold] = result
    answers: dict[str, dict[int, np.ndarray]] = {}
    for name, by_seed in by_name.items():
        whole = {seed: of for seed, of in by_seed.items() if len(of) == data.fold_count}
        if whole:
            answers[name] = {seed: _joined(of, data) for seed, of in whole.items()}
    reference = answers.get(variation.reference.name)
    rows: list[Row] = []
    summaries = {variant.name: variant.summary for variant in variation.variants}
    for name in [*summaries, BASELINE, MAJORITY]:
        if name not in answers:
            continue
        own = name == variation.reference.name
        compared = compare_with(targets, answers[name], None if own else reference, metric, sample_weight=weights)
        runs = [result for seed in answers[name] for result in by_name[name][seed].values()]
        kinds = {variation.reference.name: "reference", BASELINE: "baseline", MAJORITY: "majority"}
        rows.append(
            Row(
                name=name,
                kind=kinds.get(name, "variant"),
                summary=summaries.get(name) or _description(runs[0], name),
                seeds=compared.seeds,
                value=compared.value,
                difference=compared.difference,
                p=compared.p if kinds.get(name, "variant") == "variant" else None,
                figures=mean_over_seeds(targets, answers[name], weights),
                per_class=class_means(targets, answers[name], data.classes, weights),
                validation=float(np.mean([validation_figure(result, metric) for result in runs])),
                seconds=float(np.median([result.seconds for result in runs])),
                parameters=runs[0].parameters,
            )
        )
    tested = [place for place, row in enumerate(rows) if row.p is not None]
    corrected = holm([rows[place].p or 0.0 for place in tested])
    for place, p in zip(tested, corrected, strict=True):
        rows[place] = replace(rows[place], p=p)
    return rows


def recommendation(rows: Sequence[Row], metric: str, noun: str) -> str:
    """Say in one sentence what to take and why; in a second one, if need be, that the simple baseline is ahead.

    What is better than the reference beyond chance (on the test examples, corrected for the number of variants) is a
    candidate; among the candidates the validation examples decide, so that nothing is chosen on the test part.

    Args:
        rows: as `rows_of` returns them.
        metric: name of the metric.
        noun: what a variant is called.
    """
    reference = next((row for row in rows if row.kind == "reference"), None)
    others = [row for row in rows if row.kind == "variant" and row.difference is not None]
    if reference is None or not others:
        return "Nothing can be recommended yet: no two variants are complete."
    called = metric_name(metric)
    better = _better(others)
    chosen = max(better, key=lambda row: row.validation, default=reference)
    if chosen is reference:
        nearest = max(others, key=_size)
        head = f"No {noun} {'helps' if noun == 'treatment' else 'does better'} here: keep {reference.name}"
        sentence = (
            f"{head}, for none of the {len(others)} others is better beyond chance in {called} "
            f"({written(reference.value)}); the nearest is {nearest.name}, {_gap(nearest)}"
            if len(others) > 1
            else f"{head}, for {nearest.name} is not better beyond chance in {called}: {_gap(nearest)}"
        )
    else:
        many = (
            f"the best on the validation examples of the {len(better)} that are better"
            if len(better) > 1
            else "the only one"
        )
        sentence = (
            f"Take {chosen.name}: {called} {written(chosen.value)} against {written(reference.value)} of "
            f"{reference.name}, {_gap(chosen)}, {many} beyond chance"
        )
        lost = (reference.figures.get("accuracy") or 0.0) - (chosen.figures.get("accuracy") or 0.0)
        if metric != "accuracy" and lost > COST:
            sentence += f"; accuracy falls by {100 * lost:.1f} points"
    ahead = next((row for row in rows if row.kind == "baseline"), None)
    if ahead is not None and (ahead.value["value"] or 0.0) > (chosen.value["value"] or 0.0) + 5e-4:
        return f"{sentence}. The n-gram baseline is ahead of it: {written(ahead.value)}."
    return sentence + "."


def recommended(rows: Sequence[Row]) -> str | None:
    """Return the name of the variant that `recommendation` recommends; None for the reference."""
    chosen = max(_better(rows), key=lambda row: row.validation, default=None)
    return None if chosen is None else chosen.name


def metric_name(metric: str) -> str:
    """Return a metric's name for people."""
    return {"mcc": "MCC", "g_mean": "G-mean"}.get(metric, metric.replace("_f1", " F1").replace("_", " "))


def written(number: Figure) -> str:
    """Write the value of a figure for people."""
    return "undefined" if number["value"] is None else f"{number['value']:.3f}"


def validation_figure(result: RunResult, metric: str) -> float:
    """Return a metric on the validation examples of a run."""
    value = mean_over_seeds(result.validation_targets, {0: result.validation_answers})[metric]
    return float("nan") if value is None else value


def _better(rows: Sequence[Row]) -> list[Row]:
    """The variants that are better than the reference beyond chance."""
    return [row for row in rows if row.kind == "variant" and row.p is not None and row.p < ALPHA and _size(row) > 0]


def _size(row: Row) -> float:
    value = None if row.difference is None else row.difference["value"]
    return -np.inf if value is None else value


def _gap(row: Row) -> str:
    gap = row.difference or {"value": None, "low": None, "high": None}
    if gap["value"] is None:
        return "difference undefined"
    if gap["low"] is None or gap["high"] is None or row.p is None:
        return f"difference {gap['value']:+.3f}"
    p = "p < .001" if row.p < 0.001 else f"p = {row.p:.3f}"
    return f"difference {gap['value']:+.3f}, 95% interval {gap['low']:+.3f} to {gap['high']:+.3f}, {p} after Holm"


def _joined(by_fold: Mapping[int, RunResult], data: ComparisonData) -> np.ndarray:
    first = next(iter(by_fold.values())).answers
    predictions = np.empty((len(data.test), *first.shape[1:]), dtype=first.dtype)
    for fold, result in by_fold.items():
        predictions[data.answered(fold)] = result.answers
    return predictions


def _description(result: RunResult, name: str) -> str:
    if name == MAJORITY:
        return "always the most frequent class"
    return str(result.settings.get("baseline", {}).get("description", ""))
