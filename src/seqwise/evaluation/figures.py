"""The report's figures: numbers in, `<svg>` elements out.

One accent is the model and one grey the baseline in all of them; figures of many panels are small, so that they stand
side by side on a desk and one below the other on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.evaluation.confusion import MOST_CLASSES
from seqwise.evaluation.drawing import (
    BASELINE,
    DATA,
    HEIGHT,
    INK,
    MODEL,
    MUTED,
    RULE,
    WIDTH,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN = 236  # of bars
CLASS_FIGURES = {"macro_f1": "macro F1", "accuracy": "accuracy", "micro_f1": "micro F1"}
"""What is watched of classes and tags while a model is fitted; the first is compared with the baseline."""


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


def learning_curves(
    history: Sequence[Mapping[str, Any]],
    reference: Mapping[str, float | None],
    *,
    watched: Mapping[str, str] = CLASS_FIGURES,
    lower_is_better: bool = False,
) -> list[str]:
    """Panels of loss, validation figures and gradient norm by epoch.

    Args:
        history: records of the epochs; without any there are no panels.
        reference: the baseline's figures and "log_loss" on the validation examples, as far as known.
        watched: keys of the validation figures and their names, that which counts first.
        lower_is_better: whether less of these is better.
    """
    if not history:
        return []
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

    first = next(iter(watched))
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
            ("lower" if lower_is_better else "higher")
            + (f" is better; the baseline's is {watched[first]}" if reference.get(first) is not None else " is better"),
            [(name, series("validation", key), MODEL, "-" if key == first else ":") for key, name in watched.items()],
            "linear",
            first,
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


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share < 0.0995 else f"{100 * share:.0f}%"
