"""The report's content of a multi-label model with known figures."""

from typing import Any

import numpy as np
from sample_report import epoch

from seqwise.evaluation.mistakes import worst_mistakes
from seqwise.evaluation.report import ReportContent
from seqwise.metrics import multilabel_metrics


def scored_labels(labels: int, examples: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets with a long tail of labels that go together, and probabilities of a model and of a worse baseline."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(examples, 1))
    targets = common + generator.normal(size=(examples, labels)) > np.linspace(0.4, 2.6, labels)
    targets[:labels] |= np.eye(labels, dtype=bool)
    logits = [generator.normal(size=targets.shape) + pull * targets - 2 for pull in (3.0, 1.5)]
    model, baseline = (1 / (1 + np.exp(-z)) for z in logits)
    return targets.astype(int), model, baseline


def sample_labels(names: list[str], **changes: Any) -> ReportContent:
    targets, model, baseline = scored_labels(len(names))
    counts = {name: int(count) for name, count in zip(names, targets.sum(axis=0), strict=True)}
    thresholds = np.linspace(0.3, 0.6, len(names))
    given: dict[str, Any] = {"counts": list(counts.values()), "resamples": 50}
    block = multilabel_metrics(targets, model, names, predictions=model >= thresholds, **given)
    block["baseline"] = multilabel_metrics(targets, baseline, names, **given)
    fields: dict[str, Any] = {
        "title": "Sample",
        "classes": names,
        "metrics": {"validation": block, "test": block},
        "verdict": "The model beats the baseline.",
        "targets": targets,
        "probabilities": model,
        "baseline_probabilities": baseline,
        "uncalibrated": model**2,
        "decisions": {
            "thresholds": thresholds.tolist(),
            "calibration": {"method": "platt"},
            "criterion": {
                "name": "f1",
                "figure": "F1",
                "of": None,
                "examples": 200,
                "before": 0.41,
                "after": 0.52,
                "reached": True,
                "costs": None,
                "shared": 0.31,
                "calibration": {
                    "examples": 200,
                    "log_loss_before": 0.4,
                    "log_loss_after": 0.3,
                    "error_before": 0.09,
                    "error_after": 0.02,
                },
            },
        },
        "counts": {"train": counts, "test": counts},
        "history": [epoch(1) | {"validation": {"macro_f1": 0.4, "micro_f1": 0.5, "log_loss": 0.3}}, epoch(2)],
        "parts": {"linear": {"macro_f1": 0.4, "micro_f1": 0.5, "mean_average_precision": 0.45, "log_loss": 0.3}},
        "mistakes": worst_mistakes(
            [f"text {n}" for n in range(len(targets))], targets, model, names, limit=3, predictions=model >= thresholds
        ),
    }
    return ReportContent(**(fields | changes))
