"""What the report of a regressor shows besides its figures: predicted against true, residuals, values, worst examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqwise.data import Frames
from seqwise.evaluation.drawing import (
    BASELINE,
    DATA,
    HEIGHT,
    MODEL,
    MUTED,
    WIDTH,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)
from seqwise.evaluation.mistakes import shortened
from seqwise.evaluation.pages import markup_all
from seqwise.evaluation.task_report import Section

FIGURES = {
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "R2",
    "spearman": "Spearman's correlation",
    "macro_mae": "Mean absolute error, every range of values alike",
}
DISTINCT = 20  # values up to which each has a column of its own in a picture
POINTS = 600  # shown of more
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def regression_sections(
    block: Mapping[str, Any],
    *,
    split: str,
    inputs: Any,
    rows: np.ndarray,
    targets: np.ndarray,
    answers: np.ndarray,
    parts: Mapping[str, Mapping[str, float]],
) -> list[Section]:
    """Return what the report of a regressor shows besides its figures.

    Args:
        block: of `regression_metrics`.
        split: the part that it is of.
        inputs: of this part.
        rows: number of each in its table, from 0.
        targets: (n, K).
        answers: of the model, (n, K).
        parts: figures of each part of the model on the validation examples.
    """
    names = block["targets"]
    pictures = [
        picture
        for place, name in enumerate(names)
        for picture in residual_pictures(targets[:, place], answers[:, place], name, f"t{place}")
    ]
    values = [{"name": name, "rows": _value_rows(block, name)} for name in names]
    worst = worst_examples(inputs, rows, targets, answers, names)
    others = [
        {"name": name, **{key: of[key]["value"] for key in FIGURES}} for name, of in block.get("others", {}).items()
    ]
    return [
        Section.of(
            "residuals",
            "Residuals",
            "How far off, and where",
            "regression_residuals.html",
            pictures=markup_all(pictures),
        ),
        Section.of(
            "values",
            "Values",
            "By true value",
            "regression_values.html",
            values=values,
            baseline=block.get("baseline", {}).get("name"),
            targets=[
                {"name": name, **{key: of[key] for key in FIGURES}} for name, of in block.get("per_target", {}).items()
            ],
            figures=FIGURES,
        ),
        Section.of(
            "parts",
            "Parts",
            "What each part does",
            "regression_parts.html",
            parts=[{"name": name, **of} for name, of in parts.items()],
            others=others,
            figures=FIGURES,
            split=split,
        ),
        Section.of("worst", "Worst", "Furthest off", "regression_worst.html", worst=worst, split=split),
    ]


def residual_pictures(true: np.ndarray, said: np.ndarray, name: str, key: str) -> list[str]:
    """Draw answers against truth, the distribution of the residuals, and residuals against answers.

    Args:
        true: of one target, (n,).
        said: by the model, (n,).
        name: of the target.
        key: unique on the page.
    """
    return [
        _against(true, said, name, f"against{key}"),
        _histogram(true, said, name, f"spread{key}"),
        _residuals(said, said - true, name, f"residuals{key}"),
    ]


def worst_examples(
    inputs: Any, rows: np.ndarray, targets: np.ndarray, answers: np.ndarray, names: Sequence[str], limit: int = 15
) -> list[dict[str, Any]]:
    """Choose the examples whose answers are furthest off, in standard deviations of each target.

    Returns:
        Worst first: `row` (from 1), `text` (of frames their size), `targets`: each with `name`, `true` and `said`.
    """
    spread = targets.std(axis=0)
    distance = (np.abs(answers - targets) / np.where(spread > 0, spread, 1.0)).max(axis=1)
    order = np.argsort(-distance, kind="stable")[:limit]
    return [
        {
            "row": int(rows[n]) + 1,
            "text": f"{len(inputs[int(n)]):,} steps" if isinstance(inputs, Frames) else _text(inputs[int(n)]),
            "targets": [
                {"name": name, "true": float(targets[n, k]), "said": float(answers[n, k])}
                for k, name in enumerate(names)
            ],
        }
        for n in order
    ]


def _text(text: Any) -> str:
    return shortened(text if isinstance(text, str) else " ".join(map(str, text)))


def _value_rows(block: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    theirs = block.get("baseline", {}).get("per_value", {}).get(name)
    rows = block["per_value"][name]
    return [{**row, "baseline": theirs[i] if theirs else None} for i, row in enumerate(rows)]


def _against(true: np.ndarray, said: np.ndarray, name: str, key: str) -> str:
    """Answers against truth: quantiles where values are few, points where they are many."""
    distinct = np.unique(true)
    low, high = float(min(true.min(), said.min())), float(max(true.max(), said.max()))
    with rules(key):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 46, 54, 14, 40)
        heading(figure, f"Said against true: {readable(name, 20)}", "on the grey line both agree")
        axes.plot([low, high], [low, high], color=BASELINE, linewidth=1.2)
        if len(distinct) <= DISTINCT:
            of = np.array([np.quantile(said[true == value], QUANTILES) for value in distinct])
            axes.vlines(distinct, of[:, 0], of[:, 4], color=MODEL, linewidth=1)
            axes.vlines(distinct, of[:, 1], of[:, 3], color=MODEL, linewidth=5)
            axes.plot(distinct, of[:, 2], "o", color=MODEL, markersize=5, markeredgecolor="white", markeredgewidth=1)
            note = "median, the middle half and the middle 90% of the answers"
        else:
            shown = _some(len(true))
            axes.plot(true[shown], said[shown], "o", color=MODEL, markersize=2.5, alpha=0.5)
            note = f"{len(shown):,} of {len(true):,} examples"
        axes.set_xlabel("true", labelpad=4)
        correlation = float(np.corrcoef(true, said)[0, 1]) if true.std() and said.std() else float("nan")
        return to_svg(figure, key, f"Answers against true values of {name}: {note}; correlation {correlation:.3f}.")


def _histogram(true: np.ndarray, said: np.ndarray, name: str, key: str) -> str:
    error = said - true
    low, high = np.quantile(error, [0.001, 0.999]).tolist()
    edges = np.linspace(low, high, 31) if high > low else np.array([low - 0.5, low + 0.5])
    counts, edges = np.histogram(error, edges)
    with rules(key):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 46, 54, 14, 40)
        heading(figure, "Residuals", "said less true")
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=DATA)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_xlabel("residual", labelpad=4)
        middle, spread = float(np.median(error)), float(error.std())
        return to_svg(figure, key, f"Residuals of {name}: median {middle:.3g}, standard deviation {spread:.3g}.")


def _residuals(said: np.ndarray, error: np.ndarray, name: str, key: str) -> str:
    """Residuals against answers: their middle half and median in ten groups of equal size."""
    groups = [part for part in np.array_split(np.argsort(said, kind="stable"), min(10, len(said))) if len(part)]
    x = np.array([said[part].mean() for part in groups])
    of = np.array([np.quantile(error[part], QUANTILES) for part in groups])
    with rules(key):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 46, 54, 14, 40)
        heading(figure, "Residuals by answer", "median, middle half and 90%")
        axes.axhline(0, color=BASELINE, linewidth=1.2)
        axes.fill_between(x, of[:, 0], of[:, 4], color=MODEL, alpha=0.12, linewidth=0)
        axes.fill_between(x, of[:, 1], of[:, 3], color=MODEL, alpha=0.25, linewidth=0)
        axes.plot(x, of[:, 2], color=MODEL)
        axes.set_xlabel("said", labelpad=4)
        told = ", ".join(f"{middle:+.3g} at {value:.3g}" for value, middle in zip(x, of[:, 2], strict=True))
        return to_svg(figure, key, f"Median residual of {name} by answer: {told}.")


def _some(count: int) -> np.ndarray:
    if count <= POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, POINTS, replace=False))
