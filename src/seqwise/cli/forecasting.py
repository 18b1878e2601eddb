"""Forecasters: what `seqwise predict` does for them, and their errors by steps ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqwise.cli.asked import Asked
from seqwise.cli.console import print_json, print_table, say
from seqwise.errors import ConfigurationError

STEPS_SHOWN = 8


def forecast_series(asked: Asked) -> None:
    """Forecast the series of a file: a line for each series and step ahead, with the bounds of the 90% interval."""
    from seqwise.experiments.answers import write_answers
    from seqwise.experiments.forecasting import forecast_file, forecast_rows
    from seqwise.prediction.forecaster import ForecasterPredictor

    if asked.input is None:
        raise ConfigurationError("a forecaster reads series of numbers: give a file of them by --input")
    predictor = ForecasterPredictor.load(asked.folder, asked.device)
    _, forecasts, bounds = forecast_file(predictor, asked.input, asked.horizon)
    chunks = list(forecast_rows(forecasts, bounds, predictor.scale.names))
    if asked.output is not None:
        count = write_answers(asked.output, chunks, overwrite=asked.overwrite)
        document = {"output": str(asked.output), "rows": count}
        print_json(document) if asked.json else say(f"{count:,} rows of forecasts written to {asked.output}")
        return
    if asked.json:
        bounded = {} if bounds is None else {"low": bounds[0].tolist(), "high": bounds[1].tolist()}
        print_json({"channels": list(predictor.scale.names), "forecasts": forecasts.tolist(), **bounded})
        return
    print(*chunks[0], sep="\t")
    for chunk in chunks:
        for row in zip(*chunk.values(), strict=True):
            print(*(f"{value:.6g}" if isinstance(value, float) else value for value in row), sep="\t")


def steps_table(block: Mapping[str, Any]) -> None:
    """Print the scaled error of model and baselines, and the coverage, at some numbers of steps ahead.

    Args:
        block: one block of `metrics.json`.
    """
    steps = block["by_step"]
    shown = sorted({round(place * (len(steps) - 1) / (STEPS_SHOWN - 1)) for place in range(STEPS_SHOWN)})
    baselines, levels = list(steps[0]["baselines"]), list(steps[0]["coverage"])
    rows = [
        [
            f"{steps[i]['step']:,}",
            f"{steps[i]['mase']:.3f}",
            *(f"{steps[i]['baselines'][name]:.3f}" for name in baselines),
            *(f"{steps[i]['coverage'][level]:.1%}" for level in levels),
        ]
        for i in shown
    ]
    print_table(
        "Scaled error by steps ahead", ["ahead", "model", *baselines, *(f"in {float(of):.0%}" for of in levels)], rows
    )
