"""What is served of each task: one file a task."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from seqwise.errors import ModelFolderError
from seqwise.prediction.folder import task_of
from seqwise.serving.served import Served
from seqwise.serving.settings import ServerSettings

HOMES = {
    "classify": "classification:ServedClassifier",
    "forecast": "forecasting:ServedForecaster",
    "generate": "generation:ServedGenerator",
    "lm": "language:ServedLanguageModel",
    "regress": "regression:ServedRegressor",
    "tag": "tagging:ServedTagger",
    "transcribe": "transcription:ServedTranscriber",
    "translate": "translation:ServedTranslator",
}
"""Tasks and their classes."""


def open_served(name: str, path: Path, settings: ServerSettings) -> Served:
    """Read a model folder, or a file of word vectors, for serving.

    Args:
        name: under which clients know it.
        path: of the folder or file.
        settings: of the server.

    Raises:
        ModelFolderError: it is no sound model folder, or its task is not served.
        DeviceError: there is no such device.
        FileError, DataError: a file that holds no word vectors.
    """
    if path.is_file():
        from seqwise.serving.vectors import ServedVectors

        return ServedVectors.open(name, path, settings)
    if (task := task_of(path)) not in HOMES:
        raise ModelFolderError(f"{path}: models of the task {task!r} are not served")
    module, kind = HOMES[task].split(":")
    return getattr(import_module(f"{__name__}.{module}"), kind).open(name, path, settings)
