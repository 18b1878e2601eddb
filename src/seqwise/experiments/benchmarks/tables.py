"""A table of measurements: its lines with what is wanted of them, and the files that a run leaves."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from math import exp, log
from pathlib import Path
from typing import Any

from seqwise.experiments.benchmarks.records import Machine, Measurement

COLUMNS = tuple(Measurement("", "").to_row(Machine("", 0, "", "", "")))


@dataclass(frozen=True)
class Criterion:
    """A line of the table: what is compared with what, and which figure is wanted.

    Attributes:
        name: Key of its measurements.
        what: Ours.
        against: Theirs, or the unit of a figure of ours alone.
        at_least: Must hold.
        aim: Would be better.
        at_most: The figure is a share or a number of seconds: small is good.
        everywhere: It is wanted of the worst measurement, not of the geometric mean.
    """

    name: str
    what: str
    against: str
    at_least: float
    aim: float
    at_most: bool = False
    everywhere: bool = False

    def judge(self, figure: float) -> str:
        """In words: aim reached, holds, or missed."""
        sign = -1 if self.at_most else 1
        if sign * figure >= sign * self.aim:
            return "aim reached"
        return "holds" if sign * figure >= sign * self.at_least else "MISSED"


@dataclass(frozen=True)
class Table:
    """All measurements of a run.

    Attributes:
        title: What was asked.
        machine: Where.
        criteria: The lines of the summary, in order.
        measurements: All rows.
        peak: GFLOP/s of the best float32 product on this machine.
    """

    title: str
    machine: Machine
    criteria: Sequence[Criterion]
    measurements: Sequence[Measurement]
    peak: float

    @property
    def refused(self) -> bool:
        """Something was not timed, because its result was wrong."""
        return any(m.refused for m in self.measurements)

    def summary(self) -> list[dict[str, Any]]:
        """For every criterion that was measured: geometric mean and worst of shapes, what is wanted, and the verdict."""
        lines = []
        for criterion in self.criteria:
            mine = [m for m in self.measurements if m.criterion == criterion.name]
            if not mine:
                continue
            figures = [m.figure for m in mine if m.figure is not None]
            mean = geometric_mean(figures) if figures else None
            worst = (max if criterion.at_most else min)(figures, default=None)
            judged = worst if criterion.everywhere else mean
            shares = [m.peak_share for m in mine if m.peak_share is not None]
            refused = any(m.refused for m in mine)
            verdict = "REFUSED" if refused else criterion.judge(judged) if judged is not None else mine[0].note
            lines.append(
                {
                    "row": criterion.name,
                    "what": criterion.what,
                    "against": criterion.against,
                    "figure": mean,
                    "worst": worst,
                    "peak_share": geometric_mean(shares) if shares else None,
                    "shapes": len(figures),
                    "limit": f"{'at most' if criterion.at_most else 'at least'} {criterion.at_least:g}",
                    "aim": criterion.aim,
                    "verdict": verdict,
                }
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "title": self.title,
            **asdict(self.machine),
            "peak_gflops": self.peak,
            "summary": self.summary(),
            "measurements": [m.to_row(self.machine) for m in self.measurements],
        }

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `name`.csv and `name`.md; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        table, page = folder / f"{name}.csv", folder / f"{name}.md"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(m.to_row(self.machine) for m in self.measurements)
        page.write_text(self.to_markdown(), encoding="utf-8")
        return table, page

    def as_printed(self) -> tuple[str, list[str], list[list[str]]]:
        """Title, header and rows of the summary as text."""
        rows = [[_text(value) for value in line.values()] for line in self.summary()]
        return (
            self.title,
            ["row", "what", "against", "figure", "worst", "peak share", "shapes", "limit", "aim", "verdict"],
            rows,
        )

    def describe_machine(self) -> str:
        """Where and with what it was measured, and how to read the figures."""
        m = self.machine
        return (
            f"{m.device}, {m.threads} threads, PyTorch {m.torch}, Seqwise {m.seqwise}, commit {m.commit or 'unknown'}. "
            f"Best float32 product on this machine: {self.peak:.0f} GFLOP/s. Medians; figures are geometric means over the "
            "shapes; above 1 we are faster, unless the limit says at most."
        )

    def to_markdown(self) -> str:
        """The summary, then every measurement."""
        _, head, summary = self.as_printed()
        columns = [c for c in COLUMNS if c not in {f.name for f in fields(Machine)}]
        rows = [[_text(row[c]) for c in columns] for row in (m.to_row(self.machine) for m in self.measurements)]
        return (
            f"# {self.title}\n\n{self.describe_machine()}\n\n{_markdown(head, summary)}\n"
            f"## Every measurement\n\n{_markdown(columns, rows)}"
        )


def geometric_mean(values: Sequence[float]) -> float:
    """The mean for ratios."""
    return exp(sum(log(v) for v in values) / len(values))


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
