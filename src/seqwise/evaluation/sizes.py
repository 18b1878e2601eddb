"""Rare classes: how the classes fare by their size, as a picture and as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqwise.evaluation.drawing import (
    BASELINE,
    INK,
    MODEL,
    MUTED,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)

FEWEST, MOST_NAMED = 3, 10  # classes that are drawn at all; those that get their name
WIDTH, HEIGHT = 700, 320


def by_size(block: Mapping[str, Any], sizes: Mapping[str, int], metric: str) -> str | None:
    """Draw a figure of every class against its number of training examples, model and baseline.

    Args:
        block: of `metrics.json`.
        sizes: training examples by class.
        metric: "recall" or "f1".

    Returns:
        The picture; None of fewer than three classes that have a size and a figure.
    """
    baseline = (block.get("baseline") or {}).get("per_class", {})
    points = []
    for name, of in block["per_class"].items():
        value, other = of[metric]["value"], (baseline.get(name) or {}).get(metric, {}).get("value")
        if value is not None and sizes.get(name, 0) > 0:
            points.append((float(sizes[name]), float(value), other, name))
    if len(points) < FEWEST:
        return None
    points.sort(key=lambda point: (point[0], point[3]))
    what = "Recall" if metric == "recall" else "F1"
    of = "label" if block.get("kind") == "multilabel" else "class"
    with rules("sizes"):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 48, 50, 16, 44)
        heading(
            figure, f"{what} by size of the {of}", [("model", MODEL)] + ([("baseline", BASELINE)] if baseline else [])
        )
        for size, value, other, _ in points:
            if other is not None:
                axes.plot([size, size], [other, value], color=BASELINE, linewidth=1, alpha=0.55, zorder=1)
                axes.scatter([size], [other], s=20, color=BASELINE, linewidths=0, zorder=2)
            axes.scatter([size], [value], s=34, color=MODEL, linewidths=0, zorder=3)
        sizes_of = np.array([point[0] for point in points])
        axes.set_xscale("log")
        axes.set_xlim(sizes_of.min() / 1.4, sizes_of.max() * 1.9)
        axes.set_ylim(-0.03, 1.06)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        _size_ticks(axes, sizes_of)
        axes.set_xlabel("training examples, logarithmic", labelpad=4)
        _name_points(axes, points)
        told = "; ".join(f"{name} {value:.2f}" for _, value, _, name in points[:5])
        return to_svg(figure, "sizes", f"{what} by training examples of the class; of the rarest: {told}.")


def _name_points(axes: Any, points: Sequence[tuple[float, float, Any, str]]) -> None:
    """Name the rarest classes, as far as a name finds room beside its dot."""
    dots = [tuple(axes.transData.transform((size, value))) for size, value, _, _ in points]
    taken: list[tuple[float, float, float, float]] = []  # left, right, bottom, top
    for (x, y), (size, value, _, name) in zip(dots, points, strict=True):  # the rarest first: they matter most here
        text = readable(name, 14)
        length = 6.6 * len(text)
        for left, offset, side in ((x + 5, 6, "left"), (x - 5 - length, -6, "right")):
            box = (left, left + length, y - 7, y + 7)
            free = box[0] > axes.bbox.x0 and box[1] < axes.bbox.x1 + 14
            free = free and not any(box[0] < a < box[1] and box[2] < b < box[3] for a, b in dots)
            free = free and not any(
                box[0] < end and start < box[1] and box[2] < top and bottom < box[3]
                for start, end, bottom, top in taken
            )
            if free and len(taken) < MOST_NAMED:
                taken.append(box)
                axes.annotate(
                    text, (size, value), (offset, 0), textcoords="offset points", ha=side, va="center_baseline",
                    size=10, color=INK,
                )  # fmt: skip
                break


def _size_ticks(axes: Any, sizes: np.ndarray) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    low, high = np.log10(sizes.min()), np.log10(sizes.max())
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    marks = [step * 10**power for power in range(int(low), int(high) + 2) for step in steps]
    marks = [mark for mark in marks if sizes.min() / 1.4 <= mark <= sizes.max() * 1.9]
    axes.xaxis.set_major_locator(FixedLocator(marks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{mark:,}" for mark in marks], color=MUTED)


def group_rows(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for head, medium and tail each, with the baseline's macro F1 and recall."""
    theirs = (block.get("baseline") or {}).get("groups") or {}
    return [
        {
            "name": name,
            "classes": len(group["classes"]),
            "range": _range(group["fewest"], group["most"]),
            **{key: group[key] for key in ("recall", "precision", "f1")},
            "baseline": theirs.get(name),
        }
        for name, group in (block.get("groups") or {}).items()
    ]


def level_rows(block: Mapping[str, Any], classes: Sequence[str], positive: str | None) -> dict[str, Any] | None:
    """The class of interest (or the rarer of two): what each level of precision or recall costs; None without one."""
    name = positive
    if name is None and len(classes) == 2:
        name = max(classes, key=lambda each: len(block["per_class"].get(each, {}).get("recall_at_precision", {})))
    ours = block["per_class"].get(name, {}) if name is not None else {}
    if not ours.get("recall_at_precision"):
        return None
    theirs = ((block.get("baseline") or {}).get("per_class") or {}).get(name, {})
    levels = sorted(ours["recall_at_precision"], key=float)
    return {
        "name": name,
        "support": ours["support"],
        "rows": [
            {
                "level": level,
                **{
                    key: (ours[key].get(level), (theirs.get(key) or {}).get(level))
                    for key in ("recall_at_precision", "precision_at_recall")
                },
            }
            for level in levels
        ],
    }


def _range(fewest: int, most: int) -> str:
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
