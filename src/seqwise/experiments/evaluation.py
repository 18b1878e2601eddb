"""What `seqwise evaluate` calls: a trained model and its baseline on other labelled data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.data import DataSettings
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.experiments.figures import Evaluated, figures_beside_baseline, figures_of, stated_costs, verdict
from seqwise.experiments.parts import frame_notes
from seqwise.experiments.reading import Say, read_part
from seqwise.experiments.stored_baseline import load_baseline
from seqwise.prediction import Predictor, add_piece


@dataclass(frozen=True)
class EvaluationOutcome:
    """Figures of a model.

    Attributes:
        name: of the data.
        metrics: a block as in `metrics.json`.
        verdict: one sentence on model and baseline; empty if the folder holds no baseline.
    """

    name: str
    metrics: dict[str, Any]
    verdict: str


def run_evaluation(
    folder: Path,
    data: str,
    *,
    text: str | None = None,
    frames: Sequence[str] | None = None,
    label: str | None = None,
    save: bool = False,
    device: str = "auto",
    say: Say = lambda message: None,
) -> EvaluationOutcome:
    """Evaluate a model folder.

    Args:
        folder: of the model.
        data: a file, or a folder or data set of which the test part is taken.
        text: column of the texts; None is that of training.
        frames: columns of the frames; None are those of training.
        label: column of the classes; None is that of training.
        save: write the figures to `metrics.json` as its block "test".
        device: where to compute.
        say: told what a person should know.

    Raises:
        ModelFolderError: the folder does not hold a sound model.
        ConfigurationError: a column is neither given nor known.
        DataError: rows are not as needed, or have a label that training did not see.
    """
    predictor = Predictor.load(folder, device=device)
    columns = remembered_columns(predictor, text=text, frames=frames, label=label)
    if columns.label is None:
        raise ConfigurationError("the model does not know the column of the labels: name it with --label")
    if not predictor.multilabel:
        columns = columns.model_copy(update={"separator": None})
    part = read_part(data, "test", columns, say, rate=predictor.rate)
    for note in frame_notes([part]):
        say(f"Note: {note}")
    if part.multilabel != predictor.multilabel:
        kinds = "several labels an example", "one label an example"
        there, here = kinds if part.multilabel else kinds[::-1]
        raise DataError(f"{part.name} has {there}, and {folder} was trained on {here}")
    classes = [str(name) for name in predictor.classes]
    targets = part.targets(classes)
    probabilities = predictor.predict_proba(part.texts)
    baseline = load_baseline(folder)
    positive = None if predictor.labels["positive"] is None else str(predictor.labels["positive"])
    seed = int(predictor.settings.get("training", {}).get("seed", 0))
    given: dict[str, Any] = {"positive": positive, "counts": predictor.labels["counts"], "seed": seed}
    given["costs"] = stated_costs(predictor.labels)
    if baseline is None:
        say(f"{folder} holds no baseline to compare with")
        block = figures_of(
            targets,
            probabilities,
            predictor.decide(probabilities),
            classes,
            sample_weight=part.weights,
            **given,
        )
        judged = ""
    else:
        evaluated = Evaluated.of(part, classes, probabilities, baseline, predictor.decisions)
        block = figures_beside_baseline(evaluated, classes, **given)
        judged = verdict(block, "test")
    if save:
        add_piece(folder, "metrics.json", {**read_metrics(folder), "test": block})
    return EvaluationOutcome(part.name, block, judged)


def remembered_columns(
    predictor: Predictor, *, text: str | None = None, frames: Sequence[str] | None = None, label: str | None = None
) -> DataSettings:
    """Return the section `data` of a model's training, with the columns that are given instead.

    Raises:
        ConfigurationError: a column is of the other kind than the model reads, or neither given nor known.
    """
    reads = "frames" if predictor.reads_frames else "text"
    if text and reads == "frames":
        raise ConfigurationError("the model reads frames of numbers: name their columns with --frames")
    if frames and reads == "text":
        raise ConfigurationError("the model reads texts: name their column with --text")
    fields = DataSettings.model_fields
    remembered = {name: of for name, of in predictor.settings.get("data", {}).items() if name in fields}
    given = {"text": text, "frames": tuple(frames or ()) or None, "label": label}
    columns = DataSettings.model_validate({**remembered, **{name: of for name, of in given.items() if of}})
    if getattr(columns, reads) is None:
        raise ConfigurationError(
            f"the model does not know the column of the {reads.rstrip('s')}s: name it with --{reads}"
        )
    return columns


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return what `metrics.json` holds, nothing if there is none.

    Raises:
        ModelFolderError: it is no JSON object.
    """
    path = folder / "metrics.json"
    if not path.exists():
        return {}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} cannot be read: {error}") from None
    if not isinstance(metrics, dict):
        raise ModelFolderError(f"{path} is not that of a model: a JSON object is expected")
    return metrics
