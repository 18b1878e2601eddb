"""The pictures of a comparison: the metric of every variant with its interval, and recall against the size of the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqwise.evaluation.drawing import (
    BASELINE,
    INK,
    MODEL,
    MUTED,
    PAPER,
    RULE,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)
from seqwise.experiments.comparison.table import Row, metric_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 24  # pixels of a row
NAMED = 6  # classes named in the plot of recall: the rarest
SCALE = 2.0  # PNG pixels per CSS pixel


def draw_metric(rows: Sequence[Row], metric: str, chosen: str) -> Figure:
    """Draw a dot and its 95% interval for each variant, the reference as a line, the best on top.

    Args:
        rows: of the table; the majority class is left out, it would stretch the axis.
        metric: its name.
        chosen: variant in the accent colour.
    """
    shown = sorted(
        (row for row in rows if row.kind != "majority" and row.value["value"] is not None),
        key=lambda row: row.value["value"] or 0.0,
    )
    names = [readable(row.name, 28) for row in shown]
    left = 18 + 6.8 * max(map(len, names))
    figure = new_figure(left + 470, 84 + ROW * len(shown))
    axes = panel(figure, left, 48, 70, 36)
    axes.grid(visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    heading(figure, f"{metric_name(metric)} on the test examples", "mean over seeds, 95% interval; line: the reference")
    for place, row in enumerate(shown):
        value, low, high = row.value["value"], row.value["low"], row.value["high"]
        assert value is not None
        colour = MODEL if row.name == chosen else BASELINE if row.kind == "baseline" else INK
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=colour, linewidth=2.2, alpha=0.55)
        axes.plot([value], [place], "o", color=colour, markersize=6)
        axes.annotate(
            f"{value:.3f}", (1, place), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", size=10.5, color=colour,
        )  # fmt: skip
        if row.kind == "reference":
            axes.axvline(value, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0)
    axes.set_yticks(range(len(shown)), names, color=INK)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    return figure


def draw_recall(rows: Sequence[Row], class_sizes: Mapping[str, int], chosen: str) -> Figure:
    """Draw the recall of each class against its number of examples: reference, chosen variant, baseline.

    Where the reference itself is chosen, the variant with the highest mean recall stands beside it.

    Args:
        rows: of the table.
        class_sizes: examples of each class outside the test part.
        chosen: name of the recommended variant.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    reference = next(row for row in rows if row.kind == "reference")
    beside = next(row for row in rows if row.name == chosen)
    if beside is reference:
        others = [row for row in rows if row.kind == "variant"]
        beside = max(others, key=lambda row: row.figures.get("balanced_accuracy") or 0.0, default=reference)
    baseline = next((row for row in rows if row.kind == "baseline"), None)
    series = [(baseline, BASELINE, "s"), (reference, INK, "o"), (beside, MODEL, "D")]
    figure = new_figure(560, 380)
    axes = panel(figure, 46, 60, 18, 46)
    heading(figure, "Recall of each class against its size", "examples outside the test part; mean over seeds")
    axes.set_xscale("log")
    order = sorted(class_sizes, key=lambda name: class_sizes[name])
    for name in order:
        before, after = reference.per_class[name]["recall"], beside.per_class[name]["recall"]
        if before is not None and after is not None:
            axes.plot([max(class_sizes[name], 1)] * 2, [before, after], color=RULE, linewidth=1.2, zorder=1)
    for row, colour, marker in series:
        if row is None:
            continue
        points = [(max(class_sizes[name], 1), row.per_class[name]["recall"]) for name in order]
        known = np.array([(size, value) for size, value in points if value is not None], dtype=float).reshape(-1, 2)
        axes.plot(
            known[:, 0], known[:, 1], marker, color=colour, markersize=6, markeredgecolor=PAPER, markeredgewidth=0.7,
            label=readable(row.name, 28), zorder=3 if colour == MODEL else 2,
        )  # fmt: skip
    labelled: list[tuple[float, float]] = []
    for name in order[:NAMED]:
        value = beside.per_class[name]["recall"]
        place = np.log10(max(class_sizes[name], 1))
        if value is not None and all(abs(place - x) > 0.5 or abs(value - y) > 0.06 for x, y in labelled):
            labelled.append((place, value))
            axes.annotate(
                readable(name, 14), (max(class_sizes[name], 1), value), (7, 5), textcoords="offset points", size=9.5,
                color=MUTED,
            )  # fmt: skip
    sizes = [max(size, 1) for size in class_sizes.values()]
    axes.set_xlim(min(sizes) / 1.6, max(sizes) * 2.2)
    axes.set_ylim(-0.04, 1.08)
    axes.set_xlabel("examples of the class", labelpad=4)
    narrow = max(sizes) / min(sizes) < 100  # too few powers of ten to read sizes by
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, labelcolor=INK, fontsize=10,
        handletextpad=0.1, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    return figure


def save_pictures(
    folder: Path, rows: Sequence[Row], metric: str, class_sizes: Mapping[str, int], chosen: str
) -> dict[str, str]:
    """Write the pictures as PNG, and return them as `<svg>` elements for a page, by name."""
    drawn = {}
    with rules("compare"):
        for name, figure, told in (
            ("metric", draw_metric(rows, metric, chosen), f"{metric_name(metric)} of every variant with its interval."),
            ("recall", draw_recall(rows, class_sizes, chosen), "Recall of each class against its number of examples."),
        ):
            save_png(figure, folder / f"{name}.png")
            drawn[name] = to_svg(figure, name, told)
    return drawn


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure that was drawn under `rules` as PNG, on paper instead of nothing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=figure.dpi * SCALE, facecolor=PAPER, bbox_inches="tight", pad_inches=0.15)
