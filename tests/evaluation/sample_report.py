"""A report's content with known figures, for the tests of report, figures and card."""

from typing import Any

import numpy as np

from seqwise.evaluation.report import ReportContent
from seqwise.metrics import classification_metrics


def scored(classes: int, examples: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets with a long tail, and probabilities of a good model and of a worse baseline."""
    generator = np.random.default_rng(seed)
    shares = 1 / np.arange(1, classes + 1)
    targets = generator.choice(classes, size=examples, p=shares / shares.sum())
    targets[:classes] = np.arange(classes)
    scores = [generator.normal(size=(examples, classes)) + pull * np.eye(classes)[targets] for pull in (3.0, 1.5)]
    model, baseline = (np.exp(s) / np.exp(s).sum(axis=1, keepdims=True) for s in scores)
    return targets, model, baseline


def sample(names: list[str], split: str = "test", **changes: Any) -> ReportContent:
    targets, model, baseline = scored(len(names))
    block = classification_metrics(targets, model, names, resamples=50)
    block["baseline"] = classification_metrics(targets, baseline, names, resamples=50)
    counts = {name: int(count) for name, count in zip(names, np.bincount(targets), strict=True)}
    fields: dict[str, Any] = {
        "title": "Sample",
        "classes": names,
        "metrics": {"validation": block} | ({"test": block} if split == "test" else {}),
        "verdict": "The model beats the baseline.",
        "targets": targets,
        "probabilities": model,
        "baseline_probabilities": baseline,
        "counts": {"train": counts, split: counts},
        "history": [epoch(1), epoch(2), epoch(3, best=True)],
        "configuration": {"seed": 3, "model": {"hidden_size": 128, "head": None}},
        "environment": {"python": "3.11"},
        "seconds": 61.0,
    }
    return ReportContent(**(fields | changes))


def epoch(number: int, *, best: bool = False) -> dict[str, Any]:
    return {
        "epoch": number,
        "loss": 1 / number,
        "learning_rate": 0.01,
        "gradient_norm": 2.0 * number,
        "gradient_norm_max": 90.0 / number,
        "seconds": 1.0,
        "validation": {"accuracy": 0.8, "macro_f1": 0.7, "balanced_accuracy": 0.7, "log_loss": 0.5},
        "best": best,
    }
