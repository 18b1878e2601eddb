"""What the commands call: train with baseline and report, evaluate, predict, compare, tune, reproduce, the demonstration.

Each name is imported when it is first used: most of them need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "ComparisonRequest": "comparison.comparing",
    "Configuration": "configuration",
    "build_configuration": "configuration",
    "PredictionRun": "prediction",
    "ReproductionRequest": "recipes",
    "reproduce": "recipes",
    "run_comparison": "comparison.comparing",
    "run_demo": "demo",
    "run_evaluation": "evaluation",
    "TrainingRequest": "training",
    "run_training": "training",
    "TuningRequest": "tuning.searching",
    "run_tuning": "tuning.searching",
}

__all__ = [
    "ComparisonRequest",
    "Configuration",
    "PredictionRun",
    "ReproductionRequest",
    "TrainingRequest",
    "TuningRequest",
    "build_configuration",
    "reproduce",
    "run_comparison",
    "run_demo",
    "run_evaluation",
    "run_training",
    "run_tuning",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"seqwise.experiments.{_EXPORTS[name]}"), name)
