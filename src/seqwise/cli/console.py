"""What goes where: results on standard output, everything that is said to a person while they wait on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Container, Mapping, Sequence
from typing import Any

FIGURES = {  # those of classes, and those of labels of which an example may have several
    "micro_f1": "micro F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "samples_f1": "samples F1",
    "mean_average_precision": "mean average precision",
    "subset_accuracy": "all labels right",
    "hamming_loss": "labels wrong (lower is better)",
    "mcc": "MCC",
    "log_loss": "log loss (lower is better)",
    "expected_calibration_error": "calibration error (lower is better)",
}
POSITIVE_FIGURES = {"precision": "precision", "recall": "recall", "f1": "F1", "pr_auc": "PR-AUC"}
CLASSES_SHOWN = 12  # a longer table scrolls away; the report has all of them


def say(message: str) -> None:
    """Tell the person something that is no result."""
    print(message, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """Print one JSON document; a figure that is not finite has no business in it."""
    print(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def metrics_table(block: Mapping[str, Any], title: str) -> None:
    """Print the figures of the model beside those of the baseline.

    Args:
        block: one block of `metrics.json`, with its `baseline` where there is one.
        title: what was evaluated on what.
    """
    baseline = block.get("baseline")
    figures = dict(FIGURES)
    if "positive" in block:
        figures |= {key: f"{name} of {block['positive']}" for key, name in POSITIVE_FIGURES.items()}
    rows = [
        [name, describe_figure(block.get(key)), *([describe_figure(baseline.get(key))] if baseline else [])]
        for key, name in figures.items()
        if block.get(key) is not None
    ]
    print_table(title, ["", "model", *(["baseline"] if baseline else [])], rows)


def class_table(block: Mapping[str, Any]) -> None:
    """Print precision, recall and F1 of every class, the rarest first, beside those of the baseline."""
    baseline = block.get("baseline")
    classes = sorted(block["per_class"].items(), key=lambda item: item[1]["support"])
    rows = []
    for name, figures in classes[:CLASSES_SHOWN]:
        row = [name, f"{figures['support']:,}"]
        for key in ("precision", "recall", "f1"):
            row.append(_value(figures[key]))
            if baseline:
                row.append(_value(baseline["per_class"][name][key]))
        rows.append(row)
    hidden = len(classes) - CLASSES_SHOWN
    title = "By class" + (f" (the {CLASSES_SHOWN} rarest; {hidden} more in the report)" if hidden > 0 else "")
    beside = ["baseline"] if baseline else []
    header = ["class", "examples", "precision", *beside, "recall", *beside, "F1", *beside]
    print_table(title, header, rows)


def part_table(parts: Mapping[str, Mapping[str, float]]) -> None:
    """Print what each part of the model reaches alone, and all of them together, on the validation examples."""
    shown = [key for key in ("accuracy", "micro_f1", "macro_f1") if key in next(iter(parts.values()))]
    rows = [[name, *(f"{figures[key]:.3f}" for key in shown)] for name, figures in parts.items()]
    print_table("What each part reaches alone (validation)", ["part", *(FIGURES[key] for key in shown)], rows)


def confusion_table(block: Mapping[str, Any]) -> None:
    """Print the confusion matrix, if it is small enough to be read in a terminal."""
    matrix = block.get("confusion_matrix")
    if matrix is None:  # of labels
        return
    classes, counts = matrix["classes"], matrix["counts"]
    if len(classes) > CLASSES_SHOWN:
        return
    rows = [[name, *(f"{count:,}" for count in row)] for name, row in zip(classes, counts, strict=True)]
    print_table("Confusion matrix", ["true \\ predicted", *classes], rows)


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool | Container[int] = True
) -> None:
    """Print a table on standard output.

    Args:
        title: above it.
        header: of the columns.
        rows: of texts.
        numbers: columns that hold numbers and stand to the right; True: all but the first.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Into a pipe or a file the table keeps its natural width: nothing is cut off or wrapped there.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    right = range(1, len(header)) if numbers is True else numbers or ()
    for position, name in enumerate(header):
        table.add_column(Text(name), justify="right" if position in right else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(table)


def describe_figure(figure: Mapping[str, float | None] | None) -> str:
    """A figure with its interval: .914 [.903, .925]."""
    if figure is None or figure["value"] is None:
        return "undefined"
    if figure.get("low") is None or figure.get("high") is None:
        return _value(figure)
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def _value(figure: Mapping[str, float | None]) -> str:
    value = figure["value"]
    return "undefined" if value is None else f"{value:.3f}"
