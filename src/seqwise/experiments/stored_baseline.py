"""The baseline beside the model in its folder, so that every later evaluation can show it again."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError

from seqwise.errors import ModelFolderError
from seqwise.evaluation import Baseline
from seqwise.prediction import add_piece

DESCRIPTION, ARRAYS = "baseline.json", "baseline.safetensors"


def save_baseline(folder: Path, baseline: Baseline) -> None:
    """Add the baseline to a model folder; what reads the folder checks its files too."""
    from safetensors.numpy import save

    add_piece(folder, ARRAYS, save(baseline.arrays()), sealed=True)
    add_piece(folder, DESCRIPTION, baseline.to_dict(), sealed=True)


def load_baseline(folder: Path) -> Baseline | None:
    """Return the baseline of a sound model folder, or None if it has none (it was saved from Python).

    Raises:
        ModelFolderError: its files are damaged.
    """
    from safetensors.numpy import load_file

    if not (folder / DESCRIPTION).exists():
        return None
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return Baseline.from_parts(description, load_file(folder / ARRAYS))
    except (OSError, ValueError, SafetensorError) as error:
        if isinstance(error, ModelFolderError):
            raise
        raise ModelFolderError(f"the baseline in {folder} is damaged: {error}") from None
