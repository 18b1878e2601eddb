"""What a transcriber has heard while an utterance still comes.

Axis letters: D channels, V symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.errors import DataError
from seqwise.prediction.streaming import Stream, Streaming, check_stepwise, frame_of

if TYPE_CHECKING:
    from seqwise.models.transcriber import TranscriberNetwork
    from seqwise.models.transcriber_features import TranscriberFeatures

BLANK = 0


@dataclass(frozen=True)
class Hearing:
    """Where a transcriber's network is in an utterance.

    Attributes:
        encoder: its state after the last whole step.
        waiting: frames after it, fewer than make a step, (1, frames, D).
        path: the most probable symbol of every whole step, (S,) int64.
    """

    encoder: Any
    waiting: Any
    path: np.ndarray


class StreamingTranscriber(Streaming):
    """What a transcriber's predictor has for utterances that come frame by frame."""

    features: TranscriberFeatures
    network: TranscriberNetwork

    def start(self) -> Stream:
        """Where an utterance begins.

        Raises:
            ConfigurationError: the model needs whole utterances: it reads in both directions, a convolution looks ahead, or
                frames are prepared from several of them.
        """
        check_stepwise(self.features.frames.settings)
        weight = self.network.head.weight
        waiting = weight.new_zeros(1, 0, self.features.frames.channels)
        return Stream(Hearing(self.network.start(1), waiting, np.empty(0, np.int64)), answer="")

    def step(self, state: Stream, x: Any) -> tuple[Stream, str]:
        """Read on, and say what has been heard so far.

        Args:
            state: as `start` or the last step gave it.
            x: one frame, (D,).

        Returns:
            The state, and the text of the most probable symbols: what a beam of 1 finds in the utterance up to here.

        Raises:
            DataError: it is no frame, has another number of channels, or a number is missing.
        """
        import torch

        hearing: Hearing = state.network
        frame = torch.from_numpy(frame_of(self.features.frames, x)).to(hearing.waiting)
        waiting = torch.cat([hearing.waiting, frame[None, None]], dim=1)
        # Until a step is whole it may still change: the state before it is kept.
        copies = tuple(tensor.clone() for tensor in hearing.encoder)
        logits, after = self.network.step(waiting, copies)
        path = np.append(hearing.path, int(logits[0].argmax()))
        text = self.features.write(symbol for symbol, _ in groupby(path.tolist()) if symbol != BLANK)
        if waiting.shape[1] == self.network.settings.reduction:
            hearing = Hearing(after, waiting[:, :0], path)
        else:
            hearing = Hearing(hearing.encoder, waiting, hearing.path)
        return Stream(hearing, state.steps + 1, text), text

    def _growing(self) -> dict[str, int]:
        return {**super()._growing(), "waiting": 1, "path": 0}

    def _check_state(self, state: Stream) -> None:
        hearing: Hearing = state.network
        known = len(self.network.head.weight)
        if (
            hearing.waiting.shape[1] >= self.network.settings.reduction
            or not ((hearing.path >= 0) & (hearing.path < known)).all()
        ):
            raise DataError("the state is damaged: no utterance leads to it")
