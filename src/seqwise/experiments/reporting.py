"""What a run leaves in the model folder for people: figures, report, model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqwise.data import Duplicates
from seqwise.evaluation import ReportContent, model_card, worst_mistakes, write_report
from seqwise.experiments.environment import environment
from seqwise.experiments.figures import Evaluated
from seqwise.experiments.parts import Part
from seqwise.experiments.reading import TrainingData
from seqwise.prediction import Predictor, add_piece

MISTAKES = 20  # shown in the report
NAMED = 10  # pairs of rows named in a sentence


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Attributes:
        data: that was read.
        positive: the class of interest.
        metrics: content of `metrics.json`.
        evaluated: the evaluated examples of each part.
        settings: sections with every value decided.
        history: a record for each epoch.
        parts: validation figures of each part of the model.
        verdict: one sentence on model and baseline.
        notes: what a reader should know.
        decisions: thresholds, criterion and calibration, as `labels.json` holds them.
        baseline: what the baseline is.
        seconds: of the whole run.
    """

    data: TrainingData
    positive: str | None
    metrics: Mapping[str, Any]
    evaluated: Mapping[str, Evaluated]
    settings: Mapping[str, Any]
    history: list[dict[str, Any]]
    parts: Mapping[str, Mapping[str, float]]
    verdict: str
    notes: list[str]
    decisions: Mapping[str, Any]
    baseline: str
    seconds: float


def save_report(folder: Path, record: RunRecord) -> None:
    """Write metrics.json, report.html and README.md into a model folder."""
    predictor = None if record.data.has_frames else Predictor.load(folder, device="cpu")
    content = report_content(record, predictor)
    add_piece(folder, "metrics.json", record.metrics)
    write_report(folder / "report.html", content)
    example = None
    if not record.data.has_frames:
        example = min(map(str, record.data.training.texts[:100]), key=len)
    add_piece(folder, "README.md", model_card(content, folder=str(folder), data=record.data.name, example=example))


def report_content(record: RunRecord, predictor: Predictor | None = None) -> ReportContent:
    """Return what the report shows of a run: the test examples, or else the validation examples.

    Args:
        record: of the run.
        predictor: of the model, by which the worst mistakes are explained.
    """
    data, shown = record.data, list(record.evaluated.values())[-1]
    return ReportContent(
        title=f"Report on {Path(data.name).name}",
        task=f"{data.label} from {data.text}, {len(data.classes)} {'labels' if data.multilabel else 'classes'}",
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        classes=data.classes,
        metrics=record.metrics,
        verdict=record.verdict,
        targets=shown.targets,
        probabilities=shown.model,
        baseline_probabilities=shown.baseline,
        uncalibrated=shown.uncalibrated,
        decisions=record.decisions,
        positive=record.positive,
        counts={
            name: _counts(part, data.classes)
            for name, part in (("train", data.training), ("validation", data.validation), ("test", data.test))
            if part is not None
        },
        duplicates=list(duplicate_sentences(data.duplicates, "frames" if data.has_frames else "text")),
        history=record.history,
        parts=record.parts,
        mistakes=worst_mistakes(
            shown.part.shown(),
            shown.targets,
            shown.model,
            data.classes,
            limit=MISTAKES,
            rows=shown.part.rows.tolist(),
            predictions=shown.answers,
            predictor=predictor,
        ),
        configuration=record.settings,
        environment=environment(),
        seconds=record.seconds,
        baseline_description=record.baseline,
        notes=record.notes,
    )


def duplicate_sentences(found: Duplicates, what: str = "text") -> Iterable[str]:
    """Say what was found, with the rows named.

    Args:
        found: see `Duplicates`.
        what: an example is: "text" or "frames".
    """
    are = "are" if what == "frames" else "is"
    kinds = (
        (found.duplicates, found.duplicate_rows, f"Training rows that repeat the {what} of an earlier one"),
        (
            found.conflicting,
            found.conflicting_rows,
            f"Training rows with the {what} of another row and a different label, of which at most one can be right",
        ),
        (
            found.across,
            found.across_rows,
            f"Test rows whose {what} {are} in the training data too, so that the test figures flatter model and baseline",
        ),
        (
            found.across_conflicting,
            found.across_conflicting_rows,
            f"Test rows with the {what} of a training row and a label that no such row has",
        ),
    )
    for count, rows, what in kinds:
        if count:
            named = ", ".join(f"{row} like {first}" for row, first in rows[:NAMED])
            yield f"{what}: {count:,} ({named}{' and others' if count > NAMED else ''})."


def _counts(part: Part, classes: list[str]) -> dict[str, int]:
    counts = part.label_counts()
    return {name: counts[name] for name in classes}
