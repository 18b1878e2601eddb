"""Which folder a run may write to, and what of an older model is removed from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from seqwise.errors import FileError

# What a run writes; nothing else is ever removed.
MODEL_FILES = (
    "config.json",
    "model.safetensors",
    "vocabulary.json",
    "labels.json",
    "metrics.json",
    "history.jsonl",
    "report.html",
    "README.md",
    "baseline.json",
    "baseline.safetensors",
)
CHECKPOINTS = "checkpoints"
LANGUAGE_MODEL = "language_model"  # of a transcriber, a model folder in its own


def check_destination(folder: Path, *, overwrite: bool = False, resume: bool = False) -> None:
    """Refuse a folder that must not be written to. Nothing is changed.

    Args:
        folder: where a model is to be saved; it need not exist.
        overwrite: a model that is there may be replaced.
        resume: a run that was interrupted there is to go on.

    Raises:
        FileError: the folder holds something and neither option allows it, holds something else than a model, or has
            nothing to resume from.
    """
    if overwrite and resume:
        raise FileError("--overwrite begins anew and --resume goes on: give one of them")
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; the model needs a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if resume:
        if not (folder / CHECKPOINTS).is_dir():
            raise FileError(f"{folder} has no checkpoints to resume from")
        return
    if not overwrite:
        raise FileError(f"{folder} is not empty: --overwrite replaces the model in it, --resume goes on training it")
    if not is_model_folder(folder):
        raise FileError(f"{folder} is not empty and does not look like a model folder: choose another one")


def is_model_folder(folder: Path) -> bool:
    """Whether the folder holds a model, or the checkpoints of one in the making."""
    if (folder / CHECKPOINTS).is_dir():
        return True
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "format_version" in config


def clear_model(folder: Path) -> None:
    """Remove the files of an older model; whatever else is in the folder stays."""
    for name in MODEL_FILES:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    if (folder / LANGUAGE_MODEL).is_dir():
        clear_model(folder / LANGUAGE_MODEL)
