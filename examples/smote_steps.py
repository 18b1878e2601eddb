"""SMOTE step by step: an example of the rare class, its nearest neighbours, a new point between them.

    python examples/smote_steps.py [--out DIR]

Two Gaussian clouds, 200 points and 14. The three steps are written out here, for one new point; `seqwise.data.synthesise`
then makes the rare class as large as the other one. Writes `smote_steps.png` and prints what was drawn.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from seqwise.data import synthesise

COMMON, RARE, NEW = "#9aa8b8", "#b4531f", "#0b6b66"
INK, MUTED, RULE = "#1d2124", "#666c71", "#dcddd8"
NEIGHBOURS = 3

Points = NDArray[np.float64]


class Step(NamedTuple):
    """How one synthetic point came about: x_s = lambda x_i + (1 - lambda) x_j."""

    chosen: int  # i
    neighbours: NDArray[np.int64]  # (k,), nearest first
    partner: int  # j, one of them
    share: float  # lambda
    point: Points  # x_s, (2,)


def draw_clouds(common: int = 200, rare: int = 14) -> tuple[Points, NDArray[np.int64]]:
    """So many points of a Gaussian around (0, 0), class 0, and of one around (2, 2), class 1."""
    random = np.random.default_rng(4)
    points = random.standard_normal((common + rare, 2))
    points[common:] = 2 + 0.9 * points[common:]
    return points, np.repeat([0, 1], [common, rare])


def make_point(rare: Points, *, neighbours: int = NEIGHBOURS, seed: int = 0) -> Step:
    """One synthetic point of the class that has these points, (n, 2)."""
    random = np.random.default_rng(seed)
    # 1. Draw an example of the rare class.
    i = int(random.integers(len(rare)))
    # 2. Find its k nearest neighbours of the same class, and draw one of them.
    distances = np.linalg.norm(rare - rare[i], axis=1)
    nearest = np.argsort(distances)[1 : neighbours + 1]  # the nearest of all is the example itself
    j = int(random.choice(nearest))
    # 3. Draw a place on the line between the two.
    share = float(random.uniform())
    return Step(i, nearest, j, share, share * rare[i] + (1 - share) * rare[j])


def main() -> None:
    """Make, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the picture (default: here)")
    folder = parser.parse_args().out

    points, classes = draw_clouds()
    rare = points[classes == 1]
    step = make_point(rare, seed=35)
    larger, larger_classes = synthesise(points, classes, method="smote", neighbours=NEIGHBOURS, seed=0)
    new = larger[len(points) :]

    print(f"1. drawn of {len(rare)} rare examples: x_i = {place(rare[step.chosen])}")
    print(f"2. its {NEIGHBOURS} nearest: {', '.join(place(rare[k]) for k in step.neighbours)}")
    print(f"   of which one is drawn: x_j = {place(rare[step.partner])}")
    print(f"3. lambda = {step.share:.2f}: x_s = {place(step.point)}")
    before, after = np.bincount(classes), np.bincount(larger_classes)
    print(f"class sizes {before[0]} and {before[1]} -> {after[0]} and {after[1]}")

    figure = Figure(figsize=(15, 4.4), facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1)
    panels = figure.subplots(1, 4)
    titles = (
        "1  Draw a rare example",
        "2  Find its neighbours",
        "3  Draw a point between",
        "Again, until both are as many",
    )
    for axes, title in zip(panels, titles, strict=True):
        draw_examples(axes, title, points, classes, near=None if axes is panels[3] else rare)
    draw_step(panels[:3], step, rare)
    panels[3].scatter(*new.T, s=14, color=NEW, alpha=0.65, linewidths=0, zorder=2, label=f"{len(new)} synthetic")
    panels[3].legend(frameon=True, framealpha=0.9, edgecolor="white", labelcolor=INK, loc="upper left", handletextpad=0)
    panels[0].set_ylabel("second feature", color=MUTED)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "smote_steps.png", dpi=110)
    print(f"wrote {folder / 'smote_steps.png'}")


def place(point: Points) -> str:
    """A point in print."""
    return f"({point[0]:.2f}, {point[1]:.2f})"


def draw_examples(axes: Axes, title: str, points: Points, classes: NDArray[np.int64], near: Points | None) -> None:
    """Both clouds, or only a square around some points while single ones are looked at."""
    axes.set_title(title, loc="left", color=INK, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(color=RULE, labelcolor=MUTED)
    axes.set_aspect("equal")
    axes.set_xlabel("first feature", color=MUTED)
    shown = points if near is None else near
    middle, reach = (shown.min(0) + shown.max(0)) / 2, np.ptp(shown, axis=0).max() / 2 + 0.5
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.yaxis.set_major_locator(MultipleLocator(1))
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    for k, colour, name in ((0, COMMON, "common"), (1, RARE, "rare")):
        cloud = points[classes == k]
        size = 30 if k else 14
        label = f"{len(cloud)} {name}"
        axes.scatter(
            *cloud.T,
            s=size,
            color=colour,
            alpha=0.9,
            linewidths=0,
            label=label,
            zorder=3 * k,
        )


def draw_step(panels: NDArray[np.object_], step: Step, rare: Points) -> None:
    """What each of the three steps adds to the one before."""
    chosen, partner = rare[step.chosen], rare[step.partner]
    for number, axes in enumerate(panels, start=1):
        axes.scatter(*chosen, s=150, facecolors="none", edgecolors=INK, linewidths=1.6, zorder=5)
        note(axes, "$x_i$", chosen, (6, 10))
        if number == 2:
            for neighbour in rare[step.neighbours]:
                axes.plot(*zip(chosen, neighbour, strict=True), color=INK, linewidth=1.2, linestyle=":", zorder=2)
                axes.scatter(*neighbour, s=90, facecolors="none", edgecolors=MUTED, linewidths=1.2, zorder=5)
        if number == 3:
            axes.plot(*zip(chosen, partner, strict=True), color=INK, linewidth=1.4, zorder=2)
            axes.scatter(*partner, s=150, facecolors="none", edgecolors=INK, linewidths=1.6, zorder=5)
            axes.scatter(*step.point, s=60, color=NEW, marker="D", linewidths=0, zorder=6)
            note(axes, "$x_j$", partner, (10, -14))
            note(axes, "$x_s$", step.point, (-4, 10), colour=NEW)
            axes.text(
                0.03, 0.97, rf"$x_s = \lambda x_i + (1 - \lambda) x_j$" f"\n$\\lambda = {step.share:.2f}$",
                transform=axes.transAxes, va="top", color=NEW, fontsize=11, linespacing=1.5,
            )  # fmt: skip


def note(axes: Axes, text: str, point: Points, offset: tuple[int, int], colour: str = INK) -> None:
    """A name beside a point."""
    axes.annotate(text, point, xytext=offset, textcoords="offset points", color=colour, fontsize=13, zorder=7)


if __name__ == "__main__":
    main()
