"""The saved model folder, and raw input -> answer: what serving needs, and never training. No torch until a model runs."""

from seqwise.prediction.decisions import UNSURE, Decisions
from seqwise.prediction.device import resolve_device
from seqwise.prediction.folder import FolderContent, add_piece, is_exported, read_folder, task_of, write_folder
from seqwise.prediction.predictor import Predictor
from seqwise.prediction.restoring import restore

__all__ = [
    "UNSURE",
    "Decisions",
    "FolderContent",
    "Predictor",
    "add_piece",
    "is_exported",
    "read_folder",
    "resolve_device",
    "restore",
    "task_of",
    "write_folder",
]
