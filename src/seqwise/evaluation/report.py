"""The report of a model: one HTML file that needs nothing else, and believes nothing that it shows.

Texts and labels are a stranger's: the page is made with autoescaping on, has no script, and forbids itself by policy to
load anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.errors import DataError
from seqwise.evaluation import figures
from seqwise.evaluation.confusion import MOST_CLASSES, confusion, ordered_confusion

HEADLINES = {  # name in metrics.json -> (for people, whether more is better)
    "accuracy": ("Accuracy", True),
    "balanced_accuracy": ("Balanced accuracy", True),
    "macro_f1": ("Macro F1", True),
    "weighted_f1": ("Weighted F1", True),
    "mcc": ("Matthews correlation", True),
    "log_loss": ("Log loss", False),
    "expected_calibration_error": ("Calibration error", False),
}
LARGE = ("macro_f1", "accuracy", "balanced_accuracy", "log_loss")
SPLITS = ("train", "validation", "test")
MISTAKE_LENGTH = 300
PARTS = {"linear": "the linear part alone", "recurrent": "the recurrent part alone", "together": "together"}


@dataclass(frozen=True)
class ReportContent:
    """What a report shows. All of it is arrays and plain values; what is empty is left out or said to be missing.

    Attributes:
        title: of the page.
        classes: the C names, in the order of the probabilities.
        metrics: content of `metrics.json`: blocks "validation" and "test", each with its "baseline" if there is one.
        verdict: one plain sentence on model and baseline.
        targets: (n,) class numbers of the shown split, which is "test" if there is one, else "validation".
        probabilities: (n, C) of the model.
        baseline_probabilities: (n, C) of the baseline.
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
        for name in ("probabilities", "baseline_probabilities"):
            values = getattr(self, name)
            if values is None or self.targets is None:
                continue
            wanted = (len(self.targets), len(self.classes))
            if np.shape(values) != wanted:
                raise DataError(f"{name} has the shape {np.shape(values)}; targets and classes ask for {wanted}.")

    @property
    def split(self) -> str:
        """The part whose figures are shown."""
        return "test" if "test" in self.metrics else "validation"


def write_report(path: str | Path, content: ReportContent) -> None:
    """Write the report as one self-contained HTML file; the same content gives the same bytes.

    Args:
        path: of the file; it is replaced in one step.
        content: what to show.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(render_report(content).encode("utf-8", "replace"))
    partial.replace(target)


def render_report(content: ReportContent) -> str:
    """Return the page that `write_report` writes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("seqwise.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "number": _number,
        "signed": _signed,
        "count": _count,
        "duration": _duration,
        "percent": _percent,
    }
    return environment.get_template("report.html").render(**_page(content))


def worst_mistakes(
    texts: Sequence[str],
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    limit: int = 20,
    rows: Sequence[int] | None = None,
    predictions: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Choose the mistakes with the highest loss.

    Args:
        texts: the n texts.
        targets: (n,) class numbers.
        probabilities: (n, C).
        classes: the C names.
        limit: how many at most.
        rows: number of each text in its file; by default they are counted from 1.
        predictions: (n,) class numbers where thresholds moved the decision; None takes the most probable class.

    Returns:
        Worst first: "text" (at most 300 characters), "row", "true", "predicted", "probability" (of the predicted class)
        and "true_probability".
    """
    predicted = probabilities.argmax(axis=1) if predictions is None else np.asarray(predictions)
    chances = probabilities[np.arange(len(targets)), targets]
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(chances[wrong], kind="stable")][:limit]
    return [
        {
            "text": _shortened(str(texts[n])),
            "row": int(rows[n]) if rows is not None else int(n) + 1,
            "true": classes[int(targets[n])],
            "predicted": classes[int(predicted[n])],
            "probability": float(probabilities[n, predicted[n]]),
            "true_probability": float(chances[n]),
        }
        for n in worst
    ]


def _page(content: ReportContent) -> dict[str, Any]:
    """Everything that the template prints, in the order of the page."""
    block = content.metrics[content.split]
    rows = _headlines(block)
    counts = {split: content.counts[split] for split in SPLITS if split in content.counts}
    counts |= {split: of for split, of in content.counts.items() if split not in counts}
    size = next(iter(counts.values())) if counts else {name: of["support"] for name, of in block["per_class"].items()}
    by_size = sorted(content.classes, key=lambda name: (-size.get(name, 0), name))
    matrix, names, left = ordered_confusion(
        np.asarray(block["confusion_matrix"]["counts"]), block["confusion_matrix"]["classes"]
    )
    return {
        "content": content,
        "block": block,
        "split": content.split,
        "baseline": block.get("baseline"),
        "headlines": rows,
        "large": [row for name in LARGE for row in rows if row["key"] == name],
        "counts": counts,
        "by_size": by_size,
        "totals": {split: sum(of.values()) for split, of in counts.items()},
        "balance": _safe(figures.class_balance(counts, by_size)) if counts else None,
        "curves": _safe_all(figures.learning_curves(content.history, _reference(content)) if content.history else []),
        "confusions": _safe_all([confusion(matrix, names, normalised=flag) for flag in (False, True)]),
        "collapsed": left,
        "most": MOST_CLASSES,
        **_probability_figures(content),
        "classes": _class_rows(block, by_size),
        "parts": _part_rows(content.parts),
        "mistakes": [{**mistake, "text": _shortened(str(mistake["text"]))} for mistake in content.mistakes],
        "configuration": _sections(content.configuration),
        "environment": {key: _plain(value) for key, value in content.environment.items()},
    }


def _probability_figures(content: ReportContent) -> dict[str, Any]:
    if content.targets is None or content.probabilities is None or not len(content.targets):
        return {"precision_recall": [], "reliability": [], "with_curves": 0}
    targets, ours = np.asarray(content.targets), np.asarray(content.probabilities, dtype=np.float64)
    theirs = None if content.baseline_probabilities is None else np.asarray(content.baseline_probabilities, np.float64)
    return {
        "precision_recall": _safe_all(
            figures.precision_recall(targets, ours, theirs, content.classes, content.positive)
        ),
        "reliability": _safe_all(figures.reliability(targets, ours, theirs)),
        "with_curves": len(figures.chosen_curves(targets, content.classes, content.positive)),
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


def _class_rows(block: Mapping[str, Any], order: Sequence[str]) -> list[dict[str, Any]]:
    """One row a class, the most frequent first."""
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
            **{key: parts[name].get(key) for key in ("accuracy", "macro_f1", "log_loss")},
        }
        for name in known
    ]


def _reference(content: ReportContent) -> dict[str, float | None]:
    """The baseline's figures on the validation examples, which the learning curves are measured against."""
    baseline = (content.metrics.get("validation") or {}).get("baseline") or {}
    return {key: baseline[key]["value"] for key in ("macro_f1", "accuracy", "log_loss") if key in baseline}


def _sections(configuration: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Configuration as texts; single values outside any section come first, under no name."""
    single = {key: _plain(value) for key, value in configuration.items() if not isinstance(value, Mapping)}
    sections = {
        section: {key: _plain(value) for key, value in values.items()}
        for section, values in configuration.items()
        if isinstance(values, Mapping)
    }
    return ({"": single} if single else {}) | sections


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


def _shortened(text: str) -> str:
    return text if len(text) <= MISTAKE_LENGTH else text[: MISTAKE_LENGTH - 1].rstrip() + "…"


def _plain(value: Any) -> str:
    """A value of the configuration as a person would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _number(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def _signed(value: float | None, digits: int = 3) -> str:
    if value is None or not np.isfinite(value):
        return "\N{EN DASH}"
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else "\N{MINUS SIGN}") + text


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(share: float) -> str:
    """A probability in percent; one that is not quite 0 or 1 is not rounded to it."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{100 * share:.1f}%"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} seconds" if seconds < 10 else f"{seconds:.0f} seconds"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _safe(svg: str) -> Any:
    """Mark what matplotlib has drawn, and escaped, as markup."""
    from markupsafe import Markup

    return Markup(svg)


def _safe_all(pictures: Sequence[str]) -> list[Any]:
    return [_safe(picture) for picture in pictures]
