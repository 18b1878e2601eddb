"""What a transcriber has heard while an utterance still comes.

Axis letters: D channels, V symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from seqwise.prediction.streaming import Stream, check_stepwise, frame_of

if TYPE_CHECKING:
    from seqwise.models.transcriber import TranscriberNetwork
    from seqwise.models.transcriber_features import TranscriberFeatures

BLANK = 0


@dataclass(frozen=True)
class Hearing:
    """Where a transcriber's network is in an utterance.

    Attributes:
        encoder: its state after the last whole step.
        waiting: frames after it, (1, D) each.
        path: the most probable symbol of every whole step.
    """

    encoder: Any
    waiting: tuple[Any, ...] = ()
    path: tuple[int, ...] = ()


class StreamingTranscriber:
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
        return Stream(Hearing(self.network.start(1)), answer="")

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
        waiting = (*hearing.waiting, frame_of(self.features.frames, x, self.network.head.weight))
        # Until a step is whole it may still change: the state before it is kept.
        copies = tuple(tensor.clone() for tensor in hearing.encoder)
        logits, after = self.network.step(torch.stack(waiting, dim=1), copies)
        path = (*hearing.path, int(logits[0].argmax()))
        text = self.features.write(symbol for symbol, _ in groupby(path) if symbol != BLANK)
        whole = len(waiting) == self.network.settings.reduction
        hearing = Hearing(after, (), path) if whole else Hearing(hearing.encoder, waiting, hearing.path)
        return Stream(hearing, state.steps + 1, text), text
