"""What was said of a recording over time, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from seqwise.evaluation.drawing import (
    BASELINE,
    INK,
    MISTAKE,
    MODEL,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)

WIDTH, ROW = 900, 22  # of the picture, and of a label in it


def timeline(true: Sequence[str | None], said: Sequence[str], rate: float | None) -> str:
    """One line a label: what is true in grey, what was said below it, right or wrong.

    Args:
        true: label of every step; None where it is not known, which is neither right nor wrong.
        said: as many.
        rate: steps a second; None counts steps.
    """
    names = sorted({label for label in (*true, *said) if label is not None})
    short = [readable(name, 16) for name in names]
    margin = 18 + 6.8 * max(map(len, short))
    speed = rate or 1.0
    judged = [
        ("unknown" if right is None else "right" if right == label else "wrong", label)
        for right, label in zip(true, said, strict=True)
    ]
    with rules("timeline"):
        figure = new_figure(WIDTH, 70 + ROW * len(names))
        axes = panel(figure, margin, 40, 10, 30)
        heading(figure, "One recording", "grey: true · below: said · in orange: wrong")
        axes.set_xlim(0, len(said) / speed)
        axes.set_ylim(len(names), 0)
        for row, name in enumerate(names):
            there = _stretches([label == name for label in true], speed)
            axes.broken_barh(there, (row + 0.12, 0.36), facecolor=BASELINE, linewidth=0)
            for kind, colour, strength in (("right", MODEL, 1.0), ("wrong", MISTAKE, 1.0), ("unknown", MODEL, 0.35)):
                found = _stretches([of == (kind, name) for of in judged], speed)
                axes.broken_barh(found, (row + 0.5, 0.36), facecolor=colour, alpha=strength, linewidth=0)
        axes.set_yticks([row + 0.5 for row in range(len(names))], short, color=INK)
        axes.grid(visible=False)
        axes.set_xlabel("steps" if rate is None else "seconds")
        known = [kind for kind, _ in judged if kind != "unknown"]
        share = known.count("right") / max(1, len(known))
        return to_svg(
            figure, "timeline", f"Labels of one recording over time, {share:.0%} of its labelled steps right."
        )


def _stretches(holds: Sequence[bool], speed: float) -> list[tuple[float, float]]:
    """Where something holds: from when, and how long."""
    found, begin = [], None
    for step, now in enumerate([*holds, False]):
        if now and begin is None:
            begin = step
        elif not now and begin is not None:
            found.append((begin / speed, (step - begin) / speed))
            begin = None
    return found
