"""Raw input -> numbers, from a saved regressor.

Axis letters: n examples, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.predictor import chunks
from seqwise.prediction.restoring import open_model
from seqwise.prediction.streaming import Stream, StreamingReader, check_stepwise
from seqwise.prediction.target_scale import TargetScale

if TYPE_CHECKING:
    from seqwise.models.classifier import PartState


class RegressorPredictor(StreamingReader):
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

    @overload
    def start(self) -> Stream: ...

    @overload
    def start(self, batch: int) -> PartState: ...

    def start(self, batch: int | None = None) -> Stream | PartState:
        """Return the state before the first step, for `step`.

        Args:
            batch: None: of one sequence, as every predictor has it; B: of B sequences that come side by side.

        Raises:
            ConfigurationError: the model needs whole sequences.
        """
        if batch is None:
            return super().start()
        if self.reads_frames:
            check_stepwise(self.model.features.frames.settings)
        elif self.settings["text"].get("end_mark"):
            raise ConfigurationError("text.end_mark is read after the last symbol: side by side there is none")
        state: PartState = self.model.module.eval().start(batch)
        return state

    def step(self, state: Any, x: Any) -> tuple[Any, np.ndarray]:
        """Read one step, and return the state after it and the numbers as of now.

        They are exactly those of `predict` for the sequences until then.

        Args:
            state: of `start` or of the step before; it holds no longer.
            x: of one sequence a token, a piece of text or a frame (D,). Of B side by side: a symbol (a token) of each, or a
                frame, (B, D).

        Returns:
            The state, and the numbers, (K,); of B sequences (B, K).

        Raises:
            DataError: x is no such thing, or not one symbol or frame for each sequence.
        """
        if isinstance(state, Stream):
            return super().step(state, x)
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
    def _saved(self) -> Any:
        return self.model

    @property
    def _outputs(self) -> int:
        return len(self.scale.names)

    def _answer(self, logits: np.ndarray) -> np.ndarray:
        return self.scale.restored(logits[None].astype(np.float32))[0]

    @property
    def reads_frames(self) -> bool:
        """Whether the model reads frames of numbers, not texts."""
        return bool(self.config["unit"] == "frames")
