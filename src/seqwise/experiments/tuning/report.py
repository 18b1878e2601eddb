"""What a search leaves in its folder: the table of trials, the best configuration, what mattered."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from seqwise.evaluation.drawing import INK, MODEL, heading, new_figure, panel, readable, rules
from seqwise.experiments.comparison.figures import ROW, save_png
from seqwise.experiments.comparison.table import metric_name

if TYPE_CHECKING:
    from seqwise.experiments.tuning.searching import Search

SHOWN = 5  # trials of the printed table


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        number: from 0.
        state: "complete", "pruned" or "fail".
        value: of the metric on the validation examples; None if it is not complete.
        seconds: that it took.
        default: whether it is the default configuration.
        values: setting -> value.
        reason: why it is not complete.
    """

    number: int
    state: str
    value: float | None
    seconds: float
    default: bool
    values: Mapping[str, Any]
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**self.__dict__, "values": dict(self.values), "seconds": round(self.seconds, 2)}


def save_search(search: Search) -> None:
    """Write trials.csv, tune.json, best.yaml, and importance.png where there is something to draw."""
    folder = search.folder
    document = json.dumps(search.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
    (folder / "tune.json").write_text(document + "\n", encoding="utf-8")
    settings = sorted({name for trial in search.trials for name in trial.values})
    with (folder / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", "default", metric_name(search.metric), "seconds", *settings, "reason"])
        for trial in search.trials:
            value = "" if trial.value is None else trial.value
            values = [trial.values.get(name, "") for name in settings]
            writer.writerow(
                [trial.number, trial.state, trial.default, value, round(trial.seconds, 2), *values, trial.reason]
            )
    tree = search.configuration.model_dump(mode="json", exclude_unset=True)
    header = f"# {search.sentence}\n# seqwise train DATA --config {folder / 'best.yaml'} --out DIR\n"
    (folder / "best.yaml").write_text(header + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), "utf-8")
    picture = folder / "importance.png"
    picture.unlink(missing_ok=True)
    if search.importance:
        _draw_importance(search.importance, picture)


def table_of(search: Search) -> tuple[str, list[str], list[list[str]]]:
    """Return title, header and rows of the printed table: the best trials, and the default configuration."""
    complete = [trial for trial in search.trials if trial.value is not None]
    order = sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))
    shown = [trial for place, trial in enumerate(order) if place < SHOWN or trial.default]
    settings = ("model.architecture", "model.cell", "model.hidden_size", "treatment")
    header = ["trial", f"validation {metric_name(search.metric)}", "seconds", *(n.rpartition(".")[2] for n in settings)]
    rows = [
        [
            f"{trial.number}" + (" (default)" if trial.default else ""),
            f"{trial.value:.3f}",
            f"{trial.seconds:.1f}",
            *(str(trial.values.get(name, "-")) for name in settings),
        ]
        for trial in shown
    ]
    return f"The best of {len(search.trials)} trials", header, rows


def _draw_importance(importance: Mapping[str, float], path: Path) -> None:
    """Bars of how much each setting explains of the differences between the trials, the largest on top."""
    pairs = sorted(importance.items(), key=lambda item: item[1])
    names = [readable(name, 30) for name, _ in pairs]
    with rules("importance"):
        left = 18 + 6.8 * max(map(len, names))
        figure = new_figure(left + 330, 70 + ROW * len(pairs))
        axes = panel(figure, left, 48, 60, 12)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xticks([])
        heading(figure, "What mattered", "share of the differences between trials (fANOVA)")
        axes.barh(range(len(pairs)), [share for _, share in pairs], height=0.6, color=MODEL)
        for place, (_, share) in enumerate(pairs):
            axes.annotate(
                f"{share:.0%}", (share, place), (5, 0), textcoords="offset points", va="center", size=10, color=INK
            )
        axes.set_yticks(range(len(pairs)), names, color=INK)
        axes.set_ylim(-0.6, len(pairs) - 0.4)
        save_png(figure, path)
