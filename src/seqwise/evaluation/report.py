"""The report of a model: one HTML file that needs nothing else, and believes nothing that it shows.

Texts and labels are a stranger's: the page is made with autoescaping on, has no script, and forbids itself by policy to
load anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.errors import DataError
from seqwise.evaluation import figures, probabilities
from seqwise.evaluation.confusion import MOST_CLASSES, confusion, ordered_confusion
from seqwise.evaluation.decisions import decision_sentences, threshold_rows
from seqwise.evaluation.labels import together
from seqwise.evaluation.mistakes import shortened
from seqwise.evaluation.pages import markup, markup_all, render_page, sections, write_page
from seqwise.evaluation.sizes import by_size, group_rows, level_rows

HEADLINES = {  # name in metrics.json -> (for people, whether more is better)
    "accuracy": ("Accuracy", True),
    "balanced_accuracy": ("Balanced accuracy", True),
    "macro_f1": ("Macro F1", True),
    "micro_f1": ("Micro F1", True),
    "samples_f1": ("F1 of an example's labels", True),
    "weighted_f1": ("Weighted F1", True),
    "g_mean": ("G-mean of the recalls", True),
    "mean_average_precision": ("Mean PR area", True),
    "mcc": ("Matthews correlation", True),
    "subset_accuracy": ("All labels right", True),
    "hamming_loss": ("Wrong decisions", False),
    "expected_cost": ("Mean cost", False),
    "log_loss": ("Log loss", False),
    "brier_score": ("Brier score", False),
    "expected_calibration_error": ("Calibration error", False),
    "classwise_calibration_error": ("Calibration error by class", False),
}
LARGE = {False: ("macro_f1", "accuracy", "balanced_accuracy", "log_loss")}
LARGE[True] = ("macro_f1", "micro_f1", "mean_average_precision", "log_loss")  # of labels
SPLITS = ("train", "validation", "test")
PART_FIGURES = ("accuracy", "macro_f1", "micro_f1", "mean_average_precision", "log_loss")
PARTS = {"linear": "the linear part alone", "recurrent": "the recurrent part alone", "together": "together"}


@dataclass(frozen=True)
class ReportContent:
    """What a report shows. All of it is arrays and plain values; what is empty is left out or said to be missing.

    Attributes:
        title: of the page.
        classes: the C names, in the order of the probabilities.
        metrics: content of `metrics.json`: blocks "validation" and "test", each with its "baseline" if there is one.
        verdict: one plain sentence on model and baseline.
        targets: (n,) class numbers of the shown split, which is "test" if there is one, else "validation"; or, where an
            example may have several labels, (n, C) of 0 and 1.
        probabilities: (n, C) of the model, calibrated if it is.
        baseline_probabilities: (n, C) of the baseline.
        uncalibrated: (n, C) of the model before its calibration; None if there is none.
        decisions: entries "thresholds", "criterion" and "calibration" of `labels.json`, as far as there are any.
        task: one line under the title.
        created: when, as a text; nothing is shown if it is empty.
        positive: the class of interest.
        counts: split -> class -> number of examples.
        duplicates: sentences on repeated texts, with the rows named.
        history: records of the epochs, as in `history.jsonl`.
        parts: part of the model -> "accuracy", "macro_f1", "log_loss" on the validation examples.
        mistakes: as `worst_mistakes` returns them.
        configuration: section -> key -> value.
        environment: versions and machine.
        seconds: of the whole run.
        baseline_description: what the baseline is.
        notes: further sentences a reader should know.
    """

    title: str
    classes: Sequence[str]
    metrics: Mapping[str, Any]
    verdict: str
    targets: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    baseline_probabilities: np.ndarray | None = None
    uncalibrated: np.ndarray | None = None
    decisions: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    created: str = ""
    positive: str | None = None
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    duplicates: Sequence[str] = ()
    history: Sequence[Mapping[str, Any]] = ()
    parts: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    mistakes: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    baseline_description: str = ""
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.split not in self.metrics:
            raise DataError('A report needs the figures of a "test" or a "validation" part.')
        if (self.targets is None) != (self.probabilities is None):
            raise DataError("A report takes targets and probabilities together, or neither.")
        for name in ("probabilities", "baseline_probabilities", "uncalibrated"):
            values = getattr(self, name)
            if values is None or self.targets is None:
                continue
            wanted = (len(self.targets), len(self.classes))
            if np.shape(values) != wanted:
                raise DataError(f"{name} has the shape {np.shape(values)}; targets and classes ask for {wanted}.")
        thresholds = self.decisions.get("thresholds")
        if thresholds is not None and len(thresholds) != len(self.classes):
            raise DataError(f"There are {len(thresholds)} thresholds for {len(self.classes)} classes.")

    @property
    def split(self) -> str:
        """The part whose figures are shown."""
        return "test" if "test" in self.metrics else "validation"

    @property
    def multilabel(self) -> bool:
        """Whether an example may have several of the classes."""
        return bool(self.metrics[self.split].get("kind") == "multilabel")


def write_report(path: str | Path, content: ReportContent) -> None:
    """Write the report as one self-contained HTML file; the same content gives the same bytes.

    Args:
        path: of the file; it is replaced in one step.
        content: what to show.
    """
    write_page(path, render_report(content))


def render_report(content: ReportContent) -> str:
    """Return the page that `write_report` writes."""
    return render_page("report.html", **_page(content))


def _page(content: ReportContent) -> dict[str, Any]:
    """Everything that the template prints, in the order of the page."""
    block = content.metrics[content.split]
    rows = _headlines(block)
    counts = {split: content.counts[split] for split in SPLITS if split in content.counts}
    counts |= {split: of for split, of in content.counts.items() if split not in counts}
    size = next(iter(counts.values())) if counts else {name: of["support"] for name, of in block["per_class"].items()}
    order = sorted(content.classes, key=lambda name: (-size.get(name, 0), name))
    return {
        "content": content,
        "block": block,
        "split": content.split,
        "multilabel": content.multilabel,
        "baseline": block.get("baseline"),
        "headlines": rows,
        "large": [row for name in LARGE[content.multilabel] for row in rows if row["key"] == name],
        "counts": counts,
        "by_size": order,
        "totals": {split: sum(of.values()) for split, of in counts.items()},
        "balance": markup(figures.class_balance(counts, order)) if counts else None,
        "curves": markup_all(figures.learning_curves(content.history, _reference(content))),
        **_rare(content, block, size),
        **_decisions(content, block, order),
        **_confusion(block),
        "most": MOST_CLASSES,
        **_probability_figures(content),
        "classes": _class_rows(block, order, content.decisions.get("thresholds"), content.classes),
        "parts": _part_rows(content.parts),
        "part_figures": {
            key: HEADLINES[key][0] for key in PART_FIGURES if any(key in part for part in content.parts.values())
        },
        "mistakes": [{**mistake, "text": shortened(str(mistake["text"]))} for mistake in content.mistakes],
        "seconds": content.seconds,
        "configuration": sections(content.configuration),
        "environment": sections(content.environment).get("", {}),
    }


def _rare(content: ReportContent, block: Mapping[str, Any], size: Mapping[str, int]) -> dict[str, Any]:
    picture = by_size(block, size, "f1" if content.multilabel else "recall")
    return {
        "sizes": None if picture is None else markup(picture),
        "groups": group_rows(block),
        "levels": None if content.multilabel else level_rows(block, content.classes, content.positive),
    }


def _decisions(content: ReportContent, block: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    pictures = []
    if content.targets is not None and content.probabilities is not None and content.uncalibrated is not None:
        before, after = (
            np.asarray(values, dtype=np.float64) for values in (content.uncalibrated, content.probabilities)
        )
        pictures = probabilities.calibration(np.asarray(content.targets), before, after)
    listed = len(content.classes) > 2 and not content.multilabel
    return {
        "decided": decision_sentences(content.decisions, content.classes, multilabel=content.multilabel),
        "thresholds": threshold_rows(content.decisions, content.classes, block, order) if listed else [],
        "calibration": markup_all(pictures),
    }


def _confusion(block: Mapping[str, Any]) -> dict[str, Any]:
    """The confusion matrix of classes; of labels, which go together."""
    if "confusion_matrix" not in block:
        picture = together(np.asarray(block["together"]["counts"]), block["together"]["labels"])
        return {"confusions": [] if picture is None else [markup(picture)], "collapsed": 0}
    matrix, names, left = ordered_confusion(
        np.asarray(block["confusion_matrix"]["counts"]), block["confusion_matrix"]["classes"]
    )
    pictures = [confusion(matrix, names, normalised=flag) for flag in (False, True)]
    return {"confusions": markup_all(pictures), "collapsed": left}


def _probability_figures(content: ReportContent) -> dict[str, Any]:
    if content.targets is None or content.probabilities is None or not len(content.targets):
        return {"precision_recall": [], "reliability": [], "with_curves": 0}
    targets, ours = np.asarray(content.targets), np.asarray(content.probabilities, dtype=np.float64)
    theirs = None if content.baseline_probabilities is None else np.asarray(content.baseline_probabilities, np.float64)
    curves = probabilities.precision_recall(targets, ours, theirs, content.classes, content.positive)
    return {
        "precision_recall": markup_all(curves),
        "reliability": markup_all(probabilities.reliability(targets, ours, theirs)),
        "with_curves": len(probabilities.chosen_curves(targets, content.classes, content.positive)),
    }


def _headlines(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a figure: model, baseline, and how much the model is ahead; both intervals as places on a common scale."""
    rows = []
    for key, (name, more_is_better) in HEADLINES.items():
        ours = block.get(key)
        if ours is None:
            continue
        theirs = (block.get("baseline") or {}).get(key)
        difference = None
        if theirs and ours["value"] is not None and theirs["value"] is not None:
            difference = ours["value"] - theirs["value"]
        bounds = [
            value for of in (ours, theirs) if of for value in (of["value"], of["low"], of["high"]) if value is not None
        ]
        low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
        margin = (high - low) * 0.08 or 0.5
        scale = (low - margin, high + margin)
        rows.append(
            {
                "key": key,
                "name": name,
                "more_is_better": more_is_better,
                "ours": ours,
                "theirs": theirs,
                "difference": difference,
                "ahead": None if difference is None else _ahead(difference if more_is_better else -difference),
                "places": [_place(of, scale) if of else None for of in (ours, theirs)],
            }
        )
    return rows


def _class_rows(
    block: Mapping[str, Any], order: Sequence[str], thresholds: Sequence[float] | None, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """One row a class, the most frequent first."""
    given = dict.fromkeys(classes, 0.5) if thresholds is None else dict(zip(classes, thresholds, strict=True))
    baseline = (block.get("baseline") or {}).get("per_class", {})
    rows = []
    for name in order:
        ours, theirs = block["per_class"].get(name), baseline.get(name)
        if ours is None:
            continue
        values = {key: ours[key]["value"] for key in ("precision", "recall", "f1", "pr_auc")}
        other = {key: theirs[key]["value"] if theirs else None for key in ("f1", "pr_auc")}
        known = values["f1"] is not None and other["f1"] is not None
        difference = values["f1"] - other["f1"] if known else None
        rows.append(
            {
                "name": name,
                "support": ours["support"],
                "predicted": ours.get("predicted"),
                "threshold": given.get(name),
                **values,
                "baseline": other,
                "difference": difference,
                "ahead": None if difference is None else _ahead(difference),
            }
        )
    largest = max([0.1, *(abs(row["difference"]) for row in rows if row["difference"] is not None)])
    return [row | {"bar": 50 * abs(row["difference"] or 0) / largest} for row in rows]


def _part_rows(parts: Mapping[str, Mapping[str, float | None]]) -> list[dict[str, Any]]:
    known = [name for name in PARTS if name in parts] + [name for name in parts if name not in PARTS]
    return [
        {
            "name": PARTS.get(name, name),
            "whole": name == "together",
            **{key: parts[name].get(key) for key in PART_FIGURES},
        }
        for name in known
    ]


def _reference(content: ReportContent) -> dict[str, float | None]:
    """The baseline's figures on the validation examples, which the learning curves are measured against."""
    baseline = (content.metrics.get("validation") or {}).get("baseline") or {}
    return {key: baseline[key]["value"] for key in ("macro_f1", "accuracy", "log_loss") if key in baseline}


def _place(figure: Mapping[str, float | None], scale: tuple[float, float]) -> dict[str, float] | None:
    """Where value and interval lie between the ends of the scale, in percent."""
    if figure["value"] is None:
        return None

    def percent(value: float) -> float:
        return round(100 * (value - scale[0]) / (scale[1] - scale[0]), 2)

    value = float(figure["value"])
    low, high = (value if figure[bound] is None else float(figure[bound] or 0.0) for bound in ("low", "high"))
    return {"value": percent(value), "low": percent(low), "width": round(percent(high) - percent(low), 2)}


def _ahead(advantage: float) -> str:
    """The style of a difference: "better", "worse", or "" where it rounds to nothing."""
    return "" if abs(advantage) < 0.0005 else "better" if advantage > 0 else "worse"
