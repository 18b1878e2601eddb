"""What a comparison leaves in its folder: tables for machines and people, pictures, one page."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seqwise.experiments.comparison.figures import save_pictures
from seqwise.experiments.comparison.table import Row, metric_name

if TYPE_CHECKING:
    from seqwise.experiments.comparison.comparing import Comparison

COLUMNS = (
    *("name", "kind", "seeds", "value", "low", "high", "difference", "difference_low", "difference_high", "p"),
    *("accuracy", "balanced_accuracy", "g_mean", "macro_f1", "weighted_f1", "mcc"),  # of classes
    *("micro_f1", "samples_f1", "subset_accuracy"),  # of several labels an example
    *("validation", "seconds", "parameters"),
)
BESIDE = {  # shown beside the metric, as far as the data have them
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced acc.",
    "micro_f1": "micro F1",
    "samples_f1": "samples F1",
}


def save_comparison(comparison: Comparison) -> None:
    """Write compare.csv, compare.json, compare.md, compare.html and the pictures; all are replaced each time."""
    folder = comparison.folder
    folder.mkdir(parents=True, exist_ok=True)
    document = json.dumps(comparison.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
    (folder / "compare.json").write_text(document + "\n", encoding="utf-8")
    _write_csv(folder / "compare.csv", comparison)
    pictures = {}
    if any(row.kind == "reference" for row in comparison.rows):
        chosen = comparison.chosen
        pictures = save_pictures(folder, comparison.rows, comparison.metric, comparison.class_sizes, chosen)
    (folder / "compare.md").write_text(_markdown(comparison, pictures=bool(pictures)), encoding="utf-8")
    (folder / "compare.html").write_text(_page(comparison, pictures), encoding="utf-8")


def table_of(comparison: Comparison) -> tuple[str, list[str], list[list[str]]]:
    """Return title, header and rows of the table as it is printed."""
    reference = comparison.variation.reference.name
    header = [
        comparison.variation.vary,
        metric_name(comparison.metric),
        f"difference to {reference}",
        "p (Holm)",
        *(
            name
            for name, key in (("accuracy", "accuracy"), ("balanced acc.", "balanced_accuracy"))
            if key != comparison.metric
        ),
        "seconds",
        "parameters",
    ]
    return comparison.title, header, [_cells(row, _beside(comparison)) for row in comparison.rows]


def _beside(comparison: Comparison) -> list[str]:
    there = comparison.rows[0].figures if comparison.rows else {}
    return [key for key in BESIDE if key in there and key != comparison.metric]


def _cells(row: Row, beside: list[str]) -> list[str]:
    value, gap = row.value, row.difference
    interval = "" if value["low"] is None or value["high"] is None else f" [{value['low']:.3f}, {value['high']:.3f}]"
    difference = "-"
    if gap is not None and gap["value"] is not None:
        difference = f"{gap['value']:+.3f}"
        if gap["low"] is not None and gap["high"] is not None:
            difference += f" [{gap['low']:+.3f}, {gap['high']:+.3f}]"
    figures = [row.figures.get(key) for key in beside]
    return [
        row.name,
        ("undefined" if value["value"] is None else f"{value['value']:.3f}") + interval,
        difference,
        "-" if row.p is None else "<.001" if row.p < 0.001 else f"{row.p:.3f}",
        *("-" if figure is None else f"{figure:.3f}" for figure in figures),
        f"{row.seconds:.1f}",
        f"{row.parameters:,}",
    ]


def _write_csv(path: Path, comparison: Comparison) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in comparison.rows:
            gap = row.difference or {"value": None, "low": None, "high": None}
            values = {
                **{name: value for name, value in row.to_dict().items() if name in COLUMNS},
                **row.value,
                **{f"difference{end}": gap[key] for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))},
            }
            writer.writerow({name: "" if value is None else value for name, value in values.items()})


def _markdown(comparison: Comparison, *, pictures: bool) -> str:
    title, header, rows = table_of(comparison)

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    parts = [
        f"# {title}",
        comparison.recommendation,
        "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)]),
        *([f"- {name}: {text}" for name, text in _remarks(comparison)]),
    ]
    if pictures:
        parts.append(
            "![The metric of every variant](metric.png)\n\n![Recall against the size of the class](recall.png)"
        )
    return "\n\n".join(parts) + "\n"


def _page(comparison: Comparison, pictures: dict[str, str]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("seqwise.experiments.comparison"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    title, header, rows = table_of(comparison)
    return environment.get_template("comparison.html").render(
        title=title,
        recommendation=comparison.recommendation,
        header=header,
        rows=rows,
        remarks=_remarks(comparison),
        pictures=[Markup(picture) for picture in pictures.values()],
    )


def _remarks(comparison: Comparison) -> list[tuple[str, str]]:
    """What there is to say beside the table: what each row is, what was skipped, what to know of the data."""
    remarks = [(row.name, row.summary) for row in comparison.rows if row.summary]
    remarks += [(name, f"skipped: {reason}") for name, reason in comparison.skipped.items()]
    remarks += [("note", text) for text in comparison.notes]
    if comparison.done < comparison.planned:
        remarks.append(("unfinished", f"{comparison.done} of {comparison.planned} runs; the same command goes on"))
    return remarks
