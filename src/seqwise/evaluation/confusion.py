"""What is taken for what: the confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqwise.evaluation.drawing import (
    INK,
    MISTAKE,
    MODEL,
    PAPER,
    RULE,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)

MOST_CLASSES = 20  # named in a figure; the others are taken together


def ordered_confusion(counts: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, list[str], int]:
    """Put the classes with the most true examples first, and add up those beyond `MOST_CLASSES`.

    Args:
        counts: (C, C), rows are true classes.
        classes: the C names.

    Returns:
        The matrix, its names, and how many classes are in its last row "others" (0 if there is none).
    """
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    shown = order if len(classes) <= MOST_CLASSES else order[:MOST_CLASSES]
    left = len(classes) - len(shown)
    size = len(shown) + bool(left)
    place = np.full(len(classes), len(shown))
    place[shown] = np.arange(len(shown))
    matrix = np.zeros((size, size), dtype=counts.dtype)
    np.add.at(matrix, (place[:, None], place[None, :]), counts)
    return matrix, [classes[number] for number in shown] + ([f"{left} others"] if left else []), left


def confusion(matrix: np.ndarray, names: Sequence[str], *, normalised: bool) -> str:
    """The confusion matrix as coloured squares: right answers in the model's colour, mistakes in another.

    Args:
        matrix: (C, C) counts, rows are true classes; what `ordered_confusion` returned.
        names: the C names.
        normalised: show each row as percentages of itself.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    size = len(names)
    short = [readable(name, 16) for name in names]
    cell = 88 if size <= 3 else 52 if size <= 8 else 31
    margin = 18 + 6.8 * max(map(len, short))
    slanted = size > 3 or max(map(len, short)) > 9
    top = 50 + (margin * 0.72 if slanted else 22)
    width, height = margin + cell * size + (margin * 0.5 if slanted else 12), top + cell * size + 6
    sums = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums > 0)
    strength = shares if normalised else np.log1p(matrix) / max(1e-9, float(np.log1p(matrix).max()))
    name = "confusion-rows" if normalised else "confusion-counts"
    title = "Each row as percentages" if normalised else "Counts"
    with rules(name):
        figure = new_figure(max(width, 230), height)
        axes = panel(figure, margin, top, max(width, 230) - margin - cell * size, 6)
        heading(figure, title, "rows: true class · columns: predicted")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlim(0, size)
        axes.set_ylim(size, 0)
        gap = 1.5 / cell
        for right, colour in ((True, MODEL), (False, MISTAKE)):
            where = [(r, c) for r in range(size) for c in range(size) if (r == c) is right and matrix[r, c] > 0]
            for row, column in where:
                alpha = 0.10 + 0.90 * float(strength[row, column])
                axes.add_patch(
                    Rectangle((column + gap, row + gap), 1 - 2 * gap, 1 - 2 * gap, facecolor=colour, alpha=alpha, lw=0)
                )
        empty = [
            Rectangle((c + gap, r + gap), 1 - 2 * gap, 1 - 2 * gap)
            for r in range(size) for c in range(size) if matrix[r, c] == 0
        ]  # fmt: skip
        axes.add_collection(PatchCollection(empty, facecolor=RULE, alpha=0.28, linewidth=0))
        for row, column in np.argwhere(matrix > 0):
            text = whole_percent(shares[row, column]) if normalised else _short(int(matrix[row, column]))
            dark = 0.10 + 0.90 * strength[row, column] > 0.55
            axes.text(
                column + 0.5, row + 0.5, text, ha="center", va="center_baseline", color=PAPER if dark else INK,
                size=14 if size <= 3 else 12 if size <= 8 else 9.5,
            )  # fmt: skip
        axes.set_yticks(np.arange(size) + 0.5, short, color=INK)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(size) + 0.5, short, color=INK)
        if slanted:
            for label in axes.get_xticklabels():
                label.set(rotation=45, ha="left", rotation_mode="anchor")
        right_share = np.trace(matrix) / max(1, int(matrix.sum()))
        return to_svg(figure, name, f"Confusion matrix of {size} classes, {right_share:.0%} on the diagonal.")


def whole_percent(share: float) -> str:
    """Whole percent, in which neither a few nor nearly all are rounded away."""
    return "<1" if 0 < share < 0.005 else ">99" if 0.995 <= share < 1 else f"{100 * share:.0f}"


def _short(number: int) -> str:
    return f"{number}" if number < 10_000 else f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"
