"""Raw input -> numbers, from a saved regressor.

Axis letters: n examples, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.predictor import chunks
from seqwise.prediction.restoring import open_model
from seqwise.prediction.streaming import check_stepwise
from seqwise.prediction.target_scale import TargetScale

if TYPE_CHECKING:
    from seqwise.models.classifier import PartState


class RegressorPredictor:
    """A saved regressor that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        scale: names and units of the K targets.
        model: the module, and what makes batches of inputs.
    """

    def __init__(self, content: FolderContent, model: Any) -> None:
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
        content, model = open_model(path, device, "SequenceRegressor", "a regressor")
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
        if batch_size < 1:
            raise DataError(f"batch_size is a positive number, got {batch_size}")
        parts = [
            self.model.logits(self.model.encode(chunk), batch_size=batch_size)
            for chunk in chunks(inputs, self.config["unit"])
        ]
        answers = np.concatenate(parts) if parts else np.empty((0, len(self.scale.names)))
        return self.scale.restored(answers)

    def named(self, answers: np.ndarray) -> list[dict[str, float]]:
        """Return each row of `predict` as target -> number."""
        return [dict(zip(self.scale.names, row, strict=True)) for row in answers.tolist()]

    def start(self, batch: int = 1) -> PartState:
        """Return the state before the first step of B sequences, for `step`.

        Raises:
            ConfigurationError: the model needs whole sequences.
        """
        if self.reads_frames:
            check_stepwise(self.model.features.frames.settings)
        elif self.settings["text"].get("end_mark"):
            raise ConfigurationError("text.end_mark is read after the last symbol: one step at a time there is none")
        state: PartState = self.model.module.eval().start(batch)
        return state

    def step(self, state: PartState, x: Sequence[Any]) -> tuple[PartState, np.ndarray]:
        """Read one step of each of B sequences, and return the state after it and the numbers as of now, (B, K).

        They are exactly those of `predict` for the sequences until then.

        Args:
            state: of `start` or of the step before; it holds no longer.
            x: a symbol (a token) of each sequence, or a frame, (B, D).

        Raises:
            DataError: not one symbol or frame for each sequence.
        """
        batch = len(state.pooled.total)
        steps = [np.asarray(frame, dtype=np.float32)[None] for frame in x] if self.reads_frames else [[of] for of in x]
        examples = self.model.encode(steps) if len(steps) == batch else None
        if examples is None or not (examples.lengths == 1).all():
            raise DataError(f"a step has one symbol or frame for each of {batch} sequences")
        read = examples.batch(np.arange(batch))
        given = read.frames[:, 0] if self.reads_frames else read.tokens[:, 0]
        numbers, after = self.model.module.step(given.to(self.model.module.scales.device), state)
        return after, self.scale.restored(numbers.float().cpu().numpy())

    @property
    def reads_frames(self) -> bool:
        """Whether the model reads frames of numbers, not texts."""
        return bool(self.config["unit"] == "frames")
