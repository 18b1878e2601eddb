"""Raw input -> numbers, from a saved regressor.

Axis letters: n examples, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from seqwise.errors import DataError, ModelFolderError
from seqwise.prediction.device import resolve_device
from seqwise.prediction.folder import FolderContent, read_folder
from seqwise.prediction.predictor import RestoredClassifier, chunks
from seqwise.prediction.restoring import restore
from seqwise.prediction.target_scale import TargetScale


class RegressorPredictor:
    """A saved regressor that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        scale: names and units of the K targets.
    """

    def __init__(self, content: FolderContent, model: RestoredClassifier) -> None:
        self.config, self.settings = content.config, content.settings
        self.scale = TargetScale.from_dict(content.config["targets"])
        self.model = model

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Args:
            path: of the folder.
            device: "auto", "cpu", "cuda" or "cuda:N".

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a regressor.
            DeviceError: there is no such device.
        """
        target = resolve_device(device)
        content = read_folder(path)
        if content.config["estimator"] != "SequenceRegressor":
            raise ModelFolderError(f"{content.path} holds a {content.config['estimator']}, not a regressor")
        model = cast("RestoredClassifier", restore(content))
        model.module.to(target)
        try:
            return cls(content, model)
        except (DataError, KeyError) as error:
            raise ModelFolderError(f"{content.path} does not describe a regressor: {error}") from None

    def predict(self, inputs: Iterable[Any], batch_size: int = 256) -> np.ndarray:
        """Return the K numbers of every input, (n, K) float64, in the targets' own units and the order of the inputs.

        Args:
            inputs: strings, for a model of tokens also lists of strings; or frames, if the model reads such.
            batch_size: computed together, at the most; inputs of near-equal length come into one batch.

        Raises:
            DataError: something is no such input.
        """
        from seqwise.models import logits_of

        if batch_size < 1:
            raise DataError(f"batch_size is a positive number, got {batch_size}")
        parts = [
            logits_of(self.model.module, self.model.encode(chunk), batch_size=batch_size)
            for chunk in chunks(inputs, self.config["unit"])
        ]
        answers = np.concatenate(parts) if parts else np.empty((0, len(self.scale.names)))
        return self.scale.restored(answers)

    def named(self, answers: np.ndarray) -> list[dict[str, float]]:
        """Return each row of `predict` as target -> number."""
        return [dict(zip(self.scale.names, row, strict=True)) for row in answers.tolist()]

    @property
    def reads_frames(self) -> bool:
        """Whether the model reads frames of numbers, not texts."""
        return bool(self.config["unit"] == "frames")
