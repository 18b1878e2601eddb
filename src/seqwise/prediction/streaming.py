"""Answers while a sequence still comes: after every step what the whole sequence up to it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.prediction.decisions import Decisions
from seqwise.text.vocabulary import EOS, UNK

if TYPE_CHECKING:
    from seqwise.models import FrameFeatures, FrameSettings, LanguageNetwork, TaggerNetwork
    from seqwise.text import TextPipeline


@dataclass(frozen=True)
class Stream:
    """Where a model is in a sequence. A step writes to it and returns the next one: the one before holds no longer.

    Attributes:
        network: state of the network.
        steps: that have been read.
        answer: the last one.
    """

    network: Any
    steps: int = 0
    answer: Any = None


class StreamingClassifier:
    """What a classifier's predictor has for sequences that come step by step."""

    config: dict[str, Any]
    decisions: Decisions
    multilabel: bool
    _model: Any

    def start(self) -> Stream:
        """Where a sequence begins.

        Raises:
            ConfigurationError: the model needs whole sequences: it reads in both directions, has an n-gram part, or frames
                are prepared from several steps.
        """
        if self.config["unit"] == "frames":
            check_stepwise(self._model.features.frames.settings)
        return Stream(self._model.module.start(1))

    def step(self, state: Stream, x: Any) -> tuple[Stream, np.ndarray]:
        """Read on, and answer for what has been read.

        Args:
            state: as `start` or the last step gave it.
            x: a token, or a piece of text that is cut into symbols by itself; or one frame (D,).

        Returns:
            The state, and what `predict_proba` gives for the whole sequence up to here (however long it is), (C,).

        Raises:
            DataError: it is none of these, or a frame with another number of channels or a missing number.
        """
        features, module = self._model.features, self._model.module
        network, steps, logits = state.network, state.steps, None
        if self.config["unit"] == "frames":
            logits, network = module.step(frame_of(features.frames, x, module.scales), network)
            steps += 1
        else:
            pipeline: TextPipeline = features.pipeline
            for symbol in symbols_of(pipeline, x):
                logits, network = module.step(self._symbol(symbol), network)
                steps += 1
            ending = EOS if pipeline.settings.end_mark else UNK if steps == 0 else None  # nothing is read as <unk>
            if ending is not None:
                logits, _ = module.step(self._symbol(ending), network.copied())
        # A piece that has no symbol changes nothing.
        answer = state.answer if logits is None else self._answer(logits)
        return Stream(network, steps, answer), answer

    def _symbol(self, number: int) -> Any:
        import torch

        return torch.tensor([number], device=self._model.module.scales.device)

    def _answer(self, logits: Any) -> np.ndarray:
        from seqwise.models import probabilities

        found = probabilities(logits.float().cpu().numpy(), multilabel=self.multilabel)
        return self.decisions.corrected(self.decisions.calibrated(found))[0]


class StreamingLanguageModel:
    """What a language model's predictor has for texts that come step by step."""

    pipeline: TextPipeline
    network: LanguageNetwork
    opening: int

    def start(self) -> Stream:
        """Where a text begins; `answer` is log P of every symbol but padding as the first one, (V - 1,)."""
        return self._read(Stream(self.network.start(1)), [self.opening])

    def step(self, state: Stream, x: Any) -> tuple[Stream, np.ndarray]:
        """Read on, and say what comes next.

        Args:
            state: as `start` or the last step gave it.
            x: a token, or a piece of text that is cut into symbols by itself.

        Returns:
            The state, and log P of every symbol but padding as the next one, (V - 1,), in nats.

        Raises:
            DataError: it is no text.
        """
        state = self._read(state, symbols_of(self.pipeline, x))
        return state, state.answer

    def _read(self, state: Stream, symbols: list[int]) -> Stream:
        import torch

        network, steps, answer = state.network, state.steps, state.answer
        for symbol in symbols:
            logs, network = self.network.step(
                torch.tensor([symbol], device=self.network.embedding.weight.device), network
            )
            steps, answer = steps + 1, logs[0].double().cpu().numpy()
        return Stream(network, steps, answer)


class StreamingTagger:
    """What a tagger's predictor has for sequences that come step by step."""

    network: TaggerNetwork
    features: Any
    framed: bool
    temperature: float

    def start(self) -> Stream:
        """Where a sequence begins.

        Raises:
            ConfigurationError: the model needs whole sequences: it reads in both directions, a conditional random field
                decides, or frames are prepared from several steps.
        """
        if self.framed:
            check_stepwise(self.features.settings)
        return Stream(self.network.start(1))

    def step(self, state: Stream, x: Any) -> tuple[Stream, np.ndarray]:
        """Read on, and say what the tag of this step is.

        Args:
            state: as `start` or the last step gave it.
            x: a token; or one frame (D,).

        Returns:
            The state, and the probability of every tag of `classes`, (C,): what `marginals` gives for this step.

        Raises:
            DataError: it is none of these, or a frame with another number of channels or a missing number.
        """
        import torch

        from seqwise.data.frames import Frames

        if self.framed:
            frame_of(self.features.frames, x, self.network.head.weight)
            examples = self.features.encode(Frames.from_rows([np.asarray(x, np.float32)[None]]))
        elif isinstance(x, str) and x:
            examples = self.features.encode([[x]])
        else:
            raise DataError(f"a step of this model is a token, got {x!r:.40}")
        batch = examples.batch(np.array([0])).to(self.network.head.weight.device)
        with torch.no_grad():
            emissions, network = self.network.step(batch, state.network)
            found = self.network.probabilities(emissions[:, None], batch, self.temperature, self._shift)
        answer = found[0, 0].double().cpu().numpy()
        return Stream(network, state.steps + 1, answer), answer

    @property
    def _shift(self) -> Any:
        return None


def symbols_of(pipeline: TextPipeline, x: Any) -> list[int]:
    """The symbols of a token, or of a piece of text.

    Raises:
        DataError: it is no text.
    """
    if not isinstance(x, str):
        raise DataError(f"a step of this model is a token or a piece of text, got {type(x).__name__}")
    given: str | list[str] = [x] if pipeline.settings.unit == "tokens" else x
    return pipeline.vocabulary.encode(pipeline.tokenizer.running(given)).tolist()


def check_stepwise(settings: FrameSettings) -> None:
    """Refuse frames that are prepared from more than one step.

    Raises:
        ConfigurationError: names the setting.
    """
    for name, alone in {"features": "none", "stack": 1, "stride": 1, "deltas": 0, "max_length": None}.items():
        if (value := getattr(settings, name)) != alone:
            raise ConfigurationError(f"frames.{name} needs more than one step, and is {value}: read whole sequences")
    if settings.normalise == "sequence":
        raise ConfigurationError("frames.normalise needs more than one step, and is 'sequence': read whole sequences")


def frame_of(features: FrameFeatures, x: Any, like: Any) -> Any:
    """One frame as a network reads it, (1, D), where `like` is.

    Raises:
        DataError: it is no frame of D numbers, or one of them is missing.
    """
    import torch

    frame = np.asarray(x, np.float32)
    if frame.shape != (features.channels,) or np.isnan(frame).any():
        raise DataError(f"a step is {features.channels} numbers, none of them missing; got shape {frame.shape}")
    return torch.from_numpy(np.array(features.encode([frame[None]])[0])).to(like.device)
