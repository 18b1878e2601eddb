"""What the commands call: train with baseline and report, evaluate, predict, reproduce, and the demonstration.

Each name is imported when it is first used: most of them need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "Configuration": "configuration",
    "build_configuration": "configuration",
    "PredictionRun": "prediction",
    "ReproductionRequest": "recipes",
    "reproduce": "recipes",
    "run_demo": "demo",
    "run_evaluation": "evaluation",
    "TrainingRequest": "training",
    "run_training": "training",
}

__all__ = [
    "Configuration",
    "PredictionRun",
    "ReproductionRequest",
    "TrainingRequest",
    "build_configuration",
    "reproduce",
    "run_demo",
    "run_evaluation",
    "run_training",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"seqwise.experiments.{_EXPORTS[name]}"), name)
