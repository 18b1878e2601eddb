"""The report's figures: numbers in, `<svg>` elements out.

One accent is the model and one grey the baseline in all of them; figures of many panels are small, so that they stand
side by side on a desk and one below the other on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.evaluation.confusion import MOST_CLASSES
from seqwise.evaluation.drawing import (
    BASELINE,
    DATA,
    INK,
    MODEL,
    MUTED,
    RULE,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)
from seqwise.metrics import average_precision, precision_recall_curve, reliability_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 300, 250  # of one small panel
MOST_CURVES = 6
COLUMN = 236  # of bars


def class_balance(counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> str:
    """Bars of the number of examples, one column of bars for each split.

    Args:
        counts: split -> class -> examples.
        classes: in the order of the bars; beyond the first `MOST_CLASSES` they are added up.
    """
    shown, others = list(classes[:MOST_CLASSES]), list(classes[MOST_CLASSES:])
    names = [readable(name) for name in shown] + ([f"{len(others)} others"] if others else [])
    values = {
        split: [float(of.get(name, 0)) for name in shown]
        + ([float(sum(of.get(n, 0) for n in others))] if others else [])
        for split, of in counts.items()
    }
    margin = 16 + 6.6 * max(map(len, names))
    width, height = margin + COLUMN * max(1, len(counts)), 46 + 22 * len(names)
    with rules("balance"):
        figure = new_figure(width, height)
        for number, (split, numbers) in enumerate(values.items()):
            left = margin + COLUMN * number
            axes = panel(figure, left, 34, width - left - COLUMN + 118, 8)
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
            axes.set_xticks([])
            axes.barh(range(len(names)), numbers, height=0.62, color=DATA)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_xlim(0, max(1.0, *numbers))
            axes.set_yticks(range(len(names)), names if not number else [""] * len(names), color=INK)
            total = max(1.0, sum(numbers))
            for row, value in enumerate(numbers):
                axes.annotate(
                    f"{value:,.0f}  ·  {_percent(value / total)}",
                    (value, row),
                    (5, -0.5),
                    textcoords="offset points",
                    va="center",
                    size=10,
                    color=MUTED,
                )
            figure.text(left / width, 1 - 16 / height, readable(split), size=12.5, weight="bold")
        described = "; ".join(f"{split}: {sum(numbers):,.0f} examples" for split, numbers in values.items())
        return to_svg(figure, "balance", f"Examples by class. {described}.")


def learning_curves(history: Sequence[Mapping[str, Any]], reference: Mapping[str, float | None]) -> list[str]:
    """Panels of loss, validation figures and gradient norm by epoch.

    Args:
        history: records of the epochs, not empty.
        reference: the baseline's "macro_f1", "accuracy" and "log_loss" on the validation examples, as far as known.
    """
    epochs = np.array([record["epoch"] for record in history], dtype=float)
    best = [record["epoch"] for record in history if record.get("best")]

    def series(*path: str) -> np.ndarray:
        values = []
        for record in history:
            value: Any = record
            for key in path:
                value = value.get(key) if isinstance(value, Mapping) else None
            values.append(float("nan") if value is None else float(value))
        return np.array(values)

    plans: list[tuple[str, str, list[tuple[str, np.ndarray, str, str]], str, str | None]] = [
        (
            "Loss",
            "lower is better",
            [("training", series("loss"), MUTED, "-"), ("validation", series("validation", "log_loss"), MODEL, "-")],
            "linear",
            "log_loss",
        ),
        (
            "Validation figures",
            "higher is better; the baseline's is macro F1",
            [
                ("macro F1", series("validation", "macro_f1"), MODEL, "-"),
                ("accuracy", series("validation", "accuracy"), MODEL, ":"),
            ],
            "linear",
            "macro_f1",
        ),
        (
            "Gradient norm",
            "before clipping, logarithmic",
            [
                ("mean", series("gradient_norm"), INK, "-"),
                ("largest", series("gradient_norm_max"), BASELINE, "-"),
            ],
            "log",
            None,
        ),
    ]
    return [
        _curves(
            f"curve{number}",
            title,
            note,
            lines,
            scale,
            epochs,
            best[-1] if best else None,
            reference.get(key or ""),
            key,
        )
        for number, (title, note, lines, scale, key) in enumerate(plans)
        if any(np.isfinite(values).any() for _, values, _, _ in lines)
    ]


def _curves(
    name: str,
    title: str,
    note: str,
    lines: list[tuple[str, np.ndarray, str, str]],
    scale: str,
    epochs: np.ndarray,
    best: float | None,
    reference: float | None,
    key: str | None,
) -> str:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with rules(name):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 40, 54, 66, 40)
        heading(figure, title, note)
        labels: list[tuple[float, str, str]] = []
        for label, values, colour, style in lines:
            finite = np.isfinite(values) & ((values > 0) if scale == "log" else True)
            if not finite.any():
                continue
            axes.plot(
                epochs[finite], values[finite], style, color=colour, marker="o", markersize=4 if len(epochs) < 25 else 0
            )
            labels.append((float(values[finite][-1]), label, colour))
        axes.set_yscale(scale)
        if reference is not None:
            axes.axhline(reference, color=BASELINE, linestyle=(0, (4, 3)), linewidth=1.3)
            labels.append((reference, "baseline", BASELINE))
        if best is not None and key is not None:
            axes.axvline(best, color=RULE, linewidth=1.2, zorder=0)
            axes.annotate(
                "best", (best, 1), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
                size=10, color=MUTED,
            )  # fmt: skip
        axes.set_xlim(epochs[0] - 0.4, max(epochs[-1], epochs[0]) + 0.4)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.set_xlabel("epoch", labelpad=4)
        if scale == "log":
            from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

            low, high = axes.get_ylim()
            wide = high / low > 100
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        _end_labels(axes, labels)
        told = "; ".join(f"{label} {value:.4g} at the end" for value, label, _ in labels)
        return to_svg(figure, name, f"{title} by epoch: {told}.")


def _end_labels(axes: Axes, labels: list[tuple[float, str, str]]) -> None:
    """Name each line at its right end, moved apart where they would touch."""
    height = axes.bbox.height
    low, high = axes.get_ylim()
    transform = math.log if axes.get_yscale() == "log" else float
    span = transform(high) - transform(low)
    wanted = sorted(
        ((transform(value) - transform(low)) / span * height, label, colour) for value, label, colour in labels
    )
    places: list[float] = []
    for place, _, _ in wanted:
        places.append(max(place, places[-1] + 14) if places else place)
    shift = max(0.0, places[-1] - height) if places else 0.0
    for place, (_, label, colour) in zip(places, wanted, strict=True):
        axes.annotate(
            label, (1, 0), (6, place - shift), xycoords="axes fraction", textcoords="offset points", va="center",
            size=10.5, color=colour,
        )  # fmt: skip


def chosen_curves(targets: np.ndarray, classes: Sequence[str], positive: str | None) -> list[int]:
    """Which classes get a precision-recall curve of their own: the class of interest, or all of a few, or the rarest.

    Among many classes those with fewer than three examples are passed over: their curve is chance.
    """
    support = np.bincount(targets, minlength=len(classes))
    present = [int(number) for number in np.argsort(support, kind="stable") if support[number] > 0]
    if positive in classes:
        first = list(classes).index(str(positive))
        return [first] if len(classes) == 2 else [first, *(n for n in present if n != first)][: MOST_CURVES - 1]
    if len(present) < MOST_CURVES:
        return present
    return [n for n in present if support[n] >= 3][: MOST_CURVES - 1] or present[: MOST_CURVES - 1]


def precision_recall(
    targets: np.ndarray,
    probabilities: np.ndarray,
    baseline: np.ndarray | None,
    classes: Sequence[str],
    positive: str | None = None,
) -> list[str]:
    """Panels of precision by recall: the mean over the classes, and single classes, each beside the baseline.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C).
        baseline: (n, C) or None.
        classes: the C names.
        positive: the class of interest.
    """
    grid = np.linspace(0, 1, 201)
    support = np.bincount(targets, minlength=len(classes))

    def curve(number: int, scores: np.ndarray) -> tuple[np.ndarray, float]:
        precision, recall, _ = precision_recall_curve(targets == number, scores[:, number])
        place = np.minimum(np.searchsorted(recall, np.maximum(grid, 1e-9) - 1e-12), len(recall) - 1)
        return precision[place], average_precision(targets == number, scores[:, number])

    def mean(scores: np.ndarray) -> tuple[np.ndarray, float]:
        pairs = [curve(number, scores) for number in range(len(classes)) if support[number]]
        return np.mean([values for values, _ in pairs], axis=0), float(np.mean([area for _, area in pairs]))

    panels: list[tuple[str, float, Callable[[np.ndarray], tuple[np.ndarray, float]]]] = []
    if len(classes) > 2:
        panels.append(("Mean of all classes", float(np.mean(support / len(targets))), mean))
    for number in chosen_curves(targets, classes, positive):
        title = f"{readable(classes[number])} ({support[number]:,})"
        panels.append((title, float(support[number] / len(targets)), partial(curve, number)))
    pictures = []
    for number, (title, share, values) in enumerate(panels):
        ours, area = values(probabilities)
        theirs, other = (None, None) if baseline is None else values(baseline)
        with rules(f"pr{number}"):
            figure = new_figure(WIDTH, HEIGHT)
            axes = panel(figure, 48, 46, 8, 40)
            heading(
                figure, title, [(f"area {area:.3f}", MODEL)] + ([(f"baseline {other:.3f}", BASELINE)] if other else [])
            )
            axes.axhline(share, color=RULE, linewidth=1.2, linestyle=(0, (1, 2)))
            if theirs is not None:
                axes.plot(grid, theirs, color=BASELINE)
            axes.plot(grid, ours, color=MODEL)
            _unit_square(axes, "recall", "precision")
            pictures.append(to_svg(figure, f"pr{number}", f"Precision by recall, {title}: area {area:.3f}."))
    return pictures


def reliability(targets: np.ndarray, probabilities: np.ndarray, baseline: np.ndarray | None) -> list[str]:
    """Two panels: accuracy by claimed confidence, and how often each confidence is claimed.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C).
        baseline: (n, C) or None.
    """
    sources = ([] if baseline is None else [("baseline", baseline, BASELINE)]) + [("model", probabilities, MODEL)]
    with rules("reliability"):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 48, 46, 8, 40)
        heading(figure, "Reliability", "on the diagonal, claims come true")
        for row, (label, _, colour) in enumerate(reversed(sources)):
            axes.annotate(
                label, (0, 1), (8, -12 - 15 * row), xycoords="axes fraction", textcoords="offset points", color=colour,
                size=10.5,
            )  # fmt: skip
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.2)
        for _, values, colour in sources:
            bins = reliability_bins(values.max(axis=1), values.argmax(axis=1) == targets)
            axes.plot(bins.confidence, bins.accuracy, color=colour, linewidth=1.3)
            axes.scatter(
                bins.confidence, bins.accuracy, s=14 + 150 * bins.weight, color=colour, alpha=0.85, linewidths=0
            )
        _unit_square(axes, "confidence", "accuracy")
        first = to_svg(figure, "reliability", "Reliability diagram: accuracy by confidence.")
    with rules("confidence"):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 48, 46, 8, 40)
        heading(figure, "Confidence", "share of examples by largest probability")
        edges = np.linspace(0, 1, 21)
        for label, values, colour in sources:
            shares = np.histogram(values.max(axis=1), edges)[0] / max(1, len(targets))
            axes.stairs(
                shares, edges, color=colour, fill=label == "model", alpha=0.85 if label == "model" else 1, lw=1.6
            )
        axes.set_xlim(0, 1.02)
        axes.set_ylim(bottom=0)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
        axes.set_xlabel("confidence", labelpad=4)
        second = to_svg(figure, "confidence", "Histogram of the confidence of the predictions.")
    return [first, second]


def _unit_square(axes: Axes, x: str, y: str) -> None:
    marks, names = [0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"]
    axes.set_xlim(-0.01, 1.02)
    axes.set_ylim(0, 1.03)
    axes.set_xticks(marks, names)
    axes.set_yticks(marks, names)
    axes.set_xlabel(x, labelpad=4)
    axes.set_ylabel(y, labelpad=6, rotation=90, rotation_mode="anchor", ha="center", va="baseline")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share < 0.0995 else f"{100 * share:.0f}%"
