"""Linear, logistic and softmax regression by plain gradient descent, with gradients from the chain rule and no autograd.

    python examples/regressions.py [--out DIR]

A noisy line with a few outliers is fitted by squared and by absolute error, two Gaussian clouds are told apart by
logistic regression and three by softmax regression. Writes `regressions.png` (fit or decision lines above, loss below)
and prints what was learned.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from seqwise.losses import CLOSED_FORMS, linear_scores

COLOURS = ["#0b6b66", "#b4531f", "#5a6f86"]
INK, MUTED, RULE = "#1d2124", "#666c71", "#dcddd8"
SLOPE, INTERCEPT = 1.5, -0.5


class Fit(NamedTuple):
    """A linear model and how it came about: z = W x + b, the mean loss before every step and after the last."""

    weight: Tensor
    bias: Tensor
    history: list[float]


def descend(name: str, features: Tensor, targets: Tensor, *, steps: int = 120, rate: float = 0.5) -> Fit:
    """Fit one of the regressions from zero; the rate falls to zero, because the slope of |e| does not.

    Args:
        name: A key of `seqwise.losses.CLOSED_FORMS`.
        features: x, (B, D).
        targets: y, (B,); integers are classes.
        steps: Of gradient descent on all examples.
        rate: Of the first step.
    """
    form = CLOSED_FORMS[name]
    scores_shape = () if targets.is_floating_point() else (int(targets.max()) + 1,)
    weight = torch.zeros(*scores_shape, features.shape[1])
    bias = torch.zeros(scores_shape)
    history = []
    for step in range(steps):
        history.append(float(form.loss(weight, bias, features, targets).mean()))
        of_weight, of_bias = form.gradient(weight, bias, features, targets)
        falling = rate * (1 - step / steps) / len(targets)  # the gradient is that of the sum
        weight -= falling * of_weight
        bias -= falling * of_bias
    history.append(float(form.loss(weight, bias, features, targets).mean()))
    return Fit(weight, bias, history)


def draw_line(examples: int = 60, outliers: int = 6) -> tuple[Tensor, Tensor]:
    """A line with Gaussian noise, and a few examples at its right end that fell far below it."""
    generator = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(examples, 1, generator=generator) - 2
    y = SLOPE * x[:, 0] + INTERCEPT + 0.4 * torch.randn(examples, generator=generator)
    y[x[:, 0].argsort()[-outliers:]] -= 5
    return x, y


def draw_clouds(centres: list[tuple[float, float]], examples: int = 60) -> tuple[Tensor, Tensor]:
    """So many points of a Gaussian around each centre, and the number of their centre."""
    generator = torch.Generator().manual_seed(1)
    middle = torch.tensor(centres).repeat_interleave(examples, 0)
    points = middle + torch.randn(len(middle), 2, generator=generator)
    return points, torch.arange(len(centres)).repeat_interleave(examples)


def main() -> None:
    """Fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the picture (default: here)")
    folder = parser.parse_args().out

    x, y = draw_line()
    squared, absolute = (descend(f"linear_{kind}_error", x, y, rate=0.1) for kind in ("squared", "absolute"))
    two, which_of_two = draw_clouds([(-1.5, -0.5), (1.0, 1.0)])
    logistic = descend("logistic", two, which_of_two.float())
    three, which_of_three = draw_clouds([(-2.0, -1.0), (2.0, -1.0), (0.0, 2.0)])
    softmax = descend("softmax", three, which_of_three)

    print(f"the line is y = {SLOPE:.2f} x {INTERCEPT:+.2f}; a tenth of the examples lies 5 below it")
    for name, fit in (("squared error", squared), ("absolute error", absolute)):
        print(f"{name:15s} y = {float(fit.weight):.2f} x {float(fit.bias):+.2f}  {describe(fit)}")
    is_second = linear_scores(two, logistic.weight, logistic.bias) > 0  # p > .5
    chosen = linear_scores(three, softmax.weight, softmax.bias).argmax(1)
    for name, fit, right in (
        ("logistic", logistic, is_second == which_of_two.bool()),
        ("softmax", softmax, chosen == which_of_three),
    ):
        print(f"{name:15s} {right.float().mean():.1%} of the training points right  {describe(fit)}")

    figure = Figure(figsize=(14, 6), facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    rows = figure.subplots(2, 4, height_ratios=[5, 3])
    draw_fit(rows[0][0], "Squared error", squared, x, y)
    draw_fit(rows[0][1], "Absolute error", absolute, x, y)
    draw_decision(rows[0][2], "Logistic regression", logistic, two, which_of_two, legend="upper right")
    draw_decision(rows[0][3], "Softmax regression", softmax, three, which_of_three, legend="upper left")
    for axes, fit in zip(rows[1], (squared, absolute, logistic, softmax), strict=True):
        draw_history(axes, fit)
    rows[1][0].set_ylabel("mean loss", color=MUTED)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "regressions.png", dpi=110)
    print(f"wrote {folder / 'regressions.png'}")


def describe(fit: Fit) -> str:
    """The mean loss before and after."""
    return f"(mean loss {fit.history[0]:.3f} -> {fit.history[-1]:.3f})"


def draw_fit(axes: Axes, title: str, fit: Fit, x: Tensor, y: Tensor) -> None:
    """The examples, the line they were drawn from, and the line that was learned."""
    prepare(axes, title)
    axes.set_box_aspect(1)
    ends = torch.tensor([[-2.1], [2.1]])
    axes.scatter(x[:, 0], y, s=16, color=COLOURS[2], alpha=0.7, linewidths=0)
    axes.plot(
        ends[:, 0], SLOPE * ends[:, 0] + INTERCEPT, color=MUTED, linestyle="--", linewidth=1.2, label="drawn from"
    )
    axes.plot(ends[:, 0], linear_scores(ends, fit.weight, fit.bias), color=COLOURS[0], linewidth=2, label="learned")
    axes.legend(frameon=False, labelcolor=INK, loc="upper left")


def draw_decision(axes: Axes, title: str, fit: Fit, points: Tensor, classes: Tensor, legend: str) -> None:
    """The points by class, and where the decision changes: p = .5, or two classes equally likely and no third more so."""
    prepare(axes, title)
    axes.set_box_aspect(1)
    for k in range(int(classes.max()) + 1):
        axes.scatter(*points[classes == k].T, s=16, color=COLOURS[k], alpha=0.8, linewidths=0, label=f"class {k}")
    low, high = points.min(0).values, points.max(0).values
    middle, reach = (low + high) / 2, float((high - low).max()) / 2 + 0.5  # a square, so that right angles look right
    grid = torch.cartesian_prod(*(torch.linspace(float(m) - reach, float(m) + reach, 400) for m in middle))
    scores = linear_scores(grid, fit.weight, fit.bias)
    if scores.ndim == 1:
        scores = torch.stack([torch.zeros_like(scores), scores], 1)  # sigmoid(z) = softmax(0, z) of the second class
    mesh = [part.reshape(400, 400) for part in grid.T]
    regions = scores.argmax(1).reshape(400, 400)
    axes.contourf(*mesh, regions, levels=[-0.5, 0.5, 1.5, 2.5], colors=COLOURS, alpha=0.08)
    for k in range(scores.shape[1]):  # the margin of a class over the best other one is 0 on its border
        others = torch.cat([scores[:, :k], scores[:, k + 1 :]], 1).max(1).values
        axes.contour(*mesh, (scores[:, k] - others).reshape(400, 400), levels=[0], colors=[INK], linewidths=1.4)
    axes.legend(frameon=True, framealpha=0.9, edgecolor="white", labelcolor=INK, loc=legend, handletextpad=0)


def draw_history(axes: Axes, fit: Fit) -> None:
    """The loss over the steps."""
    prepare(axes, "")
    axes.plot(fit.history, color=COLOURS[0], linewidth=2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("step", color=MUTED)
    axes.annotate(
        f"{fit.history[-1]:.3f}",
        (len(fit.history) - 1, fit.history[-1]),
        (0, 6),
        textcoords="offset points",
        ha="right",
        color=INK,
    )


def prepare(axes: Axes, title: str) -> None:
    """Thin lines, no box."""
    axes.set_title(title, loc="left", color=INK, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(color=RULE, labelcolor=MUTED)


if __name__ == "__main__":
    main()
