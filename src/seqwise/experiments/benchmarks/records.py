"""One measurement, with everything that a reader needs to judge it: machine, versions, commit, spread."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqwise._version import __version__
from seqwise.experiments.benchmarks.cases import Shape
from seqwise.experiments.benchmarks.timing import Sample


@dataclass(frozen=True)
class Machine:
    """Where and with what something was measured."""

    device: str
    threads: int
    torch: str
    seqwise: str
    commit: str

    @classmethod
    def here(cls, threads: int) -> Machine:
        """This machine, with the versions that are running."""
        return cls(find_device(), threads, version("torch"), __version__, find_commit())


@dataclass(frozen=True)
class Measurement:
    """One comparison at one shape.

    Attributes:
        criterion: Name of the line of the table.
        cell: The recurrence.
        shape: B, T, D, H.
        unit: Of `ours` and `theirs`.
        ours: Our side.
        theirs: The other side; None for a figure of ours alone.
        ours_is: Backend, or what our side is.
        theirs_is: What the other side is.
        figure: What the criterion judges: their median by ours, or for small-is-good ours by theirs, or ours.
        pair_ratio: The median over repetitions of the ratio within a repetition.
        gflops: What our side reaches, in GFLOP/s of matrix products.
        peak_share: The same as a share of the machine's measured peak.
        difference: Largest relative difference from the oracle, of both sides.
        note: Why there is no figure: "not available: ..." or "refused: ...".
    """

    criterion: str
    cell: str
    shape: Shape | None = None
    unit: str = ""
    ours: Sample | None = None
    theirs: Sample | None = None
    ours_is: str = ""
    theirs_is: str = ""
    figure: float | None = None
    pair_ratio: float | None = None
    gflops: float | None = None
    peak_share: float | None = None
    difference: float | None = None
    note: str = ""

    @property
    def refused(self) -> bool:
        """It was not timed, because a result was wrong."""
        return self.note.startswith("refused")

    def to_row(self, machine: Machine) -> dict[str, Any]:
        """One line of the CSV."""
        batch, steps, features, hidden = self.shape or ("", "", "", "")
        row: dict[str, Any] = {"row": self.criterion, "cell": self.cell}
        row |= {"batch": batch, "steps": steps, "features": features, "hidden": hidden, "unit": self.unit}
        for name, sample, who in (("ours", self.ours, self.ours_is), ("theirs", self.theirs, self.theirs_is)):
            row |= {
                f"{name}_is": who,
                f"{name}_median": _round(sample and sample.median),
                f"{name}_p10": _round(sample and sample.low),
                f"{name}_p90": _round(sample and sample.high),
            }
        row |= {name: _round(getattr(self, name)) for name in ("figure", "pair_ratio", "gflops", "peak_share")}
        row |= {"difference": _round(self.difference), "repeats": len(self.ours.values) if self.ours else 0}
        return row | {"note": self.note} | asdict(machine)

    def describe(self) -> str:
        """One line for the person who waits."""
        place = f"{self.criterion} {self.shape or ''} {self.cell}".replace("  ", " ")
        if self.ours is None:
            return f"{place}: {self.note}"
        other = f", {self.theirs_is} {self.theirs.median:.4g}" if self.theirs else ""
        figure = "" if self.figure is None else f": {self.figure:.2f}"
        return f"{place}: {self.ours_is} {self.ours.median:.4g}{other} {self.unit}{figure}"


def find_device() -> str:
    """The model of the CPU, and how many cores this process may use."""
    import torch

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, {cores} cores"


def find_commit() -> str:
    """The commit of the source tree, with + if it was changed since; empty for an installed package."""
    folder = Path(__file__).resolve().parent

    def ask(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.strip()

    try:
        return ask("rev-parse", "--short", "HEAD") + ("+" if ask("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _round(value: float | None) -> float | None:
    """Four digits, which is more than a measurement holds; None for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
