"""Regressors: what `seqwise predict` does for them, and their errors by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqwise.cli.asked import Asked
from seqwise.cli.console import print_json, print_table, say
from seqwise.errors import DataError

ROWS_SHOWN = 12


def predict_numbers(asked: Asked) -> None:
    """Answer texts or the rows of a file with numbers, a line each: the numbers, and the beginning of the text."""
    from seqwise.experiments.answers import write_answers
    from seqwise.experiments.number_prediction import read_inputs, with_numbers
    from seqwise.prediction.regressor import RegressorPredictor

    predictor = RegressorPredictor.load(asked.folder, asked.device)
    rows = None
    if asked.input is not None:
        given, rows = read_inputs(asked.input, asked.column, predictor)
    else:
        if predictor.reads_frames:
            raise DataError("the model reads frames of numbers: give a file of them by --input")
        given = asked.lines()
    answers = predictor.predict(given)
    if asked.output is not None:
        chunks = iter([{"text": list(given)}]) if rows is None else rows
        written = with_numbers(chunks, answers, predictor.scale.names)
        count = write_answers(asked.output, written, overwrite=asked.overwrite)
        document = {"output": str(asked.output), "rows": count}
        print_json(document) if asked.json else say(f"{count:,} rows with their numbers written to {asked.output}")
        return
    if asked.json:
        print_json({"targets": list(predictor.scale.names), "predictions": predictor.named(answers)})
        return
    for number, row in enumerate(answers):
        shown = "" if predictor.reads_frames else beginning(given[number])
        print(*(f"{value:.4g}" for value in row), shown, sep="\t", flush=True)


def beginning(text: Any) -> str:
    """The first characters of a text, on one line."""
    words = " ".join((text if isinstance(text, str) else " ".join(map(str, text)))[:240].split())
    return words if len(words) <= 60 else words[:59] + "…"


def values_table(block: Mapping[str, Any]) -> None:
    """Print the error and the bias at each range of true values.

    Args:
        block: one block of `metrics.json`.
    """
    baseline = block.get("baseline", {}).get("per_value", {})
    for name, rows in block["per_value"].items():
        beside = baseline.get(name)
        listed = []
        for place, row in enumerate(rows[:ROWS_SHOWN]):
            low, high = row["low"], row["high"]
            of = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            theirs = [f"{beside[place]['mae']:.3f}"] if beside else []
            listed.append([of, f"{row['examples']:,}", f"{row['mae']:.3f}", f"{row['bias']:+.3f}", *theirs])
        title = f"By true value of {name}" if len(block["per_value"]) > 1 else "By true value"
        headers = ["", "there", "absolute error", "bias", *(["baseline's error"] if beside else [])]
        print_table(title, headers, listed)
