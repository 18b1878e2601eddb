"""What the report of a forecaster shows besides its figures: forecasts beside what came, errors by steps ahead, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqwise.evaluation.drawing import (
    BASELINE,
    HEIGHT,
    INK,
    MODEL,
    MUTED,
    WIDTH,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)
from seqwise.evaluation.pages import markup_all
from seqwise.evaluation.task_report import Section

FIGURES = {"mase": "Scaled error (MASE)", "mae": "Mean absolute error", "rmse": "Root mean squared error"}
SHOWN = 3  # forecasts drawn: an easy one, a usual one and a hard one
CHANNELS = 3  # of each
ROWS = 24  # steps ahead listed
KEPT = 0.9  # level of the drawn interval
STYLES: tuple[Any, ...] = ("-", (0, (4, 3)), (0, (1, 2)))  # of the baselines, in their order


@dataclass(frozen=True)
class Forecasts:
    """Forecasts beside what came.

    Attributes:
        history: what was known, (T, D) each.
        true: what came, (n, H, D).
        said: by the model, (n, H, D).
        beside: by the baselines.
        low: of the interval, (n, H, D), or None.
        high: see `low`.
        places: number of the series and of the first step ahead, (n, 2).
    """

    history: Sequence[np.ndarray]
    true: np.ndarray
    said: np.ndarray
    beside: Mapping[str, np.ndarray]
    low: np.ndarray | None
    high: np.ndarray | None
    places: np.ndarray


def forecasting_sections(
    block: Mapping[str, Any], forecasts: Forecasts, names: Sequence[str], naive: np.ndarray
) -> list[Section]:
    """Return what the report of a forecaster shows besides its figures.

    Args:
        block: of `forecast_metrics`.
        forecasts: of which it is.
        names: of the channels.
        naive: unit of the scaled error, (D,).
    """
    pictures = forecast_pictures(forecasts, names, naive)
    steps = block["by_step"]
    listed = [steps[i] for i in sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(ROWS, len(steps)))})]
    curves = [error_curves(steps)]
    if steps[0]["coverage"]:
        curves.append(coverage_curves(steps))
    levels = list(steps[0]["coverage"])
    baselines = list(steps[0]["baselines"])
    others = [
        {"name": name, **{key: of[key]["value"] for key in FIGURES}} for name, of in block.get("others", {}).items()
    ]
    return [
        Section.of("forecasts", "Forecasts", "Some forecasts", "forecast_pictures.html", pictures=pictures),
        Section.of(
            "ahead",
            "Steps ahead",
            "By steps ahead",
            "forecast_steps.html",
            curves=markup_all(curves),
            rows=listed,
            levels=levels,
            baselines=baselines,
            coverage=block["coverage"],
            others=others,
            figures=FIGURES,
        ),
    ]


def forecast_pictures(forecasts: Forecasts, names: Sequence[str], naive: np.ndarray) -> list[dict[str, Any]]:
    """Draw three forecasts: at the lower quartile of the errors, at their median and at the upper quartile."""
    errors = (np.abs(forecasts.said - forecasts.true) / naive).mean(axis=(1, 2))
    order = np.argsort(errors, kind="stable")
    chosen = dict.fromkeys(int(order[round(q * (len(order) - 1))]) for q in (0.25, 0.5, 0.75))
    # The channels that move most over what is forecast, so that a picture shows something.
    busy = np.argsort(-(forecasts.true.std(axis=1) / naive).mean(axis=0), kind="stable")[:CHANNELS]
    found = []
    for number in chosen:
        series, at = forecasts.places[number].tolist()
        found.append(
            {
                "title": f"Series {series + 1:,}, from step {at + 1:,} on: scaled error {errors[number]:.3f}",
                "figures": markup_all(
                    [_picture(forecasts, number, int(d), names[int(d)], f"f{number}c{d}") for d in sorted(busy)]
                ),
            }
        )
    return found


def _picture(of: Forecasts, number: int, channel: int, name: str, key: str) -> str:
    horizon = of.true.shape[1]
    history = of.history[number][-max(3 * horizon, 24) :, channel]
    before, ahead = np.arange(-len(history) + 1, 1), np.arange(1, horizon + 1)

    def joined(values: np.ndarray) -> np.ndarray:
        return np.concatenate([history[-1:], values])

    with rules(key):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 50, 54, 14, 40)
        heading(figure, readable(name, 34), [("true", INK), ("model", MODEL), ("baseline", BASELINE)])
        if of.low is not None and of.high is not None:
            bounds = of.low[number, :, channel], of.high[number, :, channel]
            axes.fill_between(ahead, *bounds, color=MODEL, alpha=0.15, linewidth=0)
        axes.plot(before, history, color=INK, linewidth=1.2)
        axes.plot(np.arange(horizon + 1), joined(of.true[number, :, channel]), color=INK, linewidth=1.2)
        for said in list(of.beside.values())[:1]:
            axes.plot(np.arange(horizon + 1), joined(said[number, :, channel]), color=BASELINE, linewidth=1.4)
        axes.plot(np.arange(horizon + 1), joined(of.said[number, :, channel]), color=MODEL, linewidth=1.8)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_xlabel("steps from where the forecast begins", labelpad=4)
        off = float(np.abs(of.said[number, :, channel] - of.true[number, :, channel]).mean())
        return to_svg(figure, key, f"Forecast of {name}: mean absolute error {off:.4g} over {horizon} steps.")


def error_curves(steps: Sequence[Mapping[str, Any]]) -> str:
    """Draw the scaled error of model and baselines by steps ahead."""
    ahead = [row["step"] for row in steps]
    names = list(steps[0]["baselines"])
    with rules("ahead"):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 46, 54, 14, 40)
        heading(figure, "Scaled error by steps ahead", [("model", MODEL), (", ".join(map(readable, names)), BASELINE)])
        told = [f"model {steps[0]['mase']:.3f} to {steps[-1]['mase']:.3f}"]
        for style, name in zip(STYLES, names, strict=False):
            values = [row["baselines"][name] for row in steps]
            axes.plot(ahead, values, linestyle=style, color=BASELINE)
            told.append(f"{name} {values[0]:.3f} to {values[-1]:.3f}")
        axes.plot(ahead, [row["mase"] for row in steps], color=MODEL)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("steps ahead", labelpad=4)
        return to_svg(figure, "ahead", f"Scaled error from the first to the last step ahead: {'; '.join(told)}.")


def coverage_curves(steps: Sequence[Mapping[str, Any]]) -> str:
    """Draw how often intervals hold what came, by steps ahead, beside their levels."""
    ahead = [row["step"] for row in steps]
    with rules("coverage"):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 46, 54, 14, 40)
        heading(figure, "Coverage of the intervals", "grey: what they claim")
        for level in steps[0]["coverage"]:
            axes.axhline(float(level), color=BASELINE, linewidth=1.2)
            axes.plot(ahead, [row["coverage"][level] for row in steps], color=MODEL)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("steps ahead", labelpad=4)
        told = ", ".join(
            f"{np.mean([row['coverage'][level] for row in steps]):.3f} for {level}" for level in steps[0]["coverage"]
        )
        return to_svg(figure, "coverage", f"Mean coverage of the intervals: {told}.")
