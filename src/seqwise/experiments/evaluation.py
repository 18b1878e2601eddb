"""What `seqwise evaluate` calls: a trained model and its baseline on other labelled data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.experiments.figures import Evaluated, figures_beside_baseline, figures_of, stated_costs, verdict
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
    remembered = predictor.settings.get("data", {})
    text, label = text or remembered.get("text"), label or remembered.get("label")
    for option, column in (("text", text), ("label", label)):
        if not column:
            raise ConfigurationError(f"the model does not know the column of the {option}s: name it with --{option}")
    separator = remembered.get("separator") if predictor.multilabel else None
    part = read_part(data, "test", str(text), str(label), remembered.get("weight"), say, separator=separator)
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
