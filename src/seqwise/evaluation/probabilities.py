"""Can the probabilities be trusted? Precision-recall curves and reliability diagrams, of classes and of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from seqwise.evaluation.drawing import (
    BASELINE,
    HEIGHT,
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
    unit_square,
)
from seqwise.metrics import average_precision, precision_recall_curve, reliability_bins

MOST_CURVES = 6


def belongs(targets: np.ndarray, classes: int) -> np.ndarray:
    """Which example is of which class, (n,) class numbers or (n, L) of 0 and 1 -> (n, C) bool."""
    return targets.astype(bool) if targets.ndim == 2 else targets[:, None] == np.arange(classes)


def claims(targets: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is claimed, and whether it is so: of classes the largest probability of each example, of labels every one."""
    if targets.ndim == 2:
        return probabilities.ravel(), targets.ravel().astype(bool)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == targets


def chosen_curves(targets: np.ndarray, classes: Sequence[str], positive: str | None) -> list[int]:
    """Which classes get a precision-recall curve of their own: the class of interest, or all of a few, or the rarest.

    Among many classes those with fewer than three examples are passed over: their curve is chance.
    """
    support = belongs(targets, len(classes)).sum(axis=0)
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
        targets: (n,) class numbers; or (n, L) of 0 and 1.
        probabilities: (n, C).
        baseline: (n, C) or None.
        classes: the C names.
        positive: the class of interest.
    """
    grid = np.linspace(0, 1, 201)
    of = belongs(targets, len(classes))
    support = of.sum(axis=0)

    def curve(number: int, scores: np.ndarray) -> tuple[np.ndarray, float]:
        precision, recall, _ = precision_recall_curve(of[:, number], scores[:, number])
        place = np.minimum(np.searchsorted(recall, np.maximum(grid, 1e-9) - 1e-12), len(recall) - 1)
        return precision[place], average_precision(of[:, number], scores[:, number])

    def mean(scores: np.ndarray) -> tuple[np.ndarray, float]:
        pairs = [curve(number, scores) for number in range(len(classes)) if support[number]]
        return np.mean([values for values, _ in pairs], axis=0), float(np.mean([area for _, area in pairs]))

    panels: list[tuple[str, float, Callable[[np.ndarray], tuple[np.ndarray, float]]]] = []
    if len(classes) > 2:
        panels.append(
            (
                "Mean of all labels" if targets.ndim == 2 else "Mean of all classes",
                float(np.mean(support / len(targets))),
                mean,
            )
        )
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
            unit_square(axes, "recall", "precision")
            pictures.append(to_svg(figure, f"pr{number}", f"Precision by recall, {title}: area {area:.3f}."))
    return pictures


def reliability(targets: np.ndarray, probabilities: np.ndarray, baseline: np.ndarray | None) -> list[str]:
    """Two panels: the share that is so by the probability claimed, and how often each is claimed.

    Args:
        targets: (n,) class numbers; or (n, L) of 0 and 1.
        probabilities: (n, C).
        baseline: (n, C) or None.
    """
    sources = ([] if baseline is None else [("baseline", baseline, BASELINE)]) + [("model", probabilities, MODEL)]
    first = _diagram("reliability", "Reliability", "on the diagonal, claims come true", targets, sources)
    labels = targets.ndim == 2
    with rules("confidence"):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 48, 46, 8, 40)
        note = "share of decisions, logarithmic" if labels else "share of examples by largest probability"
        heading(figure, "Probabilities" if labels else "Confidence", note)
        edges = np.linspace(0, 1, 21)
        for label, values, colour in sources:
            claimed, _ = claims(targets, values)
            shares = np.histogram(claimed, edges)[0] / max(1, len(claimed))
            axes.stairs(
                shares, edges, color=colour, fill=label == "model", alpha=0.85 if label == "model" else 1, lw=1.6
            )
        axes.set_xlim(0, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

        if labels:  # nearly all decisions are a confident no
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator())
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
        axes.set_xlabel("probability" if labels else "confidence", labelpad=4)
        second = to_svg(figure, "confidence", "Histogram of the probabilities that are claimed.")
    return [first, second]


def calibration(targets: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[str]:
    """Two reliability diagrams of the model: of what it says by itself, and of what its calibration makes of that.

    Args:
        targets: (n,) class numbers; or (n, L) of 0 and 1.
        before: (n, C) probabilities.
        after: (n, C) calibrated probabilities.
    """
    return [
        _diagram(f"calibration{number}", title, "on the diagonal, claims come true", targets, [(label, values, colour)])
        for number, (title, label, values, colour) in enumerate(
            (("Before calibration", "", before, MUTED), ("After calibration", "", after, MODEL))
        )
    ]


def _diagram(
    name: str, title: str, note: str, targets: np.ndarray, sources: Sequence[tuple[str, np.ndarray, str]]
) -> str:
    with rules(name):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 48, 46, 8, 40)
        heading(figure, title, note)
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.2)
        errors = []
        for row, (label, values, colour) in enumerate(reversed(sources)):
            bins = reliability_bins(*claims(targets, values))
            errors.append(float(np.abs(bins.confidence - bins.accuracy) @ bins.weight))
            axes.annotate(
                f"{label} error {errors[-1]:.3f}".strip(), (0, 1), (8, -12 - 15 * row), xycoords="axes fraction",
                textcoords="offset points", color=colour, size=10.5,
            )  # fmt: skip
            axes.plot(bins.confidence, bins.accuracy, color=colour, linewidth=1.3, zorder=3 - row)
            axes.scatter(
                bins.confidence, bins.accuracy, s=14 + 150 * bins.weight, color=colour, alpha=0.85, linewidths=0,
                zorder=3 - row,
            )  # fmt: skip
        labels = targets.ndim == 2
        unit_square(axes, "probability of a label" if labels else "confidence", "share" if labels else "accuracy")
        return to_svg(figure, name, f"{title}: reliability diagram, mean error {errors[0]:.3f}.")
