"""Which labels go together: the co-occurrence of labels as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqwise.evaluation.confusion import MOST_CLASSES, whole_percent
from seqwise.evaluation.drawing import DATA, INK, PAPER, RULE, heading, new_figure, panel, readable, rules, to_svg


def together(counts: np.ndarray, labels: Sequence[str]) -> str | None:
    """Draw how often an example of one label has another one too, of the labels that most examples have.

    Args:
        counts: (L, L) examples that have both; the diagonal holds those that have the label.
        labels: the L names.

    Returns:
        The picture; None where no example has two labels.
    """
    order = np.argsort(-np.diag(counts), kind="stable")[:MOST_CLASSES]
    order = order[np.diag(counts)[order] > 0]
    matrix = counts[np.ix_(order, order)]
    if len(order) < 2 or matrix.sum() == np.trace(matrix):
        return None
    shares = matrix / np.diag(matrix)[:, None]
    short = [readable(labels[number], 16) for number in order]
    size, cell = len(order), 52 if len(order) <= 8 else 31
    margin = 18 + 6.8 * max(map(len, short))
    top = 50 + margin * 0.72
    width, height = margin + cell * size + margin * 0.5, top + cell * size + 6
    with rules("together"):
        from matplotlib.patches import Rectangle

        figure = new_figure(max(width, 230), height)
        axes = panel(figure, margin, top, max(width, 230) - margin - cell * size, 6)
        heading(figure, "Labels that go together", "of the examples of a row, percent that have the column's label too")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlim(0, size)
        axes.set_ylim(size, 0)
        gap = 1.5 / cell
        for row, column in np.ndindex(size, size):
            share = float(shares[row, column])
            same = row == column
            alpha = 0.28 if same or not share else 0.10 + 0.90 * min(1.0, share / 0.6)
            axes.add_patch(
                Rectangle(
                    (column + gap, row + gap), 1 - 2 * gap, 1 - 2 * gap, alpha=alpha, lw=0,
                    facecolor=RULE if same or not share else DATA,
                )
            )  # fmt: skip
            if share and not same:
                axes.text(
                    column + 0.5, row + 0.5, whole_percent(share), ha="center", va="center_baseline",
                    color=PAPER if alpha > 0.55 else INK, size=12 if size <= 8 else 9.5,
                )  # fmt: skip
        axes.set_yticks(np.arange(size) + 0.5, short, color=INK)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(size) + 0.5, short, color=INK)
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="left", rotation_mode="anchor")
        return to_svg(figure, "together", f"How often examples of one of {size} labels have another one too.")
