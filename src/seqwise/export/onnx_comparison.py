"""The figures of a model before and after its export, on the same labelled data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqwise.experiments.evaluation import run_evaluation
from seqwise.prediction import task_of

SHOWN = ("accuracy", "macro_f1", "micro_f1", "log_loss", "expected_calibration_error")
"""Figures of classifiers; of the other tasks their own."""


def compare_figures(
    folder: Path, exported: Path, data: str, say: Callable[[str], None]
) -> dict[str, tuple[float, float]]:
    """Return the figures of both models, by name.

    Args:
        folder: of the model.
        exported: folder of the exported one.
        data: a file, or a folder or data set of which the test part is taken.
        say: told what a person should know.

    Raises:
        DataError: the data are not as the model needs them.
    """
    before, after = _figures(folder, data, say), _figures(exported, data, lambda message: None)
    return {name: (before[name], after[name]) for name in before if name in after}


def _figures(folder: Path, data: str, say: Callable[[str], None]) -> dict[str, float]:
    task = task_of(folder)
    if task == "classify":
        block: dict[str, Any] = run_evaluation(folder, data, say=say).metrics
        names = {name: name.replace("_", " ") for name in SHOWN}
    else:
        from seqwise.experiments.tasks import find_task, run_task_evaluation

        _, block, _ = run_task_evaluation(folder, data, columns={}, save=False, device="cpu")
        names = find_task(task).figures(block)
    found = {said: block[name] for name, said in names.items() if name in block}
    values = {said: figure["value"] if isinstance(figure, dict) else figure for said, figure in found.items()}
    return {said: float(value) for said, value in values.items() if value is not None}
